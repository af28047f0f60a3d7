"""What the agent's owner has decided: configuration and job types, as they are now."""

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.base.memory import Journal, Memory
from caroni_edge.config.model import AgentConfig


class InForce(Memory):
    """Holds what is in force: the parts of the reactor look here each time, and SIGHUP puts something else in place.

    Attributes:
        settings: The configuration.
        types: The job types.
    """

    def __init__(self, settings: AgentConfig, types: JobTypes, journal: Journal) -> None:
        """Begin with what was configured at the start."""
        super().__init__(journal)
        self.settings, self.types = settings, types

    def weight_of(self, manager: str) -> float:
        """Return the weight of a manager's share; jobs that are left of a manager that is no longer served weigh 1."""
        weight = self.settings.weight_of(manager)
        return 1.0 if weight is None else weight
