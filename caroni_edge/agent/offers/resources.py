"""What jobs need beside a slot, and what of it is free: the host's resources, and the turns of types with `parallel`.

A resource that is taken holds up nobody who does not need it: slots go on with other jobs. What jobs of a type wait for
is kept from types that came later, or those that need little of it would keep out those that need much.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from caroni_edge.agent.context import Context
from caroni_edge.agent.jobtypes import JobType, JobTypes
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.needs import more_than_there_is
from caroni_edge.agent.store.jobs import TRIAL, Holding
from caroni_edge.agent.store.load import Count
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.config.units import amount_text
from caroni_edge.values.json import as_text, from_text

HOLDERS_SAID = 3


@dataclass(slots=True)
class Left:
    """What is free at one moment.

    Attributes:
        types: The job types whose jobs need something beside a slot, by name.
        resources: How much is free of each resource; less than nothing where more is held than there is.
        turns: How many more jobs of a type may run, of those with `parallel`.
        kept: Resources that jobs of one type alone may have, and which.
    """

    types: Mapping[str, JobType] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Left":
        """Return the same, to be taken from by itself."""
        return replace(self, resources=dict(self.resources), turns=dict(self.turns), kept=dict(self.kept))

    def has(self, job_type: str) -> bool:
        """Tell whether all is free that one more job of this type needs."""
        needing = self.types.get(job_type)
        if needing is None:
            return True
        is_kept = any(self.kept.get(name, job_type) != job_type for name in needing.needs)
        return self.turns.get(job_type, 1) > 0 and not is_kept and not self.short(needing)

    def short(self, job_type: JobType) -> list[str]:
        """Return the resources of which too little is free for one more job."""
        return [name for name, count in job_type.needs.items() if count > self.resources.get(name, 0)]

    def take(self, job_type: str, jobs: int = 1) -> None:
        """Count what jobs of this type need as taken; a number below 0 gives it back."""
        if needing := self.types.get(job_type):
            for name, count in needing.needs.items():
                self.resources[name] = self.resources.get(name, 0) - jobs * count
            if job_type in self.turns:
                self.turns[job_type] -= jobs

    def keep(self, job_type: str) -> None:
        """Keep for jobs of this type the resources that they need, of those that are not kept for others yet."""
        if (needing := self.types.get(job_type)) and self.turns.get(job_type, 1) > 0:
            for name in needing.needs:
                self.kept.setdefault(name, job_type)

    def lacking(self) -> list[str]:
        """Return the types of which no job can start now."""
        return [name for name in self.types if not self.has(name)]


class Resources(Memory):
    """Knows what running jobs hold, and which job types wait for some of it while managers have jobs for them."""

    def __init__(self, context: Context) -> None:
        """Look at what is in force, and at what jobs hold in the database."""
        super().__init__(context.journal)
        self._store, self._in_force = context.store, context.in_force
        # Job types in line, by the number that each drew.
        self._waiting: MemoryDict[str, int] = MemoryDict(context.journal)
        self._needing: Mapping[str, JobType] = MappingProxyType({})
        self._found_in: JobTypes | None = None  # the job types that `_needing` was made of

    def left(self, live: Iterable[Count]) -> Left:
        """Return what running jobs leave; `live`: how many jobs there are that have not ended."""
        types = self._types()
        if not types:
            return Left()
        resources = Counter(self._in_force.settings.resources)
        for held in self._holding():
            resources.subtract(from_text(held.holds))
        running = by_type(
            {(each.manager, each.job_type): each.jobs for each in live if each.status is JobState.RUNNING}
        )
        turns = {name: each.parallel - running[name] for name, each in types.items() if each.parallel is not None}
        return Left(types, dict(resources), turns)

    def held_by(self, job_type: str) -> str | None:
        """Return what a job of this type holds while it runs, as JSON; None: nothing."""
        needing = self._types().get(job_type)
        return as_text(dict(needing.needs)) if needing and needing.needs else None

    def line_up(self, wanted: Mapping[str, int], left: Left) -> None:
        """Note which job types wait for what is taken, and keep what they wait for from those that came later.

        Args:
            wanted: The job types that managers have ready jobs for, and how urgent these are.
            left: What is free.
        """
        for gone in [name for name in self._waiting if name not in wanted or name not in left.types]:
            del self._waiting[gone]
        for name in sorted(wanted):
            if name not in self._waiting and not left.has(name):
                self._waiting[name] = max(self._waiting.values(), default=0) + 1
        for name in sorted(self._waiting, key=lambda name: (-wanted[name], self._waiting[name])):
            left.keep(name)

    def on_offered(self, job_type: str) -> bool:
        """Note that jobs of this type were asked for; return whether it was its turn, and others come now."""
        return self._waiting.pop(job_type, None) is not None

    def said(self) -> dict[str, str]:
        """Return what job types wait for, in words for people."""
        types = self._types()
        return {name: self.why_not(types[name]) for name in sorted(self._waiting) if name in types}

    def why_not(self, job_type: JobType) -> str:
        """Return what a job of this type waits for, in words for people: what is taken, and by whom."""
        resources = self._in_force.settings.resources
        if why := more_than_there_is(job_type.needs, resources):
            return why
        holding = [(each, from_text(each.holds)) for each in self._holding()]
        for name, count in job_type.needs.items():
            there = resources[name]
            holders = [each for each, held in holding if held.get(name)]
            taken = sum(held.get(name, 0) for _, held in holding)
            if count > there - taken:
                need = f"its jobs need {name}: {amount_text(count)}"
                return f"{need}, and of {amount_text(there)} are {amount_text(taken)} taken by {_names(holders)}"
        if job_type.parallel is not None:
            return f"of its jobs {job_type.parallel} may run here at a time (parallel)"
        return f"its jobs need {', '.join(job_type.needs)}, which is kept for jobs that come first"

    def _types(self) -> Mapping[str, JobType]:
        types = self._in_force.types
        if types is not self._found_in:
            needing = {name: each for name, each in types.loaded.items() if each.needs or each.parallel is not None}
            self._needing = MappingProxyType(needing)
            self._found_in = types
        return self._needing

    def _holding(self) -> list[Holding]:
        return self._store.jobs.holding()


def by_type(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    """Return how many jobs there are of each type, of the numbers by manager and type."""
    found: Counter[str] = Counter()
    for (_, job_type), jobs in counts.items():
        found[job_type] += jobs
    return found


def _names(holders: Iterable[Holding]) -> str:
    named = [
        f"job {each.job} ({each.job_type}, {'a trial' if each.manager == TRIAL else f'of {each.manager}'})"
        for each in holders
    ]
    more = len(named) - HOLDERS_SAID
    return ", ".join(named[:HOLDERS_SAID]) + (f" and {more} more" if more > 0 else "")
