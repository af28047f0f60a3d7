"""Demands that could be offered for, and how the free places are divided among them."""

from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import NamedTuple

from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.room import Kind, Room
from caroni_edge.agent.offers.shares import Claim, Shares, distribute
from caroni_edge.agent.store.demands import ToOffer

ByType = Mapping[str, frozenset[str]]
"""Managers by job type."""


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


def candidate(demand: ToOffer, now: float) -> Candidate:
    """Return how many places, ready and waiting, a demand has use for here and now."""
    return Candidate(demand, *_places(demand, now))


def _places(demand: ToOffer, now: float) -> tuple[int, int]:
    if demand.last_status is OfferState.OPEN or now < max(demand.offer_due, demand.hold_until):
        return 0, 0
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


def next_look(demand: ToOffer, now: float) -> float:
    """Return when a demand may have use for more places, though nothing changes."""
    times = (demand.offer_due, demand.hold_until, 0.0 if demand.again_due is None else demand.again_due)
    return min((due for due in times if due > now), default=inf) if demand.last_status != OfferState.OPEN else inf


def competes(demand: ToOffer) -> bool:
    """Tell whether a manager has ready steps for this agent; not where the last offer for them was in vain."""
    return (
        demand.ready > 0
        and demand.ready + demand.waiting > demand.others
        and demand.last_status in {None, OfferState.OPEN, OfferState.ACCEPTED}
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who could be offered places.

    Attributes:
        ready: By job type, who has use for places for jobs whose inputs are there.
        waiting: The same for jobs whose inputs do not exist yet.
        candidates: How many places each of them has use for.
    """

    ready: ByType
    waiting: ByType
    candidates: Mapping[Kind, Candidate]

    def __bool__(self) -> bool:
        """Tell whether there is anybody."""
        return bool(self.ready or self.waiting)

    def managers(self) -> frozenset[str]:
        """Return who they are."""
        return frozenset[str]().union(*self.ready.values(), *self.waiting.values())

    def of_type(self, job_type: str) -> frozenset[str]:
        """Return those that could be offered places for a job type."""
        return self.ready.get(job_type, frozenset()) | self.waiting.get(job_type, frozenset())

    def but(self, ready: Collection[str], waiting: Collection[str]) -> "Wanted":
        """Return the same without job types for which nothing more is to be offered, of ready and of waiting jobs."""
        if not (ready or waiting):
            return self
        return Wanted(_without(self.ready, ready), _without(self.waiting, waiting), self.candidates)

    def but_of(self, managers: frozenset[str]) -> "Wanted":
        """Return the same without some managers."""
        if not managers:
            return self
        return Wanted(_less(self.ready, managers), _less(self.waiting, managers), self.candidates)

    def and_one(self, manager: str, job_type: str, *, is_ready: bool) -> "Wanted":
        """Return the same with a manager that has use for one place for a job type, which nobody else has."""
        kind, only = (manager, job_type), {job_type: frozenset({manager})}
        one = self.candidates[kind]._replace(ready=int(is_ready), waiting=int(not is_ready))
        candidates = ChainMap({kind: one}, self.candidates)  # type: ignore[arg-type]
        if is_ready:
            return Wanted({**self.ready, **only}, self.waiting, candidates)
        return Wanted(self.ready, {**self.waiting, **only}, candidates)

    def urgency(self, types: Collection[str]) -> dict[str, int]:
        """Return which of these job types are wanted now, each with the greatest priority of its jobs."""
        found: dict[str, int] = {}
        for name in [name for name in self.ready if name in types]:
            ready = [each for manager in self.ready[name] if (each := self.candidates[manager, name]).ready]
            if ready:
                found[name] = max(each.demand.priority for each in ready)
        return found


def _without(by_type: ByType, types: Collection[str]) -> ByType:
    return {name: managers for name, managers in by_type.items() if name not in types}


def _less(by_type: ByType, managers: frozenset[str]) -> ByType:
    return {name: left for name, found in by_type.items() if (left := found - managers)}


def divide(
    wanted: Wanted, room: Room, standings: dict[str, float], shares: Shares
) -> tuple[dict[Kind, int], dict[Kind, int]]:
    """Divide the free places, those for ready and those for waiting jobs, by manager and job type."""
    cost = cache(shares.cost)

    def claims(
        by_type: ByType, use: Callable[[Candidate], int], *held: dict[Kind, int]
    ) -> Callable[[str], Iterator[Claim]]:
        def claims_of(manager: str) -> Iterator[Claim]:
            left = room.left_of(manager)
            for job_type, managers in by_type.items():
                if manager in managers:
                    each, kind = wanted.candidates[manager, job_type], (manager, job_type)
                    places = min(use(each), left)
                    yield Claim(*kind, places, each.demand.priority, _occupied(kind, *held), cost(*kind))

        return claims_of

    stand = _with_occupied(standings, room.queued, shares)
    ready_claims = claims(wanted.ready, lambda each: each.ready, room.running, room.queued)
    ready = distribute(room.places_ready, wanted.ready, ready_claims, stand)
    for kind, places in ready.items():
        stand[kind[0]] += places * cost(*kind)
    stand = _with_occupied(stand, room.pending, shares)
    waiting_claims = claims(wanted.waiting, lambda each: each.waiting, room.pending)
    waiting = distribute(room.places_waiting, wanted.waiting, waiting_claims, stand)
    return ready, waiting


def _occupied(kind: Kind, *counts: dict[Kind, int]) -> int:
    return sum(count.get(kind, 0) for count in counts)


def _with_occupied(standings: dict[str, float], occupied: dict[Kind, int], shares: Shares) -> dict[str, float]:
    """Return the standings that managers will have when all that they hold here has run."""
    stand = dict(standings)
    for (manager, job_type), places in occupied.items():
        if manager in stand:
            stand[manager] += places * shares.cost(manager, job_type)
    return stand
