"""What the API and the pages show of an agent: read-only statements, and the dicts that are made of their rows."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from caroni_edge.agent.lifecycle import JOB, DataState, JobState
from caroni_edge.agent.pages.shapes import Drain, JobPage, JobSummary, JobView
from caroni_edge.base.dates import rfc3339
from caroni_edge.storage.paging import NEWEST, read_page
from caroni_edge.values.json import from_text

_JOB = """id, job, manager, workflow, step, attempt, job_type, priority, state AS status, data, received, started,
    ended, exit_code, reason, killed"""
_NEWEST = "ORDER BY id DESC LIMIT :limit"

JOBS = f"SELECT {_JOB} FROM jobs WHERE id < :after {_NEWEST}"
JOBS_OF_STATUS = f"SELECT {_JOB} FROM jobs WHERE state = :status AND id < :after {_NEWEST}"
JOBS_OF_MANAGER = f"SELECT {_JOB} FROM jobs WHERE manager = :manager AND id < :after {_NEWEST}"
JOBS_OF_BOTH = f"SELECT {_JOB} FROM jobs WHERE manager = :manager AND state = :status AND id < :after {_NEWEST}"
JOB_DETAIL = f"SELECT {_JOB}, inputs, outputs, version, stderr FROM jobs WHERE job = ?"
COUNT_JOBS = "SELECT state AS status, sum(jobs) AS jobs FROM load GROUP BY state"
COUNT_BY_MANAGER = "SELECT manager, state AS status, sum(jobs) AS jobs FROM load GROUP BY manager, state"
DRAINED = "SELECT 1 FROM facts WHERE key = 'drained'"

UNFINISHED = tuple(status for status, arrows in JOB.items() if arrows)


class AgentViews:
    """Reads what is shown of an agent from its database."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Read on `conn`, a connection whose rows go by name."""
        self._conn = conn

    def jobs(self, status: JobState | None, manager: str | None, limit: int, after: int | None) -> JobPage:
        """Return a page of jobs, newest first."""
        sql = {
            (False, False): JOBS,
            (True, False): JOBS_OF_STATUS,
            (False, True): JOBS_OF_MANAGER,
            (True, True): JOBS_OF_BOTH,
        }[status is not None, manager is not None]
        upto = NEWEST if after is None else after
        rows, following = read_page(self._conn, sql, "id", limit, status=status, manager=manager, after=upto)
        return JobPage(jobs=[_summary(row) for row in rows], next=following)

    def job(self, job: str, reply_topic: str) -> JobView | None:
        """Return a job, without its log.

        Args:
            job: Its name.
            reply_topic: Where its status goes, with `{manager}` in the manager's place.
        """
        row = self._conn.execute(JOB_DETAIL, (job,)).fetchone()
        if row is None:
            return None
        return JobView(
            **_summary(row),
            reply_topic=reply_topic.format(manager=row["manager"]),
            inputs=_values(row["inputs"]) or {},
            outputs=_values(row["outputs"]),
            version=row["version"],
            stderr=row["stderr"],
            log="",
            log_next=None,
        )

    def drain(self) -> Drain:
        """Return whether the agent takes no new work, and what it has left."""
        counts = self.count_jobs()
        drained = self._conn.execute(DRAINED).fetchone() is not None
        return Drain(drained=drained, jobs={status.value: int(counts[status]) for status in UNFINISHED})

    def count_jobs(self) -> Mapping[str, float]:
        """Count the jobs in each state."""
        none: dict[str, float] = dict.fromkeys(JobState, 0)
        return none | {row["status"]: row["jobs"] for row in self._conn.execute(COUNT_JOBS)}

    def count_by_manager(self) -> list[tuple[Mapping[str, str], float]]:
        """Count the unfinished jobs of each manager, in each state."""
        rows = self._conn.execute(COUNT_BY_MANAGER).fetchall()
        return [
            ({"manager": row["manager"], "status": row["status"]}, row["jobs"])
            for row in rows
            if row["status"] in UNFINISHED
        ]


def _summary(row: sqlite3.Row) -> JobSummary:
    status = JobState(row["status"])
    return JobSummary(
        id=row["job"],
        manager=row["manager"],
        workflow=row["workflow"],
        step=row["step"],
        attempt=row["attempt"],
        job_type=row["job_type"],
        priority=row["priority"],
        status=status,
        data=DataState(row["data"]),
        received=rfc3339(row["received"]),
        started=rfc3339(row["started"]),
        ended=rfc3339(row["ended"]),
        exit_code=row["exit_code"],
        reason=row["reason"],
        killing=row["killed"] if status in UNFINISHED else None,
    )


def _values(text: str | None) -> dict[str, Any] | None:
    values: dict[str, Any] | None = None if text is None else from_text(text)
    return values
