"""What pages show of jobs: read on connections of their own, which never hold up the writer."""

from collections.abc import Iterator
from typing import NamedTuple

from caroni_edge.agent.lifecycle import DataState, JobState
from caroni_edge.storage.rows import NEWEST, Page, Rows, columns


class ShownJob(NamedTuple):
    """A job as lists show it; `killed`: why it is to end, while it still runs; `begun`: as in `JobRow`."""

    id: int
    job: str
    manager: str
    workflow: str
    step: str
    attempt: int
    job_type: str
    priority: int
    status: JobState
    begun: bool
    data: DataState
    received: float
    started: float | None
    ended: float | None
    exit_code: int | None
    reason: str | None
    killed: str | None
    cpu_s: float | None
    memory_bytes: int | None
    box: str | None


class Held(NamedTuple):
    """A slot that is held now: by a job of whom, and since when, Unix seconds."""

    manager: str
    started: float


class JobDetail(NamedTuple):
    """A job with all that is shown of it; `inputs` (those known) and `outputs` are JSON."""

    shown: ShownJob
    inputs: str
    outputs: str | None
    version: str | None
    stderr: str | None


class JobTimesRow(NamedTuple):
    """When a job came, began and ended."""

    job_type: str
    received: float
    started: float
    ended: float


_SHOWN = columns(ShownJob, status="state")
_NEXT = "id < :after ORDER BY id DESC LIMIT :limit"


class ShownJobRows(Rows):
    """Statements that read jobs for people."""

    ALL = f"SELECT {_SHOWN} FROM jobs WHERE {_NEXT}"
    OF_STATUS = f"SELECT {_SHOWN} FROM jobs WHERE state = :status AND {_NEXT}"
    OF_MANAGER = f"SELECT {_SHOWN} FROM jobs WHERE manager = :manager AND {_NEXT}"
    OF_BOTH = f"SELECT {_SHOWN} FROM jobs WHERE manager = :manager AND state = :status AND {_NEXT}"

    def page(self, status: JobState | None, manager: str | None, limit: int, after: int | None) -> Page[ShownJob]:
        """Return a page of the jobs, or of those with a status, of a manager, or both; newest first."""
        sql = {
            (False, False): self.ALL,
            (True, False): self.OF_STATUS,
            (False, True): self.OF_MANAGER,
            (True, True): self.OF_BOTH,
        }[status is not None, manager is not None]
        upto = NEWEST if after is None else after
        return self._page(ShownJob, sql, "id", limit, status=status, manager=manager, after=upto)

    DETAIL = f"SELECT {_SHOWN}, inputs, outputs, version, stderr FROM jobs WHERE job = :job"

    def detail(self, job: str) -> JobDetail | None:
        """Return a job."""
        return self._one(JobDetail, self.DETAIL, job=job)

    ENDED = f"SELECT {_SHOWN} FROM jobs WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT :limit"

    def ended(self, limit: int) -> list[ShownJob]:
        """Return the jobs that ended last, the last one first."""
        return self._all(ShownJob, self.ENDED, limit=limit)

    HELD = "SELECT manager, started FROM jobs WHERE state = 'running' AND started IS NOT NULL ORDER BY id"

    def held(self) -> list[Held]:
        """Return who holds a slot, and since when."""
        return self._all(Held, self.HELD)

    BEGUN_AND_ENDED = f"""
        SELECT {columns(JobTimesRow, "j")}
        FROM (SELECT DISTINCT manager FROM load) m CROSS JOIN jobs j ON j.manager = m.manager
        WHERE j.serial > :after AND j.ended NOT NULL AND j.started NOT NULL LIMIT :limit"""

    def begun_and_ended_since(self, serial: int, limit: int) -> Iterator[JobTimesRow]:
        """Yield the jobs that have begun, and have ended after the change with this serial."""
        return self._each(JobTimesRow, self.BEGUN_AND_ENDED, after=serial, limit=limit)

    LATEST = "SELECT coalesce(max(received), 0.0) FROM jobs WHERE id > (SELECT max(id) FROM jobs) - 100"

    def latest(self) -> float:
        """Return the latest date of the last jobs; 0 for none."""
        return self._only(float, self.LATEST)
