"""What the manager's decisions share: settings, store, and where messages, notices and events go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from caroni_edge.base.memory import Journal, MemorySet
from caroni_edge.base.moment import Chance
from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.store import Store
from caroni_edge.node.reactor import Notices, Outbox
from caroni_edge.objects.objects import ObjectId
from caroni_edge.protocol.topics import Topics

Silence = Callable[[str, float], float]
"""Returns for how many seconds an agent has not answered us at the time `now`, while we were connected."""


@dataclass
class Context:
    """What each part of the reactor is given; `settings` is replaced when the configuration is read again.

    Attributes:
        journal: Of the database that the store is in.
        dirty_job_types: Job types whose demand may have changed since it was last counted.
        has_answered: Tells whether an agent has answered a question of this process.
        connected_for: Returns for how many seconds we have been connected at the time `now`; 0 while we are not.
        growing: Scattered steps (their ids) that may have more instances to be made.
        lacking: Workflows (their numbers) in which a file of a step was lost or found, or a step with files is asked
            for again, since somebody has looked whether all of them are there.
        unbound: Workflows among these in which other agents than before may take the steps that only few may.
        looking: Steps (their workflows' numbers, and their ids) for which this manager must look inside objects, and of
            which something has changed since somebody has looked whether all of these are here.
        doubted: Objects of this manager that somebody did not get rightly from here, since they were looked at.
        ended_causes: What of the configuration has started workflows (`WorkflowRow.cause`) of which one has ended
            since schedules looked whether another may start.
    """

    settings: ManagerConfig
    topics: Topics
    store: Store
    outbox: Outbox
    notices: Notices
    events: EventWriter
    chance: Chance
    silent_for: Silence
    has_answered: Callable[[str], bool]
    journal: Journal
    connected_for: Callable[[float], float] = lambda _now: inf

    @property
    def own_place(self) -> str:
        """The manager itself as the place of an object, beside agents, whose ids have no slash: `managers/m1`."""
        return self.topics.name

    def bind_anew(self, workflows: Iterable[int]) -> None:
        """Have it looked again who may take the unplaced steps with files of some workflows (their numbers)."""
        for each in workflows:
            self.lacking.add(each)
            self.unbound.add(each)

    def __post_init__(self) -> None:
        """Begin with nothing to be looked at."""
        self.dirty_job_types: MemorySet[str] = MemorySet(self.journal)
        self.growing: MemorySet[int] = MemorySet(self.journal)
        self.lacking: MemorySet[int] = MemorySet(self.journal)
        self.looking: MemorySet[tuple[int, int]] = MemorySet(self.journal)
        self.unbound: MemorySet[int] = MemorySet(self.journal)
        self.doubted: MemorySet[ObjectId] = MemorySet(self.journal)
        self.ended_causes: MemorySet[str] = MemorySet(self.journal)


NO_LIMIT = 1 << 31


def live_room(context: Context) -> int:
    """Return how many more jobs may be at agents at present (`max_live_steps`)."""
    most = context.settings.max_live_steps
    return NO_LIMIT if most is None else most - context.store.jobs.count_open()
