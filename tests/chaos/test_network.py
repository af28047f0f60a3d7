"""Lines that can be cut, and disks that can be filled: what the chaos runs do with them is what they say."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos.disk import BLOCK_BYTES, SmallDisk, mounts_allowed
from tests.chaos.network import DOWN, UP, Line, Namespace, lines, namespaces_allowed
from tests.support import wait_until


@pytest.fixture
def echo() -> Iterator[int]:
    """Listen on a port, and send back what comes."""

    def serve(connected: socket.socket) -> None:
        with connected, suppress(ConnectionError):
            while data := connected.recv(4096):
                connected.sendall(data)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connected,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(echo: int) -> Iterator[Line]:
    with lines(echo) as make:
        yield make("127.0.0.1")


def connect(line: Line) -> socket.socket:
    connected = socket.create_connection((line.host, line.port), timeout=10)
    say(connected, b"first")
    return connected


def say(connected: socket.socket, text: bytes) -> None:
    connected.sendall(text)
    heard = b""
    while len(heard) < len(text):
        heard += connected.recv(4096)
    assert heard == text


def is_silent(connected: socket.socket) -> bool:
    connected.settimeout(0.2)
    try:
        return not connected.recv(4096)
    except TimeoutError:
        return True
    finally:
        connected.settimeout(10)


@pytest.mark.parametrize("directions", [(UP, DOWN), (UP,), (DOWN,)])
def test_what_is_held_arrives_when_the_line_is_healed(line: Line, directions: tuple[str, ...]) -> None:
    with connect(line) as connected:
        line.hold(*directions)
        connected.sendall(b"held")
        assert is_silent(connected)
        line.heal()
        assert connected.recv(4096) == b"held"


def test_a_line_that_refuses_resets_what_is_there_and_takes_nobody(line: Line) -> None:
    with connect(line) as connected:
        line.refuse()
        with pytest.raises(ConnectionResetError):
            connected.recv(4096)
    with pytest.raises(ConnectionRefusedError):
        connect(line)
    line.heal()
    connect(line).close()


def test_a_slow_line_brings_all(line: Line) -> None:
    line.slow(0.01, 0.01, 100_000)
    with connect(line) as connected:
        say(connected, bytes(5000))


def test_an_unplugged_namespace_hears_nothing_until_it_is_plugged(echo: int) -> None:
    if not namespaces_allowed():
        pytest.skip("this process may not make network namespaces")
    namespace = Namespace(7)
    try:
        with lines(echo) as make:
            line = make(namespace.host)
            assert reaches(namespace, line)
            namespace.unplug()
            assert not reaches(namespace, line)
            namespace.plug()
            wait_until(lambda: reaches(namespace, line), what="the cable to carry again")
    finally:
        namespace.close()


def reaches(namespace: Namespace, line: Line) -> bool:
    """Tell whether a process in there is answered by the line."""
    script = f"""
import socket
with socket.create_connection(("{line.host}", {line.port}), timeout=1) as connected:
    connected.sendall(b"x")
    assert connected.recv(1) == b"x"
"""
    return not subprocess.run(
        [*namespace.prefix, sys.executable, "-c", script], check=False, capture_output=True
    ).returncode


def test_a_full_disk_takes_nothing_until_it_is_freed(tmp_path: Path) -> None:
    if not mounts_allowed(tmp_path / "probe"):
        pytest.skip("this process may not mount file systems")
    disk = SmallDisk(tmp_path / "disk", 4 * BLOCK_BYTES)
    try:
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.path / "more").write_bytes(b"x")
        disk.free()
        (disk.path / "more").write_bytes(b"x")
    finally:
        disk.close()
