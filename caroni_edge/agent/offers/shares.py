"""Fair shares of slot-time among managers: start-time fair queueing, by weight.

Each manager has a *standing*: the slot-seconds that its jobs have had, divided by its weight. The next slot goes to the
least. A job is charged an estimate when it starts, what it has really had while it runs longer, and exactly that when
it ends; so slots that become free together are shared too. A manager that comes back with ready jobs begins at the
standing of those that are there: who had none gains no credit. (Goyal, Vin, Cheng: Start-time Fair Queueing, 1996.)

All of it is memory, and begins anew at a start of the process.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heapreplace
from math import inf
from typing import NamedTuple

from caroni_edge.agent.offers.resources import Left
from caroni_edge.agent.store.jobs import Running
from caroni_edge.base.memory import Journal, Memory, MemoryDict

FIRST_ESTIMATE_S = 1.0
NEWEST_COUNTS = 0.2
"""Weight of the last duration in the running mean of a job type's durations."""


class Measured(NamedTuple):
    """How long the jobs of a type held their slots: the running mean, and of how many jobs it is."""

    mean_s: float
    jobs: int


class _Slot(NamedTuple):
    """A slot that is held since then; or that a job will hold soon, which was handed over to its keeper (`inf`)."""

    manager: str
    job_type: str
    since: float
    estimate_s: float


class Shares(Memory):
    """Keeps how much slot-time each manager has had, so that the one with the least is next."""

    def __init__(self, weight_of: Callable[[str], float], journal: Journal) -> None:
        """Begin without managers.

        Args:
            weight_of: Returns the weight of a manager's share.
            journal: Of the agent's database.
        """
        super().__init__(journal)
        self._weight_of = weight_of
        self._service: MemoryDict[str, float] = MemoryDict(journal)
        self._slots: MemoryDict[str, _Slot] = MemoryDict(journal)
        self._estimates: MemoryDict[str, Measured] = MemoryDict(journal)
        self._ready: frozenset[str] = frozenset()  # who had ready jobs at the last look

    def estimate_s(self, job_type: str) -> float:
        """Return how long a job of a type is thought to run."""
        measured = self._estimates.get(job_type)
        return FIRST_ESTIMATE_S if measured is None else measured.mean_s

    def outlook(self, now: float) -> dict[str, Measured]:
        """Return how long jobs will run, by their type: as those say that have ended, and those that run now.

        Of these only where all run longer than a second, and than usual: then the others will, as if one had ended.
        """
        found = dict(self._estimates.items())
        shortest_s: dict[str, float] = {}
        for slot in self._slots.values():
            if slot.since < inf:
                shortest_s[slot.job_type] = min(shortest_s.get(slot.job_type, inf), now - slot.since)
        for job_type, running_s in shortest_s.items():
            mean_s, jobs = found.get(job_type, Measured(0.0, 0))
            if running_s > max(mean_s, FIRST_ESTIMATE_S):
                found[job_type] = Measured(mean_s + NEWEST_COUNTS * (running_s - mean_s), jobs)
        return found

    def cost(self, manager: str, job_type: str) -> float:
        """Return by how much one job is thought to change a manager's standing."""
        return self.estimate_s(job_type) / self._weight_of(manager)

    def sync(self, running: Iterable[Running], now: float) -> None:
        """Bring the slots in line with the jobs that are running; what a finished one has had is charged exactly."""
        slots = self._slots
        there = {job.job: job for job in running}
        self.end([name for name in slots if name not in there], now)
        for name, job in there.items():
            if name not in slots:
                slots[name] = _Slot(job.manager, job.job_type, now, self.estimate_s(job.job_type))

    def enter(self, ready: Collection[str], now: float) -> None:
        """Take in the managers with ready jobs; one that had none until now gains no credit for that time."""
        if newcomers := sorted(set(ready) - self._ready):
            had = self._had(now)
            least = self._least(had)
            for manager in newcomers:
                behind = max(0.0, least - had.get(manager, 0.0))
                self._service[manager] = self._service.get(manager, 0.0) + behind
        self._ready = frozenset(ready)

    def standings(self, managers: Collection[str], now: float) -> dict[str, float]:
        """Return the standings of managers, and of others too; one without jobs here stands where it would come in."""
        charged = self._had(now, is_estimated=True)
        if newcomers := frozenset(managers) - self._busy():
            least = self._least(self._had(now))
            charged.update((name, max(charged.get(name, 0.0), least)) for name in newcomers)
        return charged

    def start(self, job: Running, now: float) -> None:
        """Give a job a slot, from `now` on."""
        self._slots[job.job] = _Slot(job.manager, job.job_type, now, self.estimate_s(job.job_type))

    def hand_over(self, job: Running) -> None:
        """Count a job that will hold a slot soon: its manager has had its turn."""
        self.start(job, inf)

    def hand_back(self, job: str) -> None:
        """Count a job no more that was handed over, and was not started."""
        self._slots.pop(job, None)

    def end(self, jobs: Iterable[str], now: float) -> None:
        """Charge jobs that have ended exactly for the slot-time that they have had."""
        for name in jobs:
            slot = self._slots.pop(name, None)
            if slot is not None and slot.since < inf:
                self._end(slot, now)

    def _end(self, slot: _Slot, now: float) -> None:
        had_s = now - slot.since
        self._service[slot.manager] = self._service.get(slot.manager, 0.0) + had_s / self._weight_of(slot.manager)
        before = self._estimates.get(slot.job_type, Measured(had_s, 0))
        mean_s = before.mean_s + NEWEST_COUNTS * (had_s - before.mean_s)
        self._estimates[slot.job_type] = Measured(mean_s, before.jobs + 1)

    def _had(self, now: float, *, is_estimated: bool = False) -> dict[str, float]:
        """Return what managers have had until now; `is_estimated`: or are thought to, of what runs."""
        of_slots_s: defaultdict[str, float] = defaultdict(float)
        for slot in self._slots.values():
            of_slots_s[slot.manager] += max(now - slot.since, slot.estimate_s if is_estimated else 0.0)
        found = dict(self._service.items())
        for manager, had_s in of_slots_s.items():
            found[manager] = found.get(manager, 0.0) + had_s / self._weight_of(manager)
        return found

    def _busy(self) -> frozenset[str]:
        return self._ready | {slot.manager for slot in self._slots.values()}

    def _least(self, had: Mapping[str, float]) -> float:
        """Return where a newcomer begins: at the least standing of those here; with none here, at the greatest."""
        # Without estimates: one that is far too long must not put every newcomer behind for as long.
        busy = self._busy()
        if busy:
            return min(map(had.__getitem__, busy))
        return max(had.values(), default=0.0)


