"""How many places for jobs are free, and who holds the others."""

from collections import Counter
from dataclasses import dataclass, field

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.store import Store
from caroni_edge.config.model import AgentConfig

Kind = tuple[str, str]
"""Manager and job type."""


@dataclass(slots=True)
class Room:
    """Places at one moment. Waiting jobs have places of their own, so they never keep a ready one out.

    Attributes:
        ready: Free places for jobs whose inputs are there.
        waiting: Free places for jobs whose inputs do not exist yet.
        ahead: Jobs that would come before one more: those that run or are queued, and reserved places.
        running: Jobs that hold a slot, by kind.
        queued: Ready jobs and places reserved for them, by kind.
        pending: Waiting jobs and places reserved for them, by kind.
    """

    ready: int = 0
    waiting: int = 0
    ahead: int = 0
    running: Counter[Kind] = field(default_factory=Counter)
    queued: Counter[Kind] = field(default_factory=Counter)
    pending: Counter[Kind] = field(default_factory=Counter)


def look(store: Store, settings: AgentConfig) -> Room:
    """Count the places; those that open offers keep free count as taken."""
    room = Room()
    by_status = {JobState.RUNNING: room.running, JobState.QUEUED: room.queued, JobState.PENDING: room.pending}
    for count in store.load.live():
        by_status[JobState(count.status)][count.manager, count.job_type] += count.jobs
    for kept in store.offers.reserved():
        room.queued[kept.manager, kept.job_type] += kept.ready
        room.pending[kept.manager, kept.job_type] += kept.waiting
    room.ahead = room.running.total() + room.queued.total()
    room.ready = settings.slots + settings.backlog - room.ahead
    # Jobs whose data has come may be more than the backlog holds. Their places are not given to others meanwhile:
    # the queue would grow without bound behind long jobs.
    room.waiting = settings.pending - room.pending.total() - max(0, -room.ready)
    return room
