"""How many places the objects of workflows are to have, where that is more than one, or than those that drain."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows, columns
from caroni_edge.values.json import as_text


class WantedPlaces(NamedTuple):
    """An object of a workflow, and how many places it is to have that do not drain."""

    workflow: int
    object: ObjectId
    copies: int


class WantedPlaceRows(Rows):
    """Statements about objects that are to have more places; one that may lack some is due."""

    WANT = """
        INSERT INTO wanted_places (workflow, object, copies) VALUES (:workflow, :object, :copies)
        ON CONFLICT (workflow, object) DO UPDATE SET copies = max(copies, excluded.copies), due = 1"""

    def want(self, workflow: int, name: ObjectId, copies: int) -> None:
        """Let it be looked whether an object has so many places."""
        self._run(self.WANT, workflow=workflow, object=name, copies=copies)

    DUE = f"SELECT {columns(WantedPlaces)} FROM wanted_places WHERE due ORDER BY workflow, object LIMIT :limit"

    def due(self, limit: int) -> list[WantedPlaces]:
        """Return objects that may lack places."""
        return self._all(WantedPlaces, self.DUE, limit=limit)

    LOOKED = "UPDATE wanted_places SET due = 0, lacks = :lacks WHERE workflow = :workflow AND object = :object"

    def looked(self, workflow: int, name: ObjectId, lacks: int) -> None:
        """Note how many places an object lacks for which nobody could be asked."""
        self._run(self.LOOKED, workflow=workflow, object=name, lacks=lacks)

    LOOK_AGAIN = "UPDATE wanted_places SET due = 1 WHERE lacks > 0"

    def look_again(self) -> None:
        """Let it be looked again who may have what lacks places."""
        self._run(self.LOOK_AGAIN)

    ANY_LACKING = "SELECT EXISTS (SELECT 1 FROM wanted_places WHERE lacks > 0)"

    def any_lacking(self) -> bool:
        """Tell whether anything lacks a place for which nobody could be asked."""
        return self._only(bool, self.ANY_LACKING)

    LACKING = "SELECT object FROM wanted_places WHERE workflow = :workflow AND lacks > 0 LIMIT :limit"

    def lacking(self, workflow: int, limit: int) -> list[ObjectId]:
        """Return objects of a workflow that lack a place for which nobody could be asked."""
        return [ObjectId(each) for each in self._all(str, self.LACKING, workflow=workflow, limit=limit)]

    COPIES = "SELECT copies FROM wanted_places WHERE workflow = :workflow AND object = :object"

    def copies(self, workflow: int, name: ObjectId) -> int:
        """Return how many places an object is to have; 1 where nobody has asked for more."""
        return self._one(int, self.COPIES, workflow=workflow, object=name) or 1

    KEEP_ONLY = """
        DELETE FROM wanted_places WHERE workflow = :workflow
        AND object NOT IN (SELECT value FROM json_each(:objects))"""

    def keep_only(self, workflow: int, objects: Iterable[ObjectId]) -> None:
        """Want no more places of a workflow's objects but for some."""
        self._run(self.KEEP_ONLY, workflow=workflow, objects=as_text([*objects]))
