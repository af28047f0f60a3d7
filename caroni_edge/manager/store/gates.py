"""Gates: how much of a workflow may be begun at a time, and how much that is now."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class GateRow(NamedTuple):
    """A gate of a workflow: `parallel` steps may be inside at most, `inside` are."""

    id: int
    parallel: int
    inside: int


class GateKey(NamedTuple):
    """A gate of a workflow by its name in the plan, and how many steps may be inside."""

    key: str
    parallel: int


class GateRows(Rows):
    """Statements about gates."""

    KNOW = """
        INSERT INTO gates (workflow, key, parallel) VALUES (:workflow, :key, :parallel) ON CONFLICT DO NOTHING"""
    GET = "SELECT id, parallel, inside FROM gates WHERE workflow = :workflow AND key = :key"

    def know(self, workflow: int, key: str, parallel: int) -> GateRow:
        """Return the gate of a workflow with this key, made when it is not there."""
        self._run(self.KNOW, workflow=workflow, key=key, parallel=parallel)
        return self._only(GateRow, self.GET, workflow=workflow, key=key)

    OF_WORKFLOW = "SELECT key, parallel FROM gates WHERE workflow = :workflow ORDER BY id"

    def of_workflow(self, workflow: int) -> list[GateKey]:
        """Return the gates of a workflow."""
        return self._all(GateKey, self.OF_WORKFLOW, workflow=workflow)

    BY_ID = "SELECT key, parallel FROM gates WHERE id = :gate"

    def by_id(self, gate: int) -> GateKey:
        """Return a gate that exists."""
        return self._only(GateKey, self.BY_ID, gate=gate)

    ADD_INSIDE = "UPDATE gates SET inside = inside + :more WHERE id = :gate"

    def add_inside(self, gate: int, more: int) -> None:
        """Count steps in (or, less than 0, out)."""
        self._run(self.ADD_INSIDE, gate=gate, more=more)
