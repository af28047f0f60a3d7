"""Objects that steps wait for because this manager must look inside them."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows


class LookRow(NamedTuple):
    """An object into which is looked for a step.

    Attributes:
        workflow: The step's workflow (its seq).
        step: The step.
        object: The object.
        size: How many bytes it has.
        name: The input of the step that it belongs to.
        value: What stands in its place in the value, as JSON.
        waits: It does not lie here yet, or not any more.
        reason: Why it does not come now, for people; None where nothing is against it.
    """

    workflow: int
    step: int
    object: ObjectId
    size: int
    name: str
    value: str
    waits: bool = True
    reason: str | None = None


class LookingStep(NamedTuple):
    """A step for which is looked into an object."""

    workflow: int
    step: int


_LOOK = "workflow, step, object, size, name, value, waits, reason"


class LookRows(Rows):
    """Statements about such objects."""

    ADD = f"""
        INSERT INTO looks ({_LOOK}) VALUES (:workflow, :step, :object, :size, :name, :value, :waits, :reason)
        ON CONFLICT DO NOTHING"""

    def add(self, rows: Iterable[LookRow]) -> None:
        """Note into what is to be looked."""
        self._run_each(self.ADD, (row._asdict() for row in rows))

    OF = f"SELECT {_LOOK} FROM looks WHERE workflow = :workflow AND step = :step ORDER BY object"

    def of(self, workflow: int, step: int) -> list[LookRow]:
        """Return the objects into which is looked for a step."""
        return self._all(LookRow, self.OF, workflow=workflow, step=step)

    OF_COMPLETED = f"""
        SELECT {_LOOK} FROM looks WHERE workflow = :workflow
        AND EXISTS (SELECT 1 FROM steps s WHERE s.id = looks.step AND s.status = 'completed') ORDER BY step, object"""

    def of_completed(self, workflow: int) -> list[LookRow]:
        """Return the objects into which is looked for steps that have completed: what these gave is made again."""
        return self._all(LookRow, self.OF_COMPLETED, workflow=workflow)

    WAITING = f"SELECT {_LOOK} FROM looks WHERE workflow = :workflow AND waits ORDER BY step, object"

    def waiting(self, workflow: int) -> list[LookRow]:
        """Return what steps of a workflow wait for."""
        return self._all(LookRow, self.WAITING, workflow=workflow)

    STEPS = "SELECT DISTINCT workflow, step FROM looks"

    def steps(self) -> list[LookingStep]:
        """Return the steps for which is looked into something."""
        return self._all(LookingStep, self.STEPS)

    WANTED = """
        SELECT l.object FROM looks l INDEXED BY looks_wanted WHERE l.waits AND EXISTS (
            SELECT 1 FROM object_places p CROSS JOIN agents a ON a.agent = p.agent
            WHERE p.object = l.object AND p.held > 0 AND a.online = :online)
        GROUP BY l.object LIMIT :limit"""

    def wanted(self, limit: int) -> list[ObjectId]:
        """Return some of the objects that are waited for, and that an agent has.

        Those whose holders are all away keep nothing back that can come. But whether one is, is only what was heard.
        """
        found = self._all(ObjectId, self.WANTED, limit=limit, online=True)
        away = self._all(ObjectId, self.WANTED, limit=limit, online=False)
        return [*dict.fromkeys([*found, *away])][:limit]

    ANY_WAIT = "SELECT EXISTS (SELECT 1 FROM looks INDEXED BY looks_wanted WHERE waits)"

    def any_wait(self) -> bool:
        """Tell whether an object is waited for."""
        return self._only(bool, self.ANY_WAIT)

    EXPLAIN = "UPDATE looks SET reason = :reason WHERE object = :object AND waits AND reason IS NOT :reason"

    def explain(self, name: ObjectId, reason: str | None) -> None:
        """Note why an object does not come now."""
        self._run(self.EXPLAIN, object=name, reason=reason)

    EXPLAIN_STEP = "UPDATE looks SET reason = :reason WHERE workflow = :workflow AND step = :step"

    def explain_step(self, workflow: int, step: int, reason: str | None) -> None:
        """Note why a step cannot go on now, though its objects lie here."""
        self._run(self.EXPLAIN_STEP, workflow=workflow, step=step, reason=reason)

    MET = """
        UPDATE looks SET waits = 0, reason = NULL WHERE object = :object AND waits RETURNING workflow, step"""

    def met(self, name: ObjectId) -> list[LookingStep]:
        """Note that an object lies here; return the steps that have waited for it."""
        return self._all(LookingStep, self.MET, object=name)

    LOST = "UPDATE looks SET waits = 1 WHERE object = :object AND NOT waits RETURNING workflow, step"

    def lost(self, name: ObjectId) -> list[LookingStep]:
        """Note that an object lies here no more; return the steps for which was looked into it."""
        return self._all(LookingStep, self.LOST, object=name)

    DROP = "DELETE FROM looks WHERE workflow = :workflow AND step = :step"

    def drop(self, workflow: int, step: int) -> None:
        """Note that nobody need look into anything for a step any more."""
        self._run(self.DROP, workflow=workflow, step=step)

    DROP_ALL = "DELETE FROM looks WHERE workflow = :workflow"

    def drop_all(self, workflow: int) -> None:
        """Note that nobody need look into anything for a workflow any more."""
        self._run(self.DROP_ALL, workflow=workflow)
