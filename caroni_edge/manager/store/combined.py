"""Outputs of workflows that were put together of large values, outside of the loop."""

from typing import Any, NamedTuple

import msgspec

from caroni_edge.storage.rows import Rows


class CombinedOutput(NamedTuple):
    """An output by its name, and its value as JSON."""

    name: str
    value: str


class CombinedRows(Rows):
    """Statements about such outputs; `step`: that runs the workflow, or 0."""

    KEEP = """
        INSERT INTO combined_outputs (workflow, step, name, value) VALUES (:workflow, :step, :name, :value)
        ON CONFLICT (workflow, step, name) DO UPDATE SET value = excluded.value"""

    def keep(self, workflow: int, step: int, name: str, value: str) -> None:
        """Note what an output is; `value` is JSON."""
        self._run(self.KEEP, workflow=workflow, step=step, name=name, value=value)

    OF = "SELECT name, value FROM combined_outputs WHERE workflow = :workflow AND step = :step ORDER BY name"

    def of(self, workflow: int, step: int) -> dict[str, Any]:
        """Return the outputs that are known, by their names."""
        found = self._all(CombinedOutput, self.OF, workflow=workflow, step=step)
        return {each.name: msgspec.json.decode(each.value) for each in found}
