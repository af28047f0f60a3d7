"""How the last jobs of each type ended: a host that fails them all must not eat everybody's attempts."""

import sqlite3
from typing import NamedTuple

FAILED = """
    INSERT INTO records (job_type, version, failures, probe_due) VALUES (?, ?, 1, 0)
    ON CONFLICT (job_type) DO UPDATE
    SET failures = CASE WHEN version = excluded.version THEN failures + 1 ELSE 1 END, version = excluded.version"""
COMPLETED = "DELETE FROM records WHERE job_type = ?"
FAILING = "SELECT job_type, version, probe_due FROM records WHERE failures >= ? ORDER BY job_type"
PROBED = "UPDATE records SET probe_due = ? WHERE job_type = ?"
BEGIN_ANEW = "UPDATE records SET probe_due = 0"


class Failing(NamedTuple):
    """A version of a job type whose last jobs all failed, and when it may be tried again."""

    job_type: str
    version: str
    probe_due: float


class Records:
    """Statements about how jobs ended; one row at most for each job type."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def failed(self, job_type: str, version: str) -> None:
        """One more job of this version has failed."""
        self._conn.execute(FAILED, (job_type, version))

    def completed(self, job_type: str) -> None:
        """A job has completed."""
        self._conn.execute(COMPLETED, (job_type,))

    def failing(self, failures: int) -> list[Failing]:
        """Return the versions that have failed so often, and not completed since."""
        return [Failing(*found) for found in self._conn.execute(FAILING, (failures,))]

    def probed(self, job_type: str, due: float) -> None:
        """A place was offered; the next one is at `due`."""
        self._conn.execute(PROBED, (due, job_type))

    def begin_anew(self) -> None:
        """A process has started: its clock is another."""
        self._conn.execute(BEGIN_ANEW)
