"""Offers that stand: a manager that has had short jobs done here need not ask before it places the next ones.

An offer that answers a demand keeps its places free for a few seconds; to ask for one takes a way there and back, which
is longer than a short job. So when a manager has got what it demanded, some of it here, and after each acceptance of
such an offer, what is free now is offered without a demand, if nobody has one that is not offered for. Nothing is kept
free for it: others may have taken the places when jobs come, which then are declined and asked for as ever.
"""

import logging

from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.offers.room import Kind, Room
from caroni_edge.agent.offers.shares import Places
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.base.memory import Journal, Memory, MemorySet
from caroni_edge.base.moment import Chance, Moment
from caroni_edge.node.reactor import Outbox
from caroni_edge.protocol.messages import JobOffer

log = logging.getLogger(__name__)

STANDS_FOR_S = 600.0
"""So long a manager may come back to it."""


class Standing(Memory):
    """Makes offers that stand, one at a time for each manager and job type; it needs to remember none."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        chance: Chance,
        in_force: InForce,
        refusals: Refusals,
        depth: Depth,
        journal: Journal,
    ) -> None:
        """Offer what the offers for a demand have left."""
        super().__init__(journal)
        self._store, self._outbox, self._chance = store, outbox, chance
        self._in_force, self._refusals, self._depth = in_force, refusals, depth
        self._owed: MemorySet[Kind] = MemorySet(journal)

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
            if not self._may_have(*kind, at.now):
                self._owed.discard(kind)
        kinds = [
            kind for kind in sorted(self._owed) if self._is_open_to(kind) and room.places_ready.copy().take(kind[1])
        ]
        for manager, job_type in kinds:
            self._owed.discard((manager, job_type))
            parts = (_part(places, job_type, len(kinds)) for places in (room.places_ready, room.places_waiting))
            self._offer(manager, job_type, *parts)

    def _is_open_to(self, kind: Kind) -> bool:
        """Tell whether no offer is open that answers a demand: the manager takes a later one in its place."""
        return self._store.offers.status(*kind) != OfferState.OPEN

    def _may_have(self, manager: str, job_type: str, now: float) -> bool:
        """Tell whether a manager is there, and may have jobs of a type done here that need nothing beside a slot."""
        known = self._in_force.types.get(job_type)
        if known is None or known.needs or known.parallel is not None or self._refusals.lacks(job_type):
            return False
        may_be = self._in_force.settings.serves(manager) and not self._refusals.is_over(manager)
        is_sound = job_type not in self._refusals.failing()
        return may_be and is_sound and self._store.managers.may_be_told(manager, now)

    def _offer(self, manager: str, job_type: str, ready: int, waiting: int) -> None:
        known = self._in_force.types.get(job_type)
        assert known is not None
        offer = JobOffer(
            offer=self._chance.new_id(),
            job_type=job_type,
            serial=0,
            ready=ready,
            waiting=waiting,
            repeat=known.repeat,
            valid_for=STANDS_FOR_S,
            database=self._store.facts.database_for(manager),
            labels=dict(self._in_force.settings.labels),
            stands=True,
        )
        self._outbox.put(manager, offer)
        record = {"action": "offer_made", "peer": manager, "offer": offer.offer}
        log.debug("offered %d ready and %d waiting of %s without a demand", ready, waiting, job_type, extra=record)


def _part(places: Places, job_type: str, kinds: int) -> int:
    """Return how many free places a job type is offered that shares them with others: one at least, if it may have one.

    More than there are would only be declined; but each of several may have the last one.
    """
    free = max(places.shared, 0) // kinds + places.more.get(job_type, 0)
    most = free if places.most is None else min(free, places.most // kinds)
    return max(most, int(places.copy().take(job_type)))
