"""What becomes of a job: one attempt of a step at an agent.

A step has one present job. A message about another changes nothing, but for one case: an attempt that is `lost` (its
agent was silent for too long, or it was taken back too late) may still give the result, if it is the first that
completes.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobKill, JobStatusUpdate
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

RETRY_DELAY_MAX_S = 60.0
AFTER_DECLINE_S = 1.0


class Attempts:
    """Jobs, from their acceptance to their end."""

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Decide with what is in `context`."""
        self._context, self._engine, self._orders = context, engine, orders
        self._store = context.store

    def on_accepted(self, agent: str, message: JobAccepted) -> None:
        """An agent has jobs of ours: their workflows run."""
        jobs = as_text(message.jobs)
        for seq in self._store.workflows.of_jobs(agent, jobs, WorkflowState.INITIALIZING):
            self._engine.apply(self._store.workflows.by_seq(seq), WorkflowEvent.STEP_FULFILLED)

    def on_declined(self, agent: str, message: JobDecline, at: Moment) -> None:
        """An agent does not take a job, or does not know it."""
        job = self._open(agent, message.job)
        if job is None:
            return
        if message.final or job.begun:
            self.fail(job, JobEnd("failed", reason=f"declined: {message.reason}", ended=at.date), at)
        else:
            self._orders.never_was(self._store.steps.by_id(job.step), job, due=at.now + AFTER_DECLINE_S)

    def on_status(self, agent: str, message: JobStatusUpdate, at: Moment) -> None:
        """Take the state of a job; an older one than we have changes nothing."""
        job = self._open(agent, message.job)
        if job is None:
            return
        if message.serial <= job.serial:
            _stale(agent, message.job)
            return
        self._store.agents.hear(agent, message.serial)
        self.take_state(job, message, at)

    def take_state(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        """Let the state of an open job take effect."""
        match said.status:
            case "completed":
                self._complete(job, said, at)
            case "failed":
                self.fail(job, _end(said, said.reason or "failed"), at)
            case "killed":
                self.fail(job, _end(said, f"killed at the agent: {said.reason or 'no reason was given'}"), at)
            case _:
                self._go_on(job, said, at)

    def _go_on(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        is_running = said.status == "running"
        begun = said.begun or is_running
        self._store.jobs.update(
            job.job, said.status, said.serial, begun=begun, started=said.started, version=said.version
        )
        step = self._store.steps.by_id(job.step)
        if said.status == "pending":
            self._bring_lost_data(step, job, at)
        elif is_running and step.job == job.job and (status := advance(STEP, step.status, StepEvent.JOB_RUNNING)):
            self._store.steps.set_status(step.id, status)

    def _bring_lost_data(self, step: StepRow, job: JobRow, at: Moment) -> None:
        """The agent waits for data that may have been lost with the link's rows, or with what it knew."""
        if step.job != job.job:
            reason = "its step has another attempt, or wants none"
            self._context.outbox.put(job.agent, JobKill(job=job.job, reason=reason))
            self.abandon(job, reason, at)
        elif not step.deps_left:
            self._orders.send_data(step, msgspec.json.decode(step.inputs))

    def fail(self, job: JobRow, end: JobEnd, at: Moment) -> None:
        """An attempt has ended without a result."""
        self._store.jobs.close(job.job, end)
        step = self._store.steps.by_id(job.step)
        if step.job != job.job:
            return
        row = self._store.workflows.by_seq(step.workflow)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.warning("attempt failed: %s", end.reason, extra={"action": "attempt_failed", **ids})
        self._again(row, step, job, end, at)

    def lose(self, job: JobRow, reason: str, at: Moment) -> None:
        """The agent of an open job has been silent for too long: ask anew, but keep its result if it comes first."""
        step = self._store.steps.by_id(job.step)
        if not job.data_sent:
            self._orders.take_back(step, job, reason)
            return
        self._store.jobs.lose(job.job, reason)
        if step.job == job.job:
            row = self._store.workflows.by_seq(step.workflow)
            self._again(row, step, job, JobEnd("failed", reason=reason, begun=True), at)

    def abandon(self, job: JobRow, reason: str, at: Moment) -> None:
        """Nothing more is to be expected of a job: it has failed if it may have begun, otherwise it never was."""
        if job.data_sent:
            self.fail(job, JobEnd("failed", begun=True, reason=reason, ended=at.date), at)
        else:
            self._orders.never_was(self._store.steps.by_id(job.step), job)

    def reject(self, agent: str, jobs: Iterable[str], reason: str, at: Moment) -> None:
        """A message about these jobs could not be handled, here or there: these attempts end as failed."""
        for name in jobs:
            if job := self._open(agent, name):
                self._context.outbox.put(agent, JobKill(job=name, reason=f"a message about it was rejected: {reason}"))
                begun = bool(job.data_sent)
                end = JobEnd("failed", begun=begun, reason=f"a message was rejected: {reason}", ended=at.date)
                self.fail(job, end, at)

    def _again(self, row: WorkflowRow, step: StepRow, job: JobRow, end: JobEnd, at: Moment) -> None:
        """Ask anew for a step whose attempt is used up, or give up."""
        reason = end.reason or "failed"
        if row.status in ENDED:
            self._engine.set_aside(step)
            return
        ids: dict[str, Any] = {"job": job.job, "agent": job.agent, "attempt": job.attempt}
        settings = self._context.settings
        if step.tries + 1 >= settings.attempts:
            facts = {**ids, "exit_code": end.exit_code, "stderr": end.stderr}
            self._engine.fail_step(row, step, reason, at, tries=step.tries + 1, **facts)
            return
        status = require(STEP, step.status, StepEvent.ATTEMPT_FAILED, workflow=row.id, step=step.path, job=job.job)
        held = None
        if not job.repeat and (job.begun or end.begun):
            held = f"its job type may not be repeated by itself, and attempt {job.attempt} may have begun"
        due = at.now + _delay_s(settings.retry_delay_s, step.tries)
        self._store.steps.again(step.id, status, retry_due=None if held else due, held=held, reason=reason)
        self._context.dirty_job_types.add(step.job_type)
        self._context.events.step("caroni.step.retried", row, step.path, at.date, status=status, reason=reason, **ids)

    def _complete(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        step = self._store.steps.by_id(job.step)
        row = self._store.workflows.by_seq(step.workflow)
        outputs = said.outputs or {}
        if problem := self._engine.outputs_misfit(row, step, outputs):
            self.fail(job, _end(said, problem), at)
            return
        self._store.jobs.close(job.job, _end(said, None))
        if advance(STEP, step.status, StepEvent.JOB_COMPLETED) is None:
            _stale(job.agent, job.job)
            return
        self._orders.kill_others(step.id, job.job, at)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.info("step completed", extra={"action": "step_completed", **ids})
        self._engine.complete_step(row, step, job, outputs, at)

    def _open(self, agent: str, name: str) -> JobRow | None:
        job = self._store.jobs.by_id(name)
        if job is None or job.agent != agent or not job.open:
            _stale(agent, name)
            return None
        return job


def _stale(agent: str, job: str) -> None:
    ids = {"action": "stale_job_ignored", "peer": agent, "job": job}
    log.debug("a message about a job that is not open changes nothing", extra=ids)


def _delay_s(first_s: float, tries: int) -> float:
    """Return how long to wait before the next attempt: doubling up to a minute, unless it begins with more."""
    return Backoff(first_s, max_s=max(first_s, RETRY_DELAY_MAX_S)).nth(tries)


def _end(said: JobStatusUpdate, reason: str | None) -> JobEnd:
    return JobEnd(
        status="completed" if reason is None else "failed",
        serial=said.serial,
        begun=said.begun or said.started is not None,
        reason=reason,
        exit_code=said.exit_code,
        stderr=said.stderr,
        version=said.version,
        started=said.started,
        ended=said.ended,
    )
