"""Where a workflow changes its state: by the table, noted, and said to people."""

import logging
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import WORKFLOW, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.workflows import WorkflowChange, WorkflowRow
from caroni_edge.protocol.events import EventType
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)


class Statuses:
    """Changes the states of workflows."""

    def __init__(self, context: Context) -> None:
        """Change rows in the store of `context`, and say it by its events."""
        self._context, self._store = context, context.store

    def begin(self, row: WorkflowRow, at: Moment) -> WorkflowRow:
        """Note and say that the steps of a workflow are made, which may be a new one; return it as changed."""
        status = require(WORKFLOW, row.status, WorkflowEvent.STEPS_MADE, workflow=row.id)
        log.info("workflow started", extra={"action": "workflow_started", "workflow": row.id, "template": row.template})
        return self._keep("caroni.workflow.started", row._replace(status=status), at, started=at.date)

    def hold(self, row: WorkflowRow, at: Moment, lacks_files: str = "") -> WorkflowRow:
        """Note and say that a workflow, which may be a new one, is held; return it as changed.

        Its template is paused, or it lacks files: which, `lacks_files` says.
        """
        status = require(WORKFLOW, row.status, WorkflowEvent.HOLD, workflow=row.id)
        reason, lacks = lacks_files or f"the template {row.template} is paused", bool(lacks_files) or None
        log.info("workflow held: %s", reason, extra={"action": "workflow_held", "workflow": row.id})
        return self._keep("caroni.workflow.held", row._replace(status=status), at, reason, lacks_files=lacks)

    def stall(self, row: WorkflowRow, event: WorkflowEvent, reason: str, at: Moment) -> None:
        """Note and say that a workflow cannot go on by itself, and why."""
        if changed := self._changed(row, event):
            self._keep("caroni.workflow.stalled", changed, at, reason)
            log.warning("workflow stalled: %s", reason, extra={"action": "workflow_stalled", "workflow": row.id})

    def resume(self, row: WorkflowRow, event: WorkflowEvent, at: Moment) -> bool:
        """Note and say that a stalled workflow goes on; return whether it was stalled."""
        changed = self._changed(row, event)
        if changed is not None:
            self._keep("caroni.workflow.resumed", changed, at)
            log.info("workflow goes on", extra={"action": "workflow_resumed", "workflow": row.id})
        return changed is not None

    def begin_again(self, row: WorkflowRow, at: Moment) -> WorkflowRow | None:
        """Note and say that a workflow that had failed goes on; return it as changed, None where it had not failed."""
        changed = self._changed(row, WorkflowEvent.RETRY)
        if changed is not None:
            self._keep("caroni.workflow.started", changed, at)
            log.info("workflow is tried again", extra={"action": "workflow_retried", "workflow": row.id})
        return changed

    def end(
        self,
        row: WorkflowRow,
        event: WorkflowEvent,
        at: Moment,
        *,
        reason: str | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> bool:
        """Note and say that a workflow has ended; return whether its state allowed it."""
        changed = self._changed(row, event)
        if changed is None:
            return False
        status = changed.status
        self._keep(f"caroni.workflow.{status}", changed, at, reason, ended=at.date, outputs=outputs)  # type: ignore[arg-type]
        if row.cause is not None:
            self._context.ended_causes.add(row.cause)
        level = logging.INFO if status is WorkflowState.COMPLETED else logging.WARNING
        ids = {"action": f"workflow_{status}", "workflow": row.id}
        log.log(level, "workflow %s%s", status, f": {reason}" if reason else "", extra=ids)
        return True

    def _changed(self, row: WorkflowRow, event: WorkflowEvent) -> WorkflowRow | None:
        """Return a workflow as an event changes it; None if its state has no such arrow."""
        status = advance(WORKFLOW, row.status, event)
        return None if status is None else row._replace(status=status)

    def _keep(
        self,
        kind: EventType,
        row: WorkflowRow,
        at: Moment,
        reason: str | None = None,
        *,
        started: float | None = None,
        ended: float | None = None,
        outputs: dict[str, Any] | None = None,
        **facts: Any,
    ) -> WorkflowRow:
        """Say where a workflow is now, and keep that, with the event: the same trigger has it said once more.

        Returns:
            The workflow; one that had no row yet has one now.
        """
        said = self._context.events.workflow(
            kind, row, at.date, status=row.status, reason=reason, outputs=outputs, **facts
        )
        if not row.seq:
            return row._replace(seq=self._store.workflows.add(row, at.date, started=started, reason=reason, said=said))
        kept = None if outputs is None else as_text(outputs)
        state = WorkflowChange(row.seq, row.status, reason, started, ended, kept, said)
        self._store.workflows.change(state)
        return row
