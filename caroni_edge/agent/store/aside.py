"""The files that have given the room for what is missing of them to others."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class AsideRow(NamedTuple):
    """A file that was set aside, the manager that it is fetched for, and how many bytes of it are here."""

    manager: str
    object: ObjectId
    came: int


class AsideRows(Rows):
    """Statements about what is set aside: a start must not give its room to it before others who have begun."""

    PUT = """
        INSERT INTO set_aside (manager, object, came) VALUES (:manager, :object, :came)
        ON CONFLICT (manager, object) DO UPDATE SET came = excluded.came"""

    def put(self, manager: str, name: ObjectId, came: int) -> None:
        """Note that a file is set aside."""
        self._run(self.PUT, manager=manager, object=name, came=came)

    ALL = "SELECT manager, object, came FROM set_aside WHERE manager > '' ORDER BY manager, object"

    def all(self) -> list[AsideRow]:
        """Return what is set aside."""
        return self._all(AsideRow, self.ALL)

    END = "DELETE FROM set_aside WHERE manager = :manager AND object = :object"

    def end(self, manager: str, name: ObjectId) -> None:
        """Note that a file is not set aside any more."""
        self._run(self.END, manager=manager, object=name)
