"""What the agent's owner has decided, as far as decisions need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.config.model import EVERYBODY, AgentConfig

SAY_RUNNING_AFTER_S = 0.05
"""Most jobs of a busy agent end sooner: one message and one commit of the manager less for each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The part of the configuration that the reactor reads.

    Attributes:
        agent: Id of this agent.
        slots: Jobs that run at a time.
        backlog: Ready jobs kept beside those that run.
        pending: Jobs kept whose data is not there yet.
        managers: Who may send work here, with the weight of its share; `*` stands for those not named.
        disk_floor_bytes: With less free space than this the agent offers nothing.
        retention_s: How long finished jobs are kept; None: for ever.
        retention_bytes: How much finished jobs may take on disk; None: no bound.
        say_running_after_s: Managers hear that a job runs when it has run for so long; a shorter one only says its end.
    """

    agent: str
    slots: int
    backlog: int
    pending: int
    managers: Mapping[str, float] = field(default_factory=lambda: {EVERYBODY: 1.0})
    disk_floor_bytes: int = 0
    retention_s: float | None = None
    retention_bytes: int | None = None
    say_running_after_s: float = 0.0

    @classmethod
    def of(cls, config: AgentConfig) -> "AgentSettings":
        """Take what is needed from a configuration."""
        return cls(
            agent=config.id,
            slots=config.slots,
            backlog=config.backlog,
            pending=config.pending,
            managers=config.managers,
            disk_floor_bytes=config.disk_floor_bytes,
            retention_s=config.retention_s,
            retention_bytes=config.retention_bytes,
            say_running_after_s=SAY_RUNNING_AFTER_S,
        )

    def serves(self, manager: str) -> bool:
        """Tell whether a manager may send work here."""
        return manager in self.managers or EVERYBODY in self.managers

    def weight_of(self, manager: str) -> float:
        """Return the weight of a manager's share; what is left of one that is not served any more counts as 1."""
        return self.managers.get(manager, self.managers.get(EVERYBODY, 1.0))


@dataclass(slots=True)
class InForce:
    """What the owner has said last; SIGHUP puts new ones in place.

    Attributes:
        settings: The configuration.
        types: The job types.
    """

    settings: AgentSettings
    types: JobTypes

    def weight_of(self, manager: str) -> float:
        """Return the weight of a manager's share, as it is now."""
        return self.settings.weight_of(manager)
