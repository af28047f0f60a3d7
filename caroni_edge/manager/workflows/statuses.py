"""Where a workflow changes its state: by the table, noted, and said to people."""

import logging
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import WORKFLOW, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.events import EventType
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)


class Statuses:
    """Changes the states of workflows."""

    def __init__(self, context: Context) -> None:
        """Change rows in the store of `context`, and say it by its events."""
        self._context, self._store = context, context.store

    def say(self, kind: EventType, row: WorkflowRow, at: Moment, **facts: Any) -> None:
        """Say where a workflow is now, and keep the event: who sends the same trigger again gets it once more."""
        event = self._context.events.workflow(kind, row, at.date, status=row.status, **facts)
        self._store.workflows.set_last_event(row.seq, event)

    def apply(self, row: WorkflowRow, event: WorkflowEvent, reason: str | None = None) -> WorkflowRow | None:
        """Apply an event that is not the end; return the workflow as changed, None if its state has no such arrow."""
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return None
        self._store.workflows.set_status(row.seq, status, reason)
        return row._replace(status=status)

    def hold(self, row: WorkflowRow, at: Moment, lacks_files: str = "") -> None:
        """Note and say that a workflow is held: since its template is paused, or since it lacks files, and which."""
        reason = lacks_files or f"the template {row.template} is paused"
        if changed := self.apply(row, WorkflowEvent.HOLD, reason):
            self.say("caroni.workflow.held", changed, at, reason=reason, lacks_files=bool(lacks_files) or None)
            log.info("workflow held: %s", reason, extra={"action": "workflow_held", "workflow": row.id})

    def stall(self, row: WorkflowRow, event: WorkflowEvent, reason: str, at: Moment) -> None:
        """Note and say that a workflow cannot go on by itself, and why."""
        if changed := self.apply(row, event, reason):
            self.say("caroni.workflow.stalled", changed, at, reason=reason)
            log.warning("workflow stalled: %s", reason, extra={"action": "workflow_stalled", "workflow": row.id})

    def resume(self, row: WorkflowRow, event: WorkflowEvent, at: Moment) -> bool:
        """Note and say that a stalled workflow goes on; return whether it was stalled."""
        changed = self.apply(row, event)
        if changed is not None:
            self.say("caroni.workflow.resumed", changed, at)
            log.info("workflow goes on", extra={"action": "workflow_resumed", "workflow": row.id})
        return changed is not None

    def begin_again(self, row: WorkflowRow, at: Moment) -> WorkflowRow | None:
        """Note and say that a workflow that had failed goes on; return it as changed, None where it had not failed."""
        status = advance(WORKFLOW, row.status, WorkflowEvent.RETRY)
        if status is None:
            return None
        self._store.workflows.set_ended(row.seq, status)
        row = row._replace(status=status)
        self.say("caroni.workflow.started", row, at)
        log.info("workflow is tried again", extra={"action": "workflow_retried", "workflow": row.id})
        return row

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
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return False
        kept = None if outputs is None else as_text(outputs)
        self._store.workflows.set_ended(row.seq, status, reason=reason, outputs=kept, date=at.date)
        if row.cause is not None:
            self._context.ended_causes.add(row.cause)
        kind = f"caroni.workflow.{status}"
        self.say(kind, row._replace(status=status), at, reason=reason, outputs=outputs)  # type: ignore[arg-type]
        level = logging.INFO if status is WorkflowState.COMPLETED else logging.WARNING
        ids = {"action": f"workflow_{status}", "workflow": row.id}
        log.log(level, "workflow %s%s", status, f": {reason}" if reason else "", extra=ids)
        return True
