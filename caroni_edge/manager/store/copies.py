"""The objects that people wait for, and that come from agents therefore."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class WantedCopy(NamedTuple):
    """An object that somebody has asked for lately.

    Attributes:
        object: Its name.
        size: How many bytes it has.
        directory: The directory that names it; None for what a value names.
    """

    object: ObjectId
    size: int
    directory: ObjectId | None = None

    @property
    def placed_as(self) -> ObjectId:
        """The object whose places have it: a directory lies where its files do."""
        return self.directory or self.object


class CopyRows(Rows):
    """Statements about objects that people wait for: few, as `Copies` bounds them."""

    WANT = """
        INSERT INTO wanted_copies (object, size, asked, directory) VALUES (:object, :size, :date, :directory)
        ON CONFLICT (object) DO UPDATE SET asked = excluded.asked WHERE abs(excluded.asked - asked) > 60"""

    def want(self, copy: WantedCopy, date: float) -> None:
        """Note that somebody asks for an object; once a minute does: who waits asks all the time."""
        self._run(self.WANT, **copy._asdict(), date=date)

    ALL = "SELECT object, size, directory FROM wanted_copies ORDER BY object"

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
