"""Where the objects of workflows lie: an agent whose job has given one has it, until it says that it has lost it.

What was uploaded lies at the manager itself, which the rows call as topics do (`managers/m1`). A depot that is asked to
fetch an object is no place of it before it has said so; until then its row says that it is to come (`ASKED`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows
from caroni_edge.values.json import as_text

ASKED = -1
"""In `held`: the agent is asked to fetch the object; 0: it has it no more, or not; otherwise it has it."""


class PlaceRow(NamedTuple):
    """An object of a workflow, and an agent that has it, is asked to, or has lost it."""

    agent: str
    object: ObjectId
    held: int


class HolderRow(NamedTuple):
    """An agent that has an object, is asked to, or has lost it, and what is known of the object.

    Attributes:
        refusal: Why it does not keep what it was asked to, in its words.
    """

    agent: str
    held: int
    size: int | None
    is_directory: bool | None
    refusal: str | None


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
        INSERT INTO object_places (workflow, object, agent, size, is_directory)
        VALUES (:workflow, :object, :agent, :size, :is_directory)
        ON CONFLICT (workflow, object, agent) DO UPDATE SET held = 1, refusal = NULL,
            size = coalesce(excluded.size, size), is_directory = coalesce(excluded.is_directory, is_directory)
            WHERE held <> 1 OR size IS NULL"""

    def add(
        self, workflow: int, name: ObjectId, agent: str, size: int | None = None, *, is_directory: bool | None = None
    ) -> None:
        """Note that an agent has an object of a workflow; `size` in bytes, and what it is, as far as that is known."""
        self._run(self.ADD, workflow=workflow, object=name, agent=agent, size=size, is_directory=is_directory)

    ASK = f"""
        INSERT INTO object_places (workflow, object, agent, held) VALUES (:workflow, :object, :agent, {ASKED})
        ON CONFLICT (workflow, object, agent) DO UPDATE SET held = {ASKED}, refusal = NULL WHERE held = 0"""
    TELL_AT_THE_END = "INSERT INTO workflow_agents (agent, workflow) VALUES (:agent, :workflow) ON CONFLICT DO NOTHING"

    def ask(self, workflow: int, name: ObjectId, agent: str) -> None:
        """Note that an agent is asked to fetch an object, and hears when the workflow needs it no more."""
        self._run(self.ASK, workflow=workflow, object=name, agent=agent)
        self._run(self.TELL_AT_THE_END, workflow=workflow, agent=agent)

    UNASK = f"DELETE FROM object_places WHERE agent = :agent AND held = {ASKED}"

    def unask(self, agent: str) -> None:
        """Note that an agent may not know any more what it was asked to fetch."""
        self._run(self.UNASK, agent=agent)

    UNASK_ONE = f"""
        DELETE FROM object_places WHERE workflow = :workflow AND object = :object AND agent = :agent
        AND held = {ASKED}"""

    def unask_one(self, workflow: int, name: ObjectId, agent: str) -> None:
        """Note that an agent is to be asked anew for an object, as its places are now."""
        self._run(self.UNASK_ONE, workflow=workflow, object=name, agent=agent)

    REFUSED = f"""
        UPDATE object_places SET held = 0, refusal = :why WHERE workflow = :workflow AND object = :object
        AND agent = :agent AND held = {ASKED}"""

    def refused(self, workflow: int, name: ObjectId, agent: str, why: str) -> None:
        """Note that an agent that was asked for an object does not get it, or not keep it."""
        self._run(self.REFUSED, workflow=workflow, object=name, agent=agent, why=why)

    COMING = f"""
        SELECT p.object FROM json_each(:agents) a
        CROSS JOIN object_places p INDEXED BY object_places_asked ON p.agent = a.value
        WHERE p.held = {ASKED} AND p.workflow = :workflow LIMIT :limit"""

    def coming(self, workflow: int, agents: Iterable[str], limit: int) -> list[ObjectId]:
        """Return objects of a workflow that some of these agents are asked to fetch."""
        found = self._all(str, self.COMING, workflow=workflow, agents=as_text([*agents]), limit=limit)
        return [ObjectId(each) for each in found]

    HOLDERS = """
        SELECT agent, held, size, is_directory, refusal FROM object_places
        WHERE workflow = :workflow AND object = :object ORDER BY agent"""

    def holders(self, workflow: int, name: ObjectId) -> list[HolderRow]:
        """Return the agents that have an object of a workflow, are asked to, or have lost it."""
        return self._all(HolderRow, self.HOLDERS, workflow=workflow, object=name)

    ONLY_AT = """
        SELECT p.workflow, p.object FROM object_places p
        WHERE p.agent = :agent AND p.held > 0 AND (p.object, p.workflow) > (:object, :workflow)
        AND NOT EXISTS (SELECT 1 FROM object_places o
            WHERE o.workflow = p.workflow AND o.object = p.object AND o.held > 0 AND o.agent <> p.agent)
        ORDER BY p.object, p.workflow LIMIT :limit"""

    def only_at(self, agent: str, after: LostObject, limit: int) -> list[LostObject]:
        """Return objects that no other agent has, by their names, from after one on."""
        return self._all(
            LostObject, self.ONLY_AT, agent=agent, object=after.object, workflow=after.workflow, limit=limit
        )

    OF = """
        SELECT agent FROM object_places WHERE workflow = :workflow AND object = :object AND held > 0 ORDER BY agent"""

    def of(self, workflow: int, name: ObjectId) -> list[str]:
        """Return the agents that have an object of a workflow."""
        return self._all(str, self.OF, workflow=workflow, object=name)

    # A depot that says that it has an object does not say how large that is.
    ANYWHERE = """
        SELECT p.workflow, (SELECT max(s.size) FROM object_places s
            WHERE s.workflow = p.workflow AND s.object = p.object) AS size
        FROM object_places p WHERE p.object = :object AND p.held > 0 ORDER BY p.workflow DESC LIMIT 1"""

    def anywhere(self, name: ObjectId) -> FoundObject | None:
        """Return the newest workflow of which somebody has an object; None where nobody has it."""
        return self._one(FoundObject, self.ANYWHERE, object=name)

    LOST_AT = """
        SELECT p.object FROM object_places p WHERE p.workflow = :workflow AND p.agent = :agent AND p.held = 0
        AND NOT EXISTS (SELECT 1 FROM object_places o
            WHERE o.workflow = p.workflow AND o.object = p.object AND o.held > 0)"""

    def lost_at(self, workflow: int, agent: str) -> set[ObjectId]:
        """Return the objects of a workflow that an agent had, and that nobody has any more."""
        return {ObjectId(each) for each in self._each(str, self.LOST_AT, workflow=workflow, agent=agent)}

    IS_KNOWN = "SELECT EXISTS (SELECT 1 FROM object_places WHERE workflow = :workflow AND object = :object)"

    def is_known(self, workflow: int, name: ObjectId) -> bool:
        """Tell whether a job of a workflow has ever given an object, wherever it is now."""
        return self._only(bool, self.IS_KNOWN, workflow=workflow, object=name)

    OF_WORKFLOW = "SELECT agent, object, held FROM object_places WHERE workflow = :workflow ORDER BY object, agent"

    def of_workflow(self, workflow: int) -> list[PlaceRow]:
        """Return all objects of a workflow, with the agents that have them, had them, or are asked to."""
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
