"""Lets steps be scattered over large values: the manager has these here (`Looks`), and takes them apart piece by piece.

Whatever is as large as the list is done outside of the loop, by whoever is asked after the commit: first the lists are
counted, and the step begins with as many parts; then, each time that instances are to be made, the items for some of
them come as a command, a mebibyte of text at most. Nothing of it is a row before it is an instance; so a process that
begins asks for what comes next.

An item that is large itself becomes an object, of which this manager is the place: its instance takes it as it would
take any large value.
"""

from collections.abc import Iterable
from math import inf

import msgspec

from caroni_edge.base.memory import MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows import scatter
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.links import MergeDue
from caroni_edge.manager.workflows.listreading import AskList, Items, Merge, Reading
from caroni_edge.manager.workflows.outputs import OF_THE_WORKFLOW
from caroni_edge.manager.workflows.propagation import PartsDone, Propagation, StepFailed
from caroni_edge.node.parts import Part
from caroni_edge.values.lists import ANYTHING

ASKED_MAX = 20
"""For so many steps lists are with whoever takes them apart; one after the other is."""
AGAIN_S = 10.0


class LargeLists(Part):
    """Asks for what is due, a few steps at a time, and lets steps be scattered by what has come."""

    def __init__(self, context: Context, engine: Engine, holdings: Holdings, ask: AskList) -> None:
        """Let steps be scattered by `engine`, and large items be kept by `holdings`."""
        super().__init__(context.journal)
        self._context, self._store, self._engine, self._holdings = context, context.store, engine, holdings
        self._ask, self._made = ask, engine.made
        self._due: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._asked: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._later: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._again_due = inf
        self._last = (0, 0)  # the step that had the last turn
        self._to_ask: tuple[Reading, ...] = ()

    def want(self, row: WorkflowRow, step_id: int, at: Moment) -> bool:
        """Have the lists read of a step, or of the outputs of a workflow (0), which lie here; return whether it is one.

        A step is one that is scattered over large lists, or takes what is put together of some.
        """
        step = self._step(step_id)
        is_one = step is None or step.status is not StepState.CREATED
        if step is not None and not is_one and step.scatter_index is None:
            plan_step = self._engine.plan(row.plan).step_at(step.name)
            is_one = bool(plan_step.scatter) or self._merge(row, step, at) is not None
        if is_one:
            self._due.add((row.seq, step_id))
        return is_one

    def _step(self, step_id: int) -> StepRow | None:
        return None if step_id == OF_THE_WORKFLOW else self._store.steps.by_id(step_id)

    def _merge(self, row: WorkflowRow, step: StepRow | None, at: Moment) -> Merge | None:
        """Return what is to be put together before a step can begin, or a workflow end; None where nothing is.

        That for which there are looks: something else may be lost meanwhile.
        """
        propagation = self._propagation(row, at)
        looked = {each.object for each in self._store.looks.of(row.seq, step.id if step else OF_THE_WORKFLOW)}
        due = None if step is None else self._made.merge(propagation, step)
        if step is not None and due is not None and due.objects.keys() <= looked:
            return self._merge_of_input(propagation.plan.step_at(step.name), due)
        if step is not None and not self._gives_outputs(row, step):
            return None
        due = self._engine.outputs.due(propagation, step)
        if due is None or due.objects.keys() - looked:
            return None
        plan = propagation.plan.workflow_at(step.name) if step else propagation.plan
        (kind,) = (each.type for each in plan.outputs if each.name == due.name)
        return Merge(f"output {due.name}", due.name, due.due, kind, is_output=True)

    def _merge_of_input(self, plan_step: PlanStep, due: MergeDue) -> Merge:
        (kind,) = (each.type for each in plan_step.inputs if each.name == due.name)
        if kind is None:
            kind = ANYTHING if due.name in plan_step.scatter else {"type": "array", "items": ANYTHING}
        kind = {"type": "array", "items": kind} if due.name in plan_step.scatter else kind
        return Merge(f"input {due.name}", due.name, due.due, kind)

    def _gives_outputs(self, row: WorkflowRow, step: StepRow) -> bool:
        """Tell whether a step that runs a workflow puts together what that gives."""
        plan_step = self._engine.plan(row.plan).step_at(step.name)
        is_whole = bool(plan_step.scatter) and step.scatter_index is None
        has_run = step.status in (StepState.RUNNING, StepState.COMPLETED) and not step.parts_left
        return has_run and plan_step.workflow is not None and not is_whole

    def settle(self, at: Moment) -> None:
        """Choose what is asked for when the batch is committed."""
        if at.now >= self._again_due:
            self._due.update(self._later)
            self._later.clear()
            self._again_due = inf
        for pair in sorted(self._askable(), key=lambda pair: (pair <= self._last, pair)):
            if len(self._asked) >= ASKED_MAX:
                return
            self._last, (workflow, step) = pair, pair
            self._due.discard(pair)
            reading = self._reading(workflow, step, at)
            if reading is not None:
                self._asked.add((workflow, step))
                self._to_ask = (*self._to_ask, reading)

    def _askable(self) -> list[tuple[int, int]]:
        return [each for each in self._due if each not in self._asked]

    def next_due(self) -> float:
        """Return when there is something to ask for."""
        return -inf if len(self._asked) < ASKED_MAX and self._askable() else self._again_due

    def committed(self) -> None:
        """Ask."""
        for each in self._to_ask:
            self._ask(each)
        self._to_ask = ()

    def _reading(self, workflow: int, step_id: int, at: Moment) -> Reading | None:
        """Return what is to be read for a step; None where nothing is."""
        if not self._store.looks.of(workflow, step_id):
            return None
        step, row = self._step(step_id), self._store.workflows.by_seq(workflow)
        if (merge := self._merge(row, step, at)) is not None:
            return Reading(workflow, step_id, {}, merge=merge)
        if step is not None and step.scatter_index is not None:
            return self._items_of(row, step, self._store.steps.by_id(step.parent), (step.scatter_index,))
        if step is None or self._gives_outputs(row, step):
            return None
        if step.status is StepState.CREATED:
            plan_step = self._engine.plan(row.plan).step_at(step.name)
            given = self._engine.instances.given(self._propagation(row, at), step)
            return Reading(workflow, step_id, scatter.large_lists(plan_step, given))
        return self._items_of(row, step, step, self._engine.instances.scatters.next_instances(step))

    def _items_of(self, row: WorkflowRow, step: StepRow, whole: StepRow, instances: Iterable[int]) -> Reading | None:
        """Return what is to be read for instances of a scattered step: the next ones, or one that lacks its item."""
        plan_step = self._engine.plan(row.plan).step_at(whole.name)
        if whole.status is StepState.CREATED or not plan_step.scatter:
            return None
        kept = self._store.scattered.of(whole.id)
        lists = scatter.large_lists(plan_step, msgspec.json.decode(kept.inputs))
        lengths = scatter.dimensions(plan_step, msgspec.json.decode(kept.inputs), kept.known_lengths)
        rows = []
        for index in instances:
            positions = scatter.positions(plan_step, lengths, index)
            rows.append(tuple(positions[name] for name in lists))
        return Reading(row.seq, step.id, lists, whole.made, tuple(rows)) if rows else None

    def _propagation(self, row: WorkflowRow, at: Moment) -> Propagation:
        return Propagation(row, self._engine.plan(row.plan), at)

    def on_items(self, items: Items, at: Moment) -> None:
        """Let a step be scattered by what has come, if that is still to be known."""
        pair = items.workflow, items.step
        self._asked.discard(pair)
        if not self._store.looks.of(*pair):
            self._give_back(items)
            return
        step, row = self._step(items.step), self._store.workflows.by_seq(items.workflow)
        propagation = self._propagation(row, at)
        if (items.lost, items.no_room, items.problem) != (None, None, None):
            self._give_back(items)
        if items.lost is not None:
            self._context.looking.add(pair)
        elif items.no_room is not None:
            self._store.looks.explain_step(items.workflow, items.step, items.no_room)
            self._later.add(pair)
            self._again_due = min(self._again_due, at.now + AGAIN_S)
        elif items.problem is not None:
            self._fail(propagation, step, items.problem)
        elif items.is_output and items.merged is not None:
            self._take_output(propagation, step, items)
        elif step is None:
            self._give_back(items)
        elif self._is_again(step, items):
            self._take_again(row, step, items, at)
        elif items.merged is not None and step.status is StepState.CREATED:
            self._take(row, items, at)
            self._engine.follow(propagation, self._engine.instances.keep_merged(propagation, step, *items.merged))
        elif step.status is StepState.CREATED:
            self._engine.follow(propagation, self._engine.instances.begin_scatter(propagation, step, items.lengths))
        else:
            self._grow(propagation, step, items)

    def _take_output(self, propagation: Propagation, step: StepRow | None, items: Items) -> None:
        """Keep an output that was put together; of a step that has completed with it that was done again."""
        assert items.merged is not None
        self._take(propagation.row, items, propagation.at)
        made = next((each.id for each in items.made), None)
        self._engine.outputs.keep(items.workflow, items.step, *items.merged, made)
        if step is not None and step.status is StepState.COMPLETED:
            self._context.lacking.add(propagation.row.seq)
        else:
            self._go_on(propagation, step)

    def _is_again(self, step: StepRow, items: Items) -> bool:
        """Tell whether something was made again, for a step that has begun with it."""
        return step.status is not StepState.CREATED and (items.merged is not None or step.scatter_index is not None)

    def _take_again(self, row: WorkflowRow, step: StepRow, items: Items, at: Moment) -> None:
        self._take(row, items, at)
        self._store.looks.drop(row.seq, step.id)
        self._context.lacking.add(row.seq)
        if items.merged is not None and step.status is StepState.RUNNING:
            self._context.growing.add(step.id)

    def _take(self, row: WorkflowRow, items: Items, at: Moment) -> None:
        """Keep what was made, in as many places as it is to have; let go on who has waited for it since it was lost."""
        self._holdings.take_made(row, items.made, items.giver, at)
        self._engine.places.want_copies(row.seq, [each.id for each in items.made], self._engine.plan(row.plan).copies)
        for each in items.made:
            self._context.looking.update((look.workflow, look.step) for look in self._store.looks.met(each.id))

    def _go_on(self, propagation: Propagation, step: StepRow | None) -> None:
        """Let a workflow end, or the step that runs it, an output of which is put together."""
        if step is None:
            self._engine.complete(propagation)
        else:
            self._engine.follow(propagation, [PartsDone(step.id)])

    def refuse(self, row: WorkflowRow, step_id: int, reason: str, at: Moment) -> None:
        """Let a step fail, or a workflow (0), that cannot have what must be looked into for it."""
        self._fail(self._propagation(row, at), self._step(step_id), reason)

    def _fail(self, propagation: Propagation, step: StepRow | None, reason: str) -> None:
        if step is None or step.status is StepState.COMPLETED:
            self._engine.fail(propagation.row, reason, propagation.at)
        else:
            self._engine.follow(propagation, [StepFailed(step, reason)])

    def _grow(self, propagation: Propagation, step: StepRow, items: Items) -> None:
        if step.status is not StepState.RUNNING or step.made != items.begin:
            self._give_back(items)
            self._context.growing.add(step.id)
            return
        self._store.looks.explain_step(items.workflow, items.step, None)
        self._take(propagation.row, items, propagation.at)
        scatters, plan_step = self._engine.instances.scatters, propagation.plan.step_at(step.name)
        self._engine.follow(propagation, scatters.make(step, plan_step, items.instances, items.items))

    def _give_back(self, items: Items) -> None:
        self._holdings.give_back([(each, items.giver) for each in items.made])
