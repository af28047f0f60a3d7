"""Makes the rows of steps, and begins steps: those of a workflow and of workflows nested in it, and instances.

A step is a row as soon as its workflow has begun. If its values decide nothing about it, agents are asked for it at
once, ahead of its data if that is not there. Otherwise it is *deferred*: what it does is decided when its data is
there. It may be skipped (`when`), scattered into instances, run a nested workflow, be bound to agents by an expression
or by its files, or wait at a gate.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from caroni_edge.base.states import require
from caroni_edge.javascript.texts import ScriptDue
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import STEP, StepEvent, StepState
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.templates.plan import Plan, PlanStep, Source, prefix_of
from caroni_edge.manager.workflows import scatter
from caroni_edge.manager.workflows.ahead import values_decide
from caroni_edge.manager.workflows.gates import Admission, gates_of
from caroni_edge.manager.workflows.inputs import (
    Evaluated,
    collected,
    evaluate,
    inputs_misfit,
    known_inputs,
)
from caroni_edge.manager.workflows.links import MergeDue, Unfit
from caroni_edge.manager.workflows.loading import LookDue, Looked, look_rows
from caroni_edge.manager.workflows.places import Places
from caroni_edge.manager.workflows.propagation import Done, PartsDone, Propagation, Ready, StepFailed, WorkItem
from caroni_edge.manager.workflows.scatters import NO_LENGTHS, Scatters
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import as_text


class Instances:
    """Makes the rows of steps, and begins steps."""

    def __init__(self, context: Context, orders: Orders, places: Places) -> None:
        """Make steps in the store of `context`, for agents that have their files, and send data by `orders`."""
        self._context, self._orders, self._places = context, orders, places
        self._store = context.store
        self.admission, self.scatters = Admission(context.store), Scatters(context)

    def open(self, propagation: Propagation, parent: StepRow | None, inputs: dict[str, Any]) -> list[WorkItem]:
        """Make the steps of a workflow, or of the one that the step `parent` runs; return what is to be done next."""
        propagation.inputs[parent.id if parent else 0] = inputs
        plan = propagation.plan.workflow_at(parent.name if parent else "")
        return [item for step in plan.steps for item in self._make(propagation, parent, step, inputs)]

    def _make(
        self, propagation: Propagation, parent: StepRow | None, step: PlanStep, inputs: dict[str, Any]
    ) -> list[WorkItem]:
        """Make a step; return what is to be done next."""
        path, name = (f"{parent.path}/{step.name}", f"{parent.name}/{step.name}") if parent else (step.name, step.name)
        deps_left = len(step.waits_for)
        known = _demanded_with(propagation.plan, name, inputs)
        is_demanded = known is not None
        agents = as_text(sorted(step.agents)) if step.agents and is_demanded else None
        row = self._store.steps.add(
            StepRow(
                id=0,
                workflow=propagation.row.seq,
                path=path,
                name=name,
                job_type=step.job_type if not step.scatter else "",
                status=require(STEP, StepState.CREATED, StepEvent.DEMANDED) if is_demanded else StepState.CREATED,
                priority=propagation.row.priority,
                deps_left=deps_left,
                inputs=as_text(known or {}),
                parent=parent.id if parent else 0,
                scatter_index=None,
                deferred=not is_demanded,
                agents=agents,
            ),
        )
        if known is None:
            return [] if deps_left else [Ready(row)]
        self._demand(row)
        words = inputs_misfit(step, known) if deps_left else None
        return [StepFailed(row, words)] if words else []

    def _demand(self, step: StepRow) -> None:
        self._context.dirty_job_types.add(step.job_type)
        if step.agents:
            self._store.unplaced.bind(step.id, step.agents)

    # A step begins

    def ready(self, propagation: Propagation, step: StepRow) -> list[WorkItem]:
        """Begin a step all data of which is there; return what is to be done next."""
        if step.status is not StepState.CREATED and values_decide(propagation.plan, step.name):
            return []  # it has begun with what its values decided, and is only tried again
        plan_step = propagation.plan.step_at(step.name)
        try:
            if plan_step.scatter and step.scatter_index is None:
                return self.begin_scatter(propagation, step)
            return self.begin(propagation, step, evaluate(plan_step, self.given(propagation, step)))
        except Unfit as problem:
            return [StepFailed(step, str(problem))]
        except (ScriptDue, LookDue) as due:
            return self._begin_kept(propagation, step, due)

    def _begin_kept(self, propagation: Propagation, step: StepRow, due: ScriptDue | LookDue) -> list[WorkItem]:
        """Begin a step with what its expressions have given while it waited; or have them worked out."""
        kept = self._store.evaluations.take_kept(step.workflow, step.id)
        if kept is not None:
            return self.begin(propagation, step, msgspec.json.decode(kept, type=Evaluated), was_asked=True)
        if isinstance(due, LookDue):
            self.look_into(step, due.objects)
        else:
            self._store.evaluations.add(step.workflow, step.id)
        return []

    def look_into(self, step: StepRow, objects: Mapping[ObjectId, Looked]) -> None:
        """Let a step wait until this manager has objects, into which must be looked for it."""
        self._store.looks.add(look_rows(step.workflow, step.id, objects))
        self._context.looking.add((step.workflow, step.id))

    def end_waits(self, workflow: int) -> None:
        """Have nothing more worked out for a workflow that has ended, and fetch nothing for that."""
        self._store.evaluations.drop_due(workflow)
        self._store.looks.drop_all(workflow)

    def given(self, propagation: Propagation, step: StepRow) -> dict[str, Any]:
        """Return what flows to a step, or to an instance; not to a scattered step as a whole.

        Raises:
            Unfit: Values do not go together as the template says.
        """
        if step.scatter_index is not None:
            found: dict[str, Any] = msgspec.json.decode(step.inputs)
            return found
        return self._collected(propagation, step)

    def begin(
        self, propagation: Propagation, step: StepRow, evaluated: Evaluated | None, *, was_asked: bool = False
    ) -> list[WorkItem]:
        """Begin a step with what its expressions have given (None: it is skipped); return what is to be done next.

        Args:
            propagation: Of the workflow.
            step: The step.
            evaluated: What they have given.
            was_asked: They were worked out outside of the loop: that is not done twice.
        """
        plan_step = propagation.plan.step_at(step.name)
        if evaluated is None:
            return [Done(step, dict.fromkeys(plan_step.outputs), reason=f"skipped: {plan_step.when} is false")]
        if evaluated.outputs is not None:
            return [Done(step, evaluated.outputs)]
        try:
            return self._begin(propagation, step, plan_step, evaluated, was_asked=was_asked)
        except Unfit as unfit:
            return [StepFailed(step, str(unfit))]

    def _begin(
        self, propagation: Propagation, step: StepRow, plan_step: PlanStep, evaluated: Evaluated, *, was_asked: bool
    ) -> list[WorkItem]:
        inputs = evaluated.inputs
        agents = evaluated.agents
        if plan_step.workflow:
            inputs = _inputs_of_workflow(plan_step.workflow, inputs)
        else:
            agents = self._places.agents(step.workflow, step.job_type, inputs, agents)
        if step.deferred and not self.admission.enter(step, gates_of(propagation.plan, step.name)):
            if was_asked:
                self._store.evaluations.keep(step.workflow, step.id, as_text(evaluated))
            return []
        if plan_step.workflow:
            return self._begin_workflow(propagation, step, plan_step.workflow, inputs)
        if step.status is StepState.CREATED:
            status = require(STEP, step.status, StepEvent.DEMANDED, workflow=propagation.row.id, step=step.path)
            step = step._replace(status=status, agents=as_text(agents) if agents else None)
            self._store.steps.begin_job(step.id, status, as_text(inputs), step.agents)
            self._demand(step)
        else:
            self._store.steps.set_inputs(step.id, as_text(inputs))
            self._context.dirty_job_types.add(step.job_type)
            self._orders.send_data(step, inputs, propagation.fed)
        return []

    def _begin_workflow(
        self, propagation: Propagation, step: StepRow, workflow: Plan, inputs: dict[str, Any]
    ) -> list[WorkItem]:
        status = require(STEP, step.status, StepEvent.BEGUN, workflow=propagation.row.id, step=step.path)
        parts = len(workflow.steps)
        self._store.steps.begin_parts(step.id, status, as_text(inputs), parts, made=parts)
        return self.open(propagation, step, inputs) if parts else [PartsDone(step.id)]

    def begin_scatter(
        self, propagation: Propagation, step: StepRow, lengths: Mapping[str, int] = NO_LENGTHS
    ) -> list[WorkItem]:
        """Begin a scattered step; return what is to be done next.

        Args:
            propagation: Of the workflow.
            step: The step.
            lengths: Of the lists that are large values.
        """
        plan_step = propagation.plan.step_at(step.name)
        try:
            given = self._collected(propagation, step)
            if (large := scatter.large_lists(plan_step, given)).keys() - lengths.keys():
                self.look_into(step, scatter.looked(large))
                return []
            return self.scatters.begin(step, plan_step, given, lengths)
        except (Unfit, scatter.NotScattered) as problem:
            return [StepFailed(step, str(problem))]
        except MergeDue as due:
            self.look_into(step, due.objects)
            return []

    def grow(self, propagation: Propagation, step: StepRow, *, is_forced: bool = False) -> list[WorkItem]:
        """Make more instances of a scattered step (see `Scatters.grow`), once the items of large lists are there."""
        plan_step = propagation.plan.step_at(step.name)
        if (large := self.scatters.large(step, plan_step)) and self.scatters.may_grow(step, plan_step):
            self.look_into(step, scatter.looked(large))
            self._context.growing.discard(step.id)
            return []
        return self.scatters.grow(step, plan_step, is_forced=is_forced)

    # What flows

    def look(self, propagation: Propagation, parent: int, prefix: str, source: Source) -> Any:
        """Return the value of a source.

        Args:
            propagation: Of the workflow.
            parent: Step of the nested workflow that the source belongs to; 0 for the workflow itself.
            prefix: Of the paths of its steps.
            source: The source.
        """
        if source.step is None:
            if parent not in propagation.inputs:
                text = self._store.steps.by_id(parent).inputs if parent else propagation.row.inputs
                propagation.inputs[parent] = msgspec.json.decode(text)
            return propagation.inputs[parent].get(source.workflow_input or "")
        path = prefix + source.step
        if path not in propagation.outputs:
            propagation.outputs[path] = msgspec.json.decode(self._store.steps.outputs(propagation.row.seq, path))
        return propagation.outputs[path].get(source.output or "")

    def collected(self, propagation: Propagation, step: StepRow, merged: Mapping[str, Any]) -> dict[str, Any]:
        """Return what flows to a step (see there); `merged` is what large values were put together into, by input."""
        plan_step, prefix = propagation.plan.step_at(step.name), prefix_of(step.path)
        return collected(plan_step, lambda source: self.look(propagation, step.parent, prefix, source), merged)

    def _collected(self, propagation: Propagation, step: StepRow) -> dict[str, Any]:
        is_late = step.deferred and step.status is StepState.CREATED
        merged = msgspec.json.decode(step.inputs) if is_late else {}  # what `keep_merged` has kept
        return self.collected(propagation, step, merged)

    def keep_merged(self, propagation: Propagation, step: StepRow, name: str, value: Any) -> list[WorkItem]:
        """Note what large values were merged into that flow to an input; return what is to be done next."""
        merged = {**msgspec.json.decode(step.inputs), name: value}
        self._store.steps.set_inputs(step.id, as_text(merged))
        self._store.looks.drop(step.workflow, step.id)
        return [Ready(step._replace(inputs=as_text(merged)))]


def _demanded_with(plan: Plan, name: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the inputs with which agents are asked for a step as soon as it is made; None where it is deferred.

    One that waits for no other has all of them, unless there is something to be found out first: what an expression
    gives, who may take it because of its files, or that they do not fit.
    """
    if values_decide(plan, name):
        return None
    step = plan.step_at(name)
    known = known_inputs(step, inputs)
    if step.waits_for:
        return known
    is_plain = not step.agents and all(each.name in known for each in step.inputs) and not objects_in(known)
    return known if is_plain and inputs_misfit(step, known) is None else None


def _inputs_of_workflow(workflow: Plan, given: dict[str, Any]) -> dict[str, Any]:
    inputs, wrong = workflow.check_inputs(given, objects=True)
    if wrong:
        raise Unfit("; ".join(f"input {name} {words}" for name, words in wrong))
    return inputs
