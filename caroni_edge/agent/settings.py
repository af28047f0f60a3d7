"""What the agent's owner has decided: configuration and job types, as they are now."""

from caroni_edge.agent.boxes.strength import Able, Choice, choose, said
from caroni_edge.agent.jobtypes import JobType, JobTypes
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

    def __init__(
        self, settings: AgentConfig, types: JobTypes, facts: AgentFactRows, journal: Journal, *, able: Able
    ) -> None:
        """Begin with what was configured, what the owner said before, and what this host can lock jobs into."""
        super().__init__(journal)
        self.settings, self.types = settings, types
        self._facts, self._able = facts, able
        self.drained, self.paused = facts.drained(), facts.paused()

    def box_of(self, job_type: JobType) -> Choice | str:
        """Return what a job is locked into, or why it must not run here."""
        return choose(self.settings.sandbox, job_type.sandbox, self._able, has_secrets=bool(job_type.secrets))

    @property
    def sandbox(self) -> str:
        """What jobs are locked into whose type asks for nothing else, for people."""
        return said(self.settings.sandbox, self._able)

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
