"""What a holder may give to whom, read beside the node's loop."""

import sqlite3
from collections.abc import Callable

from caroni_edge.objects.objects import id_of
from caroni_edge.objects.store.keys import KeyRows
from caroni_edge.objects.transfer.tickets import Keys
from caroni_edge.storage.rows import Rows


class RightRows(Rows):
    """Statements about what is kept for workflows."""

    SIZE = """
        SELECT o.size FROM object_owners w CROSS JOIN objects o ON o.object = w.object
        WHERE w.manager = :manager AND w.object = :object AND (EXISTS (SELECT 1 FROM object_references r
            WHERE r.manager = :manager AND r.workflow = :workflow AND r.object = :object)
        OR EXISTS (SELECT 1 FROM directory_files d CROSS JOIN object_references r ON r.object = d.directory
            WHERE d.object = :object AND r.manager = :manager AND r.workflow = :workflow))"""

    def size(self, manager: str, workflow: str, name: str) -> int | None:
        """Return the size of an object that is a manager's and kept for a workflow of it; None for any other one.

        What a directory names is kept with it.
        """
        return self._one(int, self.SIZE, manager=manager, workflow=workflow, object=name)


class StoredRights:
    """A holder's rights (`caroni_edge.objects.transfer.holder.Rights`), by the rows of the last commit."""

    def __init__(self, conn: sqlite3.Connection, peer_of: Callable[[str], str] = str) -> None:
        """Read on a connection of its own.

        Args:
            conn: To the node's database, for one thread.
            peer_of: Under which name the keys of a manager are kept here.
        """
        self._keys, self._rights, self._peer_of = KeyRows(conn), RightRows(conn), peer_of

    def keys(self, manager: str) -> Keys | None:
        """Return the keys of a manager with this node."""
        return self._keys.of(self._peer_of(manager))

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        """Return the size of an object that a workflow of this manager has a reference to here; None without one."""
        return self._rights.size(manager, workflow, id_of(sha256))
