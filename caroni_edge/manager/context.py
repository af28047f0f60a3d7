"""What the manager's decisions share: settings, store, and where messages, notices and events go."""

from dataclasses import dataclass
from typing import Protocol

from caroni_edge.manager.events import EventWriter
from caroni_edge.manager.store import Store
from caroni_edge.protocol.topics import Topics
from caroni_edge.reactor import Chance, Notices, Outbox


@dataclass(frozen=True)
class ManagerSettings:
    """What the owner has configured.

    Attributes:
        attempts: How often a step is tried.
        retry_delay_s: Before the second attempt; it doubles, up to a minute.
        lost_after_s: An agent silent for so long loses its jobs to new attempts; None for never.
        stalled_after_s: A workflow is stalled when nobody serves one of its steps for so long.
        disk_floor_bytes: With less space, triggers are refused.
        retention_s: How long ended workflows are kept.
    """

    attempts: int = 5
    retry_delay_s: float = 1.0
    lost_after_s: float | None = 86400.0
    stalled_after_s: float = 60.0
    disk_floor_bytes: int = 1 << 30
    retention_s: float = 90 * 86400.0


class Silence(Protocol):
    """Tells for how long an agent has not answered, on our connection."""

    def __call__(self, agent: str, now: float) -> float:
        """Return seconds."""


@dataclass
class Context:
    """Handed to each part of the reactor; `settings` is replaced when the configuration is read anew.

    Attributes:
        wanted: Job types whose demand may have changed since it was last counted.
    """

    settings: ManagerSettings
    topics: Topics
    store: Store
    outbox: Outbox
    notices: Notices
    events: EventWriter
    chance: Chance
    silent_for: Silence
    wanted: set[str]
