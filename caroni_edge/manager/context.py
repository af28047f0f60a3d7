"""What the manager's decisions share: settings, store, and where messages, notices and events go."""

from collections.abc import Callable
from dataclasses import dataclass

from caroni_edge.base.memory import Journal, MemorySet
from caroni_edge.base.moment import Chance
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.store import Store
from caroni_edge.node.reactor import Notices, Outbox
from caroni_edge.protocol.topics import Topics


@dataclass(frozen=True)
class ManagerSettings:
    """What the owner has configured.

    Attributes:
        attempts: How often a step is tried.
        retry_delay_s: Before the second attempt; it doubles, up to a minute.
        lost_after_s: An agent silent for so long loses its jobs to new attempts; None for never.
        stalled_after_s: A workflow is stalled when nobody serves one of its steps for so long.
        max_live_steps: So many jobs are at agents at most; None for no limit.
        retention_s: How long ended workflows are kept; None for ever.
    """

    attempts: int = 5
    retry_delay_s: float = 1.0
    lost_after_s: float | None = 86400.0
    stalled_after_s: float = 60.0
    max_live_steps: int | None = None
    retention_s: float | None = 90 * 86400.0


Silence = Callable[[str, float], float]
"""Tells for how many seconds an agent has not answered at a time `now`, on our connection."""


@dataclass
class Context:
    """Handed to each part of the reactor; `settings` is replaced when the configuration is read anew.

    Attributes:
        journal: Of the database that the store is in.
        dirty_job_types: Job types whose demand may have changed since it was last counted.
        growing: Scattered steps of which more instances may be to be made.
    """

    settings: ManagerSettings
    topics: Topics
    store: Store
    outbox: Outbox
    notices: Notices
    events: EventWriter
    chance: Chance
    silent_for: Silence
    journal: Journal

    def __post_init__(self) -> None:
        """Begin with nothing that has changed."""
        self.dirty_job_types: MemorySet[str] = MemorySet(self.journal)
        self.growing: MemorySet[int] = MemorySet(self.journal)


NO_LIMIT = 1 << 31


def live_room(context: Context) -> int:
    """Return how many jobs more may be at agents (`max_live_steps`)."""
    most = context.settings.max_live_steps
    return NO_LIMIT if most is None else most - context.store.jobs.count_open(most)
