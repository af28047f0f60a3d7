"""The connections of a server: so many at a time, and none of them waits for its client for long.

Whoever can reach the port can open connections and say nothing on them. They may cost the node neither the descriptors
that its work needs (broker, database, jobs), nor others their answers: the oldest one that has not sent a whole request
makes room for the next. So a crowd of them holds up nobody who sends one, not even from its own address.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from enum import IntEnum
from operator import itemgetter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 200
DESCRIPTORS_SHARE = 4
"""Of the descriptors that the process may have, this part at most goes to connections: a quarter."""
SAY_EVERY_S = 60.0
YOUNG_S = 1.0
"""So young a connection is that its request may be on the way: it makes room last."""

TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 28\r\n\r\ntoo many requests at a time\n"
)
ON_THE_HOST = "on_the_host"
"""In the state of a request: it came by the socket in the state directory, which its owner alone can open."""


class Waits(IntEnum):
    """What a connection waits for from its client; the least makes room first."""

    FOR_HEADER = 0
    FOR_BODY = 1
    TO_BE_READ = 2


YOUNG = max(Waits) + 1

WAITS_MAX_S = {Waits.FOR_HEADER: 10.0, Waits.FOR_BODY: 30.0, Waits.TO_BE_READ: 60.0}
"""A connection that waits for longer is closed."""
STEP_BYTES = 64 * 1024
"""Who sends so much of a body has so long again for the next: a large file may take its time, and must go on."""


def most_connections() -> int:
    """Return how many connections there may be, by the descriptors that this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft // DESCRIPTORS_SHARE)


class Crowd:
    """The connections that are open, in the order in which they came."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """Let in so many at a time; `clock` is monotonic."""
        self._most, self._clock = most, clock
        self._open: dict[Connection, float] = {}
        self._cut = 0
        self._said_at: float | None = None

    def has_room_for(self, newcomer: "Connection") -> bool:
        """Take in a connection, if need be in the place of the oldest that waits; False when all are being answered."""
        if len(self._open) >= self._most and not self._make_room():
            return False
        self._open[newcomer] = self._clock()
        return True

    def leave(self, connection: "Connection") -> None:
        """Forget a connection that has ended, or that was refused."""
        self._open.pop(connection, None)

    def _make_room(self) -> bool:
        self._say()
        grown = self._clock() - YOUNG_S
        waiting = [
            (YOUNG if came > grown else each.waits, each) for each, came in self._open.items() if each.waits is not None
        ]
        if not waiting:
            return False
        _, oldest = min(waiting, key=itemgetter(0))  # the first that came of those with the least
        self.leave(oldest)
        oldest.cut()
        return True

    def _say(self) -> None:
        self._cut += 1
        now = self._clock()
        if self._said_at is None or now >= self._said_at + SAY_EVERY_S:
            said = "there are %d connections, so the oldest without a whole request are closed; %d so far"
            log.warning(said, self._most, self._cut, extra={"action": "connections_cut", "cut": self._cut})
            self._said_at = now


class Connection(H11Protocol):
    """A connection of uvicorn's that knows what it waits for, and not for how long it likes.

    Attributes:
        waits: What for; None while a request is being answered.
    """

    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:
        """Belong to a crowd; the rest is uvicorn's."""
        super().__init__(*args, **kwargs)
        self.waits: Waits | None = None
        self._crowd = crowd
        self._timer: asyncio.TimerHandle | None = None
        self._came = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or say that there is no room."""
        super().connection_made(transport)
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            self.app_state = {**self.app_state, ON_THE_HOST: True}
        elif not self._crowd.has_room_for(self):
            transport.write(TOO_MANY)
            transport.close()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._crowd.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        super().data_received(data)
        self._came += len(data)
        if self._came >= STEP_BYTES and self._timer is not None:
            self._came = 0
            self._timer.cancel()
            self._timer = None
        self._look()

    def on_response_complete(self) -> None:
        """Begin with the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Wait until the client has read what there is."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._look()

    def cut(self) -> None:
        """Close the connection at once, whatever is on its way."""
        self.transport.abort()

    def _look(self) -> None:
        """Note what this connection waits for now; a new wait has a time of its own."""
        waits = self._now()
        if waits is self.waits and self._timer is not None:
            return
        self.waits, self._came = waits, 0
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if waits is None else self.loop.call_later(WAITS_MAX_S[waits], self.cut)

    def _now(self) -> Waits | None:
        if self.transport.is_closing() or self.flow.write_paused:
            return Waits.TO_BE_READ
        if self.conn.their_state is h11.SEND_BODY:
            return Waits.FOR_BODY
        return None if self.cycle is not None and not self.cycle.response_complete else Waits.FOR_HEADER
