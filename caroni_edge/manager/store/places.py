"""Where the objects of workflows lie: an agent whose job has given one has it."""

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class PlaceRows(Rows):
    """Statements about places of objects."""

    ADD = """
        INSERT INTO object_places (workflow, object, agent) VALUES (:workflow, :object, :agent)
        ON CONFLICT DO NOTHING"""

    def add(self, workflow: int, name: ObjectId, agent: str) -> None:
        """Note that an agent has an object of a workflow."""
        self._run(self.ADD, workflow=workflow, object=name, agent=agent)

    OF = "SELECT agent FROM object_places WHERE workflow = :workflow AND object = :object ORDER BY agent"

    def of(self, workflow: int, name: ObjectId) -> list[str]:
        """Return the agents that have an object of a workflow."""
        return self._all(str, self.OF, workflow=workflow, object=name)

    FORGET = "DELETE FROM object_places WHERE agent = :agent"

    def forget(self, agent: str) -> int:
        """Forget what an agent had that will not come back; return how many rows that were."""
        return self._run(self.FORGET, agent=agent)
