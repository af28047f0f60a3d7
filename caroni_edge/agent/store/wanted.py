"""The objects that jobs wait for."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.storage.rows import Rows


class WantedRow(NamedTuple):
    """An object that a job waits for; `places` is JSON, a list of `ObjectPlace`."""

    job: str
    manager: str
    workflow: str
    object: ObjectId
    size: int
    places: str


class WaitingJob(NamedTuple):
    """A job that waits for an object."""

    job: str
    workflow: str


class WantedRows(Rows):
    """Statements about objects that jobs wait for; what a job that does not wait any more has wanted goes by itself."""

    ADD = """
        INSERT INTO wanted_objects (job, object, size, places) VALUES (:job, :object, :size, :places)
        ON CONFLICT DO NOTHING"""

    def add(self, job: str, objects: Iterable[Object], places: str) -> None:
        """Let a job wait for objects."""
        rows = ({"job": job, "object": each.id, "size": each.size, "places": places} for each in objects)
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
        SELECT j.job, j.manager, j.workflow, w.object, w.size, w.places FROM jobs j INDEXED BY jobs_state
        CROSS JOIN wanted_objects w ON w.job = j.job WHERE j.state = 'staging' ORDER BY j.id"""

    def all(self) -> list[WantedRow]:
        """Return all that is waited for, by the jobs in their order."""
        return self._all(WantedRow, self.ALL)

    OF = """
        SELECT j.job, j.manager, j.workflow, w.object, w.size, w.places FROM jobs j
        CROSS JOIN wanted_objects w ON w.job = j.job WHERE j.job = :job ORDER BY w.object"""

    def of(self, job: str) -> list[WantedRow]:
        """Return what a job waits for."""
        return self._all(WantedRow, self.OF, job=job)

    JOBS = """
        SELECT j.job, j.workflow FROM wanted_objects w CROSS JOIN jobs j ON j.job = w.job
        WHERE w.object = :object AND j.manager = :manager"""

    def jobs(self, manager: str, name: ObjectId) -> list[WaitingJob]:
        """Return the jobs of a manager that wait for an object."""
        return sorted(self._all(WaitingJob, self.JOBS, manager=manager, object=name))

    CAME = "DELETE FROM wanted_objects WHERE job = :job AND object = :object"
    IS_WAITING = "SELECT EXISTS (SELECT 1 FROM wanted_objects WHERE job = :job)"

    def came(self, job: str, name: ObjectId) -> bool:
        """Note that a job need not wait for an object any more; return whether it waits for another one."""
        self._run(self.CAME, job=job, object=name)
        return self._only(bool, self.IS_WAITING, job=job)
