"""Decides what to offer to whom, and follows what becomes of it (docs/protocol.md, "From a step to its result")."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import inf
from typing import NamedTuple

from caroni_edge.agent.lifecycle import OFFER, OfferEvent, OfferState
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.refusals import PROBE_EVERY_S, Refusals
from caroni_edge.agent.offers.resources import Resources
from caroni_edge.agent.offers.room import Kind, Room, look
from caroni_edge.agent.offers.shares import Claim, Shares, distribute
from caroni_edge.agent.offers.standing import Standing
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.agent.store.demands import ToOffer
from caroni_edge.agent.store.offers import OfferRow
from caroni_edge.base.backoff import Backoff
from caroni_edge.base.memory import Journal
from caroni_edge.base.moment import Chance, Moment
from caroni_edge.base.states import advance, require
from caroni_edge.node.parts import Part
from caroni_edge.node.reactor import Outbox
from caroni_edge.protocol.messages import JobOffer

log = logging.getLogger(__name__)

VALID_FOR_S = 10.0
AGAIN = Backoff(first_s=10.0, max_s=300.0)
HOLD_S = 10.0
"""After a reset a manager takes no offer before it knows what is here; after this time it is offered to anyway."""


class Candidate(NamedTuple):
    """A demand that could be offered for now, and how many places it has use for."""

    demand: ToOffer
    ready: int
    waiting: int

    @property
    def kind(self) -> Kind:
        """Manager and job type."""
        return self.demand.manager, self.demand.job_type

    @property
    def reserves(self) -> bool:
        """Whether an offer keeps its places free: not for a manager that is away, or has let its last offer run out."""
        return not self.demand.ran_out and self.demand.online is not False


class Offers(Part):
    """Makes offers, one open at a time at most for each manager and job type.

    Attributes:
        standing: Offers what is left to those that demand nothing now.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        chance: Chance,
        in_force: InForce,
        refusals: Refusals,
        shares: Shares,
        depth: Depth,
        resources: Resources,
        journal: Journal,
    ) -> None:
        """Decide by the demand in `store`, the owner's settings, the managers' shares and how much is kept here."""
        super().__init__(journal)
        self._store, self._outbox, self._chance = store, outbox, chance
        self._in_force, self._refusals, self._shares = in_force, refusals, shares
        self._depth, self._resources = depth, resources
        self.standing = Standing(store, outbox, chance, in_force, refusals, depth, journal)
        self._due = -inf
        self._is_unanswered = False
        self._is_another_turn = False  # what was kept for a job type is there for others now

    def on_start(self, at: Moment) -> None:
        """Void the offers of earlier processes: the clock of before is gone, so nobody knows how old they are."""
        self._store.offers.clear()
        self._refusals.on_start()

    def settle(self, at: Moment) -> None:
        """Free the places of offers that have run out, and offer all that is free."""
        self._run_out(at)
        self._is_another_turn = False
        if (unused := self._make(at)) is not None:
            self.standing.settle(unused, at)
        self._due = at.now if self._is_another_turn else self._look_ahead(at.now)

    def next_due(self) -> float:
        """Return when an offer runs out, or another may be made."""
        return self._due

    # What becomes of them

    def on_jobs(self, row: OfferRow, used: tuple[int, int], came: int, *, last: bool, at: Moment) -> None:
        """Take note of jobs that have come for an offer.

        Args:
            row: The offer.
            used: Its places, ready and waiting, that were filled.
            came: How many jobs came, taken or not.
            last: No more will come: what is left is free.
            at: The time.
        """
        self._store.managers.answered(row.manager)
        row = row._replace(
            ready=row.ready - used[0],
            waiting=row.waiting - used[1],
            taken=row.taken + came,
            left_ready=max(0, row.left_ready - used[0]),
            left_waiting=max(0, row.left_waiting - used[1]),
        )
        if last:
            self._answered(row, OfferEvent.JOBS_CAME if row.taken else OfferEvent.NOTHING_CAME, at)
        else:
            self._store.offers.save(row)

    def on_reject(self, manager: str, offer: str, at: Moment) -> None:
        """Free the places of an offer for which its manager has no step."""
        self._store.managers.answered(manager)
        if row := self._store.offers.by_offer(manager, offer):
            self._answered(row, OfferEvent.NOTHING_CAME, at)

    def on_unreadable(self, manager: str, at: Moment) -> None:
        """Free the places of all open offers to a manager that could not read one, since it cannot say which."""
        for row in self._store.offers.open_of(manager):
            self._answered(row, OfferEvent.NOTHING_CAME, at)

    def _run_out(self, at: Moment) -> None:
        """Free the places of offers that were not answered in time."""
        for row in self._store.offers.run_out(at.now):
            if not row.taken:
                self._store.managers.ran_out(row.manager)
                self._is_unanswered = True
            status = require(OFFER, row.status, OfferEvent.TIME_OVER, peer=row.manager, offer=row.offer)
            self._close(row, status, at)

    def take_unanswered(self) -> bool:
        """Tell once whether an offer has run out without an answer: its manager may not know us."""
        unanswered, self._is_unanswered = self._is_unanswered, False
        return unanswered

    def void(self, manager: str, at: Moment) -> None:
        """Void the offers to a manager whose link began anew; it gets no other before it has heard what is here."""
        self._store.offers.forget(manager)
        self._store.managers.hold(manager, at.now + HOLD_S)

    def go_on(self, manager: str) -> None:
        """Offer again to a manager that has been told what is here."""
        self._store.managers.hold(manager, 0.0)

    def _answered(self, row: OfferRow, event: OfferEvent, at: Moment) -> None:
        status = advance(OFFER, row.status, event)
        if status is None:
            record = {"action": "stale_offer_answer", "peer": row.manager, "offer": row.offer}
            log.warning("ignored: %s of an offer that is %s", event, row.status, extra=record)
        else:
            self._close(row, status, at)

    def _close(self, row: OfferRow, status: OfferState, at: Moment) -> None:
        if row.taken:
            # All places of a kind taken: there may be more. Some left over: there is no more.
            left = (0 if row.ready else row.left_ready, 0 if row.waiting else row.left_waiting)
            wait_s, again_due = AGAIN.first_s, at.now + AGAIN.first_s
        else:
            left = (0, 0)
            wait_s, again_due = row.wait_s, row.again_due
            if row.status is OfferState.OPEN:
                wait_s, again_due = AGAIN.after(row.wait_s), at.now + row.wait_s
        if row.taken and left == (0, 0):
            self.standing.owe(row.manager, row.job_type)
        closed = row._replace(
            status=status, left_ready=left[0], left_waiting=left[1], wait_s=wait_s, again_due=again_due
        )
        self._store.offers.save(closed)
        log.debug("offer %s", status, extra={"action": f"offer_{status}", "peer": row.manager, "offer": row.offer})

    # What to offer

    def _make(self, at: Moment) -> Room | None:
        """Offer all free places to managers that have use for them; where nobody has, return what is free."""
        room = look(self._store, self._in_force.settings, self._depth, self._resources)
        if not (room.places_ready.are_there() or room.places_waiting.are_there()) or self._refusals.of_all():
            return None
        candidates = [each for each in self._candidates(at, room) if each.ready or each.waiting]
        if not candidates:
            self._resources.line_up({}, room.places_ready.left)
            return room
        standings = self._shares.standings({each.demand.manager for each in candidates}, at.now)
        candidates = self._probe(candidates, standings, at)
        self._resources.line_up(_urgency(candidates), room.places_ready.left)
        reserving = [each for each in candidates if each.reserves]
        self._offer_all(reserving, *self._divide(reserving, room, standings), room, at)
        if others := [each for each in candidates if not each.reserves]:
            # What reserves nothing takes nothing from the rest, and is what its share would be.
            self._offer_all(others, *self._divide(candidates, room, standings), room, at)
        return None

    def _look_ahead(self, now: float) -> float:
        times = (
            self._store.offers.next_end(),
            self._store.offers.next_due(now),
            *(due for due in self._refusals.failing().values() if due > now),
        )
        return min((due for due in times if due is not None), default=inf)

    def _candidates(self, at: Moment, room: Room) -> Iterator[Candidate]:
        settings, types = self._in_force.settings, self._in_force.types
        for demand in self._store.demands.to_offer(at.now):
            job_type = demand.job_type
            is_here = types.get(job_type) is not None and not self._refusals.lacks(job_type)
            if is_here and settings.serves(demand.manager) and not self._refusals.is_over(demand.manager):
                ready, waiting = _places(demand, at.now)
                yield Candidate(
                    demand,
                    ready=0 if job_type in room.well_queued else ready,
                    waiting=0 if job_type in room.well_pending else waiting,
                )

    def _probe(self, candidates: list[Candidate], standings: dict[str, float], at: Moment) -> list[Candidate]:
        """Leave a job type whose jobs all fail here one place every minute (`PROBE_EVERY_S`), until one completes."""
        failing = self._refusals.failing()
        kept = [each for each in candidates if each.demand.job_type not in failing]
        for job_type, due in failing.items():
            demanding = [each for each in candidates if each.demand.job_type == job_type]
            if demanding and due <= at.now:
                first = min(demanding, key=lambda each: (standings[each.demand.manager], each.demand.manager))
                kept.append(first._replace(ready=min(first.ready, 1), waiting=0 if first.ready else 1))
        return kept

    def _divide(
        self, candidates: Sequence[Candidate], room: Room, standings: dict[str, float]
    ) -> tuple[dict[Kind, int], dict[Kind, int]]:
        """Divide the free places, those for ready and those for waiting jobs, by manager and job type."""
        cost = cache(self._shares.cost)
        stand = _with_occupied(standings, room.queued, self._shares)
        ready = distribute(
            room.places_ready,
            (
                Claim(*kind, places, each.demand.priority, _occupied(kind, room.running, room.queued), cost(*kind))
                for each in candidates
                for kind, places in [(each.kind, min(each.ready, room.left_of(each.demand.manager)))]
                if places
            ),
            stand,
        )
        for kind, places in ready.items():
            stand[kind[0]] += places * cost(*kind)
        stand = _with_occupied(stand, room.pending, self._shares)
        waiting = distribute(
            room.places_waiting,
            (
                Claim(*kind, places, each.demand.priority, _occupied(kind, room.pending), cost(*kind))
                for each in candidates
                for kind, places in [(each.kind, min(each.waiting, room.left_of(each.demand.manager)))]
                if places
            ),
            stand,
        )
        return ready, waiting

    def _offer_all(
        self, candidates: Sequence[Candidate], ready: dict[Kind, int], waiting: dict[Kind, int], room: Room, at: Moment
    ) -> None:
        for each in candidates:
            if each.kind in ready or each.kind in waiting:
                self._offer(each, ready.get(each.kind, 0), waiting.get(each.kind, 0), room, at)

    def _offer(self, candidate: Candidate, ready: int, waiting: int, room: Room, at: Moment) -> None:
        demand, job_type = candidate.demand, self._in_force.types.get(candidate.demand.job_type)
        assert job_type is not None
        again = demand.last_serial == demand.serial and not demand.last_taken
        row = OfferRow(
            *candidate.kind,
            offer=self._chance.new_id(),
            status=OfferState.OPEN,
            serial=demand.serial,
            ready=ready,
            waiting=waiting,
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
        self._is_another_turn |= self._resources.on_offered(row.job_type)
        if demand.job_type in self._refusals.failing():
            self._refusals.on_probed(demand.job_type, at.now + PROBE_EVERY_S)
        offer = JobOffer(
            offer=row.offer,
            job_type=row.job_type,
            serial=row.serial,
            ready=ready,
            waiting=waiting,
            repeat=job_type.repeat,
            valid_for=VALID_FOR_S,
            expected_start=self._expected_start_s(row.job_type, room),
            database=self._store.facts.database_for(row.manager),
            labels=dict(self._in_force.settings.labels),
        )
        self._outbox.put(row.manager, offer)
        record = {"action": "offer_made", "peer": row.manager, "offer": row.offer}
        log.debug("offered %d ready and %d waiting of %s", ready, waiting, row.job_type, extra=record)

    def _expected_start_s(self, job_type: str, room: Room) -> float:
        slots = max(1, self._in_force.settings.slots)
        before = room.ahead - slots + 1
        return round(max(0, before) * self._shares.estimate_s(job_type) / slots, 3)


def _places(demand: ToOffer, now: float) -> tuple[int, int]:
    """Return how many places, ready and waiting, a demand has use for here and now."""
    # Nobody says whether what is bound to others is ready, so each number alone is cut: at worst it is offered in vain.
    here = demand.ready + demand.waiting - demand.others
    ready, waiting = min(demand.ready, here), min(demand.waiting, here)
    if demand.last_serial != demand.serial or demand.again_due is None:
        return ready, waiting
    if demand.last_status == OfferState.EXPIRED and demand.online is False and demand.heard == demand.last_heard:
        # It is away, and the last offer waits for it in the outbox: a week of such offers would help nobody.
        return 0, 0
    if now >= demand.again_due:
        return ready, waiting
    return min(ready, demand.left_ready or 0), min(waiting, demand.left_waiting or 0)


def _urgency(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return the job types that are wanted now, each with the greatest priority of its jobs."""
    found: dict[str, int] = {}
    for each in candidates:
        if each.ready:
            found[each.demand.job_type] = max(each.demand.priority, found.get(each.demand.job_type, 0))
    return found


def _occupied(kind: Kind, *counts: dict[Kind, int]) -> int:
    return sum(count.get(kind, 0) for count in counts)


def _with_occupied(standings: dict[str, float], occupied: dict[Kind, int], shares: Shares) -> dict[str, float]:
    """Return the standings that managers will have when all that they hold here has run."""
    stand = dict(standings)
    for (manager, job_type), places in occupied.items():
        if manager in stand:
            stand[manager] += places * shares.cost(manager, job_type)
    return stand
