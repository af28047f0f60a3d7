"""How the last jobs of each type ended: a host that fails them all must not eat everybody's attempts."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class Failing(NamedTuple):
    """A version of a job type whose last jobs all failed, and when it may be tried again."""

    job_type: str
    version: str
    probe_due: float


class RecordRows(Rows):
    """Statements about how jobs ended; one row at most for each job type."""

    FAILED = """
        INSERT INTO records (job_type, version, failures, probe_due) VALUES (:job_type, :version, 1, 0)
        ON CONFLICT (job_type) DO UPDATE
        SET failures = CASE WHEN version = excluded.version THEN failures + 1 ELSE 1 END, version = excluded.version"""

    def failed(self, job_type: str, version: str) -> None:
        """Count one more job of this version that has failed."""
        self._run(self.FAILED, job_type=job_type, version=version)

    COMPLETED = "DELETE FROM records WHERE job_type = :job_type"

    def completed(self, job_type: str) -> None:
        """Count no failures any more: a job has completed."""
        self._run(self.COMPLETED, job_type=job_type)

    FAILING = "SELECT job_type, version, probe_due FROM records WHERE failures >= :failures ORDER BY job_type"

    def failing(self, failures: int) -> list[Failing]:
        """Return the versions that have failed so often, and not completed since."""
        return self._all(Failing, self.FAILING, failures=failures)

    PROBED = "UPDATE records SET probe_due = :due WHERE job_type = :job_type"

    def probed(self, job_type: str, due: float) -> None:
        """Note that a place was offered to try a failing version; the next one is at `due`."""
        self._run(self.PROBED, job_type=job_type, due=due)

    BEGIN_ANEW = "UPDATE records SET probe_due = 0"

    def begin_anew(self) -> None:
        """Let failing versions be tried at once: a process has started, and its clock is another."""
        self._run(self.BEGIN_ANEW)
