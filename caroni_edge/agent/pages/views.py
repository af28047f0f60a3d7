"""What the API and the pages show of an agent: the dicts that are made of its rows."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from caroni_edge.agent.jobs.slottime import MINUTE_S, minutes
from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.pages.shapes import (
    Drain,
    FilesView,
    JobPage,
    JobSummary,
    JobView,
    ResourceView,
    ShareView,
    SlotsView,
    TurnedAwayView,
    VersionView,
)
from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.agent.store.jobs import TRIAL, JobRows
from caroni_edge.agent.store.load import LoadRows
from caroni_edge.agent.store.locations import LocationRows
from caroni_edge.agent.store.shown import ShownJob, ShownJobRows
from caroni_edge.agent.store.slottime import SlotTimeRows
from caroni_edge.agent.store.totals import ManagerTotal, ObjectTotalRows
from caroni_edge.agent.store.turnedaway import TurnedAway, TurnedAwayRows
from caroni_edge.agent.store.versions import VersionRows
from caroni_edge.agent.store.wanted import WantedRows
from caroni_edge.base.dates import rfc3339
from caroni_edge.config import AgentConfig
from caroni_edge.doctor.clock import Dates
from caroni_edge.objects.locations import LocationProgress
from caroni_edge.objects.objects import sha256_of
from caroni_edge.objects.store.rows import StoreTotal
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.progress import Moving, Progress
from caroni_edge.values.json import from_text
from caroni_edge.values.remote import parse_address

SHARES_SHOWN = 50
VERSIONS_SHOWN = 20

NEXT = "it is next at the keeper, which starts it when a slot is free"
UNFINISHED = tuple(status for status, arrows in JOB.items() if arrows)


class AgentViews:
    """Reads what is shown of an agent from its database."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Read on `conn`."""
        self._jobs, self._load, self._facts = ShownJobRows(conn), LoadRows(conn), AgentFactRows(conn)
        self._slot_time, self._turned_away = SlotTimeRows(conn), TurnedAwayRows(conn)
        self._versions, self._holding = VersionRows(conn), JobRows(conn)
        self._wanted, self._locations, self._totals = WantedRows(conn), LocationRows(conn), ObjectTotalRows(conn)

    def dates(self) -> Dates:
        """Return what tells whether the clock is right."""
        return Dates(self._jobs.latest())

    def jobs(self, status: JobState | None, manager: str | None, limit: int, after: int | None) -> JobPage:
        """Return a page of jobs, newest first."""
        page = self._jobs.page(status, manager, limit, after)
        return JobPage(jobs=[_summary(row) for row in page.rows], next=page.next)

    def ended(self, limit: int) -> list[JobSummary]:
        """Return the jobs that ended last, the last one first."""
        return [_summary(row) for row in self._jobs.ended(limit)]

    def job(self, job: str, reply_topic: str) -> JobView | None:
        """Return a job, without its log.

        Args:
            job: Its name.
            reply_topic: Where its status goes, with `{manager}` in the manager's place.
        """
        row = self._jobs.detail(job)
        if row is None:
            return None
        return JobView(
            **_summary(row.shown),
            reply_topic=reply_topic.format(manager=row.shown.manager),
            inputs=from_text(row.inputs),
            outputs=None if row.outputs is None else from_text(row.outputs),
            version=row.version,
            stderr=row.stderr,
            log="",
            log_next=None,
        )

    def files(self, job: str, moving: Moving) -> FilesView:
        """Return the files that a job waits for; `moving`: how far each is."""
        rows, located = self._wanted.of(job), self._locations.of(job)
        waits, unknown = Progress(0, None), LocationProgress()
        found = [(row, moving.fetches.get(FetchId(row.manager, sha256_of(row.object)))) for row in rows]
        coming = [moving.locations.get(row.id, unknown) for row in located]
        coming_from = [progress or waits for _, progress in found]
        ways = {True: " (direct)", False: ""}
        holders = {f"{each.holder}{ways[each.is_direct]}" for each in coming_from if each.holder is not None}
        left_bytes = sum(row.size if progress is None else progress.left_bytes for row, progress in found)
        problems = [each.problem for each in coming if each.problem] + ([moving.problem] if moving.problem else [])
        return FilesView(
            count=len(rows) + len(located),
            bytes=sum(row.size for row in rows) + sum(each.size or 0 for each in coming),
            left_bytes=left_bytes + sum(each.left_bytes for each in coming),
            holders=sorted(holders | {parse_address(row.location).authority for row in located}),
            bytes_per_s=round(moving.rate, 1),
            problem=problems[0] if problems else None,
        )

    def stored(self) -> StoreTotal:
        """Return how many large files lie here, and how large they are together."""
        return self._totals.of_all()

    def stored_by_manager(self) -> list[ManagerTotal]:
        """Return how much of that is each manager's."""
        return self._totals.of_managers()

    def drain(self) -> Drain:
        """Return whether the agent takes new work and starts it, and what it has left."""
        counts = self.count_jobs()
        jobs = {status.value: int(counts[status]) for status in UNFINISHED}
        return Drain(drained=self._facts.drained(), paused=self._facts.paused(), jobs=jobs)

    def slots(self, settings: AgentConfig, kept: tuple[int, int], hours: int, date: float) -> SlotsView:
        """Return how the slots were used.

        Args:
            settings: Those in force.
            kept: How many jobs are kept, ready ones and others.
            hours: How far to look back.
            date: Now, Unix seconds.
        """
        last = int(date // MINUTE_S)
        first = last - hours * 60 + 1
        busy_s = dict.fromkeys(range(first, last + 1), 0.0)
        busy_s.update(self._slot_time.by_minute(first, last))
        by_manager = defaultdict(float, self._slot_time.by_manager(first, last))
        held = self._jobs.held()
        for manager, started in held:
            for minute, had_s in minutes(started, date):
                if minute >= first:
                    busy_s[minute] += had_s
                    by_manager[manager] += had_s
        length_s = dict.fromkeys(busy_s, MINUTE_S) | {last: max(date - last * MINUTE_S, 1.0)}
        return SlotsView(
            slots=settings.slots,
            running=len(held),
            backlog=kept[0],
            pending=kept[1],
            hours=hours,
            since=rfc3339(first * MINUTE_S),
            busy=[round(busy_s[minute] / length_s[minute], 3) for minute in busy_s],
            managers=_shares(by_manager, settings),
            resources=self.resources(settings),
        )

    def resources(self, settings: AgentConfig) -> list[ResourceView]:
        """Return what there is of the host's resources, and who has it."""
        held = [(each.job, from_text(each.holds)) for each in self._holding.holding()]
        return [
            ResourceView(
                name=name,
                amount=amount,
                taken=sum(holds.get(name, 0) for _, holds in held),
                jobs=[job for job, holds in held if name in holds],
            )
            for name, amount in settings.resources.items()
        ]

    def versions(self, job_type: str, in_force: str | None) -> list[VersionView]:
        """Return the versions of a job type, the newest first; `in_force`: the one that is."""
        return [
            VersionView(version=row.version, since=rfc3339(row.since), jobs=row.jobs, in_force=row.version == in_force)
            for row in self._versions.of(job_type, VERSIONS_SHOWN)
        ]

    def version_source(self, job_type: str, version: str) -> str | None:
        """Return the text of a version; empty where it was not kept, None where there is no such version."""
        return self._versions.source(job_type, version)

    def turned_away(self, limit: int) -> list[TurnedAwayView]:
        """Return what was not taken lately, the newest first."""
        return [_turned_away(row) for row in self._turned_away.latest(limit)]

    def count_jobs(self) -> Mapping[str, float]:
        """Count the jobs in each state."""
        none: dict[str, float] = dict.fromkeys(JobState, 0)
        return none | dict(self._load.by_status())

    def count_by_manager(self) -> list[tuple[Mapping[str, str], float]]:
        """Count the unfinished jobs of each manager, in each state."""
        counts = self._load.live_by_manager()
        return [({"manager": count.manager, "status": count.status}, count.jobs) for count in counts]


def _shares(had_s: Mapping[str, float], settings: AgentConfig) -> list[ShareView]:
    """Return the shares of those who had slot-time, the greatest first."""
    total_s = sum(had_s.values())
    weights = {manager: None if manager == TRIAL else settings.weight_of(manager) for manager in had_s}
    total = sum(weight or 0.0 for weight in weights.values())
    return [
        ShareView(
            manager=manager,
            weight=weights[manager],
            slot_time_s=round(had_s[manager], 3),
            share=had_s[manager] / total_s if total_s else 0.0,
            due=(weights[manager] or 0.0) / total if total else 0.0,
        )
        for manager in sorted(had_s, key=lambda name: (-had_s[name], name))[:SHARES_SHOWN]
    ]


def _turned_away(row: TurnedAway) -> TurnedAwayView:
    return TurnedAwayView(
        date=rfc3339(row.date),
        manager=row.manager or None,
        job=row.job or None,
        job_type=row.job_type or None,
        workflow=row.workflow or None,
        step=row.step or None,
        reason=row.reason,
    )


def _summary(row: ShownJob) -> JobSummary:
    return JobSummary(
        id=row.job,
        manager=row.manager,
        workflow=row.workflow,
        step=row.step,
        attempt=row.attempt,
        job_type=row.job_type,
        priority=row.priority,
        status=row.status,
        data=row.data,
        received=rfc3339(row.received),
        started=rfc3339(row.started),
        ended=rfc3339(row.ended),
        duration_s=None if row.started is None or row.ended is None else max(0.0, row.ended - row.started),
        exit_code=row.exit_code,
        reason=NEXT if row.status is JobState.QUEUED and row.begun else row.reason,
        killing=row.killed if row.status in UNFINISHED else None,
        cpu_s=row.cpu_s,
        memory_bytes=row.memory_bytes,
        box=row.box,
        files=None,
    )
