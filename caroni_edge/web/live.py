"""Pages that follow: a stream of server-sent events says when there may be something new to show.

It says no more than that. A browser then fetches the page that it shows once more, so each page is made in one place.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from litestar import get
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from caroni_edge.web.readers import Readers

LOOK_EVERY_S: Final = 1.0
TOLD_PER_S: Final = 1.0
TOLD_AT_ONCE: Final = 10.0
"""All streams together are told of changes so often, and so many of them at a moment after a quiet time: a busy node
makes one page a second, however many are open."""
STREAMS_SHARE: Final = 2
"""Of the connections that a server may have, this part at most goes to streams: half of them."""
ALIVE_EVERY_S: Final = 15.0
"""So often a stream says something, that one whose other end is gone is noticed."""


class Changes:
    """Tells streams what a node has committed since they looked; used on the server's event loop alone."""

    def __init__(self, readers: Readers, state: Callable[[], object], most: int) -> None:
        """Look at a state database, and at what is in no row.

        Args:
            readers: Tell whether somebody has committed.
            state: Returns what else pages show; compared with what it was.
            most: So many streams there may be; the oldest makes room for the next one, and its page comes back.
        """
        self._readers, self._state, self._most = readers, state, most
        self._streams: dict[asyncio.Event, None] = {}
        self._allowance, self._allowed_at = TOLD_AT_ONCE, time.monotonic()
        self._has_ended = False

    def end(self) -> None:
        """Let all streams end."""
        self._has_ended = True
        for over in self._streams:
            over.set()

    def _begin(self) -> asyncio.Event:
        """Return what will say that a new stream is over."""
        over = asyncio.Event()
        if self._has_ended:
            over.set()
        if len(self._streams) >= self._most:
            oldest = next(iter(self._streams))
            del self._streams[oldest]
            oldest.set()
        self._streams[over] = None
        return over

    async def stream(self) -> AsyncIterator[ServerSentEventMessage]:
        """Yield an event `change` whenever there is something new, until the node stops or the other end is gone."""
        over = self._begin()
        try:
            seen, quiet_s = self._look(), 0.0
            yield ServerSentEventMessage(data=None, comment="listening")
            while not await _is_set(over, LOOK_EVERY_S):
                now = self._look()
                quiet_s += LOOK_EVERY_S
                if now != seen and self._may_tell():
                    seen, quiet_s = now, 0.0
                    yield ServerSentEventMessage(event="change", data="")
                elif quiet_s >= ALIVE_EVERY_S:
                    quiet_s = 0.0
                    yield ServerSentEventMessage(data=None, comment="still here")
        finally:
            self._streams.pop(over, None)

    def _may_tell(self) -> bool:
        """Tell whether a stream may be told of a change now; if not, it asks again at its next look."""
        now = time.monotonic()
        self._allowance = min(TOLD_AT_ONCE, self._allowance + (now - self._allowed_at) * TOLD_PER_S)
        self._allowed_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _look(self) -> tuple[object, object]:
        """Return what differs from the last look if there may be something new."""
        try:
            return self._readers.commits(), self._state()
        except sqlite3.Error as error:
            return str(error), self._state()  # the page, fetched anew, says it to its reader


async def _is_set(event: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except TimeoutError:
        return False
    return True


@get("/live", include_in_schema=False)
async def live(changes: NamedDependency[Changes]) -> ServerSentEvent:
    """Say when there may be something new to show."""
    return ServerSentEvent(changes.stream())
