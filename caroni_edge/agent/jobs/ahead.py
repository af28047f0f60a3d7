"""Jobs that the keeper has before a slot is free: it starts the next one the moment that a slot is, while we commit.

Such a job is `queued` and has `begun`, until the keeper says that it was started: its process may have been. Nothing is
concluded of it here. To end it, its keeper is asked; to have it back, it is recalled, with all that waits there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

from caroni_edge.agent.boxes.strength import Strength
from caroni_edge.agent.context import Context
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.offers.shares import Measured
from caroni_edge.agent.store.jobs import JobRow, Running
from caroni_edge.base.memory import Memory, MemoryDict

AHEAD_AT_KEEPER_S = 0.2
"""So much work is handed over for each slot: as long as its ends are gathered, and as that and a commit may take. It
makes others wait for no longer, and what is more urgent does not wait for it."""
AHEAD_MAX = 64
"""And no more jobs than that: each has a directory already."""
SHORTEST_S = 0.001
SURE_AFTER = 8
"""So many jobs of a type have ended when it is known how long they take: the first may have failed at once."""
RECALL_AFTER_S = 1.5
"""What has not begun by then is behind jobs that take longer than they did: it is recalled, and may go elsewhere."""


class _Handed(NamedTuple):
    manager: str
    job_type: str
    priority: int
    lasts_s: float
    since: float


class Ahead(Memory):
    """The jobs that were handed over, and are not known to have started.

    Attributes:
        is_recalling: They were recalled, and not all answers are there: nothing is handed over meanwhile.
    """

    def __init__(self, context: Context) -> None:
        """Begin with none; they are recalled by the deeds of `context`."""
        super().__init__(context.journal)
        self._deeds = context.deeds
        self._jobs: MemoryDict[str, _Handed] = MemoryDict(context.journal)
        self._work_s = 0.0
        self._strength: Strength | None = None
        self.is_recalling = False

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._jobs)

    def of_managers(self) -> Counter[str]:
        """Return how many of each manager there are."""
        return Counter(handed.manager for handed in self._jobs.values())

    def of_kinds(self) -> Counter[tuple[str, str]]:
        """Return how many of each manager and job type there are."""
        return Counter((handed.manager, handed.job_type) for handed in self._jobs.values())

    def least_priority(self, manager: str) -> int | None:
        """Return the least priority of a manager's; None where it has none."""
        return min((handed.priority for handed in self._jobs.values() if handed.manager == manager), default=None)

    def managers(self) -> set[str]:
        """Return whose they are."""
        return {handed.manager for handed in self._jobs.values()}

    def job_types(self) -> set[str]:
        """Return their job types."""
        return {handed.job_type for handed in self._jobs.values()}

    def running(self) -> list[Running]:
        """Return them as jobs that hold a slot, or are about to."""
        return [Running(job, handed.manager, handed.job_type) for job, handed in self._jobs.items()]

    def lasts_s(
        self,
        job_type: JobType,
        strength: Strength,
        slots: int,
        running: Iterable[str],
        outlook: Mapping[str, Measured],
    ) -> float | None:
        """Return for how long a job will hold a slot; None: it is not to be handed over now.

        Only short jobs are, behind such as are about to end (`running`, by their types): what others would gain is
        nothing beside what they take. Jobs that may not be repeated are not: where the host has stopped, and with it
        its keeper and maybe a record, nobody could say that they had not begun.
        """
        if job_type.needs or job_type.parallel is not None:
            return None  # what its jobs need beside a slot may be taken when their turn comes
        if job_type.secrets:
            return None  # they are read right before the start
        known = {name: measured.mean_s for name, measured in outlook.items() if measured.jobs >= SURE_AFTER}
        if not job_type.repeat or job_type.name not in known or len(self._jobs) >= AHEAD_MAX:
            return None
        if self._strength not in {strength, None}:
            return None  # keepers do not know of each other's slots
        if all(known.get(name, inf) > AHEAD_AT_KEEPER_S for name in running):
            return None
        lasts_s = max(known[job_type.name], SHORTEST_S)
        return lasts_s if self._work_s + lasts_s <= AHEAD_AT_KEEPER_S * slots else None

    def add(self, row: JobRow, lasts_s: float, strength: Strength, now: float) -> None:
        """Note that a job is handed over."""
        self._jobs[row.job] = _Handed(row.manager, row.job_type, row.priority, lasts_s, now)
        self._work_s, self._strength = self._work_s + lasts_s, strength

    def remove(self, job: str) -> None:
        """Note that it is known what became of a job."""
        if handed := self._jobs.pop(job, None):
            self._work_s -= handed.lasts_s
        if not self._jobs:
            self._work_s, self._strength, self.is_recalling = 0.0, None, False

    def recall(self) -> None:
        """Have the keeper give them back; until it has answered for each, it is handed no other."""
        if self._jobs and not self.is_recalling:
            self.is_recalling = True
            self._deeds.recall()

    @property
    def due(self) -> float:
        """When the first of them should have begun, on the monotonic clock."""
        if self.is_recalling:
            return inf
        return min((handed.since + RECALL_AFTER_S for handed in self._jobs.values()), default=inf)
