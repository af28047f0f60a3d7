"""Which objects lie here, whose they are, and who still needs them.

That bytes lie here gives nobody a right to them: an object is a manager's by a row of its own alone. A reference keeps
an object here; without one it is cache, and goes when nobody has used it for a while.
"""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.storage.rows import Rows
from caroni_edge.values.json import as_text


class StoredObject(NamedTuple):
    """An object that lies here, and its size in bytes."""

    object: ObjectId
    size: int


class StoreTotal(NamedTuple):
    """How many objects lie here, and how many bytes they have together."""

    objects: int
    size: int


class Kept(NamedTuple):
    """An object that is kept for a workflow, whatever becomes of its jobs here."""

    workflow: str
    object: ObjectId
    size: int


THE_WORKFLOW = ""
"""In the place of a job: an object is kept for the workflow itself, until its manager drops it."""


PROMISED = "promised"
"""In the place of a job: a depot keeps an object for the workflow and has not said so yet: not all of it has come, or
not all is in its bucket."""
NO_WORKFLOW, UPLOAD = "", "upload"
"""In the places of workflow and job: somebody has uploaded an object, and no workflow has named it yet."""
UNNEEDED_MAX = 10_000


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

    PUT_DIRECTORY = "UPDATE objects SET is_directory = 1 WHERE object = :directory AND is_directory = 0"
    PUT_FILE = """
        INSERT INTO directory_files (directory, object, size) VALUES (:directory, :object, :size)
        ON CONFLICT DO NOTHING"""

    def put_directory(self, directory: ObjectId, files: Iterable[Object]) -> None:
        """Note that an object that lies here is a directory; what it names stays here, or comes, and stays with it."""
        self._run(self.PUT_DIRECTORY, directory=directory)
        self._run_each(
            self.PUT_FILE, ({"directory": directory, "object": each.id, "size": each.size} for each in files)
        )

    IS_DIRECTORY = "SELECT EXISTS (SELECT 1 FROM objects WHERE object = :object AND is_directory = 1)"

    def is_directory(self, name: ObjectId) -> bool:
        """Tell whether an object lies here and is known to be a directory."""
        return self._only(bool, self.IS_DIRECTORY, object=name)

    FILES = "SELECT object, size FROM directory_files WHERE directory = :directory ORDER BY object"

    def files(self, directory: ObjectId) -> list[StoredObject]:
        """Return the files of a directory, wherever they lie; none of what is no directory."""
        return self._all(StoredObject, self.FILES, directory=directory)

    FILES_LACKING = """
        SELECT d.object, d.size FROM directory_files d WHERE d.directory = :directory AND NOT EXISTS (
            SELECT 1 FROM object_owners w CROSS JOIN objects o ON o.object = w.object
            WHERE w.manager = :manager AND w.object = d.object)"""

    def files_lacking(self, manager: str, directory: ObjectId) -> list[StoredObject]:
        """Return which files of a directory do not lie here, or are not this manager's to read."""
        return self._all(StoredObject, self.FILES_LACKING, directory=directory, manager=manager)

    OTHER_SIZE = """
        SELECT d.object, d.size FROM directory_files d CROSS JOIN objects o ON o.object = d.object
        WHERE d.directory = :directory AND o.size <> d.size LIMIT 1"""

    def of_other_size(self, directory: ObjectId) -> StoredObject | None:
        """Return a file that lies here and has not the size that a directory says; None for none."""
        return self._one(StoredObject, self.OTHER_SIZE, directory=directory)

    DIRECTORIES_WITH = "SELECT directory FROM directory_files WHERE object = :object ORDER BY directory"

    def directories_with(self, name: ObjectId) -> list[ObjectId]:
        """Return the directories that have an object as a file."""
        return self._all(ObjectId, self.DIRECTORIES_WITH, object=name)

    FOUND = "SELECT object, size FROM objects WHERE object = :object"

    def found(self, name: ObjectId) -> StoredObject | None:
        """Return an object that lies here, whosever it is."""
        return self._one(StoredObject, self.FOUND, object=name)

    IS_HERE = "SELECT EXISTS (SELECT 1 FROM objects WHERE object = :object)"

    def is_here(self, name: ObjectId) -> bool:
        """Tell whether an object has a row, whosever it is."""
        return self._only(bool, self.IS_HERE, object=name)

    REFER = """
        INSERT INTO object_references (manager, workflow, object, job) VALUES (:manager, :workflow, :object, :job)
        ON CONFLICT DO NOTHING"""

    def refer(self, name: ObjectId, *, manager: str, workflow: str, job: str, date: float) -> None:
        """Keep an object for a workflow: until the end of a job is acknowledged, or (`THE_WORKFLOW`) until `drop`."""
        self._run(self.REFER, manager=manager, workflow=workflow, object=name, job=job)
        self.use(name, date)

    DROP = """
        DELETE FROM object_references WHERE manager = :manager AND workflow = :workflow AND object > :after
        AND (:upto = '' OR object <= :upto) AND object NOT IN (SELECT value FROM json_each(:but))"""

    def drop(self, manager: str, workflow: str, *, after: str, upto: str, but: Iterable[str]) -> int:
        """Keep objects in a range of names for a workflow no more; return how many rows that were.

        Args:
            manager: Whose workflow it is.
            workflow: The workflow.
            after: The range begins after this name.
            upto: It ends with this name; empty: with the last.
            but: These are kept.
        """
        named = as_text([*but])
        return self._run(self.DROP, manager=manager, workflow=workflow, after=after, upto=upto, but=named)

    END_PROMISE = """
        DELETE FROM object_references WHERE manager = :manager AND workflow = :workflow AND object = :object
        AND job = :promised"""

    def end_promise(self, name: ObjectId, *, manager: str, workflow: str) -> None:
        """Note that what a depot was to keep is whole, or will not be."""
        self._run(self.END_PROMISE, manager=manager, workflow=workflow, object=name, promised=PROMISED)

    END_PROMISES = "DELETE FROM object_references WHERE manager = :manager AND job = :promised"

    def end_promises(self, manager: str) -> None:
        """Keep nothing of a manager that is not whole yet; who still wants it says so again."""
        self._run(self.END_PROMISES, manager=manager, promised=PROMISED)

    USE = "UPDATE objects SET used = :date WHERE object = :object"

    def use(self, name: ObjectId, date: float) -> None:
        """Note that an object is used: of those without a reference the longest unused goes first."""
        self._run(self.USE, object=name, date=date)

    NAMED = "DELETE FROM object_references WHERE object = :object AND job = :upload"

    def named(self, name: ObjectId) -> None:
        """Note that a workflow names an object: that it was uploaded keeps it no more."""
        self._run(self.NAMED, object=name, upload=UPLOAD)

    END_UPLOADS = """
        DELETE FROM object_references WHERE job = :upload
        AND object IN (SELECT o.object FROM object_references r CROSS JOIN objects o ON o.object = r.object
            WHERE r.job = :upload AND o.used <= :before)"""

    def end_uploads(self, before: float) -> int:
        """Keep no more what was uploaded before a date and no workflow has named; return how many objects that were."""
        return self._run(self.END_UPLOADS, upload=UPLOAD, before=before)

    IS_KEPT = """
        SELECT EXISTS (SELECT 1 FROM object_references
            WHERE manager = :manager AND workflow = :workflow AND object = :object AND job = :job)"""

    def is_kept(self, name: ObjectId, *, manager: str, workflow: str) -> bool:
        """Tell whether an object is kept for a workflow, whatever becomes of its jobs here."""
        return self._only(bool, self.IS_KEPT, manager=manager, workflow=workflow, object=name, job=THE_WORKFLOW)

    KEPT = """
        SELECT r.workflow, r.object, o.size FROM object_references r CROSS JOIN objects o ON o.object = r.object
        WHERE r.manager = :manager AND (r.workflow, r.object) > (:workflow, :object) AND r.job = :job
        ORDER BY r.workflow, r.object LIMIT :limit"""

    def kept(self, manager: str, after: tuple[str, str], limit: int) -> list[Kept]:
        """Return what is kept for workflows of a manager, by workflow and object, from after one on."""
        workflow, name = after
        return self._all(
            Kept, self.KEPT, manager=manager, workflow=workflow, object=name, job=THE_WORKFLOW, limit=limit
        )

    KEEPERS = "SELECT DISTINCT manager FROM object_references WHERE object = :object ORDER BY manager"

    def keepers(self, name: ObjectId) -> list[str]:
        """Return the managers for whose workflows an object is kept."""
        return self._all(str, self.KEEPERS, object=name)

    OLDEST_UNREFERENCED = "SELECT used FROM objects WHERE refs = 0 ORDER BY used LIMIT 1"

    def oldest_unreferenced(self) -> float | None:
        """Return when the longest unused of the objects without a reference was last used; None where there is none."""
        return self._one(float, self.OLDEST_UNREFERENCED)

    UNREFERENCED = "SELECT object FROM objects WHERE refs = 0 AND used <= :before ORDER BY used LIMIT :limit"

    def unreferenced(self, before: float, limit: int) -> list[ObjectId]:
        """Return objects without a reference that were last used before a date, the longest unused first."""
        return self._all(ObjectId, self.UNREFERENCED, before=before, limit=limit)

    UNNEEDED = "SELECT object, size FROM objects WHERE refs = 0 ORDER BY used LIMIT :limit"

    def unneeded(self) -> list[StoredObject]:
        """Return objects without a reference, the longest unused first."""
        return self._all(StoredObject, self.UNNEEDED, limit=UNNEEDED_MAX)

    DELETE = "DELETE FROM objects WHERE object = :object"

    def delete(self, names: Iterable[ObjectId]) -> None:
        """Forget objects, whose they were, and who needs them."""
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
