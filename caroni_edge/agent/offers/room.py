"""How many places for jobs are free, and who holds the others."""

from collections import Counter
from dataclasses import dataclass, field

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.depth import Depth
from caroni_edge.agent.offers.resources import Resources, by_type
from caroni_edge.agent.offers.shares import Places
from caroni_edge.agent.store import Store
from caroni_edge.config.model import AgentConfig

ASK_BELOW = 0.75
"""Of a short type places are offered when less than this part of them is taken: many at a time, not each by itself."""

Kind = tuple[str, str]
"""Manager and job type."""


@dataclass(slots=True)
class Room:
    """Places at one moment. Waiting jobs have places of their own, so they never keep a ready one out.

    Attributes:
        ready: Free places for jobs of any type whose inputs are there.
        waiting: Free places for jobs of any type whose inputs do not exist yet.
        places_ready: The former, and those for jobs of a type that is short.
        places_waiting: The latter, likewise.
        ahead: Jobs that would come before one more: those that run or are queued, and reserved places.
        running: Jobs that hold a slot, by kind.
        queued: Ready jobs and places reserved for them, by kind.
        pending: Waiting jobs and places reserved for them, by kind.
        well_queued: Short job types of which so much is queued that asking for more can wait (`ASK_BELOW`).
        well_pending: The same of waiting jobs.
        most_of_manager: A manager knows of so many places, and fills no others.
        of_managers: How many of them it has filled, and those that are reserved for it.
    """

    ready: int = 0
    waiting: int = 0
    places_ready: Places = field(default_factory=lambda: Places(0))
    places_waiting: Places = field(default_factory=lambda: Places(0))
    ahead: int = 0
    running: Counter[Kind] = field(default_factory=Counter)
    queued: Counter[Kind] = field(default_factory=Counter)
    pending: Counter[Kind] = field(default_factory=Counter)
    well_queued: frozenset[str] = frozenset()
    well_pending: frozenset[str] = frozenset()
    most_of_manager: int = 0
    of_managers: Counter[str] = field(default_factory=Counter)

    def left_of(self, manager: str) -> int:
        """Return how many places a manager may still fill: for it a job whose files are being taken has one too."""
        return max(0, self.most_of_manager - self.of_managers[manager])


def look(store: Store, settings: AgentConfig, depth: Depth, resources: Resources) -> Room:
    """Count the places, and what jobs need beside one; what open offers keep free counts as taken."""
    room = Room()
    by_status = {JobState.RUNNING: room.running, JobState.QUEUED: room.queued}
    of_staging: Counter[str] = Counter()
    live = store.load.live()
    for count in live:
        if count.status is JobState.COLLECTING:  # it has no place any more
            room.of_managers[count.manager] += count.jobs
            continue
        by_status.get(count.status, room.pending)[count.manager, count.job_type] += count.jobs
        of_staging[count.manager] += count.jobs if count.status == JobState.STAGING else 0
    for kept in store.offers.reserved():
        room.queued[kept.manager, kept.job_type] += kept.ready
        room.pending[kept.manager, kept.job_type] += kept.waiting
    room.ahead = room.running.total() + room.queued.total()
    _count_of_managers(room, settings, depth, of_staging)
    most_ready = max(settings.backlog, settings.backlog_most)
    more, over, room.well_queued = _more(depth, most_ready - settings.backlog, room.queued)
    # Jobs whose files are on their way count as pending. More of them than may be pending have come to ready places,
    # and keep those: otherwise nothing would bound them.
    staging_over = max(0, of_staging.total() - settings.pending)
    over += staging_over
    places = settings.slots + (depth.backlog if staging_over else most_ready)
    most = places - room.ahead - staging_over
    if staging_over and most < places * (1 - ASK_BELOW):
        room.well_queued |= more.keys()
    room.ready = settings.slots + settings.backlog - room.running.total() - over
    left = resources.left(live)
    for job_type, jobs in by_type(room.queued).items():
        left.take(job_type, jobs)
    room.places_ready = Places(room.ready, more, most, left)
    most_waiting = max(settings.pending, settings.pending_most)
    more, over, room.well_pending = _more(depth, most_waiting - settings.pending, room.pending)
    # Jobs whose data has come may be more than the backlog holds. Their places are not given to others meanwhile:
    # the queue would grow without bound behind long jobs.
    late = max(0, -room.ready)
    room.waiting = settings.pending - over - late
    left = left.copy()
    for job_type, jobs in by_type(room.pending).items():
        left.take(job_type, jobs)
    room.places_waiting = Places(room.waiting, more, most_waiting - room.pending.total() - late, left)
    return room


def _count_of_managers(room: Room, settings: AgentConfig, depth: Depth, of_staging: Counter[str]) -> None:
    room.most_of_manager = settings.slots + depth.backlog + depth.pending
    for counts in (room.running, room.queued, room.pending):
        for (manager, _), jobs in counts.items():
            room.of_managers[manager] += jobs
    # More that wait than may, since jobs take longer now, keep out nothing that is ready: they may wait for that.
    waiting: Counter[str] = Counter()
    for (manager, _), jobs in room.pending.items():
        waiting[manager] += jobs
    for manager, jobs in waiting.items():
        room.of_managers[manager] -= max(0, jobs - of_staging[manager] - depth.pending)


def _more(depth: Depth, most: int, taken: Counter[Kind]) -> tuple[dict[str, int], int, frozenset[str]]:
    """Return the free places for jobs of a type alone, how many jobs have shared ones, and what is well provided."""
    types = by_type(taken)
    more = {job_type: min(count, most) for job_type, count in depth.more().items()} if most else {}
    over = sum(max(0, count - more.get(job_type, 0)) for job_type, count in types.items())
    well = frozenset(job_type for job_type, count in more.items() if types[job_type] >= count * ASK_BELOW)
    return {job_type: max(0, count - types[job_type]) for job_type, count in more.items()}, over, well
