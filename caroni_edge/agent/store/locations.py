"""The files at http and https addresses that jobs wait for, and what has come from there."""

from typing import NamedTuple

from caroni_edge.objects.locations import LocationId
from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class LocationRow(NamedTuple):
    """A file at an address that a job waits for.

    Attributes:
        job: The job.
        manager: Whose job it is.
        workflow: The workflow's id.
        location: The address.
        checksum: What the file must have; empty where nobody says that.
        size: How many bytes it must have; -1 where nobody says that.
        arrival: Of the job, in the order of all jobs.
    """

    job: str
    manager: str
    workflow: str
    location: str
    checksum: str
    size: int
    arrival: int

    @property
    def id(self) -> LocationId:
        """Which file it is."""
        return LocationId(self.manager, self.location, self.checksum)

    def has(self, size: int) -> bool:
        """Tell whether a file of so many bytes is as large as it must be."""
        return self.size in (-1, size)


class CameFrom(NamedTuple):
    """What has come from an address, as an object; `digest` is its SHA-1, in hexadecimal digits."""

    object: ObjectId
    size: int
    digest: str


class LocationRows(Rows):
    """Statements about files at addresses; what a job that does not wait any more has wanted goes by itself."""

    ADD = """
        INSERT INTO wanted_locations (job, location, checksum, size) VALUES (:job, :location, :checksum, :size)
        ON CONFLICT DO NOTHING"""

    def add(self, job: str, sought: LocationId, size: int | None) -> None:
        """Let a job wait for a file; `size`: how many bytes it must have, None where nobody says that."""
        least = -1 if size is None else size
        self._run(self.ADD, job=job, location=sought.location, checksum=sought.checksum, size=least)

    ALL = """
        SELECT j.job, j.manager, j.workflow, w.location, w.checksum, w.size, j.id AS arrival
        FROM jobs j INDEXED BY jobs_state CROSS JOIN wanted_locations w ON w.job = j.job
        WHERE j.state = 'staging' ORDER BY j.id"""

    def all(self) -> list[LocationRow]:
        """Return what is waited for, by the jobs in their order."""
        return self._all(LocationRow, self.ALL)

    OF = """
        SELECT j.job, j.manager, j.workflow, w.location, w.checksum, w.size, j.id AS arrival
        FROM jobs j CROSS JOIN wanted_locations w ON w.job = j.job WHERE j.job = :job ORDER BY w.location, w.checksum"""

    def of(self, job: str) -> list[LocationRow]:
        """Return what a job waits for."""
        return self._all(LocationRow, self.OF, job=job)

    WAITING = """
        SELECT j.job, j.manager, j.workflow, w.location, w.checksum, w.size, j.id AS arrival
        FROM wanted_locations w CROSS JOIN jobs j ON j.job = w.job
        WHERE w.location = :location AND w.checksum = :checksum AND j.manager = :manager"""

    def waiting(self, sought: LocationId) -> list[LocationRow]:
        """Return what waits for a file, in the order of the jobs."""
        found = self._all(LocationRow, self.WAITING, **sought._asdict())
        return sorted(found, key=lambda row: row.arrival)

    CAME = "DELETE FROM wanted_locations WHERE job = :job AND location = :location AND checksum = :checksum"

    def came(self, job: str, sought: LocationId) -> None:
        """Note that a job need not wait for a file any more."""
        self._run(self.CAME, job=job, location=sought.location, checksum=sought.checksum)

    KEEP = """
        INSERT OR REPLACE INTO fetched_locations (manager, workflow, location, checksum, object, digest)
        VALUES (:manager, :workflow, :location, :checksum, :object, :digest)"""

    def keep(self, sought: LocationId, workflow: str, found: CameFrom) -> None:
        """Note what has come from an address for a workflow, as long as that is here."""
        self._run(self.KEEP, workflow=workflow, object=found.object, digest=found.digest, **sought._asdict())

    FOUND = """
        SELECT f.object, o.size, f.digest FROM fetched_locations f CROSS JOIN objects o ON o.object = f.object
        CROSS JOIN object_owners w ON w.manager = f.manager AND w.object = f.object
        WHERE f.manager = :manager AND f.workflow = :workflow AND f.location = :location AND f.checksum = :checksum"""

    def found(self, sought: LocationId, workflow: str) -> CameFrom | None:
        """Return what has come from an address for a workflow; None for nothing that is still here."""
        return self._one(CameFrom, self.FOUND, workflow=workflow, **sought._asdict())

    FORGET = "DELETE FROM fetched_locations WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Forget what has come from addresses for a manager; return how many rows that were."""
        return self._run(self.FORGET, manager=manager)
