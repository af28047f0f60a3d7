"""What the agent's owner has decided: configuration and job types, as they are now."""

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.base.memory import Journal, Memory
from caroni_edge.config.model import AgentConfig


class InForce(Memory):
    """Holds what is in force: the parts of the reactor look here each time, and SIGHUP puts something else in place.

    Attributes:
        settings: The configuration.
        types: The job types.
        drained: Whether the agent takes no new work.
        paused: Whether it starts nothing.
    """

    def __init__(self, settings: AgentConfig, types: JobTypes, facts: AgentFactRows, journal: Journal) -> None:
        """Begin with what was configured at the start, and what the owner said before it."""
        super().__init__(journal)
        self.settings, self.types = settings, types
        self._facts = facts
        self.drained, self.paused = facts.drained(), facts.paused()

    def drain(self, *, on: bool) -> None:
        """Take no new work, or end that."""
        (self._facts.drain if on else self._facts.undrain)()
        self.drained = on

    def pause(self, *, on: bool) -> None:
        """Start nothing, or end that; a restart changes nothing."""
        (self._facts.pause if on else self._facts.resume)()
        self.paused = on

    def weight_of(self, manager: str) -> float:
        """Return the weight of a manager's share; jobs that are left of a manager that is no longer served weigh 1."""
        weight = self.settings.weight_of(manager)
        return 1.0 if weight is None else weight
