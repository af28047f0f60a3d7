"""Decides what to offer to whom (docs/protocol.md, "From a step to its result")."""

from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.candidates import Candidate, Wanted, divide
from caroni_edge.agent.offers.demanded import Demanded
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.open import AGAIN, OpenOffers
from caroni_edge.agent.offers.refusals import PROBE_EVERY_S, Refusals
from caroni_edge.agent.offers.resources import Resources
from caroni_edge.agent.offers.room import Kind, Room, look
from caroni_edge.agent.offers.saying import OffersSaid
from caroni_edge.agent.offers.shares import Shares
from caroni_edge.agent.offers.standing import Standing
from caroni_edge.agent.store.offers import OfferRow
from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part

VALID_FOR_S = 10.0


class Offers(Part):
    """Makes offers, one open at a time at most for each manager and job type.

    Attributes:
        open: What becomes of them.
        standing: Offers what is left to those that demand nothing now.
    """

    def __init__(
        self,
        context: Context,
        refusals: Refusals,
        shares: Shares,
        depth: Depth,
        resources: Resources,
        demanded: Demanded,
    ) -> None:
        """Decide by what is demanded and refused, by the managers' shares and how much is kept here."""
        super().__init__(context.journal)
        self._store, self._in_force, self._demanded = context.store, context.in_force, demanded
        self._refusals, self._shares, self._depth, self._resources = refusals, shares, depth, resources
        self._said = OffersSaid(context)
        self.standing = Standing(context, self._said, refusals, depth)
        self.open = OpenOffers(context, self.standing)
        self._due = -inf
        self._is_another_turn = False  # what was kept for a job type is there for others now

    def on_start(self, at: Moment) -> None:
        """Void the offers of earlier processes: the clock of before is gone, so nobody knows how old they are."""
        self._store.offers.clear()
        self._refusals.on_start()

    def look(self) -> Room:
        """Return how much room there is now."""
        return look(self._store, self._in_force.settings, self._depth, self._resources)

    def settle(self, at: Moment) -> None:
        """Free the places of offers that have run out, and offer all that is free."""
        self.open.run_out(at)
        self._is_another_turn = False
        if (unused := self._make(at)) is not None:
            self.standing.settle(unused, at)
        self._due = at.now if self._is_another_turn else self._look_ahead(at.now)

    def next_due(self) -> float:
        """Return when an offer runs out, or another may be made."""
        return self._due

    def _look_ahead(self, now: float) -> float:
        self._demanded.look(now)
        end = self._store.offers.next_end()
        probes = (due for due in self._refusals.failing().values() if due > now)
        return min(self._demanded.next_due(), inf if end is None else end, *probes)

    def _make(self, at: Moment) -> Room | None:
        """Offer all free places to managers that have use for them; where nobody demands any, return what is free."""
        room = self.look()
        if not (room.places_ready.are_there() or room.places_waiting.are_there()) or self._refusals.of_all():
            return None
        demanding = self._wanted(room, at)
        wanted = demanding.but(room.well_queued, room.well_pending)
        if not wanted:
            self._resources.line_up({}, room.places_ready.left)
            # A demand that can wait, since so much is queued, gets many places at a time later on.
            return None if demanding else room
        standings = self._shares.standings(wanted.managers(), at.now)
        wanted = self._probe(wanted, standings, at)
        self._resources.line_up(wanted.urgency(room.places_ready.left.types), room.places_ready.left)
        sure = wanted.but_of(self._demanded.unsure)
        self._offer_all(sure, *divide(sure, room, standings, self._shares), room, at)
        if unsure := wanted.but_of(sure.managers()):
            # What reserves nothing takes nothing from the rest, and is what its share would be.
            self._offer_all(unsure, *divide(wanted, room, standings, self._shares), room, at)
        return None

    def _wanted(self, room: Room, at: Moment) -> Wanted:
        self._demanded.look(at.now)
        # Types that need more than a place are seen to without one: they stand in a line for the rest.
        ready = room.places_ready.are_there() or bool(room.places_ready.left.types)
        return Wanted(
            self._refusals.allowed(self._demanded.ready()) if ready else {},
            self._refusals.allowed(self._demanded.waiting()) if room.places_waiting.are_there() else {},
            self._demanded.candidates,
        )

    def _probe(self, wanted: Wanted, standings: dict[str, float], at: Moment) -> Wanted:
        """Leave a job type whose jobs all fail here one place every minute (`PROBE_EVERY_S`), until one completes."""
        failing = self._refusals.failing()
        kept = wanted.but(failing, failing)
        for job_type, due in failing.items():
            demanding = wanted.of_type(job_type)
            if demanding and due <= at.now:
                first = min(demanding, key=lambda name: (standings[name], name))
                is_ready = first in wanted.ready.get(job_type, ()) and wanted.candidates[first, job_type].ready > 0
                kept = kept.and_one(first, job_type, is_ready=is_ready)
        return kept

    def _offer_all(
        self, wanted: Wanted, ready: dict[Kind, int], waiting: dict[Kind, int], room: Room, at: Moment
    ) -> None:
        """Offer what was divided to those that are wanted."""
        managers = wanted.managers()
        for kind in sorted({*ready, *waiting}):
            if kind[0] in managers:
                places = (ready.get(kind, 0), waiting.get(kind, 0))
                self._offer(wanted.candidates[kind], places, room, at)

    def _offer(self, candidate: Candidate, places: tuple[int, int], room: Room, at: Moment) -> None:
        demand, job_type = candidate.demand, candidate.demand.job_type
        offer = self._said.say(
            *candidate.kind,
            places,
            valid_for_s=VALID_FOR_S,
            serial=demand.serial,
            expected_start_s=self._expected_start_s(job_type, room),
        )
        again = demand.last_serial == demand.serial and not demand.last_taken
        # Of what is well queued no more is thought to be left: asking for more could wait.
        row = OfferRow(
            *candidate.kind,
            offer=offer,
            status=OfferState.OPEN,
            serial=demand.serial,
            ready=places[0],
            waiting=places[1],
            taken=0,
            reserves=candidate.reserves,
            valid_until=at.now + VALID_FOR_S,
            left_ready=0 if job_type in room.well_queued else candidate.ready,
            left_waiting=0 if job_type in room.well_pending else candidate.waiting,
            again_due=0.0,
            wait_s=(demand.wait_s if again else None) or AGAIN.first_s,
            heard=demand.heard,
        )
        self._store.offers.save(row)
        self._is_another_turn |= self._resources.on_offered(job_type)
        if job_type in self._refusals.failing():
            self._refusals.on_probed(job_type, at.now + PROBE_EVERY_S)

    def _expected_start_s(self, job_type: str, room: Room) -> float:
        slots = max(1, self._in_force.settings.slots)
        before = room.ahead - slots + 1
        return round(max(0, before) * self._shares.estimate_s(job_type) / slots, 3)
