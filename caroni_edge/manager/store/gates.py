"""Gates: how much of a workflow may be begun at a time, and how much that is now."""

import sqlite3
from typing import NamedTuple

KNOW = "INSERT INTO gates (workflow, key, parallel) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
GET = "SELECT id, parallel, inside FROM gates WHERE workflow = ? AND key = ?"
OF_WORKFLOW = "SELECT key, parallel FROM gates WHERE workflow = ? ORDER BY id"
ADD_INSIDE = "UPDATE gates SET inside = inside + ? WHERE id = ?"


class Gate(NamedTuple):
    """A gate of a workflow: `parallel` steps may be inside at most, `inside` are."""

    id: int
    parallel: int
    inside: int


class Gates:
    """Statements about gates."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def know(self, workflow: int, key: str, parallel: int) -> Gate:
        """Return the gate of a workflow with this key, made when it is not there."""
        self._conn.execute(KNOW, (workflow, key, parallel))
        return Gate(*self._conn.execute(GET, (workflow, key)).fetchone())

    def of_workflow(self, workflow: int) -> list[tuple[str, int]]:
        """Return key and number of the gates of a workflow."""
        return self._conn.execute(OF_WORKFLOW, (workflow,)).fetchall()

    def add_inside(self, gate: int, more: int) -> None:
        """Count steps in (or, less than 0, out)."""
        self._conn.execute(ADD_INSIDE, (more, gate))
