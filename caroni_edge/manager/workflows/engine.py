"""How a workflow goes on: its steps are made, data flows from one to the next, and it ends.

The plan is shared and never changes; the state of a step is a row. No message costs work that grows with the workflow:
a completed step touches its dependents only, and a scatter makes its instances a few at a time, as agents take them.
Only the beginning and the end of a workflow touch all of its steps, by one statement each.
"""

import logging
import re
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import inf
from typing import Any

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import require, state_after
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings, Names
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, StepState, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.templates.plan import Plan, decode_plan, prefix_of
from caroni_edge.manager.workflows.drops import Drops
from caroni_edge.manager.workflows.gates import gates_of
from caroni_edge.manager.workflows.inputs import outputs_misfit
from caroni_edge.manager.workflows.instances import Instances
from caroni_edge.manager.workflows.links import Unfit
from caroni_edge.manager.workflows.madehere import MadeHere
from caroni_edge.manager.workflows.outputs import Outputs
from caroni_edge.manager.workflows.places import Places
from caroni_edge.manager.workflows.propagation import Done, PartsDone, Propagation, Ready, StepFailed, WorkItem
from caroni_edge.manager.workflows.statuses import Statuses
from caroni_edge.node.parts import Part
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

_INDEX = re.compile(r"\[([0-9]{1,9})\]")

GROWTHS_AT_ONCE = 4
"""For so many scattered steps more instances are made in one batch; the others follow in the next ones."""


