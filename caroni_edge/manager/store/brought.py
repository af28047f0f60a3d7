"""The objects that workflows wait for before they begin, since whoever has submitted them brings them."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows, columns


class BroughtRow(NamedTuple):
    """An object that a held workflow waits for.

    Attributes:
        workflow: The number of the workflow.
        object: The object.
        size: How many bytes it has.
        holder: Who brings it.
        ticket: What opens it there.
        is_directory: It is a directory: what that names is waited for too, once it is here.
    """

    workflow: int
    object: ObjectId
    size: int
    holder: str
    ticket: str
    is_directory: bool = False


_BROUGHT = columns(BroughtRow)


class BroughtRows(Rows):
    """Statements about objects that are brought; what a workflow waits for goes by itself when it is held no more."""

    ADD = """
        INSERT INTO brought_objects (workflow, object, size, holder, ticket, is_directory)
        VALUES (:workflow, :object, :size, :holder, :ticket, :is_directory) ON CONFLICT DO NOTHING"""

    def add(self, rows: Iterable[BroughtRow]) -> None:
        """Let workflows wait for objects."""
        self._run_each(self.ADD, (row._asdict() for row in rows))

    # From workflow to workflow by the key.
    WORKFLOWS = """
        WITH RECURSIVE known (workflow) AS (
            SELECT (SELECT min(workflow) FROM brought_objects) UNION ALL
            SELECT (SELECT min(workflow) FROM brought_objects WHERE workflow > known.workflow)
            FROM known WHERE workflow NOT NULL
        ) SELECT workflow FROM known WHERE workflow NOT NULL"""

    def workflows(self) -> list[int]:
        """Return the workflows that wait for objects, the first one first."""
        return self._all(int, self.WORKFLOWS)

    OF = f"""
        SELECT {_BROUGHT} FROM brought_objects WHERE workflow = :workflow ORDER BY object LIMIT :limit"""

    def of(self, workflow: int, limit: int) -> list[BroughtRow]:
        """Return some of what a workflow waits for."""
        return self._all(BroughtRow, self.OF, workflow=workflow, limit=limit)

    COUNT = "SELECT count(*) FROM brought_objects WHERE workflow = :workflow"

    def count(self, workflow: int) -> int:
        """Return for how many objects a workflow waits."""
        return self._only(int, self.COUNT, workflow=workflow)

    SIZE = "SELECT coalesce((SELECT rows FROM row_counts WHERE what = 'brought_size' AND name = ''), 0)"

    def size(self) -> int:
        """Return how many bytes all workflows wait for."""
        return self._only(int, self.SIZE)

    LACKS = "SELECT EXISTS (SELECT 1 FROM brought_objects WHERE workflow = :workflow AND object = :object)"

    def lacks(self, workflow: int, name: ObjectId) -> bool:
        """Tell whether a workflow waits for an object."""
        return self._only(bool, self.LACKS, workflow=workflow, object=name)

    WAITING_FOR = f"SELECT {_BROUGHT} FROM brought_objects WHERE object = :object ORDER BY workflow"

    def waiting_for(self, name: ObjectId) -> list[BroughtRow]:
        """Return what waits for an object."""
        return self._all(BroughtRow, self.WAITING_FOR, object=name)

    BRING = """
        UPDATE brought_objects SET holder = :holder, ticket = :ticket
        WHERE workflow = :workflow AND (holder, ticket) <> (:holder, :ticket)"""

    def bring(self, workflow: int, holder: str, ticket: str) -> bool:
        """Note who brings what a workflow waits for; return whether that was another one before."""
        return self._run(self.BRING, workflow=workflow, holder=holder, ticket=ticket) > 0

    CAME = "DELETE FROM brought_objects WHERE object = :object"

    def came(self, name: ObjectId) -> None:
        """Note that an object is here."""
        self._run(self.CAME, object=name)
