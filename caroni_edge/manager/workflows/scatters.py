"""Makes the instances of scattered steps, a few at a time, and gathers what they give."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from caroni_edge.base.states import require
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import STEP, StepEvent, StepState
from caroni_edge.manager.store.scattered import Scattered
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows import scatter
from caroni_edge.manager.workflows.propagation import PartsDone, Ready, WorkItem
from caroni_edge.values.json import as_text

UNTAKEN = 500
"""More instances of a scattered step are made while fewer are untaken (where each runs a workflow: not completed)."""
GROWTH = 500
"""So many instances of a scattered step are made at a time."""


NO_LENGTHS: Mapping[str, int] = MappingProxyType({})


class Scatters:
    """Makes instances."""

    def __init__(self, context: Context) -> None:
        """Make instances in the store of `context`."""
        self._context, self._store = context, context.store

    def begin(
        self, step: StepRow, plan_step: PlanStep, given: Mapping[str, Any], lengths: Mapping[str, int]
    ) -> list[WorkItem]:
        """Begin a scattered step; return what is to be done next.

        Args:
            step: The step.
            plan_step: What it is in the plan.
            given: Its inputs, with the lists.
            lengths: Of the lists that are large values.

        Raises:
            NotScattered: It cannot be.
        """
        parts = scatter.count(scatter.dimensions(plan_step, given, lengths))
        status = require(STEP, step.status, StepEvent.BEGUN, step=step.path)
        self._store.steps.begin_parts(step.id, status, "{}", parts, made=0)
        self._store.scattered.keep(step.id, as_text(given), as_text(lengths) if lengths else None)
        self._context.growing.add(step.id)
        if lengths and not parts:
            self._store.looks.drop(step.workflow, step.id)
        return [] if parts else [PartsDone(step.id)]

    def large(self, step: StepRow, plan_step: PlanStep) -> dict[str, dict[str, Any]]:
        """Return the lists of a step that are large values, as what stands in their places, by input."""
        kept = self._store.scattered.of(step.id)
        return scatter.large_lists(plan_step, msgspec.json.decode(kept.inputs)) if kept.lengths else {}

    def may_grow(self, step: StepRow, plan_step: PlanStep) -> bool:
        """Tell whether instances are left to be made, and few of those that there are wait to be taken."""
        return bool(self.next_instances(step)) and self._has_room(step, plan_step)

    def next_instances(self, step: StepRow) -> range:
        """Return the numbers of the instances that are made next."""
        assert step.parts is not None
        return range(step.made, min(step.parts, step.made + GROWTH))

    def grow(self, step: StepRow, plan_step: PlanStep, *, is_forced: bool = False) -> list[WorkItem]:
        """Make more instances of a scattered step, unless enough of them are untaken; return them as ready.

        Args:
            step: The step.
            plan_step: What it is in the plan.
            is_forced: Make them, however many are untaken.
        """
        following = self.next_instances(step)
        kept = self._store.scattered.of(step.id)
        if kept.lengths or not following or not (is_forced or self._has_room(step, plan_step)):
            self._context.growing.discard(step.id)
            return []
        return self._made(step, plan_step, following, kept, {})

    def make(
        self, step: StepRow, plan_step: PlanStep, count: int, items: Mapping[str, Mapping[int, Any]]
    ) -> list[WorkItem]:
        """Make the next instances of a step that is scattered over large values; return them as ready.

        Args:
            step: The step.
            plan_step: What it is in the plan.
            count: So many of them.
            items: What they take of these lists, by input and position.
        """
        following = self.next_instances(step)[:count]
        kept = self._store.scattered.of(step.id)
        if following.stop == step.parts:
            self._store.looks.drop(step.workflow, step.id)
        else:
            self._context.growing.add(step.id)
        return self._made(step, plan_step, following, kept, items)

    def _made(
        self,
        step: StepRow,
        plan_step: PlanStep,
        following: range,
        kept: Scattered,
        items: Mapping[str, Mapping[int, Any]],
    ) -> list[WorkItem]:
        given = msgspec.json.decode(kept.inputs)
        inputs_of = partial(scatter.inputs_of, plan_step, given, known=kept.known_lengths, items=items)
        self._store.steps.set_made(step.id, following.stop)
        return [Ready(self._instance(step, plan_step, index, inputs_of(index))) for index in following]

    def _has_room(self, step: StepRow, plan_step: PlanStep) -> bool:
        if plan_step.workflow is not None:
            assert step.parts is not None
            return step.made - (step.parts - step.parts_left) < UNTAKEN
        return self._store.steps.count_untaken(step.id, UNTAKEN) < UNTAKEN

    def _instance(self, step: StepRow, plan_step: PlanStep, scatter_index: int, given: dict[str, Any]) -> StepRow:
        return self._store.steps.add(
            StepRow(
                id=0,
                workflow=step.workflow,
                path=f"{step.path}[{scatter_index}]",
                name=step.name,
                job_type=plan_step.job_type,
                status=StepState.CREATED,
                priority=step.priority,
                deps_left=0,
                inputs=as_text(given),
                parent=step.id,
                scatter_index=scatter_index,
                deferred=True,
            )
        )

    def gathered(self, step: StepRow, plan_step: PlanStep) -> dict[str, Any]:
        """Return the outputs of a scattered step: of each output a list of what its instances gave."""
        kept = self._store.scattered.of(step.id)
        lengths = scatter.dimensions(plan_step, msgspec.json.decode(kept.inputs), kept.known_lengths)
        found: dict[str, list[Any]] = {name: [] for name in plan_step.outputs}
        for text in self._store.steps.outputs_of_parts(step.id):
            outputs = msgspec.json.decode(text)
            for name, values in found.items():
                values.append(outputs.get(name))
        return {name: scatter.gathered(plan_step, lengths, values) for name, values in found.items()}
