"""What people do to workflows and templates, as the manager's reactor offers it to the API."""

from collections.abc import Mapping
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.manager.store import Store
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.triggers.pauses import Pauses
from caroni_edge.manager.triggers.triggers import Refused, Triggers
from caroni_edge.manager.workflows.acting import Acting
from caroni_edge.manager.workflows.bulk import Bulk, BulkAction
from caroni_edge.node.parts import Assembly
from caroni_edge.protocol.triggers import Trigger


class WorkflowCommands(Assembly):
    """Commands on workflows and templates; each runs within a batch, by the parts of the reactor."""

    _store: Store
    _acting: Acting
    _triggers: Triggers
    _pauses: Pauses
    _bulk: Bulk

    def start_workflow(self, trigger: Trigger, at: Moment) -> tuple[str, bool]:
        """Start a workflow; return its id, and whether it is new.

        Raises:
            Refused: Nothing was started.
        """
        return self._triggers.start(trigger, at)

    def cancel(self, workflow: str, at: Moment) -> None:
        """End a workflow.

        Raises:
            Refused: It is not there, or its state does not allow it.
        """
        row = self._workflow(workflow)
        if not self._acting.cancel(row, at):
            raise Refused(409, f"the workflow {workflow} is {row.status}, so it cannot be cancelled")

    def retry(self, workflow: str, at: Moment) -> None:
        """Give the steps of a workflow that failed or are in doubt fresh attempts.

        Raises:
            Refused: It is not there, or there is nothing to retry.
        """
        row = self._workflow(workflow)
        if not self._acting.retry(row, at):
            raise Refused(409, f"the workflow {workflow} is {row.status}, so there is nothing to retry")

    def rerun(self, workflow: str, changed: Mapping[str, Any], new_id: str | None, at: Moment) -> tuple[str, bool]:
        """Start another workflow of the template of one, with its inputs.

        Args:
            workflow: The one that there is.
            changed: Inputs that are to be others; one that is null is left out.
            new_id: Id of the new one; None for a random one.
            at: The time.

        Returns:
            The id of the new workflow, and whether it is new: `new_id` may be known.

        Raises:
            Refused: Nothing was started.
        """
        return self._triggers.start_like(self._workflow(workflow), changed, new_id, at)

    def delete(self, workflow: str, at: Moment) -> None:
        """Delete a workflow that has ended, with all that belongs to it.

        Raises:
            Refused: It is not there, or has not ended.
        """
        row = self._workflow(workflow)
        if not self._acting.delete(row, at):
            raise Refused(409, f"the workflow {workflow} is {row.status}, and only what has ended can be deleted")

    def act_on_many(self, action: BulkAction, wanted: WorkflowFilter) -> None:
        """Do something to all workflows that fit a filter, of those that there are now; it goes on in later batches.

        Raises:
            Refused: Too many such commands wait already.
        """
        if self._bulk.is_full():
            raise Refused(503, "too many commands on many workflows wait already; try again later")
        self._bulk.begin(action, wanted)

    def pause(self, template: str, at: Moment) -> None:
        """Hold what is started from a template from now on; what runs goes on.

        Raises:
            Refused: There is no such template.
        """
        self._triggers.require_known(template)
        self._pauses.pause(template, at)

    def resume(self, template: str) -> None:
        """Let the workflows of a template begin that are held, in their order.

        Raises:
            Refused: There is no such template, and none of that name was paused.
        """
        if not self._pauses.holds(template):
            self._triggers.require_known(template)
        self._pauses.resume(template)

    def _workflow(self, workflow: str) -> WorkflowRow:
        row = self._store.workflows.by_id(workflow)
        if row is None:
            raise Refused(404, f"there is no workflow {workflow}")
        return row
