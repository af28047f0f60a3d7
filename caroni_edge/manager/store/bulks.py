"""Commands on many workflows that are being worked off."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class BulkRow(NamedTuple):
    """A command on many workflows.

    Attributes:
        number: Its own.
        action: What is done to them.
        filters: Which ones, as a JSON list of filters; the first is worked off now.
        upto: Those that came later are not meant: the number after the newest one.
        after: Where the next portion of the present filter begins.
        done: To how many it was done.
    """

    number: int
    action: str
    filters: str
    upto: int
    after: int
    done: int


class BulkRows(Rows):
    """Statements about commands on many workflows."""

    ADD = """
        INSERT INTO bulks (action, filters, upto, after) SELECT :action, :filters, newest + 1, newest + 1
        FROM (SELECT coalesce(max(seq), 0) AS newest FROM workflows)"""

    def add(self, action: str, filters: str) -> int:
        """Note a command on the workflows that there are now, and return its number."""
        return self._insert(self.ADD, action=action, filters=filters)

    FIRST = f"SELECT {columns(BulkRow)} FROM bulks ORDER BY number LIMIT 1"

    def first(self) -> BulkRow | None:
        """Return the command that is worked off now."""
        return self._one(BulkRow, self.FIRST)

    COUNT = "SELECT count(*) FROM bulks"

    def count(self) -> int:
        """Count the commands that are not worked off yet."""
        return self._only(int, self.COUNT)

    GO_ON = "UPDATE bulks SET filters = :filters, after = :after, done = :done WHERE number = :number"

    def go_on(self, number: int, filters: str, after: int, done: int) -> None:
        """Note how far a command is."""
        self._run(self.GO_ON, number=number, filters=filters, after=after, done=done)

    DELETE = "DELETE FROM bulks WHERE number = :number"

    def delete(self, number: int) -> None:
        """Note that a command is worked off."""
        self._run(self.DELETE, number=number)
