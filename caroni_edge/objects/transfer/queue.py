"""The objects that wait for their turn to be asked for, or for a time at which a place may be asked again."""

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Fetch


class FetchQueue:
    """What waits, for each manager in its own order. To put something in again takes it from where it was."""

    def __init__(self) -> None:
        """Begin empty."""
        self._entries: dict[FetchId, tuple[int, Fetch]] = {}
        self._ready: dict[str, list[tuple[int, int, int, FetchId]]] = {}
        self._blocked: list[tuple[float, int, FetchId]] = []
        self._count = 0

    def add(self, fetch: Fetch) -> None:
        """An object is to be asked for as soon as it is its turn."""
        turn = self._enter(fetch)
        ready = self._ready.setdefault(fetch.want.manager, [])
        heappush(ready, (fetch.want.order, fetch.order, turn, fetch.want.id))

    def block(self, fetch: Fetch, until: float) -> None:
        """No place may be asked for an object before `until`; `inf`: before others are named."""
        turn = self._enter(fetch)
        if until < inf:
            heappush(self._blocked, (until, turn, fetch.want.id))

    def remove(self, fetch: Fetch) -> None:
        """An object does not wait any more."""
        self._entries.pop(fetch.want.id, None)

    def wake(self, now: float) -> None:
        """Let those whose time has come have their turn."""
        while self._blocked and self._blocked[0][0] <= now:
            _, turn, fetch_id = heappop(self._blocked)
            if fetch := self._waiting(turn, fetch_id):
                self.add(fetch)

    def wake_all(self) -> None:
        """Let all have their turn, since places may answer now that did not."""
        self.wake(inf)

    def managers(self) -> Iterator[str]:
        """Yield the managers of whom something may wait for its turn."""
        yield from self._ready

    def pop(self, manager: str) -> Fetch | None:
        """Return the object of a manager whose turn it is, which waits no more."""
        ready = self._ready.get(manager, [])
        while ready:
            _, _, turn, fetch_id = heappop(ready)
            if fetch := self._waiting(turn, fetch_id):
                del self._entries[fetch_id]
                return fetch
        self._ready.pop(manager, None)
        return None

    def next_due(self) -> float:
        """Return when the next of those has its turn that wait for a time."""
        while self._blocked and not self._waiting(self._blocked[0][1], self._blocked[0][2]):
            heappop(self._blocked)
        return self._blocked[0][0] if self._blocked else inf

    def _enter(self, fetch: Fetch) -> int:
        self._count += 1
        self._entries[fetch.want.id] = self._count, fetch
        return self._count

    def _waiting(self, turn: int, fetch_id: FetchId) -> Fetch | None:
        entered, fetch = self._entries.get(fetch_id, (0, None))
        return fetch if entered == turn else None
