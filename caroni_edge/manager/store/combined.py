"""Outputs of workflows that were put together of large values, outside of the loop."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class CombinedOutput(NamedTuple):
    """An output that was put together.

    Attributes:
        name: Its name.
        value: What it is, as JSON.
        made: The object that this manager has made for that; None where it has made none.
    """

    name: str
    value: str
    made: ObjectId | None


class CombinedRows(Rows):
    """Statements about such outputs; `step`: that runs the workflow, or 0."""

    KEEP = """
        INSERT INTO combined_outputs (workflow, step, name, value, made)
        VALUES (:workflow, :step, :name, :value, :made)
        ON CONFLICT (workflow, step, name) DO UPDATE SET value = excluded.value, made = excluded.made"""

    def keep(self, workflow: int, step: int, output: CombinedOutput) -> None:
        """Note what an output is."""
        self._run(self.KEEP, workflow=workflow, step=step, **output._asdict())

    OF = "SELECT name, value, made FROM combined_outputs WHERE workflow = :workflow AND step = :step ORDER BY name"

    def of(self, workflow: int, step: int) -> dict[str, CombinedOutput]:
        """Return the outputs that are known, by their names."""
        return {each.name: each for each in self._all(CombinedOutput, self.OF, workflow=workflow, step=step)}

    GIVER = """
        SELECT min(c.step) FROM combined_outputs c CROSS JOIN steps s ON s.id = c.step
        WHERE c.workflow = :workflow AND c.made = :object AND s.status = 'completed'"""

    def giver(self, workflow: int, name: ObjectId) -> int | None:
        """Return the step that has completed with an object that was made here; None for none."""
        return self._one(int, self.GIVER, workflow=workflow, object=name)
