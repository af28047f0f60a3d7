"""What managers demand of this agent, kept by job type in memory: each look reads the rows of those that have changed.

So a batch costs the same whether one manager has a demand or a thousand: what concerns all of them are unions of sets.
"""

from collections.abc import Collection
from math import inf
from typing import TypeVar

from caroni_edge.agent.context import Context
from caroni_edge.agent.offers.candidates import ByType, Candidate, candidate, competes, next_look
from caroni_edge.agent.offers.room import Kind
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.storage.rows import NEWEST

Key = TypeVar("Key")
Value = TypeVar("Value")


class Demanded(Memory):
    """Knows who demands what as of the last look.

    Attributes:
        candidates: The demands, and how many places each has use for now.
        unsure: The managers for which an offer keeps no place free.
    """

    def __init__(self, context: Context) -> None:
        """Look at what `context` has in its store, as it changes."""
        super().__init__(context.journal)
        self._demands, self._changed, self._in_force = context.store.demands, context.store.changed, context.in_force
        self._served_by: object = None  # the settings by which managers were looked at
        self.candidates: MemoryDict[Kind, Candidate] = MemoryDict(context.journal)
        self.unsure: frozenset[str] = frozenset()
        self._ready: MemoryDict[str, frozenset[str]] = MemoryDict(context.journal)
        self._waiting: MemoryDict[str, frozenset[str]] = MemoryDict(context.journal)
        self._competing: MemoryDict[str, frozenset[str]] = MemoryDict(context.journal)
        self._types: MemoryDict[str, tuple[str, ...]] = MemoryDict(context.journal)  # that a manager demands
        self._due: MemoryDict[str, float] = MemoryDict(context.journal)  # when to look at a manager again

    def look(self, now: float) -> None:
        """Look at what has changed, or has become due."""
        changed = self._changed.take()
        if changed is None or self._served_by is not self._in_force.settings:
            self._served_by = self._in_force.settings
            changed = {*self._types, *self._demands.managers(NEWEST)}
        if self.next_due() <= now:
            changed |= {manager for manager, due in self._due.items() if due <= now}
        for manager in sorted(changed):
            self._look_at(manager, now)

    def next_due(self) -> float:
        """Return when more could be offered, though nothing changes: a spread or a time to wait is over."""
        return min(self._due.values(), default=inf)

    def ready(self) -> ByType:
        """Return who could be offered places for jobs whose inputs are there."""
        return dict(self._ready.items())

    def waiting(self) -> ByType:
        """Return who could be offered places for jobs whose inputs do not exist yet."""
        return dict(self._waiting.items())

    def competing(self, but: Collection[str]) -> frozenset[str]:
        """Return the managers that have ready steps for this agent; not where the last offer for them was in vain.

        Args:
            but: Job types that do not count.
        """
        return frozenset[str]().union(*(managers for name, managers in self._competing.items() if name not in but))

    def _look_at(self, manager: str, now: float) -> None:
        serves = self._in_force.settings.serves(manager)
        found = {each.job_type: candidate(each, now) for each in (self._demands.of_manager(manager) if serves else ())}
        for job_type in sorted({*found, *self._types.get(manager, ())}):
            each = found.get(job_type)
            _keep(self.candidates, (manager, job_type), each)
            for by_type, is_in in zip((self._competing, self._ready, self._waiting), _belongs(each), strict=True):
                _put(by_type, job_type, manager, is_in=is_in)
        _keep(self._types, manager, tuple(found) or None)
        due = min((next_look(each.demand, now) for each in found.values()), default=inf)
        _keep(self._due, manager, due if due < inf else None)
        if any(not each.reserves for each in found.values()):
            self.unsure |= {manager}
        elif manager in self.unsure:
            self.unsure -= {manager}


def _belongs(each: Candidate | None) -> tuple[bool, bool, bool]:
    """Tell whether a manager competes by a demand, and could be offered places for ready and for waiting jobs."""
    if each is None:
        return False, False, False
    has_use = each.ready > 0 or each.waiting > 0
    return competes(each.demand), has_use and each.demand.ready > 0, has_use and each.demand.waiting > 0


def _keep(kept: MemoryDict[Key, Value], key: Key, value: Value | None) -> None:
    """Keep a value under a key; None: none."""
    if value is not None:
        kept[key] = value
    elif key in kept:
        del kept[key]


def _put(by_type: MemoryDict[str, frozenset[str]], job_type: str, manager: str, *, is_in: bool) -> None:
    """Let a manager be among those of a job type, or not."""
    managers = by_type.get(job_type, frozenset())
    if is_in == (manager in managers):
        return
    if managers := managers ^ {manager}:
        by_type[job_type] = managers
    else:
        del by_type[job_type]
