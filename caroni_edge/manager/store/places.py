"""Where the objects of workflows lie: an agent whose job has given one has it, until it says that it has lost it.

What was uploaded lies at the manager itself, which the rows call as topics do (`managers/m1`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows
from caroni_edge.values.json import as_text


class PlaceRow(NamedTuple):
    """An object of a workflow, and an agent that has it, or has lost it."""

    agent: str
    object: ObjectId


class LostObject(NamedTuple):
    """An object of a workflow that an agent had."""

    workflow: int
    object: ObjectId


class FoundObject(NamedTuple):
    """A workflow that has an object, and its size in bytes, as far as that is known."""

    workflow: int
    size: int | None


class PlaceRows(Rows):
    """Statements about places of objects."""

    ADD = """
        INSERT INTO object_places (workflow, object, agent, size) VALUES (:workflow, :object, :agent, :size)
        ON CONFLICT (workflow, object, agent) DO UPDATE SET held = 1, size = coalesce(excluded.size, size)
            WHERE held <> 1 OR size IS NULL"""

    def add(self, workflow: int, name: ObjectId, agent: str, size: int | None = None) -> None:
        """Note that an agent has an object of a workflow; `size`: as far as that is known, in bytes."""
        self._run(self.ADD, workflow=workflow, object=name, agent=agent, size=size)

    OF = """
        SELECT agent FROM object_places WHERE workflow = :workflow AND object = :object AND held > 0 ORDER BY agent"""

    def of(self, workflow: int, name: ObjectId) -> list[str]:
        """Return the agents that have an object of a workflow."""
        return self._all(str, self.OF, workflow=workflow, object=name)

    ANYWHERE = """
        SELECT workflow, size FROM object_places WHERE object = :object AND held > 0 ORDER BY workflow DESC LIMIT 1"""

    def anywhere(self, name: ObjectId) -> FoundObject | None:
        """Return the newest workflow of which somebody has an object; None where nobody has it."""
        return self._one(FoundObject, self.ANYWHERE, object=name)

    IS_KNOWN = "SELECT EXISTS (SELECT 1 FROM object_places WHERE workflow = :workflow AND object = :object)"

    def is_known(self, workflow: int, name: ObjectId) -> bool:
        """Tell whether a job of a workflow has ever given an object, wherever it is now."""
        return self._only(bool, self.IS_KNOWN, workflow=workflow, object=name)

    OF_WORKFLOW = "SELECT agent, object FROM object_places WHERE workflow = :workflow ORDER BY object, agent"

    def of_workflow(self, workflow: int) -> list[PlaceRow]:
        """Return all objects of a workflow, with the agents that have them, or had."""
        return self._all(PlaceRow, self.OF_WORKFLOW, workflow=workflow)

    AGENTS = "SELECT agent FROM workflow_agents WHERE workflow = :workflow ORDER BY agent"

    def agents(self, workflow: int) -> list[str]:
        """Return the agents that were given jobs of a workflow."""
        return self._all(str, self.AGENTS, workflow=workflow)

    KEEP_ONLY = """
        DELETE FROM object_places WHERE workflow = :workflow
        AND object NOT IN (SELECT value FROM json_each(:objects))"""

    def keep_only(self, workflow: int, objects: Iterable[ObjectId]) -> None:
        """Forget all places of a workflow but those of some objects."""
        self._run(self.KEEP_ONLY, workflow=workflow, objects=as_text([*objects]))

    # What agents say

    STRIKE = """
        UPDATE object_places SET held = 0 WHERE agent = :agent AND object = :object AND held > 0
        RETURNING workflow, object"""

    def strike(self, agent: str, name: ObjectId) -> list[LostObject]:
        """Note that an agent has an object no more; return the workflows for which it had it."""
        return self._all(LostObject, self.STRIKE, agent=agent, object=name)

    DOUBT = "UPDATE object_places SET held = 2 WHERE agent = :agent AND held = 1"

    def doubt(self, agent: str) -> None:
        """Begin to note what an agent says that it has."""
        self._run(self.DOUBT, agent=agent)

    STRIKE_DOUBTED = """
        UPDATE object_places SET held = 0 WHERE agent = :agent AND held = 2 RETURNING workflow, object"""

    def strike_doubted(self, agent: str) -> list[LostObject]:
        """Strike the places that an agent has not named since `doubt`; return what they were."""
        return self._all(LostObject, self.STRIKE_DOUBTED, agent=agent)

    FORGET = "DELETE FROM object_places WHERE agent = :agent"

    def forget(self, agent: str) -> int:
        """Forget what an agent had that will not come back; return how many rows that were."""
        return self._run(self.FORGET, agent=agent)
