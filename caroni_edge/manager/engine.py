"""How a workflow goes on: its steps come into being, data flows, it ends, it is tried again.

The plan is shared and never changes; the state of a step is a row. No message costs work that grows with the workflow:
a completed step touches its dependents only.
"""

import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import ENDED, STEP, WORKFLOW, Step, StepEvent, Workflow, WorkflowEvent
from caroni_edge.manager.plan import Plan, PlanStep, Source, decode_plan
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.messages import JobDataReady, JobKill
from caroni_edge.reactor import Moment
from caroni_edge.states import advance
from caroni_edge.values import parse_type

log = logging.getLogger(__name__)

VALUES_LIMIT_BYTES = 48 * 1024
"""A job's inputs together, as JSON."""


def states_with(event: StepEvent) -> str:
    """Return, as a JSON list for SQL, the states of a step in which `event` may happen."""
    return msgspec.json.encode([state for state, arrows in STEP.items() if event in arrows]).decode()


class Engine:
    """Workflows and steps, without their attempts."""

    def __init__(self, context: Context) -> None:
        """Decide with what is in `context`."""
        self._context = context
        self._store = context.store
        self.plan = lru_cache(maxsize=256)(self._load_plan)

    # A workflow begins

    def start(self, row: WorkflowRow, plan: Plan, inputs: Mapping[str, Any], at: Moment) -> WorkflowRow:
        """Begin a workflow whose inputs have been checked: make its steps, and want what they need."""
        seq = self._store.workflows.add(row, at.date)
        row = self._store.workflows.by_seq(seq)
        self._store.steps.add(self._new_step(row, step, inputs) for step in plan.steps)
        self.apply(row, WorkflowEvent.STEPS_MADE)
        event = self._context.events.workflow("caroni.workflow.started", row, at.date, status=Workflow.INITIALIZING)
        self._store.workflows.set_last_event(seq, event)
        log.info("workflow started", extra={"action": "workflow_started", "workflow": row.id, "template": row.template})
        row = self._store.workflows.by_seq(seq)
        if not plan.steps:
            self._complete(row, plan, at)
            return row
        self._want(row, self._steps(row, (Step.CREATED,)), at)
        return row

    def _new_step(
        self, row: WorkflowRow, step: PlanStep, inputs: Mapping[str, Any]
    ) -> tuple[int, str, str, str, Step, int, int, str]:
        known = {
            each.name: inputs.get(each.source.workflow_input or "") if each.source else None
            for each in step.inputs
            if each.source is None or each.source.step is None
        }
        missing, path = len(step.waits_for), step.name
        return (row.seq, path, step.name, step.job_type, Step.CREATED, row.priority, missing, _json(known))

    def _want(self, row: WorkflowRow, steps: Iterable[StepRow], at: Moment) -> None:
        """Want agents for steps; inputs that are there and wrong end the workflow at once."""
        for step in steps:
            status = advance(STEP, step.status, StepEvent.WANTED)
            assert status is not None
            self._store.steps.fresh_tries(step.id, status)
            self._context.wanted.add(step.job_type)
            if step.missing == 0 and not self._settle_inputs(row, self._store.steps.by_id(step.id), at):
                return

    # Data

    def outputs_problem(self, row: WorkflowRow, step: StepRow, outputs: Mapping[str, Any]) -> str | None:
        """Return what is wrong with the outputs of a job for the template, or None."""
        for name, spec in self.plan(row.plan).step_by_name[step.name].outputs.items():
            kind = parse_type(spec)
            if name not in outputs and not kind.optional:
                return f"output {name} is missing; the template wants {kind}"
            if words := kind.mismatch(outputs.get(name)):
                return f"output {name}: {words} (the template wants {kind})"
        return None

    def complete_step(
        self, row: WorkflowRow, step: StepRow, job: JobRow, outputs: Mapping[str, Any], at: Moment
    ) -> None:
        """Keep a step's result, let it flow, and end the workflow when it was the last."""
        status = advance(STEP, step.status, StepEvent.JOB_COMPLETED)
        assert status is not None
        plan = self.plan(row.plan)
        kept = {name: outputs.get(name) for name in plan.step_by_name[step.name].outputs}
        self._store.steps.complete(step.id, status, _json(kept))
        self._context.wanted.add(step.job_type)
        ids = {"status": status, "job": job.job, "agent": job.agent, "attempt": job.attempt, "outputs": kept}
        self._context.events.step("caroni.step.completed", row, step.path, at.date, **ids)
        left = self._store.workflows.step_completed(row.seq)
        for name in plan.dependents[step.name]:
            self._feed(row, plan.step_by_name[name], step, kept, at)
        if left == 0 and row.status not in ENDED:
            self._complete(self._store.workflows.by_seq(row.seq), plan, at)

    def _feed(self, row: WorkflowRow, taker: PlanStep, giver: StepRow, outputs: dict[str, Any], at: Moment) -> None:
        step = self._store.steps.by_path(row.seq, taker.name)
        if step is None:
            return
        inputs = msgspec.json.decode(step.inputs)
        for each in taker.inputs:
            if each.source is not None and each.source.step == giver.name:
                inputs[each.name] = outputs.get(each.source.output or "")
        self._store.steps.set_data(step.id, _json(inputs), step.missing - 1)
        self._context.wanted.add(step.job_type)
        if step.missing == 1 and row.status not in ENDED:
            self._settle_inputs(row, self._store.steps.by_id(step.id), at)

    def _settle_inputs(self, row: WorkflowRow, step: StepRow, at: Moment) -> bool:
        """All sources have spoken: fill in defaults, check, and send the data to where the step was placed.

        Returns:
            Whether the inputs are right; if not, the workflow has failed.
        """
        given = msgspec.json.decode(step.inputs)
        plan_step = self.plan(row.plan).step_by_name[step.name]
        inputs: dict[str, Any] = {}
        for each in plan_step.inputs:
            value = given.get(each.name)
            inputs[each.name] = each.default if value is None else value
            if words := parse_type(each.type).mismatch(inputs[each.name]):
                self.fail_step(row, step, f"input {each.name}: {words}", at)
                return False
        text = _json(inputs)
        if len(text.encode()) > VALUES_LIMIT_BYTES:
            self.fail_step(row, step, f"its inputs together are larger than {VALUES_LIMIT_BYTES} bytes of JSON", at)
            return False
        self._store.steps.set_data(step.id, text, 0)
        if step.job is not None:
            self._send_data(step, inputs, at)
        return True

    def _send_data(self, step: StepRow, inputs: dict[str, Any], at: Moment) -> None:
        job = self._store.jobs.by_id(step.job or "")
        if job is None or job.data_sent:
            return
        if self._store.agents.serves(job.agent, step.job_type):
            self._store.jobs.data_sent(job.job)
            self._context.outbox.put(job.agent, JobDataReady(job=job.job, inputs=inputs))
        else:
            self.take_back(step, job.job, job.agent, "its data is there and you are not", at)

    def take_back(self, step: StepRow, job: str, agent: str, reason: str, at: Moment, *, delay_s: float = 0.0) -> None:
        """Withdraw a job that cannot have begun, and ask anew; this uses up no attempt."""
        status = advance(STEP, step.status, StepEvent.TAKEN_BACK)
        if status is None:
            return
        self._context.outbox.put(agent, JobKill(job=job, reason=reason))
        self.never_was(step, job, at, delay_s=delay_s)

    def never_was(self, step: StepRow, job: str, at: Moment, *, delay_s: float = 0.0) -> None:
        """A job never reached its agent, or never could begin: ask anew; this uses up no attempt."""
        self._store.jobs.delete(job)
        status = advance(STEP, step.status, StepEvent.TAKEN_BACK)
        if status is None or step.job != job:
            return
        self._store.steps.take_back(step.id, status, at.now + delay_s if delay_s else None)
        self._context.wanted.add(step.job_type)
        log.info("job taken back", extra={"action": "job_taken_back", "step": step.path, "job": job})

    # Ends

    def _complete(self, row: WorkflowRow, plan: Plan, at: Moment) -> None:
        inputs = msgspec.json.decode(row.inputs)
        found: dict[str, dict[str, Any]] = {}
        outputs = {each.name: self._value(row, each.source, inputs, found) for each in plan.outputs}
        for each in plan.outputs:
            if words := parse_type(each.type).mismatch(outputs[each.name]):
                self._fail(row, f"output {each.name}: {words}", at)
                return
        self._end(row, WorkflowEvent.ALL_STEPS_COMPLETED, None, outputs, at)

    def _value(self, row: WorkflowRow, source: Source, inputs: dict[str, Any], found: dict[str, dict[str, Any]]) -> Any:
        if source.step is None:
            return inputs.get(source.workflow_input or "")
        if source.step not in found:
            step = self._store.steps.by_path(row.seq, source.step)
            found[source.step] = msgspec.json.decode(step.outputs) if step and step.outputs else {}
        return found[source.step].get(source.output or "")

    def fail_step(self, row: WorkflowRow, step: StepRow, reason: str, at: Moment, **facts: Any) -> None:
        """A step has failed for good, and with it the workflow: what has not begun is taken back, the rest may end."""
        status = advance(STEP, step.status, StepEvent.ATTEMPTS_USED_UP)
        if status is None:
            return
        self._store.steps.again(step, status, retry_due=None, held=None, reason=reason)
        self._context.wanted.add(step.job_type)
        ids = {"status": status, "attempt": step.attempt or None, "reason": reason, **facts}
        self._context.events.step("caroni.step.failed", row, step.path, at.date, **ids)
        self._fail(row, f"step {step.path}: {reason}", at)

    def _fail(self, row: WorkflowRow, reason: str, at: Moment) -> None:
        if not self._end(row, WorkflowEvent.STEP_FAILED, reason, None, at):
            return
        for step in self._store.steps.of_workflow(row.seq, states_with(StepEvent.SET_ASIDE)):
            self._set_aside(step)

    def _set_aside(self, step: StepRow) -> None:
        """Take a step of a failed workflow back, unless its job may have begun: that one may end."""
        jobs = self._store.jobs.open_of_step(step.id)
        if any(job.begun or job.status == "running" for job in jobs):
            return
        for job in jobs:
            self._context.outbox.put(job.agent, JobKill(job=job.job, reason="the workflow has failed"))
            self._store.jobs.delete(job.job)
            self._store.steps.take_back(step.id, step.status, None)
        self.set_aside(step)

    def set_aside(self, step: StepRow) -> None:
        """A step of a failed workflow waits for `retry`."""
        status = advance(STEP, step.status, StepEvent.SET_ASIDE)
        if status is not None:
            self._store.steps.set_status(step.id, status)
            self._context.wanted.add(step.job_type)

    def cancel(self, row: WorkflowRow, at: Moment) -> bool:
        """End a workflow at somebody's wish; return whether its state allowed it."""
        if not self._end(row, WorkflowEvent.CANCEL, None, None, at):
            return False
        for step in self._store.steps.of_workflow(row.seq, states_with(StepEvent.CANCEL)):
            status = advance(STEP, step.status, StepEvent.CANCEL)
            assert status is not None
            self.kill_jobs(step.id, "the workflow was cancelled", at)
            self._store.steps.set_status(step.id, status)
            self._context.wanted.add(step.job_type)
        return True

    def kill_jobs(self, step: int, reason: str, at: Moment, *, but: str = "") -> None:
        """End all open attempts of a step, but one."""
        for job in self._store.jobs.open_of_step(step):
            if job.job != but:
                self._context.outbox.put(job.agent, JobKill(job=job.job, reason=reason))
                self._store.jobs.close(job.job, _killed(reason, at))

    def retry(self, row: WorkflowRow, at: Moment) -> bool:
        """Give failed and held steps fresh attempts; return whether there was anything to retry."""
        held = [step for step in self._steps(row, (Step.FULFILLING,)) if step.held]
        for step in held:
            self._store.steps.fresh_tries(step.id, step.status)
            self._context.wanted.add(step.job_type)
        status = advance(WORKFLOW, row.status, WorkflowEvent.RETRY)
        if status is None:
            return bool(held)
        self._store.workflows.set_ended(row.seq, status, None, None, None)
        row = self._store.workflows.by_seq(row.seq)
        log.info("workflow is tried again", extra={"action": "workflow_retried", "workflow": row.id})
        self._want(row, self._steps(row, (Step.CREATED, Step.FAILED)), at)
        if row.steps_left == 0:
            self._complete(row, self.plan(row.plan), at)
        return True

    def _steps(self, row: WorkflowRow, statuses: Iterable[Step]) -> list[StepRow]:
        return self._store.steps.of_workflow(row.seq, _json(list(statuses)))

    def apply(self, row: WorkflowRow, event: WorkflowEvent, reason: str | None = None) -> bool:
        """Apply an event that ends nothing; return whether the state allowed it."""
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return False
        self._store.workflows.set_status(row.seq, status, reason)
        return True

    def _end(
        self, row: WorkflowRow, event: WorkflowEvent, reason: str | None, outputs: dict[str, Any] | None, at: Moment
    ) -> bool:
        status = advance(WORKFLOW, row.status, event)
        if status is None:
            return False
        text = None if outputs is None else _json(outputs)
        self._store.workflows.set_ended(row.seq, status, reason, text, at.date)
        kind = f"caroni.workflow.{status}"
        facts = {"status": status, "reason": reason, "outputs": outputs}
        body = self._context.events.workflow(kind, row, at.date, **facts)  # type: ignore[arg-type]
        self._store.workflows.set_last_event(row.seq, body)
        level = logging.INFO if status is Workflow.COMPLETED else logging.WARNING
        ids = {"action": f"workflow_{status}", "workflow": row.id}
        log.log(level, "workflow %s%s", status, f": {reason}" if reason else "", extra=ids)
        return True

    def _load_plan(self, plan_hash: str) -> Plan:
        return decode_plan(self._store.workflows.plan(plan_hash))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _killed(reason: str, at: Moment) -> JobEnd:
    return JobEnd("killed", reason=reason, ended=at.date)
