"""The objects that workflows wait for before they begin, since whoever has submitted them brings them."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.storage.rows import Rows, columns


class BroughtRow(NamedTuple):
    """An object that a held workflow waits for.

    Attributes:
        workflow: The number of the workflow.
        object: The object.
        size: How many bytes it has.
        holder: Who brings it.
        ticket: What opens it there.
    """

    workflow: int
    object: ObjectId
    size: int
    holder: str
    ticket: str


class BroughtRows(Rows):
    """Statements about objects that are brought; what a workflow waits for goes by itself when it is held no more."""

    ADD = """
        INSERT INTO brought_objects (workflow, object, size, holder, ticket)
        VALUES (:workflow, :object, :size, :holder, :ticket)"""

    def add(self, workflow: int, objects: Iterable[Object], holder: str, ticket: str) -> None:
        """Let a workflow wait for objects."""
        who = {"workflow": workflow, "holder": holder, "ticket": ticket}
        self._run_each(self.ADD, ({**who, "object": each.id, "size": each.size} for each in objects))

    ALL = f"SELECT {columns(BroughtRow)} FROM brought_objects ORDER BY workflow, object"

    def all(self) -> list[BroughtRow]:
        """Return all that is brought, the first workflow's first."""
        return self._all(BroughtRow, self.ALL)

    OF = f"SELECT {columns(BroughtRow)} FROM brought_objects WHERE workflow = :workflow ORDER BY object"

    def of(self, workflow: int) -> list[BroughtRow]:
        """Return what a workflow waits for."""
        return self._all(BroughtRow, self.OF, workflow=workflow)

    BRING = """
        UPDATE brought_objects SET holder = :holder, ticket = :ticket
        WHERE workflow = :workflow AND (holder, ticket) <> (:holder, :ticket)"""

    def bring(self, workflow: int, holder: str, ticket: str) -> bool:
        """Note who brings what a workflow waits for; return whether that was another one before."""
        return self._run(self.BRING, workflow=workflow, holder=holder, ticket=ticket) > 0

    CAME = "DELETE FROM brought_objects WHERE object = :object RETURNING workflow"

    def came(self, name: ObjectId) -> list[int]:
        """Note that an object is here; return the workflows that have waited for it."""
        return sorted(self._all(int, self.CAME, object=name))