class Claim(NamedTuple):
    """Places that could be offered to a manager for a job type.

    Attributes:
        priority: The greatest one among its steps.
        occupied: Jobs and reserved places that it has here of that type already.
        cost: By how much one more changes its standing.
    """

    manager: str
    job_type: str
    places: int
    priority: int
    occupied: int
    cost: float


@dataclass(slots=True)
class Places:
    """Free places of one kind.

    Attributes:
        shared: For jobs of any type.
        more: Beside them, for jobs of a type alone.
        most: So many at most of all these together; None: there is no such bound.
        left: What is free of what jobs need beside a slot.
    """

    shared: int
    more: dict[str, int] = field(default_factory=dict)
    most: int | None = None
    left: Left = field(default_factory=Left)

    def copy(self) -> "Places":
        """Return the same, to be taken from by itself."""
        return replace(self, more=dict(self.more), left=self.left.copy())

    def are_there(self) -> bool:
        """Tell whether there may be a place for some job."""
        return (self.shared > 0 or any(count > 0 for count in self.more.values())) and self.most != 0

    def give_back(self, count: int, job_type: str) -> None:
        """Let places be free for jobs of any type that were kept for jobs of one."""
        self.shared += count
        self.left.take(job_type, -count)
        if self.most is not None:
            self.most += count

    def has(self, job_type: str) -> bool:
        """Tell whether there is a place for a job of this type."""
        is_there = self.shared > 0 or self.more.get(job_type, 0) > 0
        return is_there and (self.most is None or self.most > 0) and self.left.has(job_type)

    def take(self, job_type: str) -> bool:
        """Take a place for a job of this type; return whether there was one."""
        if not self.has(job_type):
            return False
        if self.more.get(job_type, 0) > 0:
            self.more[job_type] -= 1
        else:
            self.shared -= 1
        if self.most is not None:
            self.most -= 1
        self.left.take(job_type)
        return True


_Entry = tuple[int, int, str, int, float]


def distribute(
    free: Places,
    wanted: Mapping[str, frozenset[str]],
    claims_of: Callable[[str], Iterable[Claim]],
    standings: Mapping[str, float],
) -> dict[tuple[str, str], int]:
    """Divide free places among managers by their standing, and within one by priority, then evenly.

    Args:
        free: Places to give.
        wanted: The managers that may have claims, by job type.
        claims_of: Returns how many places a manager could use; asked of those alone whose turn comes.
        standings: Where each manager would stand if all that it has here were done.

    Returns:
        Places for each (manager, job type) that gets some.
    """
    there = {job_type for job_type in wanted if free.has(job_type)}
    free = free.copy()
    managers = frozenset[str]().union(*(wanted[job_type] for job_type in there))
    heap = [*zip(map(standings.__getitem__, managers), managers, strict=True)]
    heapify(heap)
    by_manager: dict[str, list[_Entry]] = {}
    given: dict[tuple[str, str], int] = {}
    while heap and there and free.are_there():
        standing, manager = heap[0]
        entries = by_manager.get(manager)
        if entries is None:
            entries = by_manager[manager] = _in_order(claims_of(manager))
        if not entries:
            heappop(heap)
            continue
        priority, occupied, job_type, places, cost = entries[0]
        if job_type in there and free.take(job_type):
            given[manager, job_type] = given.get((manager, job_type), 0) + 1
            if places > 1:
                heapreplace(entries, (priority, occupied + 1, job_type, places - 1, cost))
            else:
                heappop(entries)
            heapreplace(heap, (standing + cost, manager))
        else:
            there.discard(job_type)  # what is gone for one is gone for all
            heappop(entries)
    return given


def _in_order(claims: Iterable[Claim]) -> list[_Entry]:
    """Return the claims of one manager as a heap: by priority, then evenly."""
    entries = [(-each.priority, each.occupied, each.job_type, each.places, each.cost) for each in claims if each.places]
    heapify(entries)
    return entries
