"""How much lies here of each manager, which the database counts with each change."""

from typing import NamedTuple

from caroni_edge.objects.store.rows import UNNEEDED_MAX, StoredObject, StoreTotal
from caroni_edge.storage.rows import Rows


class ManagerTotal(NamedTuple):
    """How many objects lie here that are a manager's, and how many bytes they have together."""

    manager: str
    objects: int
    size: int


class ObjectTotalRows(Rows):
    """Statements about how much lies here; what two managers have is counted for both, and once in all."""

    OF_ALL = """
        SELECT (SELECT value FROM counters WHERE name = 'objects') AS objects,
            (SELECT value FROM counters WHERE name = 'objects_size') AS size"""

    def of_all(self) -> StoreTotal:
        """Return how much lies here."""
        return self._only(StoreTotal, self.OF_ALL)

    OF_MANAGERS = "SELECT manager, objects, size FROM object_totals ORDER BY manager"

    def of_managers(self) -> list[ManagerTotal]:
        """Return how much lies here of each manager that has anything here."""
        return self._all(ManagerTotal, self.OF_MANAGERS)

    UNNEEDED_OF = """
        SELECT o.object, o.size FROM objects o CROSS JOIN object_owners w ON w.object = o.object
        WHERE w.manager = :manager AND o.refs = 0 ORDER BY o.used LIMIT :limit"""

    def unneeded_of(self, manager: str) -> list[StoredObject]:
        """Return a manager's objects without a reference, the longest unused first."""
        return self._all(StoredObject, self.UNNEEDED_OF, manager=manager, limit=UNNEEDED_MAX)
