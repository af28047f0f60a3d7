"""Lets steps go elsewhere that wait for an agent which has their files and is away, where others have these too."""

from math import inf

from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.node.parts import Part

AWAY_S = 60.0
"""So long an agent is waited for: who is only started anew need not lose its steps, and no bytes go without need."""


class Away(Part):
    """Notes who is away, and after a while has it looked again who may take the steps that are bound to that agent.

    What comes of it is decided where steps are bound, by where their files lie then (`Places`).
    """

    def __init__(self, context: Context) -> None:
        """Find steps in the store of `context`."""
        super().__init__(context.journal)
        self._context, self._store = context, context.store
        self._due: MemoryDict[str, float] = MemoryDict(context.journal)

    def heard(self, agent: str, at: Moment, *, is_online: bool) -> None:
        """Note whether an agent is there."""
        if is_online:
            self._due.pop(agent, None)
        elif self._store.unplaced.any_bound_to(agent):
            self._due.setdefault(agent, at.now + AWAY_S)

    def settle(self, at: Moment) -> None:
        """Have looked at the steps of those who have been away for long enough."""
        for agent in [agent for agent, due in self._due.items() if due <= at.now]:
            del self._due[agent]
            self._context.bind_anew(self._store.unplaced.workflows_bound_to(agent))

    def next_due(self) -> float:
        """Return when somebody has been away for long enough."""
        return min(self._due.values(), default=inf)
