"""What people do to workflows: cancel them, delete them, and let those that have failed go on."""

import logging

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import state_after, states_before
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.propagation import PartsDone, Propagation, Ready, WorkItem
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)


class Acting:
    """Does to one workflow what its state allows."""

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Change steps and workflows by `engine`, and tell agents by `orders`."""
        self._context, self._engine, self._orders = context, engine, orders
        self._store = context.store

    def cancel(self, row: WorkflowRow, at: Moment, *, reason: str | None = None) -> bool:
        """End a workflow as `cancelled`, for a reason if nobody wished it, and kill its jobs; return whether it did."""
        if not self._engine.statuses.end(row, WorkflowEvent.CANCEL, at, reason=reason):
            return False
        self._orders.kill_all(row.seq, "the workflow was cancelled", at)
        self._engine.instances.end_waits(row.seq)
        before, after = states_before(STEP, StepEvent.CANCEL), state_after(STEP, StepEvent.CANCEL)
        self._context.dirty_job_types |= self._store.steps.stop(row.seq, after, as_text(before))
        self._engine.drops.on_end(row, {})
        return True

    def delete(self, row: WorkflowRow, at: Moment) -> bool:
        """Delete a workflow that has ended, with all that belongs to it; return whether its state allowed it.

        It is gone at once; its steps go little by little (`Retention`). What still runs of it nobody wants any more.
        """
        if row.status not in ENDED:
            return False
        self._orders.kill_all(row.seq, "the workflow was deleted", at)
        for step in self._store.steps.growing(row.seq):
            self._context.growing.discard(step)
        self._engine.drops.on_delete(row)
        self._store.workflows.delete([row.seq])
        log.warning("workflow deleted", extra={"action": "workflow_deleted", "workflow": row.id})
        return True

    def retry(self, row: WorkflowRow, at: Moment) -> bool:
        """Give steps that failed or are in doubt fresh attempts; return whether there was anything to retry."""
        released = self._store.steps.release(row.seq)
        self._context.dirty_job_types |= released
        self._context.lacking.add(row.seq)
        if row.status is WorkflowState.STALLED:
            return bool(released) and self._engine.statuses.resume(row, WorkflowEvent.RETRY, at)
        changed = self._engine.statuses.begin_again(row, at)
        if changed is not None:
            self._begin_again(Propagation(changed, self._engine.plan(row.plan), at))
        return changed is not None

    def _begin_again(self, propagation: Propagation) -> None:
        """Let the steps of a workflow that failed go on from where they are."""
        steps, seq = self._store.steps, propagation.row.seq
        steps.look_at_again(seq, state_after(STEP, StepEvent.LOOKED_AT_AGAIN))
        self._context.dirty_job_types |= steps.demand(
            seq, state_after(STEP, StepEvent.DEMANDED), as_text(states_before(STEP, StepEvent.DEMANDED))
        )
        self._context.growing |= steps.growing(seq)
        follow: list[WorkItem] = [Ready(step) for step in steps.ready(seq)]
        follow += [PartsDone(step) for step in steps.go_on(seq, state_after(STEP, StepEvent.GOES_ON))]
        self._engine.follow(propagation, follow)
        self._engine.follow(propagation, self._engine.admit(propagation, self._store.gates.of_workflow(seq)))
        if propagation.goes_on and propagation.row.steps_left == 0:
            self._engine.complete(propagation)
