"""What becomes of a job: one attempt of a step at an agent.

A step has one present job. A message about another changes nothing, but for one case: an attempt whose agent was silent
for too long (`lost`) may still give the result, if it is the first that completes.
"""

import logging
from collections.abc import Iterable

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.engine import Engine
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, Workflow, WorkflowEvent
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobStatusUpdate
from caroni_edge.reactor import Moment
from caroni_edge.states import advance

log = logging.getLogger(__name__)

RETRY_DELAY_MOST_S = 60.0
AFTER_DECLINE_S = 1.0


class Attempts:
    """Jobs, from their acceptance to their end."""

    def __init__(self, context: Context, engine: Engine) -> None:
        """Decide with what is in `context`."""
        self._context, self._engine = context, engine
        self._store = context.store

    def on_accepted(self, message: JobAccepted) -> None:
        """An agent has jobs of ours: their workflows run."""
        jobs = msgspec.json.encode(message.jobs).decode()
        for seq in self._store.workflows.of_jobs(jobs, Workflow.INITIALIZING):
            self._engine.apply(self._store.workflows.by_seq(seq), WorkflowEvent.STEP_FULFILLED)

    def on_declined(self, agent: str, message: JobDecline, at: Moment) -> None:
        """An agent does not take a job, or does not know it."""
        job = self._open(agent, message.job)
        if job is None:
            return
        if message.final or job.begun:
            self.fail(job, JobEnd("failed", reason=f"declined: {message.reason}", ended=at.date), at)
        else:
            self._engine.never_was(self._store.steps.by_id(job.step), job.job, at, delay_s=AFTER_DECLINE_S)

    def on_status(self, agent: str, message: JobStatusUpdate, at: Moment) -> None:
        """Take the state of a job; an older one than we have changes nothing."""
        self._store.agents.set_known(agent, message.serial)
        job = self._open(agent, message.job)
        if job is None:
            return
        if message.serial <= job.serial:
            self._stale(agent, message.job)
            return
        self.take_state(job, message, at)

    def take_state(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        """Let the state of an open job take effect."""
        match said.status:
            case "completed":
                self._complete(job, said, at)
            case "failed" | "killed":
                reason = said.reason or said.status
                reason = f"killed at the agent: {reason}" if said.status == "killed" else reason
                self.fail(job, _end(said, reason=reason), at)
            case "running":
                started, version = said.started, said.version
                self._store.jobs.update(job.job, said.status, said.serial, begun=True, started=started, version=version)
                step = self._store.steps.by_id(job.step)
                status = advance(STEP, step.status, StepEvent.JOB_RUNNING)
                if status is not None and step.job == job.job:
                    self._store.steps.set_status(step.id, status)
            case _:
                self._store.jobs.update(job.job, said.status, said.serial, begun=said.begun, started=None, version=None)

    def fail(self, job: JobRow, end: JobEnd, at: Moment) -> None:
        """An attempt has ended without a result."""
        self._store.jobs.close(job.job, end)
        step = self._store.steps.by_id(job.step)
        if step.job != job.job or advance(STEP, step.status, StepEvent.ATTEMPTS_USED_UP) is None:
            return
        row = self._store.workflows.by_seq(step.workflow)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.warning("attempt failed: %s", end.reason, extra={"action": "attempt_failed", **ids})
        self._again(row, step, job, end, at)

    def lose(self, job: JobRow, reason: str, at: Moment) -> None:
        """The agent of an open job has been silent for too long: ask anew, but keep its result if it comes first."""
        step = self._store.steps.by_id(job.step)
        if not job.data_sent:
            self._engine.take_back(step, job.job, job.agent, reason, at)
            return
        self._store.jobs.lose(job.job, reason)
        if step.job == job.job:
            row = self._store.workflows.by_seq(step.workflow)
            self._again(row, step, job._replace(begun=1), JobEnd(job.status, reason=reason), at)

    def reject(self, agent: str, jobs: Iterable[str], reason: str, at: Moment) -> None:
        """A message about these jobs could not be handled, here or there: these attempts end as failed."""
        named = [job for name in jobs if (job := self._open(agent, name))]
        for job in named:
            self.fail(job, JobEnd("failed", reason=f"a message was rejected: {reason}", ended=at.date), at)
        if not named:
            self._store.agents.mark(agent)

    def _again(self, row: WorkflowRow, step: StepRow, job: JobRow, end: JobEnd, at: Moment) -> None:
        """Ask anew for a step whose attempt is used up, or give up."""
        reason = end.reason or "failed"
        if row.status in ENDED:
            self._engine.set_aside(step)
            return
        if step.tries + 1 >= self._context.settings.attempts:
            facts = {"job": job.job, "agent": job.agent, "exit_code": end.exit_code, "stderr": end.stderr}
            self._engine.fail_step(row, step, reason, at, **facts)
            return
        status = advance(STEP, step.status, StepEvent.ATTEMPT_FAILED)
        if status is None:
            return
        held = None
        if not job.repeat and (job.begun or end.begun):
            held = (
                f"the job type may not be repeated by itself (repeat: false), and attempt {job.attempt} may have begun"
            )
        delay_s = min(self._context.settings.retry_delay_s * 2**step.tries, RETRY_DELAY_MOST_S)
        self._store.steps.again(step, status, retry_due=at.now + delay_s, held=held, reason=reason)
        ids = {"job": job.job, "agent": job.agent, "attempt": job.attempt, "status": status, "reason": reason}
        self._context.events.step("caroni.step.retried", row, step.path, at.date, **ids)

    def _complete(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        step = self._store.steps.by_id(job.step)
        row = self._store.workflows.by_seq(step.workflow)
        outputs = said.outputs or {}
        if problem := self._engine.outputs_problem(row, step, outputs):
            self.fail(job, _end(said, status="failed", reason=problem), at)
            return
        self._store.jobs.close(job.job, _end(said))
        if advance(STEP, step.status, StepEvent.JOB_COMPLETED) is None:
            self._stale(job.agent, job.job)
            return
        self._engine.kill_jobs(step.id, "another attempt has completed", at, but=job.job)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.info("step completed", extra={"action": "step_completed", **ids})
        self._engine.complete_step(row, step, job, outputs, at)

    def _open(self, agent: str, name: str) -> JobRow | None:
        job = self._store.jobs.by_id(name)
        if job is None or job.agent != agent or not job.open:
            self._stale(agent, name)
            return None
        return job

    def _stale(self, agent: str, job: str) -> None:
        log.debug("a message about a job that is not open changes nothing", extra=_ids("stale_job_ignored", agent, job))


def _ids(action: str, agent: str, job: str) -> dict[str, str]:
    return {"action": action, "peer": agent, "job": job}


def _end(said: JobStatusUpdate, *, status: str | None = None, reason: str | None = None) -> JobEnd:
    return JobEnd(
        status=status or said.status,
        serial=said.serial,
        begun=said.begun or said.started is not None,
        reason=reason,
        exit_code=said.exit_code,
        stderr=said.stderr,
        version=said.version,
        started=said.started,
        ended=said.ended,
    )
