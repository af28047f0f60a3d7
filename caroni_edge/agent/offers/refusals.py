"""What the agent does not offer or take, and why: its presence says so, and managers show it in `why`."""

from collections.abc import Mapping

from caroni_edge.agent.context import Context
from caroni_edge.agent.store.records import Record
from caroni_edge.base.memory import Memory, MemoryDict
from caroni_edge.config.model import EVERYBODY
from caroni_edge.protocol import depots

FAILURES_IN_A_ROW = 10
"""A version of a job type whose last jobs all failed, so many of them, is offered one place at a time."""
PROBE_EVERY_S = 60.0
MANAGERS_SAID = 50
"""Managers that are not served, in one presence notice."""

DRAINED = f"{depots.DRAINED}: it finishes what it has, and takes no new work"
PAUSED = "the agent is paused: it starts nothing until its owner resumes it"
HOST_FULL = "the host had no room for a job"
FAILING = f"its last {FAILURES_IN_A_ROW} jobs here have all failed; one place a minute until one completes"
WAITING_FILES = "the files of a job that has ended wait for room"
NOT_SERVED = "the agent's configuration does not name it under managers"

_MIB = 1 << 20


class Refusals(Memory):
    """Decides what is refused, by what is in force and what has happened here."""

    def __init__(self, context: Context) -> None:
        """Look at what is in force, and at what is in the database."""
        super().__init__(context.journal)
        self._store, self._in_force = context.store, context.in_force
        self._free_bytes: int | None = None
        self._no_room: str | None = None
        self._over: MemoryDict[str, str] = MemoryDict(context.journal)
        self._lacking: MemoryDict[str, str] = MemoryDict(context.journal)
        self._records: MemoryDict[str, Record] = MemoryDict(context.journal)
        self._records.update((record.job_type, record) for record in context.store.records.all())

    def on_disk(self, free_bytes: int) -> None:
        """Note how much of the disk is free."""
        self._free_bytes, self._no_room = free_bytes, None

    def on_no_room(self, reason: str) -> None:
        """Refuse all, since the host had no room for a job, until one ends or the disk is looked at again."""
        self._no_room = reason

    def on_room(self) -> None:
        """Note that a job has ended: what it held is there for another."""
        self._no_room = None
        self._over.clear()

    def on_over(self, whose: str, reason: str) -> None:
        """Offer nothing to a manager, or (`*`) to all, until a job ends: the files of one that has ended do not fit."""
        self._over[whose] = reason

    def on_lacking(self, job_type: str, reason: str) -> None:
        """Refuse a job type that lacks something on this host, until the owner has its job types read anew."""
        self._lacking[job_type] = reason

    def reload(self) -> None:
        """Job types were read anew: what lacks something still is not among them."""
        self._lacking.clear()

    def lacks(self, job_type: str) -> bool:
        """Tell whether a job type lacks something on this host."""
        return job_type in self._lacking

    def on_start(self) -> None:
        """Let failing job types be tried at once: a process has started, and its clock is another."""
        for record in [*self._records.values()]:
            self._record(record._replace(probe_due=0.0))

    def on_completed(self, job_type: str) -> None:
        """Count no failures of a job type any more."""
        if self._records.pop(job_type, None) is not None:
            self._store.records.delete(job_type)

    def on_failed(self, job_type: str, version: str) -> None:
        """Count one more job of this version of a job type that has failed."""
        before = self._records.get(job_type, Record(job_type, version, 0, 0.0))
        failures = before.failures + 1 if before.version == version else 1
        self._record(before._replace(version=version, failures=failures))

    def on_probed(self, job_type: str, due: float) -> None:
        """Note that a place is offered to try a failing job type; the next one is at `due`."""
        self._record(self._records[job_type]._replace(probe_due=due))

    def _record(self, record: Record) -> None:
        self._records[record.job_type] = record
        self._store.records.save(record)

    def of_all(self) -> str | None:
        """Return why nothing is offered to anybody, for people; None when something may be."""
        if self._in_force.paused:
            return PAUSED
        if self._in_force.drained:
            return DRAINED
        if self._no_room is not None:
            return f"{HOST_FULL}: {self._no_room}"
        if EVERYBODY in self._over:
            return f"{WAITING_FILES}: {self._over[EVERYBODY]}"
        floor_bytes = self._in_force.settings.disk_floor_bytes
        if self._free_bytes is not None and self._free_bytes < floor_bytes:
            return f"less than {floor_bytes / _MIB:g} MiB of the disk are free (disk_floor)"
        return None

    def of_placement(self, manager: str, job_type: str) -> str | None:
        """Return why no job of this manager and type can run here, for people; None when one can."""
        if not self._in_force.settings.serves(manager):
            return f"manager {manager}: {NOT_SERVED}"
        return self._of_type(job_type)

    def _of_type(self, job_type: str) -> str | None:
        if self._in_force.types.get(job_type) is None:
            return f"the agent has no job type {job_type}"
        return self._lacking.get(job_type)

    def allow(self, manager: str, job_type: str) -> bool:
        """Tell whether jobs of this manager and type may be offered for, but for what is refused to all."""
        return manager not in self._over and self.of_placement(manager, job_type) is None

    def allowed(self, wanted: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        """Return those of managers that are served, by job type, of whom `allow` would say that it may be offered."""
        over = self._over.keys()
        return {
            job_type: left
            for job_type, managers in wanted.items()
            if self._of_type(job_type) is None and (left := managers.difference(over))
        }

    def failing(self) -> dict[str, float]:
        """Return the job types that are offered one place at a time, and when the next place is due."""
        return {
            name: record.probe_due
            for name, record in sorted(self._records.items())
            if record.failures >= FAILURES_IN_A_ROW and self._is_in_force(name, record.version)
        }

    def said(self) -> dict[str, str]:
        """Return the reasons for the presence, by job type or manager; `*` stands for all."""
        settings, types = self._in_force.settings, self._in_force.types
        known = () if settings.serves_all else self._store.demands.managers(MANAGERS_SAID)
        said = {name: NOT_SERVED for name in known if not settings.serves(name)}
        said.update((name, f"{WAITING_FILES}: {why}") for name, why in self._over.items() if name != EVERYBODY)
        said.update((name, FAILING) for name in self.failing())
        said.update(self._lacking)
        said.update(
            (name, f"its file cannot be taken: {problems[0]}")
            for name, problems in types.errors.items()
            if problems and types.get(name) is None
        )
        if why := self.of_all():
            said["*"] = why
        return said

    def _is_in_force(self, job_type: str, version: str) -> bool:
        here = self._in_force.types.get(job_type)
        return here is not None and here.version == version
