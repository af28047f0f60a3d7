"""What the API and the pages show of an agent: the dicts that are made of its rows."""

import sqlite3
from collections.abc import Mapping

from caroni_edge.agent.lifecycle import JOB, JobState
from caroni_edge.agent.pages.shapes import Drain, JobPage, JobSummary, JobView
from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.agent.store.load import LoadRows
from caroni_edge.agent.store.shown import ShownJob, ShownJobRows
from caroni_edge.base.dates import rfc3339
from caroni_edge.values.json import from_text

UNFINISHED = tuple(status for status, arrows in JOB.items() if arrows)


class AgentViews:
    """Reads what is shown of an agent from its database."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Read on `conn`."""
        self._jobs, self._load, self._facts = ShownJobRows(conn), LoadRows(conn), AgentFactRows(conn)

    def jobs(self, status: JobState | None, manager: str | None, limit: int, after: int | None) -> JobPage:
        """Return a page of jobs, newest first."""
        page = self._jobs.page(status, manager, limit, after)
        return JobPage(jobs=[_summary(row) for row in page.rows], next=page.next)

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

    def drain(self) -> Drain:
        """Return whether the agent takes no new work, and what it has left."""
        counts = self.count_jobs()
        jobs = {status.value: int(counts[status]) for status in UNFINISHED}
        return Drain(drained=self._facts.drained(), jobs=jobs)

    def count_jobs(self) -> Mapping[str, float]:
        """Count the jobs in each state."""
        none: dict[str, float] = dict.fromkeys(JobState, 0)
        return none | dict(self._load.by_status())

    def count_by_manager(self) -> list[tuple[Mapping[str, str], float]]:
        """Count the unfinished jobs of each manager, in each state."""
        counts = self._load.live_by_manager()
        return [({"manager": count.manager, "status": count.status}, count.jobs) for count in counts]


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
        exit_code=row.exit_code,
        reason=row.reason,
        killing=row.killed if row.status in UNFINISHED else None,
    )
