"""Offers that stand: a manager that has had short jobs done here need not ask before it places the next ones.

An offer that answers a demand keeps its places free for a few seconds; to ask for one takes a way there and back, which
is longer than a short job. So when a manager has got what it demanded, some of it here, and after each acceptance of
such an offer, what is free now is offered without a demand, if nobody has one that is not offered for. Nothing is kept
free for it: others may have taken the places when jobs come, which then are declined and asked for as ever.
"""

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.room import Kind, Room
from caroni_edge.agent.offers.saying import OffersSaid
from caroni_edge.agent.offers.shares import Places
from caroni_edge.base.memory import Memory, MemorySet
from caroni_edge.base.moment import Moment

STANDS_FOR_S = 600.0
"""So long a manager may come back to it."""


class Standing(Memory):
    """Makes offers that stand, one at a time for each manager and job type; it needs to remember none."""

    def __init__(self, context: Context, said: OffersSaid, refusals: Refusals, depth: Depth) -> None:
        """Offer what the offers for a demand have left."""
        super().__init__(context.journal)
        self._store, self._said, self._refusals, self._depth = context.store, said, refusals, depth
        self._owed: MemorySet[Kind] = MemorySet(context.journal)

    def on_demand_over(self, manager: str, job_type: str) -> None:
        """A manager has no demand for a type any more: what it needed was done, here if its last offer brought jobs."""
        if self._store.offers.status(manager, job_type) == OfferState.ACCEPTED:
            self.owe(manager, job_type)

    def on_jobs(self, manager: str, job_types: set[str]) -> None:
        """Jobs of these types have come for an offer that stood, and have taken some of its places."""
        for job_type in job_types:
            self.owe(manager, job_type)

    def owe(self, manager: str, job_type: str) -> None:
        """A manager has got all that it demanded of a type, some of it here."""
        if job_type in self._depth.more():
            self._owed.add((manager, job_type))

    def settle(self, room: Room, at: Moment) -> None:
        """Offer what is free to those that are owed an offer, while nobody has a demand that could be offered for."""
        for kind in sorted(self._owed):
            if not self._may_have(*kind, room, at.now):
                self._owed.discard(kind)
        kinds = [kind for kind in sorted(self._owed) if self._is_open_to(kind) and room.places_ready.has(kind[1])]
        for manager, job_type in kinds:
            self._owed.discard((manager, job_type))
            ready = _part(room.places_ready, job_type, len(kinds))
            waiting = _part(room.places_waiting, job_type, len(kinds))
            self._said.say(manager, job_type, (ready, waiting), valid_for_s=STANDS_FOR_S, stands=True)

    def _is_open_to(self, kind: Kind) -> bool:
        """Tell whether no offer is open that answers a demand: the manager takes a later one in its place."""
        return self._store.offers.status(*kind) != OfferState.OPEN

    def _may_have(self, manager: str, job_type: str, room: Room, now: float) -> bool:
        """Tell whether a manager is there, and may have jobs of a type done here that need nothing beside a slot."""
        is_plain = job_type not in room.places_ready.left.types
        is_sound = self._refusals.allow(manager, job_type) and job_type not in self._refusals.failing()
        return is_plain and is_sound and self._store.managers.may_be_told(manager, now)


def _part(places: Places, job_type: str, kinds: int) -> int:
    """Return how many free places a job type is offered that shares them with others: one at least, if it may have one.

    More than there are would only be declined; but each of several may have the last one.
    """
    free = max(places.shared, 0) // kinds + places.more.get(job_type, 0)
    most = free if places.most is None else min(free, places.most // kinds)
    return max(most, int(places.has(job_type)))
