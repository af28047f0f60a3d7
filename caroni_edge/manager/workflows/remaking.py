"""What becomes of files that are nowhere any more: who needs one waits, and the step that gave it gives it again.

That step has completed, and nothing is said of it a second time: its outputs stay, and an attempt more is made of it,
which counts, while its job type may be repeated and attempts are left. The same bytes are a place of the file again.
Other bytes, or no attempt, put it in doubt: its workflow is stalled until `retry`.
"""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, WORKFLOW, StepEvent, StepState, WorkflowEvent
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.places import ASKED
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.drops import NEEDS_OUTPUTS_ONLY
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.outputs import OF_THE_WORKFLOW
from caroni_edge.manager.workflows.propagation import Propagation
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import called, objects_in

log = logging.getLogger(__name__)


class Remaking(Part):
    """Holds back the steps whose files are nowhere, has the files made again, and lets the steps go on."""

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Look at the workflows that `context` names; steps without hope fail by `engine`, jobs end by `orders`."""
        super().__init__(context.journal)
        self._context, self._engine, self._orders, self._store = context, engine, orders, context.store
        self._made = engine.made

    def on_start(self, at: Moment) -> None:
        """Look at all: what has waited is asked for again at a start."""
        self._context.lacking.update(self._store.remakes.workflows())

    def settle(self, at: Moment) -> None:
        """Look at the workflows in which a file was lost or found, or a step with files is asked for again."""
        for seq in sorted(self._context.lacking):
            try:
                row = self._store.workflows.by_seq(seq)
            except LookupError:
                continue  # it was deleted
            if row.status not in ENDED:
                self._look(row, at)
            elif row.status in NEEDS_OUTPUTS_ONLY:
                for step in self._store.remakes.remade(seq):
                    self._is_not_needed(step, at)
        self._context.lacking.clear()
        self._context.unbound.clear()

    def _look(self, row: WorkflowRow, at: Moment) -> None:
        for step in self._store.remakes.remade(row.seq):
            gave = objects_in(msgspec.json.decode(self._store.remakes.outputs(step.id)))
            if step.status is StepState.FULFILLING and all(self._store.places.of(row.seq, name) for name in gave):
                self._is_not_needed(step, at)
        todo = deque(self._store.remakes.unplaced(row.seq))
        while todo:
            step = todo.popleft()
            files = objects_in(msgspec.json.decode(step.inputs))
            nowhere = {name: value for name, value in files.items() if not self._store.places.of(row.seq, name)}
            if nowhere:
                todo += self._wait(row, step, nowhere, at)
                row = self._store.workflows.by_seq(row.seq)
                if row.status in ENDED:
                    return
            elif self._store.remakes.is_held(step.id) or self._is_bound_otherwise(row, step):
                self._release(row, step)
        self._look_inside(row, at)
        self._end(row.seq, at)

    def _end(self, seq: int, at: Moment) -> None:
        """Let a workflow end that has waited for what is made again of its outputs."""
        row = self._store.workflows.by_seq(seq)
        may_end = row.steps_left == 0 and advance(WORKFLOW, row.status, WorkflowEvent.ALL_STEPS_COMPLETED) is not None
        if may_end and not self._store.looks.of(seq, OF_THE_WORKFLOW):
            self._engine.complete(self._propagation(row, at))

    def _look_inside(self, row: WorkflowRow, at: Moment) -> None:
        """Have made again what is nowhere any more, and this manager must look inside it for a step (`Looks`)."""
        for look in self._store.looks.waiting(row.seq):
            if self._store.places.of(row.seq, look.object):
                continue
            file = called(look.name, msgspec.json.decode(look.value))
            maker = self._store.remakes.gave(row.seq, look.object)
            if maker is None and self._made.make_again(self._propagation(row, at), look.object):
                continue
            if maker is None:
                said = f"no agent has {file} any more{self._lost_by(row.seq, look.object)}"
                step = None if look.step == OF_THE_WORKFLOW else self._store.steps.by_id(look.step)
                if step is None or step.status is StepState.COMPLETED:
                    of = f"step {step.path}: output" if step else "output"
                    self._engine.fail(row, f"{of} {look.name}: {said}", at)
                else:
                    self._engine.fail_step(row, step, said, at, event=StepEvent.VALUES_UNFIT)
                return
            if advance(STEP, maker.status, StepEvent.FILE_LOST) is not None:
                self._make_again(row, maker, f"{file} any more{self._lost_by(row.seq, look.object)}", at)
                self._context.dirty_job_types.add(maker.job_type)
                row = self._store.workflows.by_seq(row.seq)

    def _wait(
        self, row: WorkflowRow, step: StepRow, nowhere: Mapping[ObjectId, Mapping[str, Any]], at: Moment
    ) -> list[StepRow]:
        """Let a step wait for files; return the steps that are to give them again."""
        makers = []
        for name, value in nowhere.items():
            maker = self._store.remakes.gave(row.seq, name)
            file = called(name, value)
            if maker is None and (asked := self._asked(row.seq, name)):
                who = " and ".join(asked)
                self._store.remakes.hold(step.id, f"waits for {file}, which {who} is asked to keep for this workflow")
                continue
            if maker is None and self._made.make_again(self._propagation(row, at), name):
                self._store.remakes.hold(step.id, f"waits for {file}, which this manager has lost and makes again")
                continue
            if maker is None:
                self._engine.fail_step(row, step, f"no agent has {file} any more{self._lost_by(row.seq, name)}", at)
                return []
            said = f"waits for {file}, which no agent has any more: step {maker.path} makes it again"
            self._store.remakes.hold(step.id, said)
            if advance(STEP, maker.status, StepEvent.FILE_LOST) is not None:
                makers.append(self._make_again(row, maker, f"{file} any more{self._lost_by(row.seq, name)}", at))
        self._store.unplaced.unbind([step.id])
        self._context.dirty_job_types.add(step.job_type)
        return makers

    def _propagation(self, row: WorkflowRow, at: Moment) -> Propagation:
        return Propagation(row, self._engine.plan(row.plan), at)

    def _make_again(self, row: WorkflowRow, maker: StepRow, lost: str, at: Moment) -> StepRow:
        """Ask agents once more for a step that has completed, if it may be repeated."""
        status = require(STEP, maker.status, StepEvent.FILE_LOST, workflow=row.id, step=maker.path)
        job = self._store.jobs.by_id(maker.job) if maker.job else None
        reason = f"no agent has {lost}"
        in_doubt = None
        if job is not None and not job.repeat:
            in_doubt = f"{reason}, and its job type is never run again by itself (repeat: false)"
        elif maker.tries + 1 >= self._context.settings.attempts:
            in_doubt = f"{reason}, and its attempts are used up"
        self._store.remakes.make_again(maker.id, status, reason, in_doubt)
        maker = self._store.steps.by_id(maker.id)
        self._release(row, maker)
        ids = {"workflow": row.id, "step": maker.path}
        log.warning("made again: %s", reason, extra={"action": "file_made_again", **ids})
        if in_doubt:
            self._stall(row, maker, in_doubt, at)
        return maker

    def _asked(self, workflow: int, name: ObjectId) -> list[str]:
        """Return who is asked to keep an object for a workflow, and has not said yet that it does."""
        return [each.agent for each in self._store.places.holders(workflow, name) if each.held == ASKED]

    def _lost_by(self, workflow: int, name: ObjectId) -> str:
        """Return who had an object, for people."""
        who = [
            each.agent for each in self._store.places.of_workflow(workflow) if each.object == name and each.held == 0
        ]
        named = ["this manager" if each == self._context.own_place else each for each in who]
        return f": {' and '.join(named)} has lost it, or it is damaged there" if named else ""

    def _is_not_needed(self, step: StepRow, at: Moment) -> None:
        """Let a step be as it was before it was to give its files again."""
        self._orders.kill_all_of(step.id, "its files are there again, or nobody needs them", at)
        self._store.unplaced.unbind([step.id])
        self._store.remakes.made(step.id, StepState.COMPLETED, None)
        self._context.dirty_job_types.add(step.job_type)

    def _release(self, row: WorkflowRow, step: StepRow) -> None:
        """Let those agents be asked for a step that may take it, as its files lie now."""
        agents = self._engine.places.asked(step, self._engine.plan(row.plan).step_at(step.name).agents)
        self._store.unplaced.unbind([step.id])
        self._store.remakes.release(step.id, agents)
        if agents:
            self._store.unplaced.bind(step.id, agents)
        self._context.dirty_job_types.add(step.job_type)

    def _is_bound_otherwise(self, row: WorkflowRow, step: StepRow) -> bool:
        """Tell whether a step that only some may take is for others now, and nothing else holds it back."""
        if row.seq not in self._context.unbound or step.agents is None or self._store.remakes.waits(step.id):
            return False
        bound = self._engine.plan(row.plan).step_at(step.name).agents
        return self._engine.places.asked(step, bound) != step.agents

    def _stall(self, row: WorkflowRow, step: StepRow, in_doubt: str, at: Moment) -> None:
        self._engine.statuses.stall(row, WorkflowEvent.IN_DOUBT, f"step {step.path} waits for retry: {in_doubt}", at)

    # What the attempts of a step that gives its files again come to

    def on_completed(
        self, row: WorkflowRow, step: StepRow, job: JobRow, outputs: Mapping[str, Any], at: Moment
    ) -> None:
        """Take the files of a step that has given them again; other ones than before put it in doubt."""
        before = objects_in(msgspec.json.decode(self._store.remakes.outputs(step.id)))
        kept = {name: outputs.get(name) for name in self._engine.plan(row.plan).step_at(step.name).outputs}
        again = objects_in(kept)
        self._context.dirty_job_types.add(step.job_type)
        if missing := sorted(before.keys() - again.keys()):
            self._engine.drops.on_late(row, outputs, job.agent)
            file, found = called(missing[0], before[missing[0]]), ", ".join(sorted(again)) or "none"
            reason = f"it was to give {file} again, and gave another one: {found} in the place of {', '.join(missing)}"
            self.give_up(row, step, reason, at)
            return
        status = require(STEP, step.status, StepEvent.JOB_COMPLETED, workflow=row.id, step=step.path)
        self._store.unplaced.unbind([step.id])
        self._store.remakes.made(step.id, status, job.job)
        if row.status in NEEDS_OUTPUTS_ONLY:
            self._engine.drops.on_late(row, outputs, job.agent)
        else:
            self._engine.places.note(row.seq, kept, job.agent, self._engine.plan(row.plan).copies_at(step.name))
        self._context.lacking.add(row.seq)
        if step.in_doubt and not self._store.steps.any_in_doubt(row.seq):
            self._engine.statuses.resume(self._store.workflows.by_seq(row.seq), WorkflowEvent.SERVED_AGAIN, at)

    def give_up(self, row: WorkflowRow, step: StepRow, reason: str, at: Moment) -> None:
        """Let a step wait for `retry` that gives its files again no more by itself."""
        status = advance(STEP, step.status, StepEvent.ATTEMPT_FAILED) or step.status
        self._store.steps.doubt(step.id, status, reason, reason)
        self._stall(row, step, reason, at)
        self._context.dirty_job_types.add(step.job_type)
