"""Steps that wait for files that are nowhere any more, and steps that give such files again.

Both are `fulfilling`. One that waits is held back by `steps.retry_due`, without a time at which that is over. One that
gives its files again keeps the outputs that it has (`steps.remade`): for all others it has completed.
"""

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.store.steps import HELD, STEP, StepRow
from caroni_edge.storage.rows import Rows
from caroni_edge.values.carried import LOCATION


class RemakeRows(Rows):
    """Statements about steps and their files."""

    WORKFLOWS = """
        SELECT DISTINCT workflow FROM steps INDEXED BY steps_waiting
        WHERE status = 'fulfilling' AND instr(inputs, :location)"""

    def workflows(self) -> list[int]:
        """Return the workflows with an unplaced step that takes large files."""
        return self._all(int, self.WORKFLOWS, location=LOCATION)

    UNPLACED = f"""
        SELECT {STEP} FROM steps s WHERE workflow = :workflow AND status = 'fulfilling' AND instr(inputs, :location)"""

    def unplaced(self, workflow: int) -> list[StepRow]:
        """Return the unplaced steps of a workflow that take large files."""
        found = self._all(StepRow, self.UNPLACED, workflow=workflow, location=LOCATION)
        return sorted(found, key=lambda step: step.id)

    TAKING = f"""
        SELECT {STEP} FROM steps s WHERE workflow = :workflow AND status = 'fulfilled' AND instr(inputs, :object)"""

    def taking(self, workflow: int, name: str) -> list[StepRow]:
        """Return the steps of a workflow that take an object and that agents have."""
        found = self._all(StepRow, self.TAKING, workflow=workflow, object=name)
        return sorted(found, key=lambda step: step.id)

    HOLD = "UPDATE steps SET retry_due = :held, reason = :reason WHERE id = :step"

    def hold(self, step: int, reason: str) -> None:
        """Let a step wait for its files, and note which."""
        self._run(self.HOLD, step=step, held=HELD, reason=reason)

    IS_HELD = "SELECT coalesce(retry_due = :held, 0) FROM steps WHERE id = :step"

    def is_held(self, step: int) -> bool:
        """Tell whether a step waits for its files."""
        return self._only(bool, self.IS_HELD, step=step, held=HELD)

    WAITS = "SELECT retry_due IS NOT NULL OR in_doubt IS NOT NULL FROM steps WHERE id = :step"

    def waits(self, step: int) -> bool:
        """Tell whether something holds a step back from being asked for."""
        return self._only(bool, self.WAITS, step=step)

    RELEASE = "UPDATE steps SET retry_due = NULL, reason = NULL, agents = :agents WHERE id = :step"

    def release(self, step: int, agents: str | None) -> None:
        """Let these agents (a JSON list; None: all) be asked for a step, whose files are there."""
        self._run(self.RELEASE, step=step, agents=agents)

    GAVE = f"""
        SELECT {STEP} FROM steps s WHERE workflow = :workflow AND job_type <> '' AND instr(outputs, :object)"""

    def gave(self, workflow: int, name: str) -> StepRow | None:
        """Return the step whose job has given an object; None where none has, or its workflow is about to go."""
        found = self._all(StepRow, self.GAVE, workflow=workflow, object=name)
        return min(found, key=lambda step: step.id, default=None)

    # All instances of a scattered step may have it: one row is read. The plus: all other workflows are not looked at.
    FIRST_TAKER = f"""
        SELECT {STEP} FROM steps s WHERE s.id = (
            SELECT min(+t.id) FROM steps t WHERE t.workflow = :workflow AND (instr(t.inputs, :object)
            OR EXISTS (SELECT 1 FROM scattered c WHERE c.step = t.id AND instr(c.inputs, :object))))"""

    def first_taker(self, workflow: int, name: str) -> StepRow | None:
        """Return the step that an object was first given to; None for none."""
        return self._one(StepRow, self.FIRST_TAKER, workflow=workflow, object=name)

    MAKE_AGAIN = """
        UPDATE steps SET status = :status, job = NULL, tries = tries + 1, remade = 1, retry_due = NULL,
            reason = :reason, in_doubt = :in_doubt
        WHERE id = :step"""

    def make_again(self, step: int, status: StepState, reason: str, in_doubt: str | None) -> None:
        """Let a step give its files again; `in_doubt`: why not before somebody says so."""
        self._run(self.MAKE_AGAIN, step=step, status=status, reason=reason, in_doubt=in_doubt)

    REMADE = f"""
        SELECT {STEP} FROM steps s INDEXED BY steps_remade WHERE s.workflow = :workflow AND s.remade ORDER BY id"""

    def remade(self, workflow: int) -> list[StepRow]:
        """Return the steps of a workflow that give their files again."""
        return self._all(StepRow, self.REMADE, workflow=workflow)

    OUTPUTS = "SELECT outputs FROM steps WHERE id = :step"

    def outputs(self, step: int) -> str:
        """Return what a step has given, as JSON."""
        return self._only(str, self.OUTPUTS, step=step)

    MADE = """
        UPDATE steps SET status = :status, job = :job, remade = 0, retry_due = NULL, in_doubt = NULL, reason = NULL
        WHERE id = :step"""

    def made(self, step: int, status: StepState, job: str | None) -> None:
        """Note that a step has given its files again, by this job; None: they are there without that."""
        self._run(self.MADE, step=step, status=status, job=job)
