"""The versions of job types that were in force, and how many jobs each has run."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class VersionRow(NamedTuple):
    """A version of a job type.

    Attributes:
        version: Its hash.
        since: When it came into force the last time, Unix seconds.
        jobs: How many jobs have begun by it.
    """

    version: str
    since: float
    jobs: int


class BegunBy(NamedTuple):
    """So many jobs have begun by a version of a job type."""

    job_type: str
    version: str
    jobs: int


class VersionRows(Rows):
    """Statements about versions; the newest 20 of a job type stay, and the newest 1,000 of all."""

    LATEST = "SELECT version FROM versions WHERE job_type = :job_type ORDER BY since DESC, id DESC LIMIT 1"

    def latest(self, job_type: str) -> str | None:
        """Return the version that came into force last."""
        return self._one(str, self.LATEST, job_type=job_type)

    ADD = """
        INSERT INTO versions (job_type, version, since, jobs, source) VALUES (:job_type, :version, :since, 0, :source)
        ON CONFLICT (job_type, version) DO UPDATE SET since = excluded.since, source = excluded.source"""

    def add(self, job_type: str, version: str, since: float, source: str) -> None:
        """Note that a version has come into force, for the first time or again."""
        self._run(self.ADD, job_type=job_type, version=version, since=since, source=source)

    COUNT = "UPDATE versions SET jobs = jobs + :jobs WHERE job_type = :job_type AND version = :version"

    def count(self, begun: Iterable[BegunBy]) -> None:
        """Count jobs that have begun."""
        self._run_each(self.COUNT, (each._asdict() for each in begun))

    OF = f"""
        SELECT {columns(VersionRow)} FROM versions WHERE job_type = :job_type
        ORDER BY since DESC, id DESC LIMIT :limit"""

    def of(self, job_type: str, limit: int) -> list[VersionRow]:
        """Return the versions of a job type, the newest first."""
        return self._all(VersionRow, self.OF, job_type=job_type, limit=limit)

    SOURCE = "SELECT source FROM versions WHERE job_type = :job_type AND version = :version"

    def source(self, job_type: str, version: str) -> str | None:
        """Return the text that a version was read from; empty where it was too long to be kept."""
        return self._one(str, self.SOURCE, job_type=job_type, version=version)
