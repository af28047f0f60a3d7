"""Which agents hold back steps: an agent that is asked what it holds may have jobs of steps that look unplaced."""

from math import inf

from caroni_edge.base.memory import Journal, Memory, MemoryDict

HOLD_S = 10.0
"""For so long at most the steps that an agent may hold are given to nobody else."""


class Holds(Memory):
    """Waits for agents, each once until that agent has answered.

    An agent that asks for it again and again, by resets of its link, cannot stop the others: it is waited for anew only
    when it has answered, and after a wait for as long a time without one.
    """

    def __init__(self, journal: Journal) -> None:
        """Wait for nobody."""
        super().__init__(journal)
        self._since: MemoryDict[str, float] = MemoryDict(journal)
        self._free_until: MemoryDict[str, float] = MemoryDict(journal)

    def asked(self, agent: str, now: float) -> None:
        """Begin to wait for an agent, unless it is waited for already, or was until a moment ago."""
        if agent not in self._since and now >= self._free_until.get(agent, -inf):
            self._since[agent] = now

    def answered(self, agent: str, now: float) -> None:
        """Wait no longer for an agent."""
        since = self._since.pop(agent, None)
        if since is not None:
            self._free_until[agent] = now + min(now - since, HOLD_S)

    def forget(self, agent: str) -> None:
        """Forget an agent that will not come back."""
        self._since.pop(agent, None)
        self._free_until.pop(agent, None)

    def holding(self, now: float) -> dict[str, float]:
        """Return the agents that are waited for, and until when at most."""
        return {agent: since + HOLD_S for agent, since in self._since.items() if now < since + HOLD_S}
