"""Files on their way that none of their places gives now: their room is for others, and comes back in its turn."""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from caroni_edge.agent.context import Context
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.objects.objects import id_of, sha256_of
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Peer

log = logging.getLogger(__name__)

IN_VAIN_S = 60.0
"""So long the room of a file is kept though none of its places answers, while others wait for room."""
TURN_S = 600.0
"""After so long it has its old place again among those who wait; until then it comes after them."""


class _Aside(NamedTuple):
    """A file that was set aside; `came`: so many bytes of it are here, None: that was not said yet."""

    came: int | None
    until: float


class Aside(Memory):
    """Which files have given back the room for what is missing of them; what has come stays, and takes its own."""

    def __init__(self, context: Context) -> None:
        """Begin with none, and without having heard of any place that is silent."""
        super().__init__(context.journal)
        self._rows = context.store.aside
        self._silent: frozenset[Peer] = frozenset()
        self._since: MemoryDict[FetchId, float] = MemoryDict(context.journal)  # since when no place of it answers
        self._set: MemoryDict[FetchId, _Aside] = MemoryDict(context.journal)

    def on_start(self, now: float) -> list[FetchId]:
        """Take what was set aside when the last process ended, and return it: what others have begun since goes on."""
        for row in self._rows.all():
            self._set[FetchId(row.manager, sha256_of(row.object))] = _Aside(row.came, now + TURN_S)
        return list(self._set)

    # What is heard

    def on_silent(self, holders: frozenset[Peer]) -> None:
        """Note which nodes do not answer now."""
        self._silent = holders

    def on_held(self, fetch: FetchId, came: int) -> None:
        """Note that nothing more of a file comes, and how much of it is here: the rest of its room is free."""
        if (known := self._set.get(fetch)) is not None:
            self._set[fetch] = known._replace(came=came)
            self._rows.put(fetch.manager, id_of(fetch.sha256), came)

    def look(self, begun: Mapping[FetchId, Want], now: float) -> None:
        """Look whether places of what has begun answer."""
        for fetch in [each for each in self._since if each not in begun]:
            del self._since[fetch]
        self.back(
            fetch
            for fetch, known in list(self._set.items())
            if fetch not in begun or (known.came is None and now >= known.until)
        )
        for fetch, want in begun.items():
            if fetch in self._set or not self.is_silent(want):
                self._since.pop(fetch, None)
            elif fetch not in self._since:
                self._since[fetch] = now

    # What follows

    def is_silent(self, want: Want) -> bool:
        """Tell whether no place of a file answers."""
        return bool(want.places) and all(place.holder in self._silent for place in want.places)

    def in_vain(self, now: float) -> list[FetchId]:
        """Return what may be set aside where others wait for room."""
        return [fetch for fetch, since in self._since.items() if now >= since + IN_VAIN_S]

    def put(self, fetch: FetchId, now: float) -> None:
        """Set a file aside; its room is free when `on_held` says so."""
        self._since.pop(fetch)
        self._set[fetch] = _Aside(None, now + TURN_S)
        ids = {"action": "file_set_aside", "manager": fetch.manager, "object": fetch.sha256}
        log.info("nobody gives a file now: its room is for others who wait", extra=ids)

    def back(self, fetches: Iterable[FetchId]) -> None:
        """Let files have room again."""
        for fetch in fetches:
            if self._set.pop(fetch, None) is not None:
                self._rows.end(fetch.manager, id_of(fetch.sha256))

    def __contains__(self, fetch: object) -> bool:
        """Tell whether a file is set aside."""
        return fetch in self._set

    def is_being_set(self, fetch: FetchId) -> bool:
        """Tell whether the room of a file that was set aside is not free yet."""
        return fetch in self._set and self._set[fetch].came is None

    def is_late(self, fetch: FetchId, now: float) -> bool:
        """Tell whether a file comes after all others that wait."""
        known = self._set.get(fetch)
        return known is not None and now < known.until

    def takes(self, want: Want) -> int:
        """Return how many bytes a file takes that has begun: those that are here, and those that room is kept for."""
        known = self._set.get(want.id)
        return want.object.size if known is None or known.came is None else known.came

    def lacks(self, want: Want) -> int:
        """Return how many bytes more a file takes when it begins, or goes on."""
        return want.object.size - (self.takes(want) if want.id in self._set else 0)
