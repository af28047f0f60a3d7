"""What the agent says of itself in its presence notice, and when that must be said anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.settings import InForce
from caroni_edge.base.moment import Chance, Moment
from caroni_edge.protocol.messages import JobTypeNotice

CHANGE_EVERY_S = 60.0
NEWCOMER_WITHIN_S = 2.0
"""A manager that has started is told within that: a broker may keep what is retained from it. Not by all at once."""


@dataclass(frozen=True, slots=True)
class _Facts:
    job_types: dict[str, JobTypeNotice] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    slots: int = 0


@dataclass(slots=True)
class _Memory:
    """What is gone back to when a batch is rolled back.

    Attributes:
        facts: What is true, as of the last look.
        said: What the node has been told, or will be when it asks.
        changed: It has to be told, and has not asked yet.
        due: When the next change may be said.
        boots: The process last heard of each manager.
        newcomer_due: When all is said to a manager that has started; infinity when there is none.
    """

    facts: _Facts = field(default_factory=_Facts)
    said: _Facts = field(default_factory=_Facts)
    changed: bool = False
    due: float = -inf
    boots: Mapping[str, str] = field(default_factory=dict)
    newcomer_due: float = inf


class PresenceSaid:
    """Job types, slots and refusals; a change is said once a minute at most, but for the owner's own commands."""

    def __init__(self, in_force: InForce, refusals: Refusals, chance: Chance) -> None:
        """Look at what is in force, and at what is refused."""
        self._in_force, self._refusals, self._chance = in_force, refusals, chance
        self._memory, self._saved = _Memory(), _Memory()
        self._notices: dict[str, JobTypeNotice] = {}
        self._noticed: object = None

    def on_start(self, at: Moment) -> None:
        """The node will say all at its first connect."""
        self._memory.facts = self._look()

    def heard_manager(self, manager: str, boot: str, at: Moment) -> None:
        """A manager says that it is there: all is said again soon if it has started."""
        memory = self._memory
        if memory.boots.get(manager) != boot:
            memory.boots = {**memory.boots, manager: boot}
            memory.newcomer_due = min(memory.newcomer_due, at.now + NEWCOMER_WITHIN_S * self._chance.random())

    def settle(self, at: Moment) -> None:
        """Look whether something has changed that may be said now."""
        memory = self._memory
        memory.facts = self._look()
        if at.now >= memory.newcomer_due:
            memory.changed, memory.newcomer_due = True, inf
        if memory.facts != memory.said and at.now >= memory.due:
            memory.changed, memory.said, memory.due = True, memory.facts, at.now + CHANGE_EVERY_S

    def hurry(self) -> None:
        """The owner has changed something: it is said at once."""
        self._memory.due = -inf

    def next_due(self) -> float:
        """Return when something may be said."""
        memory = self._memory
        return min(memory.newcomer_due, memory.due if memory.facts != memory.said else inf)

    def take_changed(self) -> bool:
        """Tell once whether all must be said anew."""
        changed, self._memory.changed = self._memory.changed, False
        return changed

    def facts(self) -> dict[str, object]:
        """Return all that is said."""
        self._memory.said = facts = self._memory.facts
        return {"job_types": facts.job_types, "refuses": facts.refuses, "slots": facts.slots}

    def save(self) -> None:
        """The batch is committed."""
        self._saved = replace(self._memory)

    def restore(self) -> None:
        """The batch is rolled back."""
        self._memory = replace(self._saved)

    def _look(self) -> _Facts:
        types = self._in_force.types
        if types is not self._noticed:
            found = {name: types.get(name) for name in sorted(types.names())}
            self._notices = {
                name: JobTypeNotice(
                    inputs={key: kind.spec for key, kind in each.inputs.items()},
                    outputs={key: kind.spec for key, kind in each.outputs.items()},
                    repeat=each.repeat,
                )
                for name, each in found.items()
                if each is not None
            }
            self._noticed = types
        return _Facts(self._notices, self._refusals.said(), self._in_force.settings.slots)
