"""What the agent's owner has decided."""

from dataclasses import dataclass

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.config.model import AgentConfig


@dataclass(slots=True)
class InForce:
    """What is in force now; each part of the reactor looks here, and SIGHUP puts something else in place.

    Attributes:
        settings: The configuration.
        types: The job types.
    """

    settings: AgentConfig
    types: JobTypes

    def weight_of(self, manager: str) -> float:
        """Return the weight of a manager's share; what is left of one that is not served any more counts as 1."""
        weight = self.settings.weight_of(manager)
        return 1.0 if weight is None else weight
