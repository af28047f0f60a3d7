"""Steps whose expressions are worked out outside of the loop, since there is JavaScript in them."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class DueEvaluation(NamedTuple):
    """A step whose expressions are to be worked out.

    Attributes:
        workflow: Its workflow's seq.
        step: The step.
        created: When the workflow was created: what its JavaScript takes for the present time.
    """

    workflow: int
    step: int
    created: float


class EvaluationRows(Rows):
    """Statements about such steps; `evaluated` is what came of it, while the step waits at a gate."""

    ADD = "INSERT INTO evaluations (workflow, step) VALUES (:workflow, :step) ON CONFLICT DO NOTHING"

    def add(self, workflow: int, step: int) -> None:
        """Note that the expressions of a step are to be worked out."""
        self._run(self.ADD, workflow=workflow, step=step)

    # From one workflow to the next by the index, however many steps of each are due.
    DUE = """
        WITH RECURSIVE known (workflow, nth) AS (
            SELECT (SELECT min(workflow) FROM evaluations INDEXED BY evaluations_due
                WHERE evaluated IS NULL AND workflow > :after), 1
            UNION ALL
            SELECT (SELECT min(workflow) FROM evaluations INDEXED BY evaluations_due
                WHERE evaluated IS NULL AND workflow > known.workflow), nth + 1
            FROM known WHERE workflow NOT NULL AND nth < :workflows
        )
        SELECT e.workflow, e.step, w.created FROM known
        CROSS JOIN evaluations e INDEXED BY evaluations_due ON e.workflow = known.workflow AND e.evaluated IS NULL
            AND e.step IN (SELECT step FROM evaluations INDEXED BY evaluations_due
                WHERE workflow = known.workflow AND evaluated IS NULL ORDER BY step LIMIT :each)
        CROSS JOIN workflows w ON w.seq = e.workflow"""

    def due(self, after: int, workflows: int, each: int) -> list[DueEvaluation]:
        """Return steps whose expressions have not been worked out, by workflow and step.

        Args:
            after: Of the workflows with a greater seq.
            workflows: Of so many of them at most.
            each: Of each of them so many at most.
        """
        return sorted(self._all(DueEvaluation, self.DUE, after=after, workflows=workflows, each=each))

    TAKE = "DELETE FROM evaluations WHERE workflow = :workflow AND step = :step AND evaluated IS NULL"

    def take(self, workflow: int, step: int) -> bool:
        """Note that the expressions of a step have been worked out; return whether they were to be."""
        return self._run(self.TAKE, workflow=workflow, step=step) > 0

    KEEP = "INSERT INTO evaluations (workflow, step, evaluated) VALUES (:workflow, :step, :evaluated)"

    def keep(self, workflow: int, step: int, evaluated: str) -> None:
        """Keep what came of it (JSON), for a step that waits at a gate."""
        self._run(self.KEEP, workflow=workflow, step=step, evaluated=evaluated)

    TAKE_KEPT = """
        DELETE FROM evaluations WHERE workflow = :workflow AND step = :step AND evaluated IS NOT NULL
        RETURNING evaluated"""

    def take_kept(self, workflow: int, step: int) -> str | None:
        """Return what was kept of a step, and keep it no longer; None where nothing was."""
        return self._one(str, self.TAKE_KEPT, workflow=workflow, step=step)

    DROP_DUE = "DELETE FROM evaluations WHERE workflow = :workflow AND evaluated IS NULL"

    def drop_due(self, workflow: int) -> None:
        """Have nothing more worked out of a workflow; what was kept stays, for `retry`."""
        self._run(self.DROP_DUE, workflow=workflow)
