"""What this manager has made of large lists: items that are large, and lists that were merged, for steps and outputs.

It alone has them. Where it has lost one that a step still needs, or that its workflow is to give, it makes it again of
the lists, which come to it first (`Looks`): the same bytes. An output of a nested workflow is made again for the step
that runs that, though it has completed; to all others it has.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows import scatter
from caroni_edge.manager.workflows.instances import Instances
from caroni_edge.manager.workflows.links import MergeDue, Unfit
from caroni_edge.manager.workflows.loading import Looked
from caroni_edge.manager.workflows.outputs import Outputs
from caroni_edge.manager.workflows.propagation import Propagation
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import objects_in

_Found = tuple[StepRow, Mapping[ObjectId, Looked]]

OUTPUTS_AT_ONCE = 20
"""So many objects are made again at a time so that a workflow has its outputs."""


class MadeHere:
    """Finds of what something was made."""

    def __init__(self, context: Context, instances: Instances, outputs: Outputs) -> None:
        """Find steps in the store of `context`, what flows to them by `instances`, and what they give by `outputs`."""
        self._store, self._instances, self._outputs = context.store, instances, outputs
        self._own_place = context.own_place

    def any_again(self, propagation: Propagation, outputs: Mapping[str, Any]) -> bool:
        """Have made again what this manager has lost of what a workflow is to give; return whether there is any."""
        names = objects_in(outputs)
        lost = self._store.places.lost_at(propagation.row.seq, self._own_place) & names.keys() if names else ()
        again = [self.make_again(propagation, name) for name in sorted(lost)[:OUTPUTS_AT_ONCE]]
        return any(again)

    def make_again(self, propagation: Propagation, name: ObjectId) -> bool:
        """Have an object made again of its lists; return whether it was made here."""
        found = self._as_output(propagation, name) or self._as_input(propagation, name)
        if found is None:
            return False
        step, objects = found
        if objects.keys() != {each.object for each in self._store.looks.of(step.workflow, step.id)}:
            self._store.looks.drop(step.workflow, step.id)
            self._instances.look_into(step, objects)
        return True

    def _as_output(self, propagation: Propagation, name: ObjectId) -> _Found | None:
        """Return which step runs a workflow that has given an object, and of what that was put together."""
        giver = self._store.combined.giver(propagation.row.seq, name)
        if giver is None:
            return None
        step = self._store.steps.by_id(giver)
        due = self._outputs.due(propagation, step)
        return None if due is None else (step, due.objects)

    def _as_input(self, propagation: Propagation, name: ObjectId) -> _Found | None:
        """Return for which step an object was made, and of what."""
        step = self._store.remakes.first_taker(propagation.row.seq, name)
        if step is None:
            return None
        plan_step = propagation.plan.step_at(step.name)
        objects: Mapping[ObjectId, Looked] = {}
        if step.scatter_index is not None:
            if self._is_item(step, plan_step, name):
                objects = scatter.looked(self._instances.scatters.large(self._parent(step), plan_step))
            else:
                step = self._parent(step)
        if not objects and (due := self.merge(propagation, step)) is not None:
            objects = due.objects
        return (step, objects) if objects else None

    def _parent(self, step: StepRow) -> StepRow:
        return self._store.steps.by_id(step.parent)

    def _is_item(self, step: StepRow, plan_step: PlanStep, name: ObjectId) -> bool:
        given = msgspec.json.decode(step.inputs)
        return any(name in objects_in(given.get(each)) for each in plan_step.scatter)

    def merge(self, propagation: Propagation, step: StepRow) -> MergeDue | None:
        """Return what is to be put together for a step, be it anew since that is nowhere any more; None for nothing."""
        if step.scatter_index is not None:
            return None
        plan_step = propagation.plan.step_at(step.name)
        kept = self._kept(step, plan_step)
        if step.status is not StepState.CREATED:  # what it began without is not needed
            kept = {**dict.fromkeys(each.name for each in plan_step.inputs), **kept}
        here = {name: value for name, value in kept.items() if not self._is_lost(step.workflow, value)}
        try:
            self._instances.collected(propagation, step, here)
        except MergeDue as due:
            return due
        except Unfit:  # a file has been made again since, and it is another one
            return None
        return None

    def _kept(self, step: StepRow, plan_step: PlanStep) -> Mapping[str, Any]:
        if step.status is not StepState.CREATED and plan_step.scatter:
            return self._read(self._store.scattered.of(step.id).inputs)
        return self._read(step.inputs) if step.deferred or step.status is not StepState.CREATED else {}

    def _read(self, inputs: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = msgspec.json.decode(inputs)
        return found

    def _is_lost(self, workflow: int, value: Any) -> bool:
        return any(not self._store.places.of(workflow, name) for name in objects_in(value))