class Engine(Part):
    """Changes workflows and steps; their attempts are the matter of `Attempts`, `Failures` and `Orders`.

    Attributes:
        statuses: Where a workflow changes its state.
        drops: Where is said which large files nobody needs any more.
        instances: Where steps are made, and begin.
        outputs: Where what a workflow gives is put together.
        made: What this manager itself has made for steps and outputs.
        places: Who has the files of steps.
    """

    def __init__(self, context: Context, orders: Orders, holdings: Holdings) -> None:
        """Change rows in the store of `context`, tell agents by `orders`, and keep uploaded files in `holdings`."""
        super().__init__(context.journal)
        self._context, self._orders = context, orders
        self._store = context.store
        self.places = Places(context, orders.files)
        self.instances = Instances(context, orders, self.places)
        self.outputs = Outputs(context, self.instances)
        self.made = MadeHere(context, self.instances, self.outputs)
        self.statuses = Statuses(context)
        self.drops, self._holdings = Drops(context, holdings), holdings
        self.plan = lru_cache(maxsize=256)(self._load_plan)

    def on_start(self, at: Moment) -> None:
        """Find the scattered steps that have instances to be made yet."""
        self._context.growing.update(self._store.steps.growing())

    # A workflow begins

    def start(self, row: WorkflowRow, plan: Plan, inputs: Mapping[str, Any], at: Moment) -> None:
        """Begin a workflow whose inputs have been checked: make its steps, and begin those that wait for nothing."""
        row = self.statuses.begin(row, at)
        self.name(row, inputs, at)
        self._begin(row, plan, inputs, at)

    def hold(self, row: WorkflowRow, inputs: Mapping[str, Any], at: Moment, lacks: Names = (), why: str = "") -> int:
        """Keep a workflow until its template is resumed, or what it lacks is here (`why`); return its number."""
        row = self.statuses.hold(row, at, lacks_files=why)
        self.name(row, inputs, at, lacks)
        return row.seq

    def name(self, row: WorkflowRow, inputs: Mapping[str, Any], at: Moment, lacks: Names = ()) -> None:
        """Keep the files that a workflow is started with, but those that it lacks, in as many places as it wants."""
        self._holdings.name(row, inputs, at, but=lacks)
        self.places.want_copies(row.seq, sorted({*objects_in(inputs)} - {*lacks}), self.plan(row.plan).copies)

    def release(self, row: WorkflowRow, at: Moment) -> int:
        """Begin a workflow that was held, by the plan that it was taken with; return how many steps that has."""
        plan = self.plan(row.plan)
        self._begin(self.statuses.begin(row, at), plan, msgspec.json.decode(row.inputs), at)
        return len(plan.steps)

    def _begin(self, row: WorkflowRow, plan: Plan, inputs: Mapping[str, Any], at: Moment) -> None:
        propagation = Propagation(row, plan, at)
        self.follow(propagation, self.instances.open(propagation, None, dict(inputs)))
        if not plan.steps:
            self.complete(propagation)

    # It goes on

    def follow(self, propagation: Propagation, first: Iterable[WorkItem]) -> None:
        """Work off items, and those that follow from them, depth first; a list, so that no chain is too long for it."""
        todo = deque(first)
        while todo:
            following: list[WorkItem] = []
            match todo.popleft():
                case Ready(step) if propagation.goes_on:
                    following = self.instances.ready(propagation, step)
                case Done() as done:
                    following = self._done(propagation, done)
                case PartsDone(step_id):
                    following = self._parts_done(propagation, self._store.steps.by_id(step_id))
                case StepFailed(step, reason):
                    self.fail_step(propagation.row, step, reason, propagation.at, event=StepEvent.VALUES_UNFIT)
                    propagation.row = self._store.workflows.by_seq(propagation.row.seq)
            todo.extendleft(reversed(following))

    def complete_step(
        self, row: WorkflowRow, step: StepRow, job: JobRow, outputs: Mapping[str, Any], at: Moment, fed: frozenset[str]
    ) -> None:
        """Keep the outputs of a job as those of its step, hand them on, and end the workflow after its last step."""
        propagation = Propagation(row, self.plan(row.plan), at, fed=fed)
        kept = {name: outputs.get(name) for name in propagation.plan.step_at(step.name).outputs}
        self.places.note(row.seq, kept, job.agent, propagation.plan.copies_at(step.name))
        if step.status is StepState.FULFILLING:  # a job that was lost has completed while agents were asked for another
            self._context.dirty_job_types.add(step.job_type)
        self.follow(propagation, [Done(step, kept, job)])
        if step.in_doubt and not self._store.steps.any_in_doubt(row.seq):
            self.statuses.resume(self._store.workflows.by_seq(row.seq), WorkflowEvent.SERVED_AGAIN, at)

    def _done(self, propagation: Propagation, done: Done) -> list[WorkItem]:
        step, job = done.step, done.job
        event = _how_done(done)
        status = require(STEP, step.status, event, workflow=propagation.row.id, step=step.path)
        self._store.steps.complete(step.id, status, job and job.job, as_text(done.outputs), done.reason)
        ids = {"job": job.job, "agent": job.agent, "attempt": job.attempt} if job else {}
        facts = {"status": status, "reason": done.reason, "outputs": done.outputs, **ids}
        self._context.events.step("caroni.step.completed", propagation.row, step.path, propagation.at.date, **facts)
        if step.agents:
            self._store.unplaced.unbind([step.id])
        if step.deferred and job:  # of one that was forgotten here
            self._store.evaluations.take(step.workflow, step.id)
        follow = self._leave(propagation, step) if step.gates_passed else []
        if step.scatter_index is not None:
            self._context.growing.add(step.parent)
        else:
            propagation.outputs[step.path] = done.outputs
            follow += self._feed(propagation, step)
        left = self._count_off(step)
        if left == 0 and step.parent:
            follow.append(PartsDone(step.parent))
        elif left == 0 and propagation.goes_on:
            self.complete(propagation)
        return follow

    def _count_off(self, step: StepRow) -> int:
        if step.parent:
            return self._store.steps.part_completed(step.parent)
        return self._store.workflows.step_completed(step.workflow)

    def _feed(self, propagation: Propagation, giver: StepRow) -> list[WorkItem]:
        """Count `giver` off at the steps that take its outputs; return as ready those that wait for nothing more."""
        prefix, (outer, _, name) = prefix_of(giver.path), giver.name.rpartition("/")
        follow: list[WorkItem] = []
        for taker in propagation.plan.workflow_at(outer).dependents[name]:
            step = self._step(propagation.row, prefix + taker)
            step = step._replace(deps_left=step.deps_left - 1)
            self._store.steps.set_deps_left(step.id, step.deps_left)
            if not step.deps_left:
                follow.append(Ready(step))
        return follow

    def _leave(self, propagation: Propagation, step: StepRow) -> list[WorkItem]:
        """Let a step that has ended out of its gates; return what follows for those that waited there."""
        gates = gates_of(propagation.plan, step.name)
        self.instances.admission.leave(step, gates)
        return self.admit(propagation, gates) if propagation.goes_on else []

    def admit(self, propagation: Propagation, gates: Iterable[tuple[str, int]]) -> list[WorkItem]:
        """Let steps through gates that have room; return what is to be done next."""
        admitted = self.instances.admission.admitted(propagation.row.seq, tuple(gates))
        return [item for step in admitted for item in self.instances.ready(propagation, step)]

    def _parts_done(self, propagation: Propagation, step: StepRow) -> list[WorkItem]:
        """Put the outputs of a step together from those of its parts, all completed; return what is to be done next."""
        plan_step = propagation.plan.step_at(step.name)
        if plan_step.scatter and step.scatter_index is None:
            return [Done(step, self.instances.scatters.gathered(step, plan_step))]
        try:
            outputs = self.outputs.gathered(propagation, step)
        except Unfit as unfit:
            return [StepFailed(step, str(unfit))]
        return [Done(step, outputs)] if outputs is not None else []

    def settle(self, at: Moment) -> None:
        """Make more instances of the scattered steps of which few are left that no agent has taken."""
        for step_id in sorted(self._context.growing)[:GROWTHS_AT_ONCE]:
            step = self._store.steps.by_id(step_id)
            row = self._store.workflows.by_seq(step.workflow)
            if row.status in ENDED or step.status is not StepState.RUNNING:
                self._context.growing.discard(step_id)
                continue
            propagation = Propagation(row, self.plan(row.plan), at)
            self.follow(propagation, self.instances.grow(propagation, step))

    def find(self, row: WorkflowRow, path: str, at: Moment) -> StepRow | None:
        """Return the step with this path; instances on the way to it that are not made yet are made for it.

        An agent has a job of it. So a workflow that is held here had begun, and this database is an older copy.
        """
        if row.status is WorkflowState.HELD and self._has_step(row, path):
            self.release(row, at)
            row = self._store.workflows.by_seq(row.seq)
        if row.status not in ENDED:
            for index in _INDEX.finditer(path):
                step, named_index = self._store.steps.by_path(row.seq, path[: index.start()]), int(index[1])
                while (
                    step and step.parts and step.status is StepState.RUNNING and step.made <= named_index < step.parts
                ):
                    propagation = Propagation(row, self.plan(row.plan), at)
                    self.follow(propagation, self.instances.grow(propagation, step, is_forced=True))
                    before, step = step.made, self._store.steps.by_id(step.id)
                    if step.made == before:
                        break  # of a large list, the items of which are not there at once
        return self._store.steps.by_path(row.seq, path)

    def _has_step(self, row: WorkflowRow, path: str) -> bool:
        try:
            return bool(self.plan(row.plan).step_at(_INDEX.sub("", path)))
        except KeyError:
            return False

    def next_due(self) -> float:
        """Return that `settle` has something to do at once, while instances are to be made; otherwise never."""
        return -inf if self._context.growing else inf

    def outputs_misfit(self, row: WorkflowRow, step: StepRow, outputs: Mapping[str, Any]) -> str | None:
        """Return why the outputs of a job are not what the template says, for people; None when they are."""
        return outputs_misfit(self.plan(row.plan).step_at(step.name), outputs)

    # A workflow ends

    def complete(self, propagation: Propagation) -> None:
        """End a workflow all steps of which have completed, unless something is to be put together or made again."""
        try:
            outputs = self.outputs.gathered(propagation, None)
        except Unfit as unfit:
            self.fail(propagation.row, str(unfit), propagation.at)
            return
        if outputs is not None and not self.made.any_again(propagation, outputs):
            self.statuses.end(propagation.row, WorkflowEvent.ALL_STEPS_COMPLETED, propagation.at, outputs=outputs)
            self.drops.on_end(propagation.row, outputs, keeps_all=propagation.plan.keeps_all)

    def fail_step(
        self,
        row: WorkflowRow,
        step: StepRow,
        reason: str,
        at: Moment,
        *,
        event: StepEvent = StepEvent.ATTEMPTS_USED_UP,
        tries: int = 0,
        **facts: Any,
    ) -> None:
        """Let a step fail for good, and its workflow with it: jobs not begun are taken back, the others may end.

        Args:
            row: Its workflow.
            step: The step.
            reason: Why, for people.
            at: The time.
            event: What has happened to the step.
            tries: How many attempts are used up; 0 when its values are wrong.
            facts: What the event for people says beside the reason.
        """
        status = require(STEP, step.status, event, workflow=row.id, step=step.path)
        if (job := self._orders.present(step)) and not job.data_sent:
            self._orders.withdraw(step, job, status, reason)
        self._store.steps.fail(step.id, status, tries=tries, reason=reason)
        if step.status is not StepState.CREATED and step.job_type:
            self._context.dirty_job_types.add(step.job_type)
        self._context.events.step("caroni.step.failed", row, step.path, at.date, status=status, reason=reason, **facts)
        self.fail(row, f"step {step.path}: {reason}", at)

    def fail(self, row: WorkflowRow, reason: str, at: Moment) -> None:
        """End a workflow as failed, if it has not ended; set aside its steps of which no job has begun."""
        if not self.statuses.end(row, WorkflowEvent.STEP_FAILED, at, reason=reason):
            return
        self.instances.end_waits(row.seq)
        aside = state_after(STEP, StepEvent.SET_ASIDE)
        for step in self._store.steps.of_workflow(row.seq, as_text([StepState.FULFILLED])):
            job = self._orders.present(step)
            if job is not None and not job.begun:
                self._orders.withdraw(step, job, aside, "the workflow has failed")
        self._context.dirty_job_types |= self._store.steps.stop(row.seq, aside, as_text([StepState.FULFILLING]))

    def set_aside(self, step: StepRow) -> None:
        """Let a step of a failed workflow, whose job has ended, wait for `retry`."""
        self._store.steps.leave(step.id, require(STEP, step.status, StepEvent.SET_ASIDE, step=step.path))

    def _step(self, row: WorkflowRow, path: str) -> StepRow:
        step = self._store.steps.by_path(row.seq, path)
        assert step is not None, f"the workflow {row.id} has no step {path}"
        return step

    def _load_plan(self, plan_hash: str) -> Plan:
        return decode_plan(self._store.workflows.plan(plan_hash))


def _how_done(done: Done) -> StepEvent:
    if done.job:
        return StepEvent.JOB_COMPLETED
    if done.reason:
        return StepEvent.SKIPPED
    return StepEvent.EVALUATED if done.step.status is StepState.CREATED else StepEvent.PARTS_COMPLETED
