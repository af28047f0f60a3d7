"""What a network thread needs beside the protocol: being woken, waiting between attempts."""

import random
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from caroni_edge.base.backoff import Backoff

STABLE_AFTER_S = 2.0
"""After a connection that lasted so long the next retry is soon: a line that breaks often is used while it is up."""

RETRY_MAX_S = 30.0
SOON_MAX = 5
"""So many waits in a row may be the shortest because somebody asks for that; then they grow as all others."""
RETRY_JITTER = (0.2, 1.0)

_random = random.SystemRandom().random


class Waker:
    """Wakes a thread that waits in `poll` for its network."""

    def __init__(self) -> None:
        """Open the pair of sockets: the thread polls the one, `wake` writes to the other."""
        self._in, self._out = socket.socketpair()
        self._in.setblocking(False)
        self._out.setblocking(False)
        self._woken = False
        self._closed = False

    def fileno(self) -> int:
        """Return the file descriptor to poll: it is readable when the thread was woken."""
        return self._in.fileno()

    def wake(self) -> None:
        """Wake the thread; from any thread, and cheap when it is awake."""
        if not self._woken and not self._closed:
            self._woken = True
            self._out.send(b"\0")

    def hear(self) -> None:
        """Note that we were woken, before looking at what there is to do: what comes after that wakes us anew."""
        self._in.recv(64)
        self._woken = False

    def close(self) -> None:
        """Close the sockets, after the thread has ended; from now on `wake` does nothing."""
        self._closed = True
        self._in.close()
        self._out.close()


class Reconnection:
    """How long to wait before the next attempt to connect.

    Where nothing listens the wait does not grow: an attempt costs the broker nothing, and work is to flow soon again.
    It grows where something listens and does not keep us: a broker to which thousands come back at once cuts off whom
    it cannot take, and those then come spread over half a minute.
    """

    def __init__(self, first_s: float, chance: Callable[[], float] = _random) -> None:
        """Begin with the shortest wait.

        Args:
            first_s: The most that the first wait may be.
            chance: Returns a number from 0 to 1.
        """
        self._backoff = Backoff(first_s, max(first_s, RETRY_MAX_S), jitter=RETRY_JITTER)
        self._chance = chance
        self._wait_s = first_s
        self._soon_left = SOON_MAX

    def next_s(self, lasted_s: float, *, reached: bool) -> float:
        """Return for how long to wait after an attempt to connect, or after a connection.

        Args:
            lasted_s: How long the connection lasted; 0 when the broker did not take us.
            reached: Something was there and took the connection, whatever it did then.
        """
        if lasted_s >= STABLE_AFTER_S:
            self._wait_s, self._soon_left = self._backoff.first_s, SOON_MAX
        wait_s = self._backoff.first_s
        if reached:
            wait_s, self._wait_s = self._wait_s, self._backoff.after(self._wait_s)
        return self._backoff.jittered(wait_s, self._chance())

    def soon_s(self) -> float:
        """Return the shortest wait, instead of the one that `next_s` has given; infinity after too many in a row."""
        if not self._soon_left:
            return inf
        self._soon_left -= 1
        return self._backoff.jittered(self._backoff.first_s, self._chance())


def no_delay(sock: Any) -> None:
    """Send at once: without this a question and its answer take 88 ms, with it half of one."""
    getattr(sock, "_socket", sock).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def close_gently(sock: Any, give_up_at: float) -> None:
    """Say that nothing more comes, and wait until the other side has read all and closes, or until `give_up_at`.

    A socket that is closed while something unread waits in it resets the connection: the other side may then never see
    what was sent last.
    """
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left_s := give_up_at - monotonic()) > 0 and poll.poll(left_s * 1000):
            if not sock.recv(65536):
                return
