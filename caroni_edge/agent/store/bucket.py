"""Which objects this agent has in its bucket as a depot, or is to have there, and which lie there alone."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.objects.store.rows import PROMISED, StoredObject
from caroni_edge.storage.rows import Rows

WANTED, BOTH, AWAY, GOING = "wanted", "both", "away", "going"
"""An object lies here and is to be put into the bucket; lies here and there; lies there alone; is to go from there.

`wanted` becomes `both` when it was put, `both` becomes `away` when its room is needed or the bytes here are lost, and
`away` becomes `both` when it has come back. What has no row in `objects` any more becomes `going`, and has no row here
when it has gone; should it be kept again before that, it is `wanted`.
"""


class Awaited(NamedTuple):
    """Something whole that a manager wants to be kept for a workflow, and that is not said to be here yet."""

    manager: str
    workflow: str
    object: ObjectId


class BucketRows(Rows):
    """Statements about the bucket; the database counts the bytes that lie there alone."""

    WANT = """
        INSERT INTO bucket_objects (object, size, state, used)
        SELECT object, size, 'wanted', used FROM objects WHERE object = :object
        ON CONFLICT (object) DO UPDATE SET state = 'wanted' WHERE state = 'going'"""

    def want(self, name: ObjectId) -> None:
        """Note that an object that lies here is to be put into the bucket, unless it was."""
        self._run(self.WANT, object=name)

    STATE = "SELECT state FROM bucket_objects WHERE object = :object"

    def state(self, name: ObjectId) -> str | None:
        """Return how it stands with an object; None: the bucket has nothing to do with it."""
        return self._one(str, self.STATE, object=name)

    MOVE = "UPDATE bucket_objects SET state = :after WHERE object = :object AND state = :before"

    def move(self, name: ObjectId, before: str, after: str) -> bool:
        """Change how it stands with an object, if it stands so; return whether it did."""
        return self._run(self.MOVE, object=name, before=before, after=after) > 0

    GONE = "DELETE FROM bucket_objects WHERE object = :object AND state = 'going'"

    def gone(self, name: ObjectId) -> None:
        """Note that an object has gone from the bucket, if it was to."""
        self._run(self.GONE, object=name)

    IN_STATE = """
        SELECT object, size FROM bucket_objects WHERE state = :state AND object > :after ORDER BY object LIMIT :limit"""

    def in_state(self, state: str, limit: int, after: str = "") -> list[StoredObject]:
        """Return the objects with which it stands so, by their names, from after one on."""
        return self._all(StoredObject, self.IN_STATE, state=state, after=after, limit=limit)

    FORGET = "DELETE FROM bucket_objects"

    def forget(self) -> None:
        """There is no bucket any more."""
        self._run(self.FORGET)

    AWAY_BYTES = "SELECT value FROM counters WHERE name = 'away_size'"

    def away_bytes(self) -> int:
        """Return how many bytes of what is kept lie in the bucket alone."""
        return self._only(int, self.AWAY_BYTES)

    IDLE = """
        SELECT b.object, b.size FROM bucket_objects b INDEXED BY bucket_objects_used
        WHERE b.state = 'both' AND NOT EXISTS (
            SELECT 1 FROM object_references r CROSS JOIN jobs j ON j.job = r.job
            WHERE r.object = b.object AND j.ended IS NULL)
        AND NOT EXISTS (
            SELECT 1 FROM directory_files d CROSS JOIN object_references r ON r.object = d.directory
            CROSS JOIN jobs j ON j.job = r.job WHERE d.object = b.object AND j.ended IS NULL)
        ORDER BY b.used LIMIT :limit"""

    def idle(self, limit: int) -> list[StoredObject]:
        """Return what lies here and in the bucket, and what no job here needs now, the longest unused first."""
        return self._all(StoredObject, self.IDLE, limit=limit)

    NOT_THERE = """
        SELECT o.object FROM objects o WHERE o.object = :whole AND NOT EXISTS (
            SELECT 1 FROM bucket_objects b WHERE b.object = o.object AND b.state IN ('both', 'away'))
        UNION ALL
        SELECT d.object FROM directory_files d WHERE d.directory = :whole AND NOT EXISTS (
            SELECT 1 FROM bucket_objects b WHERE b.object = d.object AND b.state IN ('both', 'away'))"""

    def not_there(self, whole: ObjectId) -> list[ObjectId]:
        """Return what is not in the bucket of an object and, where it is a directory, of its files."""
        return self._all(ObjectId, self.NOT_THERE, whole=whole)

    # What is put there goes by name: where all is to come, the last one is.
    LACKS = """
        SELECT NOT EXISTS (SELECT 1 FROM bucket_objects WHERE object = :whole AND state IN ('both', 'away'))
        OR (SELECT 1 FROM directory_files d WHERE d.directory = :whole AND NOT EXISTS (
            SELECT 1 FROM bucket_objects b WHERE b.object = d.object AND b.state IN ('both', 'away'))
            ORDER BY d.object DESC LIMIT 1) IS NOT NULL"""

    def lacks(self, whole: ObjectId) -> bool:
        """Tell whether anything is not in the bucket of an object and, where it is a directory, of its files."""
        return self._only(bool, self.LACKS, whole=whole)

    AWAITED = """
        SELECT r.manager, r.workflow, r.object FROM object_references r
        WHERE r.object = :object AND r.job = :promised
        UNION
        SELECT r.manager, r.workflow, r.object FROM directory_files d
        CROSS JOIN object_references r ON r.object = d.directory WHERE d.object = :object AND r.job = :promised"""

    def awaited(self, name: ObjectId) -> list[Awaited]:
        """Return what may be whole and in the bucket, now that an object is: itself, and directories that name it."""
        return self._all(Awaited, self.AWAITED, object=name, promised=PROMISED)

    ALL_AWAITED = """
        SELECT manager, workflow, object FROM object_references WHERE job = :promised
        ORDER BY manager, workflow, object"""

    def all_awaited(self) -> list[Awaited]:
        """Return all that is wanted, lies here in part or whole, and is not said to be here."""
        return self._all(Awaited, self.ALL_AWAITED, promised=PROMISED)
