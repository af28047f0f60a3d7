"""The objects that jobs wait for."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.storage.rows import Rows


class WantedRow(NamedTuple):
    """An object that a job waits for.

    Attributes:
        job: The job.
        manager: Whose job it is.
        workflow: The workflow's id.
        object: The object.
        size: Its size in bytes.
        places: JSON, a list of `ObjectPlace`.
        is_directory: Whether it is the list of a directory.
        directory: The directory that has named it; empty where an input does.
        arrival: Of the job, in the order of all jobs.
    """

    job: str
    manager: str
    workflow: str
    object: ObjectId
    size: int
    places: str
    is_directory: bool
    directory: str
    arrival: int


class WaitingJob(NamedTuple):
    """A job that waits for an object: for a directory, or for a file, perhaps of a directory; `places` as above."""

    job: str
    workflow: str
    is_directory: bool
    directory: str
    places: str


class Lacking(NamedTuple):
    """An object that is not here.

    Attributes:
        object: The object.
        is_directory: Whether it is the list of a directory.
        directory: The directory that has named it; empty where an input does.
    """

    object: Object
    is_directory: bool = False
    directory: str = ""


class WantedRows(Rows):
    """Statements about objects that jobs wait for; what a job that does not wait any more has wanted goes by itself."""

    ADD = """
        INSERT INTO wanted_objects (job, object, size, places, is_directory, directory)
        VALUES (:job, :object, :size, :places, :is_directory, :directory)
        ON CONFLICT DO UPDATE SET is_directory = max(is_directory, excluded.is_directory)"""

    def add(self, job: str, lacking: Iterable[Lacking], places: str) -> None:
        """Let a job wait for objects."""
        rows = (
            {"job": job, "object": each.object.id, "size": each.object.size, "places": places}
            | {"is_directory": each.is_directory, "directory": each.directory}
            for each in lacking
        )
        self._run_each(self.ADD, rows)

    SET_PLACES = "UPDATE wanted_objects SET places = :places WHERE job = :job AND places <> :places"

    def set_places(self, job: str, places: str) -> None:
        """Name other places of all that a job waits for."""
        self._run(self.SET_PLACES, job=job, places=places)

    CHANGES = "SELECT value FROM counters WHERE name = 'wanted_objects'"

    def changes(self) -> int:
        """Return a number that is another one after each change."""
        return self._only(int, self.CHANGES)

    ALL = """
        SELECT j.job, j.manager, j.workflow, w.object, w.size, w.places, w.is_directory, w.directory, j.id AS arrival
        FROM jobs j INDEXED BY jobs_state CROSS JOIN wanted_objects w ON w.job = j.job
        AND w.object IN (SELECT object FROM wanted_objects WHERE job = j.job ORDER BY object LIMIT :each)
        WHERE j.state = 'staging' ORDER BY j.id"""

    def all(self, each: int) -> list[WantedRow]:
        """Return what is waited for, by the jobs in their order, and of each job so many objects at most."""
        return self._all(WantedRow, self.ALL, each=each)

    OF = """
        SELECT j.job, j.manager, j.workflow, w.object, w.size, w.places, w.is_directory, w.directory, j.id AS arrival
        FROM jobs j CROSS JOIN wanted_objects w ON w.job = j.job WHERE j.job = :job ORDER BY w.object"""

    def of(self, job: str) -> list[WantedRow]:
        """Return what a job waits for."""
        return self._all(WantedRow, self.OF, job=job)

    LACKING_BYTES = "SELECT coalesce(sum(size), 0) FROM wanted_objects WHERE job = :job"

    def lacking_bytes(self, job: str) -> int:
        """Return how many bytes a job waits for."""
        return self._only(int, self.LACKING_BYTES, job=job)

    KEPT_BYTES = """
        SELECT coalesce(sum(o.size), 0) FROM object_references r CROSS JOIN objects o ON o.object = r.object
        WHERE r.job = :job AND r.object NOT IN (SELECT object FROM wanted_objects WHERE job = :job)"""

    def all_bytes(self, job: str) -> int:
        """Return how many bytes a job waits for, and those that it takes and that are kept here for it, together."""
        return self.lacking_bytes(job) + self._only(int, self.KEPT_BYTES, job=job)

    JOBS = """
        SELECT j.job, j.workflow, w.is_directory, w.directory, w.places
        FROM wanted_objects w CROSS JOIN jobs j ON j.job = w.job
        WHERE w.object = :object AND j.manager = :manager"""

    def jobs(self, manager: str, name: ObjectId) -> list[WaitingJob]:
        """Return the jobs of a manager that wait for an object."""
        return sorted(self._all(WaitingJob, self.JOBS, manager=manager, object=name))

    CAME = "DELETE FROM wanted_objects WHERE job = :job AND object = :object"

    def came(self, job: str, name: ObjectId) -> bool:
        """Note that a job need not wait for an object any more; return whether it waits for another file."""
        self._run(self.CAME, job=job, object=name)
        return self.is_waiting(job)

    IS_WAITING = """
        SELECT EXISTS (SELECT 1 FROM wanted_objects WHERE job = :job)
        OR EXISTS (SELECT 1 FROM wanted_locations WHERE job = :job)"""

    def is_waiting(self, job: str) -> bool:
        """Tell whether a job waits for an object, or for a file from an address."""
        return self._only(bool, self.IS_WAITING, job=job)
