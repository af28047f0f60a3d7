"""What tests of all layers share: waiting for a condition, ports to listen on, and a client of HTTP."""

import contextlib
import ctypes
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

import httpx

Seen = TypeVar("Seen")

POLL_S = 0.005
WITHIN_S = 60.0
"""How long to wait for what should come at once: a machine may be busy. It bounds a failing test only."""

HTTP = httpx.Client(verify=False, trust_env=False, timeout=WITHIN_S, limits=httpx.Limits(max_keepalive_connections=0))
"""One for all: each new client would read all CA certificates, which takes longer than to ask. It keeps no connection,
since daemons come and go."""


def wait_until(
    condition: Callable[[], Seen], timeout_s: float = WITHIN_S, what: str = "", *, every_s: float = POLL_S
) -> Seen:
    """Call `condition` until it returns something true, and return that.

    Args:
        condition: Looks at what the test waits for; it should return what it saw, so that a failure can show it.
        timeout_s: How long to go on. It bounds a failing test only, and is no measurement.
        what: What is waited for, in words.
        every_s: How often to look; more where looking costs something.

    Raises:
        AssertionError: It did not happen; the message shows what `condition` returned last.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s for {what or 'a condition'}; last seen: {seen!r}")
        time.sleep(every_s)


_held: list[socket.socket] = []


def in_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Run `work` in a thread that no test waits for."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def own_number(of_what: str, most: int) -> int:
    """Return a number below `most` that no other process of tests on this host has while this one lives.

    What tests share with all that runs beside them (ports, user ids) is divided by such numbers. An abstract socket
    with its name holds each.
    """
    while True:
        number, holder = SystemRandom().randrange(most), socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0caroni-edge-tests-{of_what}-{number}")
        except OSError:
            holder.close()
            continue
        _held.append(holder)
        return number


class Ports:
    """TCP ports of 127.0.0.1 that no other process of tests is given, and nobody twice.

    They are below those that the kernel gives to connections: a broker that takes seconds to listen, or is away for a
    while, must not lose its port to one of them.
    """

    FIRST, BLOCKS, SIZE = 10_000, 200, 100

    def __init__(self) -> None:
        self._left: list[int] = []

    def take(self) -> int:
        """Return the next port that nobody listens on."""
        while True:
            if not self._left:
                first = self.FIRST + own_number("ports", self.BLOCKS) * self.SIZE
                self._left = list(range(first, first + self.SIZE))
            port = self._left.pop()
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


free_port = Ports().take
"""Return a TCP port of 127.0.0.1 to listen on."""


def add_migration(path: Path) -> None:
    """Let a state database be one that a newer program has written."""
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        said = ("delivery", "from_tomorrow")
        conn.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES (?, ?)", said)


def take_migration(path: Path) -> None:
    """Let a state database be what it was before `add_migration`."""
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'from_tomorrow'")


_CAP_VERSION_3 = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (capabilities(7))."""


@contextlib.contextmanager
def ordinary_rights() -> Iterator[None]:
    """Let this thread, and those that it starts, use no file whose mode forbids that, even where tests run as root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, held = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0
    fewer = (ctypes.c_uint32 * 6)(*held)
    fewer[0] &= ~_OVERRIDES
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
