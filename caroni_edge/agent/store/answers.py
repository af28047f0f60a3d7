"""Answers to `JobsWanted` that are on their way, piece by piece."""

import sqlite3

from caroni_edge.agent.store.jobs import COLUMNS, JobRow, read_job

_JOB_COLUMNS = ", ".join(f"j.{name.strip()}" for name in COLUMNS.split(","))

BEGIN = "INSERT INTO answers (manager, wanted, after) VALUES (?, ?, '')"
ADD_LIVE = """
    INSERT INTO answer_jobs (manager, job)
    SELECT manager, job FROM jobs INDEXED BY jobs_state WHERE state IN ('pending', 'queued', 'running') AND manager = ?
    ON CONFLICT DO NOTHING"""
ADD_CHANGED = """
    INSERT INTO answer_jobs (manager, job) SELECT manager, job FROM jobs WHERE manager = ? AND serial > ?
    ON CONFLICT DO NOTHING"""
OPEN = "SELECT manager, wanted, after FROM answers ORDER BY manager"
RENEW = """
    UPDATE jobs SET serial = ? WHERE job IN (SELECT job FROM answer_jobs WHERE manager = ?)"""
NEXT = f"""
    SELECT {_JOB_COLUMNS} FROM answer_jobs a CROSS JOIN jobs j ON j.job = a.job
    WHERE a.manager = ? AND a.job > ? ORDER BY a.job LIMIT ?"""
SAID = "UPDATE answers SET after = ? WHERE manager = ?"
DELETE_SAID = "DELETE FROM answer_jobs WHERE manager = ? AND job <= ?"
END = "DELETE FROM answers WHERE manager = ?"
END_JOBS = "DELETE FROM answer_jobs WHERE manager = ?"


class Answers:
    """Statements about answers; one at most for each manager."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def begin(self, manager: str, query: str, known: int) -> None:
        """Begin an answer: all jobs of a manager that are not finished, or have changed after `known`."""
        self._conn.execute(BEGIN, (manager, query))
        self._conn.execute(ADD_LIVE, (manager,))
        self._conn.execute(ADD_CHANGED, (manager, known))

    def renew(self, manager: str, serial: int) -> None:
        """Let the jobs of an answer count as changed now."""
        self._conn.execute(RENEW, (serial, manager))

    def open(self) -> list[tuple[str, str, str]]:
        """Return the answers that are not complete: manager, question, and up to which job it is answered."""
        return list(self._conn.execute(OPEN))

    def next(self, manager: str, after: str, limit: int) -> list[JobRow]:
        """Return the next jobs to be named, by name."""
        return [read_job(found) for found in self._conn.execute(NEXT, (manager, after, limit))]

    def said(self, manager: str, upto: str) -> None:
        """The jobs up to this one are in the outbox."""
        self._conn.execute(SAID, (upto, manager))
        self._conn.execute(DELETE_SAID, (manager, upto))

    def end(self, manager: str) -> None:
        """The answer is complete, or void."""
        self._conn.execute(END, (manager,))
        self._conn.execute(END_JOBS, (manager,))
