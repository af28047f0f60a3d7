"""How a workflow goes on: its steps come into being, data flows, it ends, it is tried again.

The plan is shared and never changes; the state of a step is a row. No message costs work that grows with the workflow:
a completed step touches its dependents only. Only the beginning and the end of a workflow touch all of its steps, by
one statement each.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.inputs import inputs_from, inputs_misfit, known_inputs, outputs_misfit
from caroni_edge.manager.jobs import Jobs
from caroni_edge.manager.lifecycle import ENDED, STEP, WORKFLOW, Step, StepEvent, Workflow, WorkflowEvent
from caroni_edge.manager.plan import Plan, PlanStep, Source, decode_plan
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.reactor import Moment
from caroni_edge.states import advance
from caroni_edge.values import parse_type

log = logging.getLogger(__name__)


class Engine:
    """Workflows and steps, without their attempts."""

    def __init__(self, context: Context, jobs: Jobs) -> None:
        """Decide with what is in `context`."""
        self._context, self._jobs = context, jobs
        self._store = context.store
        self.plan = lru_cache(maxsize=256)(self._load_plan)

    # A workflow begins

    def start(self, row: WorkflowRow, plan: Plan, inputs: Mapping[str, Any], at: Moment) -> None:
        """Begin a workflow whose inputs have been checked: make its steps, and want what they need."""
        row = replace(row, seq=self._store.workflows.add(row, at.date))
        known = {step.name: known_inputs(step, inputs) for step in plan.steps}
        self._store.steps.add(_new_step(row, step, known[step.name]) for step in plan.steps)
        row = self.apply(row, WorkflowEvent.STEPS_MADE) or row
        self._say_started(row, at)
        log.info("workflow started", extra={"action": "workflow_started", "workflow": row.id, "template": row.template})
        if not plan.steps:
            self._complete(row, plan, at)
            return
        self._want(row)
        for step in plan.steps:
            if words := inputs_misfit(step, known[step.name]):
                self.fail_step(row, self._step(row, step.name), words, at)
                return

    def _want(self, row: WorkflowRow) -> None:
        event = StepEvent.WANTED
        self._context.wanted |= self._store.steps.want(row.seq, _state_after(event), _states_before(event))

    def _say_started(self, row: WorkflowRow, at: Moment) -> None:
        event = self._context.events.workflow("caroni.workflow.started", row, at.date, status=row.status)
        self._store.workflows.set_last_event(row.seq, event)

    # Data flows

    def complete_step(
        self, row: WorkflowRow, step: StepRow, job: JobRow, outputs: Mapping[str, Any], at: Moment
    ) -> None:
        """Keep a step's result, let it flow, and end the workflow when it was the last."""
        status = advance(STEP, step.status, StepEvent.JOB_COMPLETED)
        assert status is not None
        plan = self.plan(row.plan)
        kept = {name: outputs.get(name) for name in plan.step_by_name[step.name].outputs}
        self._store.steps.complete(step.id, status, job.job, _json(kept))
        if step.status is Step.FULFILLING:
            self._context.wanted.add(step.job_type)
        ids = {"status": status, "job": job.job, "agent": job.agent, "attempt": job.attempt, "outputs": kept}
        self._context.events.step("caroni.step.completed", row, step.path, at.date, **ids)
        left = self._store.workflows.step_completed(row.seq)
        goes_on = row.status not in ENDED
        for name in plan.dependents[step.name]:
            words = self._feed(row, plan.step_by_name[name], step.name, kept, send=goes_on)
            if words and goes_on:
                self.fail_step(row, self._step(row, name), words, at)
                goes_on = False
        if left == 0 and goes_on:
            self._complete(row, plan, at)

    def _feed(
        self, row: WorkflowRow, taker: PlanStep, giver: str, outputs: Mapping[str, Any], *, send: bool
    ) -> str | None:
        """Bring outputs to a step that takes them; return what is wrong with its inputs, or None."""
        step = self._step(row, taker.name)
        inputs = {**msgspec.json.decode(step.inputs), **inputs_from(taker, giver, outputs)}
        missing = step.missing - 1
        self._store.steps.set_data(step.id, _json(inputs), missing)
        self._context.wanted.add(step.job_type)
        if words := inputs_misfit(taker, inputs):
            return words
        if send and not missing:
            self._jobs.send_data(step, inputs)
        return None

    def outputs_misfit(self, row: WorkflowRow, step: StepRow, outputs: Mapping[str, Any]) -> str | None:
        """Return what is wrong with the outputs of a job for the template, or None."""
        return outputs_misfit(self.plan(row.plan).step_by_name[step.name], outputs)

    # A workflow ends

    def _complete(self, row: WorkflowRow, plan: Plan, at: Moment) -> None:
        inputs = msgspec.json.decode(row.inputs)
        found: dict[str, dict[str, Any]] = {}
        outputs = {each.name: self._value(row, each.source, inputs, found) for each in plan.outputs}
        for each in plan.outputs:
            if words := parse_type(each.type).mismatch(outputs[each.name]):
                self._fail(row, f"output {each.name}: {words}", at)
                return
        self._end(row, WorkflowEvent.ALL_STEPS_COMPLETED, at, outputs=outputs)

    def _value(self, row: WorkflowRow, source: Source, inputs: dict[str, Any], found: dict[str, dict[str, Any]]) -> Any:
        if source.step is None:
            return inputs.get(source.workflow_input or "")
        if source.step not in found:
            found[source.step] = msgspec.json.decode(self._store.steps.outputs(row.seq, source.step))
        return found[source.step].get(source.output or "")

    def fail_step(
        self, row: WorkflowRow, step: StepRow, reason: str, at: Moment, *, tries: int = 0, **facts: Any
    ) -> None:
        """A step has failed for good, and with it the workflow: what has not begun is taken back, the rest may end.

        Args:
            row: Its workflow.
            step: The step.
            reason: Why, for people.
            at: The time.
            tries: How many attempts are used up; none when its inputs are wrong.
            facts: What else the event says.
        """
        status = advance(STEP, step.status, StepEvent.ATTEMPTS_USED_UP)
        assert status is not None
        if (job := self._jobs.present(step)) and not job.data_sent:
            self._jobs.withdraw(step, job, status, reason)
        self._store.steps.fail(step.id, status, tries=tries, reason=reason)
        self._context.wanted.add(step.job_type)
        self._context.events.step("caroni.step.failed", row, step.path, at.date, status=status, reason=reason, **facts)
        self._fail(row, f"step {step.path}: {reason}", at)

    def _fail(self, row: WorkflowRow, reason: str, at: Moment) -> None:
        if not self._end(row, WorkflowEvent.STEP_FAILED, at, reason=reason):
            return
        aside = _state_after(StepEvent.SET_ASIDE)
        for step in self._store.steps.of_workflow(row.seq, _json([Step.FULFILLED])):
            job = self._jobs.present(step)
            if job is not None and not job.begun:
                self._jobs.withdraw(step, job, aside, "the workflow has failed")
        self._context.wanted |= self._store.steps.stop(row.seq, aside, _json([Step.FULFILLING]))

    def set_aside(self, step: StepRow) -> None:
        """A step of a failed workflow has no job any more, and waits for `retry`."""
        status = advance(STEP, step.status, StepEvent.SET_ASIDE)
        assert status is not None
        self._store.steps.leave(step.id, status)

    def cancel(self, row: WorkflowRow, at: Moment) -> bool:
        """End a workflow at somebody's wish; return whether its state allowed it."""
        if not self._end(row, WorkflowEvent.CANCEL, at):
            return False
        self._jobs.kill_all(row.seq, "the workflow was cancelled", at)
        event = StepEvent.CANCEL
        self._context.wanted |= self._store.steps.stop(row.seq, _state_after(event), _states_before(event))
        return True

    def retry(self, row: WorkflowRow, at: Moment) -> bool:
        """Give failed and held steps fresh attempts; return whether there was anything to retry."""
        held = self._store.steps.release(row.seq)
        self._context.wanted |= held
        status = advance(WORKFLOW, row.status, WorkflowEvent.RETRY)
        if status is None:
            return bool(held)
        self._store.workflows.set_ended(row.seq, status, None, None, None)
        row = replace(row, status=status)
        self._say_started(row, at)
        log.info("workflow is tried again", extra={"action": "workflow_retried", "workflow": row.id})
        plan = self.plan(row.plan)
        again = self._store.steps.of_workflow(row.seq, _states_before(StepEvent.WANTED))
        self._want(row)
        for step in again:
            if words := inputs_misfit(plan.step_by_name[step.name], msgspec.json.decode(step.inputs)):
                self.fail_step(row, self._step(row, step.path), words, at)
                return True
        if row.steps_left == 0:
            self._complete(row, plan, at)
        return True

    # States

    def apply(self, row: WorkflowRow, event: WorkflowEvent, reason: str | None = None) -> WorkflowRow | None:
        """Apply an event that ends nothing; return the workflow as it is now, or None where its state knows no such."""
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return None
        self._store.workflows.set_status(row.seq, status, reason)
        return replace(row, status=status)

    def _end(
        self,
        row: WorkflowRow,
        event: WorkflowEvent,
        at: Moment,
        *,
        reason: str | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> bool:
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return False
        self._store.workflows.set_ended(row.seq, status, reason, None if outputs is None else _json(outputs), at.date)
        kind = f"caroni.workflow.{status}"
        facts = {"status": status, "reason": reason, "outputs": outputs}
        body = self._context.events.workflow(kind, row, at.date, **facts)  # type: ignore[arg-type]
        self._store.workflows.set_last_event(row.seq, body)
        level = logging.INFO if status is Workflow.COMPLETED else logging.WARNING
        ids = {"action": f"workflow_{status}", "workflow": row.id}
        log.log(level, "workflow %s%s", status, f": {reason}" if reason else "", extra=ids)
        return True

    def _step(self, row: WorkflowRow, path: str) -> StepRow:
        step = self._store.steps.by_path(row.seq, path)
        assert step is not None, f"the workflow {row.id} has no step {path}"
        return step

    def _load_plan(self, plan_hash: str) -> Plan:
        return decode_plan(self._store.workflows.plan(plan_hash))


def _new_step(
    row: WorkflowRow, step: PlanStep, known: dict[str, Any]
) -> tuple[int, str, str, str, Step, int, int, str]:
    missing, path = len(step.waits_for), step.name
    return (row.seq, path, step.name, step.job_type, Step.CREATED, row.priority, missing, _json(known))


def _states_before(event: StepEvent) -> str:
    """Return, as a JSON list, the states in which `event` may happen to a step."""
    return _json([state for state, arrows in STEP.items() if event in arrows])


def _state_after(event: StepEvent) -> Step:
    """Return the state that `event` leads to, which is the same from all."""
    (state,) = {arrows[event] for arrows in STEP.values() if event in arrows}
    return state


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
