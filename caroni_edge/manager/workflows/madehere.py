"""What this manager has made of large lists for steps: items that are large, and lists that were merged.

It alone has them. Where it has lost one that a step still needs, it makes it again of the lists, which come to it first
(`Looks`): the same bytes.
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
from caroni_edge.manager.workflows.propagation import Propagation
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import objects_in


class MadeHere:
    """Finds of what something was made."""

    def __init__(self, context: Context, instances: Instances) -> None:
        """Find steps in the store of `context`, and what flows to them by `instances`."""
        self._store, self._instances = context.store, instances

    def make_again(self, propagation: Propagation, name: ObjectId) -> bool:
        """Have an object made again of its lists; return whether it was made here."""
        step = self._store.remakes.first_taker(propagation.row.seq, name)
        if step is None:
            return False
        plan_step = propagation.plan.step_at(step.name)
        objects: Mapping[ObjectId, Looked] = {}
        if step.scatter_index is not None:
            if self._is_item(step, plan_step, name):
                objects = scatter.looked(self._instances.scatters.large(self._parent(step), plan_step))
            else:
                step = self._parent(step)
        if not objects and (due := self.merge(propagation, step)) is not None:
            objects = due.objects
        if not objects:
            return False
        if objects.keys() != {each.object for each in self._store.looks.of(step.workflow, step.id)}:
            self._store.looks.drop(step.workflow, step.id)
            self._instances.look_into(step, objects)
        return True

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
