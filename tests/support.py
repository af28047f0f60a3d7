"""What tests of all layers share: waiting for a condition, ports to listen on, and a client of HTTP."""

import contextlib
import ctypes
import socket
import sqlite3
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


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on.

    It is below those that the kernel gives to connections: a broker that takes seconds to listen, or is away for a
    while, must not lose its port to one of them.
    """
    while True:
        port = SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


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
