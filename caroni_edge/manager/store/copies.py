"""The objects that people wait for, and that come from agents therefore."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class WantedCopy(NamedTuple):
    """An object that somebody has asked for lately, and its size in bytes."""

    object: ObjectId
    size: int


class CopyRows(Rows):
    """Statements about objects that people wait for: few, as `Copies` bounds them."""

    WANT = """
        INSERT INTO wanted_copies (object, size, asked) VALUES (:object, :size, :date)
        ON CONFLICT (object) DO UPDATE SET asked = excluded.asked WHERE abs(excluded.asked - asked) > 60"""

    def want(self, name: ObjectId, size: int, date: float) -> None:
        """Note that somebody asks for an object; once a minute does: who waits asks all the time."""
        self._run(self.WANT, object=name, size=size, date=date)

    ALL = "SELECT object, size FROM wanted_copies ORDER BY object"

    def all(self) -> list[WantedCopy]:
        """Return all that is waited for."""
        return self._all(WantedCopy, self.ALL)

    FORGET = "DELETE FROM wanted_copies WHERE object = :object"

    def forget(self, name: ObjectId) -> None:
        """Note that an object is here, or cannot be had."""
        self._run(self.FORGET, object=name)

    FORGET_OLD = "DELETE FROM wanted_copies WHERE asked < :before"

    def forget_old(self, before: float) -> int:
        """Forget what nobody has asked for since a date; return how many that were."""
        return self._run(self.FORGET_OLD, before=before)
