"""Jobs: attempts of steps at agents, and the logs that have come from them."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

COLUMNS = "job, step, attempt, agent, status, open, lost, data_sent, begun, repeat, serial"

ADD = """
    INSERT INTO jobs (job, step, attempt, agent, status, data_sent, repeat, placed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
BY_ID = f"SELECT {COLUMNS} FROM jobs WHERE job = ?"
UPDATE = """
    UPDATE jobs SET status = ?1, data_sent = data_sent OR ?1 <> 'pending', serial = ?2, begun = begun OR ?3,
        started = coalesce(?4, started), version = coalesce(?5, version) WHERE job = ?6"""
CLOSE = """
    UPDATE jobs SET open = 0, status = ?, serial = max(serial, ?), begun = begun OR ?, reason = ?, exit_code = ?,
        stderr = ?, version = coalesce(?, version), started = coalesce(?, started), ended = ? WHERE job = ?"""
LOSE = "UPDATE jobs SET lost = 1, reason = ? WHERE job = ?"
DATA_SENT = "UPDATE jobs SET data_sent = 1, status = 'queued' WHERE job = ?"
DELETE = "DELETE FROM jobs WHERE job = ?"
COUNT_OPEN = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE open LIMIT ?)"
OPEN_OF_STEP = f"SELECT {COLUMNS} FROM jobs WHERE step = ? AND open ORDER BY attempt"
OPEN_OF_WORKFLOW = """
    SELECT j.job, j.agent FROM steps s CROSS JOIN jobs j ON j.step = s.id AND j.open WHERE s.workflow = ?
    ORDER BY s.id, j.attempt"""
OPEN_OF_AGENT = f"SELECT {COLUMNS} FROM jobs WHERE agent = ? AND open AND job > ? AND (job <= ? OR ? = '') ORDER BY job"
# From agent to agent by the index, not from job to job.
AGENTS_WITH_OPEN = """
    WITH RECURSIVE busy (agent) AS (
        SELECT '' UNION ALL
        SELECT (SELECT min(agent) FROM jobs WHERE open AND agent > busy.agent) FROM busy WHERE agent NOT NULL
    ) SELECT agent FROM busy WHERE agent > ''"""
ADD_LOG = 'INSERT INTO logs (job, offset, data, "end") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'
LOG_END = 'SELECT offset + length(data), "end" FROM logs WHERE job = ? ORDER BY offset DESC LIMIT 1'


class JobRow(NamedTuple):
    """An attempt.

    Attributes:
        open: It may still give a result.
        lost: Its agent is silent; another attempt was made.
        data_sent: All its inputs were sent, so it may begin.
        begun: Its process may have been started.
        repeat: Its type may be run again by itself.
        serial: Of the last update taken.
    """

    job: str
    step: int
    attempt: int
    agent: str
    status: str
    open: int
    lost: int
    data_sent: int
    begun: int
    repeat: int
    serial: int


class JobEnd(NamedTuple):
    """How an attempt ended, for people."""

    status: str
    serial: int = 0
    begun: bool = False
    reason: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    version: str | None = None
    started: float | None = None
    ended: float | None = None


class Jobs:
    """Statements about jobs and their logs."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def add(self, rows: Iterable[tuple[str, int, int, str, str, bool, bool, float]]) -> None:
        """Add attempts: job, step, attempt, agent, status, data_sent, repeat, date."""
        self._conn.executemany(ADD, rows)

    def by_id(self, job: str) -> JobRow | None:
        """Return an attempt."""
        found = self._conn.execute(BY_ID, (job,)).fetchone()
        return JobRow(*found) if found else None

    def update(
        self, job: str, status: str, serial: int, *, begun: bool, started: float | None, version: str | None
    ) -> None:
        """Note a state that is not the end."""
        self._conn.execute(UPDATE, (status, serial, begun, started, version, job))

    def close(self, job: str, end: JobEnd) -> None:
        """Note the end of an attempt: nothing more is taken from it."""
        e = end
        facts = (e.status, e.serial, e.begun, e.reason, e.exit_code, e.stderr, e.version, e.started, e.ended)
        self._conn.execute(CLOSE, (*facts, job))

    def lose(self, job: str, reason: str) -> None:
        """The agent is silent: the attempt may still give the result, but another one is made."""
        self._conn.execute(LOSE, (reason, job))

    def data_sent(self, job: str) -> None:
        """All inputs of the attempt are on their way."""
        self._conn.execute(DATA_SENT, (job,))

    def delete(self, job: str) -> None:
        """The attempt never was."""
        self._conn.execute(DELETE, (job,))

    def count_open(self, limit: int) -> int:
        """Count the attempts that may still give a result, up to `limit`."""
        count: int = self._conn.execute(COUNT_OPEN, (limit,)).fetchone()[0]
        return count

    def open_of_step(self, step: int) -> list[JobRow]:
        """Return the attempts of a step that may still give a result."""
        return [JobRow(*found) for found in self._conn.execute(OPEN_OF_STEP, (step,))]

    def open_of_workflow(self, workflow: int) -> list[tuple[str, str]]:
        """Return job and agent of the attempts of a workflow that may still give a result."""
        return self._conn.execute(OPEN_OF_WORKFLOW, (workflow,)).fetchall()

    def open_of_agent(self, agent: str, after: str = "", upto: str = "") -> list[JobRow]:
        """Return what may still give a result at an agent, of the ids in (after, upto]."""
        return [JobRow(*found) for found in self._conn.execute(OPEN_OF_AGENT, (agent, after, upto, upto))]

    def agents_with_open(self) -> list[str]:
        """Return the agents that have open jobs."""
        return [agent for (agent,) in self._conn.execute(AGENTS_WITH_OPEN)]

    def add_log(self, job: str, offset: int, data: bytes, *, end: bool) -> None:
        """Keep a piece of a log."""
        self._conn.execute(ADD_LOG, (job, offset, data, end))

    def log_end(self, job: str) -> tuple[int, bool]:
        """Return how many bytes of a log have come, and whether that is all."""
        row = self._conn.execute(LOG_END, (job,)).fetchone()
        return (row[0], bool(row[1])) if row else (0, False)
