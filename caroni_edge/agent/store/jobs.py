"""Jobs that managers have placed here, finished ones too."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.agent.lifecycle import Data, JobState

COLUMNS = """id, job, manager, job_type, workflow, step, attempt, priority, state, data, serial, begun, killed,
    inputs_hash, version, exit_code, received, started, ended, reason, stderr, inputs, outputs, disk_bytes"""

ADD = """
    INSERT INTO jobs (job, manager, job_type, workflow, step, attempt, priority, state, data, serial, inputs_hash,
        received, inputs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
BY_JOB = f"SELECT {COLUMNS} FROM jobs WHERE job = ?"
OWNER = "SELECT manager, state FROM jobs WHERE job = ?"
NEXT_READY = f"""
    SELECT {COLUMNS} FROM jobs WHERE state = 'queued' AND manager = ? ORDER BY priority DESC, id LIMIT 1"""
RUNNING = "SELECT job, manager, job_type FROM jobs WHERE state = 'running' ORDER BY id"
KILLED = "SELECT job, killed FROM jobs WHERE killed IS NOT NULL ORDER BY job"
# Left alone, SQLite would read all jobs of the manager, finished ones too.
LIVE_OF = """
    SELECT job FROM jobs INDEXED BY jobs_state
    WHERE state IN ('pending', 'queued', 'running') AND manager = ? ORDER BY id"""
SAVE = """
    UPDATE jobs SET state = ?, data = ?, serial = ?, begun = ?, killed = ?, inputs_hash = ?, version = ?,
        exit_code = ?, started = ?, ended = ?, reason = ?, stderr = ?, inputs = ?, outputs = ?, disk_bytes = ?
    WHERE id = ?"""
KILL = "UPDATE jobs SET killed = ? WHERE id = ?"
TAKEN_BYTES = "SELECT value FROM counters WHERE name = 'disk_bytes'"
ENDED_AFTER = "SELECT id, job, manager, disk_bytes FROM jobs WHERE id > ? AND +ended IS NOT NULL ORDER BY id LIMIT ?"
ON_THEIR_WAY = "SELECT json_extract(body, '$.job') FROM outbox WHERE peer = ? LIMIT ?"
OLDEST_ENDED = "SELECT id, job FROM jobs WHERE ended < ? ORDER BY ended LIMIT ?"
LAST_OF = "SELECT max(id) FROM jobs WHERE manager = ?"
COUNT_OF = "SELECT count(*) FROM jobs WHERE manager = ?"
OLDEST_OF = "SELECT id, job FROM jobs WHERE manager = ? AND id <= ? ORDER BY id LIMIT ?"
DELETE = "DELETE FROM jobs WHERE id = ?"


class JobRow(NamedTuple):
    """A job; `inputs` (those known) and `outputs` are JSON.

    Attributes:
        id: Order of arrival.
        serial: The agent's count of changes at the last change of this job.
        begun: Its process may have been started.
        killed: Why it is being killed, while it runs.
        received: When it was placed here.
        disk_bytes: What its directory takes on disk, once it has ended.
    """

    id: int
    job: str
    manager: str
    job_type: str
    workflow: str
    step: str
    attempt: int
    priority: int
    state: JobState
    data: Data
    serial: int
    begun: bool
    killed: str | None
    inputs_hash: str
    version: str | None
    exit_code: int | None
    received: float
    started: float | None
    ended: float | None
    reason: str | None
    stderr: str | None
    inputs: str
    outputs: str | None
    disk_bytes: int


class Ended(NamedTuple):
    """A job that has ended, and what it takes on disk."""

    id: int
    job: str
    manager: str
    disk_bytes: int


class Owner(NamedTuple):
    """Whose a job is, and its state."""

    manager: str
    state: JobState


class Running(NamedTuple):
    """A job that holds a slot."""

    job: str
    manager: str
    job_type: str


def read_job(found: Iterable[object]) -> JobRow:
    """Return a row selected by `COLUMNS`."""
    row = JobRow(*found)  # type: ignore[arg-type]
    return row._replace(state=JobState(row.state), data=Data(row.data), begun=bool(row.begun))


class Jobs:
    """Statements about jobs."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, row: JobRow) -> None:
        """Add a job that was placed here; `id` is given by the database."""
        who = (row.job, row.manager, row.job_type, row.workflow, row.step, row.attempt, row.priority)
        self._conn.execute(ADD, (*who, row.state, row.data, row.serial, row.inputs_hash, row.received, row.inputs))

    def by_job(self, job: str) -> JobRow | None:
        """Return a job."""
        found = self._conn.execute(BY_JOB, (job,)).fetchone()
        return read_job(found) if found else None

    def owner(self, job: str) -> Owner | None:
        """Return whose a job is, without its values."""
        found = self._conn.execute(OWNER, (job,)).fetchone()
        return Owner(found[0], JobState(found[1])) if found else None

    def next_ready(self, manager: str) -> JobRow | None:
        """Return a manager's job that is to get the next slot: by priority, then the first that came."""
        found = self._conn.execute(NEXT_READY, (manager,)).fetchone()
        return read_job(found) if found else None

    def running(self) -> list[Running]:
        """Return the jobs that hold a slot."""
        return [Running(*found) for found in self._conn.execute(RUNNING)]

    def killed(self) -> list[tuple[str, str]]:
        """Return the running jobs that are to be killed, with the reason."""
        return list(self._conn.execute(KILLED))

    def live_of(self, manager: str) -> list[str]:
        """Return the jobs of a manager that are not finished, first come first."""
        return [job for (job,) in self._conn.execute(LIVE_OF, (manager,))]

    def save(self, row: JobRow) -> None:
        """Keep all that may change of a job."""
        what = (row.state, row.data, row.serial, row.begun, row.killed, row.inputs_hash, row.version, row.exit_code)
        end = (row.started, row.ended, row.reason, row.stderr, row.inputs, row.outputs, row.disk_bytes)
        self._conn.execute(SAVE, (*what, *end, row.id))

    def kill(self, row_id: int, reason: str) -> None:
        """Note that a running job is to be killed."""
        self._conn.execute(KILL, (reason, row_id))

    def taken_bytes(self) -> int:
        """Return what all jobs that have ended take on disk."""
        taken: int = self._conn.execute(TAKEN_BYTES).fetchone()[0]
        return taken

    def ended_after(self, row_id: int, limit: int) -> list[Ended]:
        """Return jobs that have ended, in the order in which they came, from after an id on."""
        return [Ended(*found) for found in self._conn.execute(ENDED_AFTER, (row_id, limit))]

    def on_their_way(self, manager: str, limit: int) -> list[str]:
        """Return the jobs of which a manager has not confirmed all that was said, up to `limit` messages."""
        return [job for (job,) in self._conn.execute(ON_THEIR_WAY, (manager, limit))]

    def oldest_ended(self, before: float, limit: int) -> list[tuple[int, str]]:
        """Return id and name of the jobs that ended first, before a date."""
        return list(self._conn.execute(OLDEST_ENDED, (before, limit)))

    def last_of(self, manager: str) -> int | None:
        """Return the greatest id of a manager's jobs."""
        last: int | None = self._conn.execute(LAST_OF, (manager,)).fetchone()[0]
        return last

    def count_of(self, manager: str) -> int:
        """Return how many jobs of a manager are here, finished ones too."""
        count: int = self._conn.execute(COUNT_OF, (manager,)).fetchone()[0]
        return count

    def oldest_of(self, manager: str, upto: int, limit: int) -> list[tuple[int, str]]:
        """Return id and name of a manager's first jobs, up to an id."""
        return list(self._conn.execute(OLDEST_OF, (manager, upto, limit)))

    def delete(self, row_ids: Iterable[int]) -> None:
        """Delete jobs."""
        self._conn.executemany(DELETE, ((row_id,) for row_id in row_ids))
