"""How the last jobs of each type ended: a host that fails them all must not eat everybody's attempts."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns, parameters


class Record(NamedTuple):
    """How the last jobs of a job type ended; there is none while they complete.

    Attributes:
        version: The version of the job type that they were of.
        failures: So many have failed since one completed.
        probe_due: When the next one may be tried, after too many.
    """

    job_type: str
    version: str
    failures: int
    probe_due: float


class RecordRows(Rows):
    """Statements about how jobs ended; one row at most for each job type."""

    ALL = f"SELECT {columns(Record)} FROM records ORDER BY job_type"

    def all(self) -> list[Record]:
        """Return what is known of all job types."""
        return self._all(Record, self.ALL)

    SAVE = f"INSERT OR REPLACE INTO records ({columns(Record)}) VALUES ({parameters(Record)})"

    def save(self, record: Record) -> None:
        """Keep what is known of a job type."""
        self._run(self.SAVE, **record._asdict())

    DELETE = "DELETE FROM records WHERE job_type = :job_type"

    def delete(self, job_type: str) -> None:
        """Forget what is known of a job type: a job has completed."""
        self._run(self.DELETE, job_type=job_type)
