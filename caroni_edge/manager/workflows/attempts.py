"""What it means for a step what an agent says of its job; a job is one attempt of a step, at one agent.

A step has at most one present job (`steps.job`). Messages about other jobs of it change nothing, with one exception: a
job that is `lost` (its agent was silent for too long, or it was withdrawn when it may have begun) may still give the
step its result, if it is the first that completes.
"""

import logging
from collections.abc import Iterable, Sequence

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, state_after, states_before
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.handover import OVER, is_misfed
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import STEP, WORKFLOW, StepEvent, WorkflowEvent
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.failures import Failures
from caroni_edge.manager.workflows.remaking import Remaking
from caroni_edge.protocol.codec import RAISE_LIMIT
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobKill, JobStatusUpdate
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

AFTER_DECLINE_S = 1.0
"""So long a declined step stays out of the demand: at once, it might go to and fro between us and the same agent."""

WOULD_FAIL_AGAIN = "; this version of its job type would give the same again: retry when its file is mended"
"""What is said of a step whose outputs no further attempt makes fit."""


class Attempts:
    """Handles what agents say of jobs, from the acceptance to the end.

    Attributes:
        failures: What becomes of a step whose job has ended without a result.
        remaking: What a step comes to that only gives its files again.
    """

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Change jobs in the store of `context`, steps and workflows by `engine`, and tell agents by `orders`."""
        self._context, self._engine, self._orders = context, engine, orders
        self.remaking = Remaking(context, engine, orders)
        self.failures = Failures(context, engine, orders, self.remaking)
        self._store = context.store

    def on_accepted(self, agent: str, message: JobAccepted) -> None:
        """An agent has accepted jobs of ours."""
        self.note_accepted(agent, message.jobs)

    def note_accepted(self, agent: str, jobs: Sequence[str]) -> None:
        """Note that an agent has these jobs: workflows that were `initializing` are `running` now."""
        after = state_after(WORKFLOW, WorkflowEvent.STEP_FULFILLED)
        (before,) = states_before(WORKFLOW, WorkflowEvent.STEP_FULFILLED)
        self._store.workflows.run_of_jobs(agent, as_text(jobs), before, after)

    def on_declined(self, agent: str, message: JobDecline, at: Moment) -> None:
        """An agent does not take a job; that uses up an attempt only if it is final, or the job may have begun.

        Nor does it if the agent may not fetch the job's files: it has said so by its presence, which came later.
        """
        job = self._open(agent, message.job)
        if job is None:
            return
        step = self._store.steps.by_id(job.step)
        is_final = message.final and self._orders.files.may_go(step, agent)
        if is_final or message.begun or job.begun or job.asked:
            end = JobEnd("failed", begun=message.begun, reason=f"declined: {message.reason}", ended=at.date)
            self.failures.fail(job, end, at)
        else:
            self._store.offers.delete_standing(agent)  # it has less room than they say
            self._orders.never_was(step, job, due=at.now + AFTER_DECLINE_S)

    def on_status(self, agent: str, message: JobStatusUpdate, at: Moment) -> None:
        """Take the status of a job, unless one with a greater serial was taken before."""
        job = self._open(agent, message.job)
        if job is None:
            self._on_late(agent, message)
            return
        if message.serial <= job.serial:
            _stale(agent, message.job)
            return
        self._store.agents.hear(agent, message.serial)
        self.take_state(job, message, at)

    def _on_late(self, agent: str, message: JobStatusUpdate) -> None:
        """Note what files a job has given that counts no more."""
        job = self._store.jobs.by_id(message.job) if message.outputs else None
        if job is not None and job.agent == agent:
            row = self._store.workflows.by_seq(self._store.steps.by_id(job.step).workflow)
            self._engine.drops.on_late(row, message.outputs or {}, agent)

    def take_state(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        """Let what an agent says of an open job take effect, whatever its serial."""
        step = self._store.steps.by_id(job.step)
        if said.begun and not job.asked and is_misfed(step, job, said):
            self._on_misfed(job, said, at)
            return
        was_seen = said.exit_code is not None
        match said.status:
            case "completed":
                self._complete(step, job, said, at)
            case "failed" if said.final:
                self._unfit(job, said, said.reason or "failed", at)
            case "failed":
                self.failures.fail(job, _end(said, said.reason or "failed"), at, was_seen=was_seen)
            case "killed":
                reason = f"killed at the agent: {said.reason or 'no reason was given'}"
                self.failures.fail(job, _end(said, reason), at, was_seen=was_seen)
            case _:
                self._go_on(step, job, said, at)

    def _on_misfed(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        """End a job that has had other inputs than its step: no more are handed over to that."""
        reason = "it has had other inputs than its step is given"
        self._store.jobs.misfeed(job.job)
        if said.status in OVER:
            self.failures.give_up(job, _end(said, reason), at)
        else:
            self._note(job, said)
            self._orders.recall_takers(job.job)
            self._orders.recall(job, reason)

    def _note(self, job: JobRow, said: JobStatusUpdate) -> bool:
        """Note the state of a job that is not its end; return whether it runs."""
        is_running = said.status == "running"
        self._store.jobs.update(
            job.job,
            said.status,
            said.serial,
            begun=said.begun or is_running,
            started=said.started,
            version=said.version,
            box=said.box,
        )
        return is_running

    def _go_on(self, step: StepRow, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        is_running = self._note(job, said)
        if job.asked:
            self._context.outbox.put(job.agent, JobKill(job=job.job, reason="no step counts on it"))
        elif said.status == "pending":
            self._bring_lost_data(step, job, at)
        elif is_running and step.job == job.job and (status := advance(STEP, step.status, StepEvent.JOB_RUNNING)):
            self._store.steps.set_status(step.id, status)

    def _bring_lost_data(self, step: StepRow, job: JobRow, at: Moment) -> None:
        """Send the data of a job once more whose agent waits for it; end the job when its step does not need it.

        A reset of the link, or a lost database of the agent, may have taken the data that was sent before.
        """
        if step.job != job.job:
            reason = "its step has another attempt, or wants none"
            self._context.outbox.put(job.agent, JobKill(job=job.job, reason=reason))
            self.failures.abandon(job, reason, at)
        elif not step.deps_left:
            self._orders.send_data(step, msgspec.json.decode(step.inputs))

    def reject(self, agent: str, jobs: Iterable[str], reason: str, at: Moment) -> None:
        """Let jobs fail about which a message could not be handled, by this manager or by the agent."""
        for name in jobs:
            if job := self._open(agent, name):
                self._context.outbox.put(agent, JobKill(job=name, reason=f"a message about it was rejected: {reason}"))
                begun = job.may_have_data
                end = JobEnd("failed", begun=begun, reason=f"a message was rejected: {reason}", ended=at.date)
                self.failures.fail(job, end, at)

    def fail_undelivered(self, agent: str, name: str, reason: str, at: Moment) -> None:
        """Let a job fail for good of which its agent cannot be told."""
        if job := self._open(agent, name):
            self._context.outbox.put(agent, JobKill(job=name, reason=reason))
            self.failures.fail(job, JobEnd("failed", reason=reason, ended=at.date), at, is_final=True)

    def _complete(self, step: StepRow, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        row = self._store.workflows.by_seq(step.workflow)
        outputs = said.outputs or {}
        if job.asked:
            self._engine.drops.on_late(row, outputs, job.agent)
            self.failures.fail(job, _end(said, "no step counts on its result: its manager had forgotten it"), at)
            return
        if said.outputs_left_out:
            size = said.outputs_left_out
            reason = (
                f"its outputs have {size} bytes, too large for the broker, and stay at agent {job.agent}: {RAISE_LIMIT}"
            )
            self.failures.fail(job, _end(said, reason), at, was_seen=True, is_final=True)
            return
        if problem := self._engine.outputs_misfit(row, step, outputs):
            self._engine.drops.on_late(row, outputs, job.agent)
            self._unfit(job, said, problem, at)
            return
        self._store.jobs.close(job.job, _end(said, None))
        if advance(STEP, step.status, StepEvent.JOB_COMPLETED) is None:
            self._engine.drops.on_late(row, outputs, job.agent)
            _stale(job.agent, job.job)
            return
        self._orders.kill_others(step, job.job, at)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.info("step completed", extra={"action": "step_completed", **ids})
        if step.remade:
            self.remaking.on_completed(row, step, job, outputs, at)
            return
        takers = self._store.jobs.takers(job.job) if said.fed else ()
        fed = frozenset(said.fed).intersection(taker.job for taker in takers)
        self._engine.complete_step(row, step, job, outputs, at, fed)

    def _unfit(self, job: JobRow, said: JobStatusUpdate, reason: str, at: Moment) -> None:
        """Let an attempt fail whose outputs do not fit: that version of its job type would give such again."""
        step = self._store.steps.by_id(job.step)
        if self._store.agents.is_served_otherwise(step.job_type, said.version or ""):
            self.failures.fail(job, _end(said, reason), at, was_seen=True)
        else:
            self.failures.fail(job, _end(said, f"{reason}{WOULD_FAIL_AGAIN}"), at, was_seen=True, is_final=True)

    def _open(self, agent: str, name: str) -> JobRow | None:
        job = self._store.jobs.by_id(name)
        if job is None or job.agent != agent or not job.open:
            _stale(agent, name)
            return None
        return job


def _stale(agent: str, job: str) -> None:
    ids = {"action": "stale_job_ignored", "peer": agent, "job": job}
    log.debug("a message about a job that is not open changes nothing", extra=ids)


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
        box=said.box,
    )
