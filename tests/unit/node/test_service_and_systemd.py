"""What systemd is told of a node, by its loop."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from caroni_edge.base.systemd import NOBODY, Systemd
from caroni_edge.node.service import Reload, Service, Stop
from tests.unit.node.bench import NodeBench

TIMEOUT_S = 60.0
HOUR_US = 3_600_000_000


class Listener:
    """The socket of systemd."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(TIMEOUT_S)

    def hear(self) -> list[str]:
        """Return the lines of the next message."""
        return self._socket.recv(4096).decode().split("\n")

    def heard(self) -> list[list[str]]:
        """Return the messages that have come, without waiting."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.hear())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(TIMEOUT_S)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.close()


def test_the_abstract_socket_of_a_container_is_reached(tmp_path: Path) -> None:
    listener = Listener(f"\0{tmp_path}")
    Systemd(listener.environ).ready()
    assert listener.hear() == ["READY=1"]
    listener.close()


def test_a_ping_comes_three_times_in_the_watchdogs_time(listener: Listener) -> None:
    systemd = Systemd({**listener.environ, "WATCHDOG_USEC": "30000000"})
    systemd.turn("fine", 100.0)
    assert systemd.next_due() == 110.0
    systemd.turn("fine", 109.9)
    systemd.turn("fine", 110.0)
    assert listener.heard() == [["STATUS=fine", "WATCHDOG=1"], ["WATCHDOG=1"]]


def test_a_status_is_said_when_it_changes_on_one_line(listener: Listener) -> None:
    systemd = Systemd(listener.environ)
    for status in ("no broker", "no broker", "two\nREADY=1", "fine"):
        systemd.turn(status, 0.0)
    assert systemd.next_due() == float("inf")
    said = listener.heard()
    assert [len(lines) for lines in said] == [1, 1, 1]
    assert [said[0], said[2]] == [["STATUS=no broker"], ["STATUS=fine"]]


def test_without_systemd_nothing_is_said_or_due() -> None:
    for systemd in (NOBODY, Systemd({"WATCHDOG_USEC": "1000"})):
        systemd.ready()
        systemd.turn("fine", 0.0)
        assert systemd.next_due() == float("inf")
        assert not systemd.is_there()


def test_a_socket_that_is_gone_is_said_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "systemd cannot be told READY=1" in caplog.text


class Running:
    """A node's service in a thread of its own, which ends with the context."""

    def __init__(self, listener: Listener, watchdog_us: int) -> None:
        self.service = Service(Systemd({**listener.environ, "WATCHDOG_USEC": str(watchdog_us)}))
        self.bench = NodeBench()
        self._pool = ThreadPoolExecutor(2)

    def __enter__(self) -> "Running":
        self._run = self._pool.submit(self.service.run, self.bench.node, lambda: None)
        return self

    def __exit__(self, *_: object) -> None:
        self.service.deliver(Stop(0))
        assert self._run.result(TIMEOUT_S) == 0
        self._pool.shutdown()

    def call(self, work: Callable[[], object]) -> "Future[object]":
        """Have the loop do something, without waiting for it."""
        return self._pool.submit(self.service.call, lambda _at: work())


def test_the_loop_says_how_it_goes(listener: Listener) -> None:
    with Running(listener, HOUR_US) as running:
        assert listener.hear() == ["READY=1"]
        status, ping = listener.hear()
        assert (status.startswith("STATUS=not connected"), ping) == (True, "WATCHDOG=1")
        running.service.deliver(Reload())
        assert listener.hear()[0] == "RELOADING=1"
        assert listener.hear() == ["READY=1"]
    assert listener.hear() == ["STOPPING=1"]


def test_the_loop_pings_by_itself_when_nothing_happens(listener: Listener) -> None:
    with Running(listener, 30_000):
        assert listener.hear() == ["READY=1"]
        assert [listener.hear()[-1] for _ in range(3)] == ["WATCHDOG=1"] * 3


def test_a_writer_that_hangs_stops_the_pings(listener: Listener) -> None:
    hangs, go_on = threading.Event(), threading.Event()
    with Running(listener, 3000) as running:

        def hang() -> None:
            hangs.set()
            go_on.wait(TIMEOUT_S)

        done = running.call(hang)
        try:
            assert hangs.wait(TIMEOUT_S)
            listener.heard()
            assert listener.heard() == []
        finally:
            go_on.set()
        done.result(TIMEOUT_S)
        assert listener.hear() == ["WATCHDOG=1"]
