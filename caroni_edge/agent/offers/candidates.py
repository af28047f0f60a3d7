"""Demands that could be offered for, and how the free places are divided among them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from caroni_edge.agent.lifecycle import OfferState
from caroni_edge.agent.offers.room import Kind, Room
from caroni_edge.agent.offers.shares import Claim, Shares, distribute
from caroni_edge.agent.store.demands import ToOffer


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


def that_need_more(candidates: Sequence[Candidate], room: Room) -> Sequence[Candidate]:
    """Return those of whose type not so much is queued that asking for more can wait."""
    if not (room.well_queued or room.well_pending):
        return candidates
    cut = (
        each._replace(
            ready=0 if each.demand.job_type in room.well_queued else each.ready,
            waiting=0 if each.demand.job_type in room.well_pending else each.waiting,
        )
        for each in candidates
    )
    return [each for each in cut if each.ready or each.waiting]


def urgency(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return the job types that are wanted now, each with the greatest priority of its jobs."""
    found: dict[str, int] = {}
    for each in candidates:
        if each.ready:
            found[each.demand.job_type] = max(each.demand.priority, found.get(each.demand.job_type, 0))
    return found


def divide(
    candidates: Sequence[Candidate], room: Room, standings: dict[str, float], shares: Shares
) -> tuple[dict[Kind, int], dict[Kind, int]]:
    """Divide the free places, those for ready and those for waiting jobs, by manager and job type."""
    cost = cache(shares.cost)

    def claims(wanted: Callable[[Candidate], int], *held: dict[Kind, int]) -> Iterator[Claim]:
        for each in candidates:
            if places := min(wanted(each), room.left_of(each.demand.manager)):
                kind = each.kind
                yield Claim(*kind, places, each.demand.priority, _occupied(kind, *held), cost(*kind))

    stand = _with_occupied(standings, room.queued, shares)
    ready = distribute(room.places_ready, claims(lambda each: each.ready, room.running, room.queued), stand)
    for kind, places in ready.items():
        stand[kind[0]] += places * cost(*kind)
    stand = _with_occupied(stand, room.pending, shares)
    waiting = distribute(room.places_waiting, claims(lambda each: each.waiting, room.pending), stand)
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
