"""Which objects lie here, whose they are, and who still needs them.

That bytes lie here gives nobody a right to them: an object is a manager's by a row of its own alone. A reference keeps
an object here; without one it is cache, and goes when nobody has used it for a while.
"""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.storage.rows import Rows


class StoredObject(NamedTuple):
    """An object that lies here, and its size in bytes."""

    object: ObjectId
    size: int


class StoreTotal(NamedTuple):
    """How many objects lie here, and how many bytes they have together."""

    objects: int
    size: int


class ObjectRows(Rows):
    """Statements about objects; the database counts the references of each."""

    ADD = """
        INSERT INTO objects (object, size, used) VALUES (:object, :size, :date)
        ON CONFLICT (object) DO UPDATE SET used = excluded.used"""
    OWN = "INSERT INTO object_owners (manager, object) VALUES (:manager, :object) ON CONFLICT DO NOTHING"

    def add(self, found: Object, *, manager: str, date: float) -> None:
        """Note that an object lies here, on disk already, and is this manager's to read."""
        self._run(self.ADD, object=found.id, size=found.size, date=date)
        self._run(self.OWN, manager=manager, object=found.id)

    OF = """
        SELECT o.object, o.size FROM object_owners w CROSS JOIN objects o ON o.object = w.object
        WHERE w.manager = :manager AND w.object = :object"""

    def of(self, manager: str, name: ObjectId) -> StoredObject | None:
        """Return an object that lies here and is this manager's; None for one of somebody else, as if it were not."""
        return self._one(StoredObject, self.OF, manager=manager, object=name)

    IS_HERE = "SELECT EXISTS (SELECT 1 FROM objects WHERE object = :object)"

    def is_here(self, name: ObjectId) -> bool:
        """Tell whether an object has a row, whosever it is."""
        return self._only(bool, self.IS_HERE, object=name)

    REFER = """
        INSERT INTO object_references (manager, workflow, object, job) VALUES (:manager, :workflow, :object, :job)
        ON CONFLICT DO NOTHING"""
    USE = "UPDATE objects SET used = :date WHERE object = :object"

    def refer(self, name: ObjectId, *, manager: str, workflow: str, job: str, date: float) -> None:
        """Keep an object for a workflow, as long as the job that gives or takes it is known here."""
        self._run(self.REFER, manager=manager, workflow=workflow, object=name, job=job)
        self._run(self.USE, object=name, date=date)

    OLDEST_UNREFERENCED = "SELECT used FROM objects WHERE refs = 0 ORDER BY used LIMIT 1"

    def oldest_unreferenced(self) -> float | None:
        """Return when the longest unused of the objects without a reference was last used; None where there is none."""
        return self._one(float, self.OLDEST_UNREFERENCED)

    UNREFERENCED = "SELECT object FROM objects WHERE refs = 0 AND used <= :before ORDER BY used LIMIT :limit"

    def unreferenced(self, before: float, limit: int) -> list[ObjectId]:
        """Return objects without a reference that were last used before a date, the longest unused first."""
        return self._all(ObjectId, self.UNREFERENCED, before=before, limit=limit)

    DELETE = "DELETE FROM objects WHERE object = :object"

    def delete(self, names: Iterable[ObjectId]) -> None:
        """Forget objects, and whose they were."""
        self._run_each(self.DELETE, ({"object": name} for name in names))

    FORGET_OWNER = "DELETE FROM object_owners WHERE manager = :manager"
    FORGET_REFERENCES = "DELETE FROM object_references WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Let nothing be a manager's any more; return how many rows that were."""
        rows = self._run(self.FORGET_REFERENCES, manager=manager)
        return rows + self._run(self.FORGET_OWNER, manager=manager)

    AFTER = "SELECT object, size FROM objects WHERE object > :after ORDER BY object LIMIT :limit"

    def after(self, name: str, limit: int) -> list[StoredObject]:
        """Return objects in the order of their names, from after one on."""
        return self._all(StoredObject, self.AFTER, after=name, limit=limit)

    TOTAL = "SELECT count(*) AS objects, coalesce(sum(size), 0) AS size FROM objects"

    def total(self) -> StoreTotal:
        """Return how much lies here."""
        return self._only(StoreTotal, self.TOTAL)
