"""Decides what to offer to whom (docs/protocol.md, "From a step to its result")."""

from collections.abc import Iterator, Sequence
from math import inf

from caroni_edge.agent.context import Context
from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.candidates import Candidate, candidate, divide, that_need_more, urgency
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
        self, context: Context, refusals: Refusals, shares: Shares, depth: Depth, resources: Resources
    ) -> None:
        """Decide by what is demanded and refused, by the managers' shares and how much is kept here."""
        super().__init__(context.journal)
        self._store, self._in_force = context.store, context.in_force
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
        times = (
            self._store.offers.next_end(),
            self._store.offers.next_due(now),
            *(due for due in self._refusals.failing().values() if due > now),
        )
        return min((due for due in times if due is not None), default=inf)

    def _make(self, at: Moment) -> Room | None:
        """Offer all free places to managers that have use for them; where nobody demands any, return what is free."""
        room = self.look()
        if not (room.places_ready.are_there() or room.places_waiting.are_there()) or self._refusals.of_all():
            return None
        demanding = [each for each in self._candidates(room, at) if each.ready or each.waiting]
        candidates = that_need_more(demanding, room)
        if not candidates:
            self._resources.line_up({}, room.places_ready.left)
            # A demand that can wait, since so much is queued, gets many places at a time later on.
            return None if demanding else room
        standings = self._shares.standings({each.demand.manager for each in candidates}, at.now)
        candidates = self._probe(candidates, standings, at)
        self._resources.line_up(urgency(candidates), room.places_ready.left)
        reserving = [each for each in candidates if each.reserves]
        self._offer_all(reserving, *divide(reserving, room, standings, self._shares), room, at)
        if others := [each for each in candidates if not each.reserves]:
            # What reserves nothing takes nothing from the rest, and is what its share would be.
            self._offer_all(others, *divide(candidates, room, standings, self._shares), room, at)
        return None

    def _candidates(self, room: Room, at: Moment) -> Iterator[Candidate]:
        # Types that need more than a place are seen to without one: they stand in a line for the rest.
        ready = room.places_ready.are_there() or bool(room.places_ready.left.types)
        for demand in self._store.demands.to_offer(at.now, ready=ready, waiting=room.places_waiting.are_there()):
            if self._refusals.allow(demand.manager, demand.job_type):
                yield candidate(demand, at.now)

    def _probe(self, candidates: Sequence[Candidate], standings: dict[str, float], at: Moment) -> list[Candidate]:
        """Leave a job type whose jobs all fail here one place every minute (`PROBE_EVERY_S`), until one completes."""
        failing = self._refusals.failing()
        kept = [each for each in candidates if each.demand.job_type not in failing]
        for job_type, due in failing.items():
            demanding = [each for each in candidates if each.demand.job_type == job_type]
            if demanding and due <= at.now:
                first = min(demanding, key=lambda each: (standings[each.demand.manager], each.demand.manager))
                kept.append(first._replace(ready=min(first.ready, 1), waiting=0 if first.ready else 1))
        return kept

    def _offer_all(
        self, candidates: Sequence[Candidate], ready: dict[Kind, int], waiting: dict[Kind, int], room: Room, at: Moment
    ) -> None:
        for each in candidates:
            if each.kind in ready or each.kind in waiting:
                self._offer(each, (ready.get(each.kind, 0), waiting.get(each.kind, 0)), room, at)

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
            left_ready=candidate.ready,
            left_waiting=candidate.waiting,
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
