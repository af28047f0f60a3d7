"""What the end of a job means for its step; a job is one attempt of a step, at one agent.

A step has at most one present job (`steps.job`). Messages about other jobs of it change nothing, with one exception: a
job that is `lost` (its agent was silent for too long, or it was withdrawn when it may have begun) may still give the
step its result, if it is the first that completes.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance, require
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.handover import OVER, is_misfed
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, WorkflowEvent, WorkflowState
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.remaking import Remaking
from caroni_edge.protocol.codec import RAISE_LIMIT
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobKill, JobStatusUpdate
from caroni_edge.values.carried import LOCATION
from caroni_edge.values.json import as_text

log = logging.getLogger(__name__)

RETRY_DELAY_MAX_S = 60.0
AFTER_DECLINE_S = 1.0
"""So long a declined step stays out of the demand: at once, it might go to and fro between us and the same agent."""

NOT_REPEATED = "; its job type is never run again by itself (repeat: false)"
"""What is said of a step that fails at its first attempt."""

WOULD_FAIL_AGAIN = "; this version of its job type would give the same again: retry when its file is mended"
"""What is said of a step whose outputs no further attempt makes fit."""


class Attempts:
    """Handles what agents say of jobs, from the acceptance to the end.

    Attributes:
        remaking: What a step comes to that only gives its files again.
    """

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Change jobs in the store of `context`, steps and workflows by `engine`, and tell agents by `orders`."""
        self._context, self._engine, self._orders = context, engine, orders
        self.remaking = Remaking(context, engine, orders)
        self._store = context.store

    def on_accepted(self, agent: str, message: JobAccepted) -> None:
        """An agent has accepted jobs of ours."""
        self.note_accepted(agent, message.jobs)

    def note_accepted(self, agent: str, jobs: Sequence[str]) -> None:
        """Note that an agent has these jobs: workflows that were `initializing` are `running` now."""
        for seq in self._store.workflows.of_jobs(agent, as_text(jobs), WorkflowState.INITIALIZING):
            self._engine.statuses.apply(self._store.workflows.by_seq(seq), WorkflowEvent.STEP_FULFILLED)

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
            self.fail(job, end, at)
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
        if said.begun and not job.asked and is_misfed(self._store, job, said):
            self._on_misfed(job, said, at)
            return
        match said.status:
            case "completed":
                self._complete(job, said, at)
            case "failed":
                if said.final:
                    self._unfit(job, said, said.reason or "failed", at)
                else:
                    self.fail(job, _end(said, said.reason or "failed"), at, was_seen=said.exit_code is not None)
            case "killed":
                reason = f"killed at the agent: {said.reason or 'no reason was given'}"
                self.fail(job, _end(said, reason), at, was_seen=said.exit_code is not None)
            case _:
                self._go_on(job, said, at)

    def _on_misfed(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        """End a job that has had other inputs than its step: no more are handed over to that."""
        reason = "it has had other inputs than its step is given"
        self._store.jobs.misfeed(job.job)
        if said.status in OVER:
            self._give_up(job, _end(said, reason), at)
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

    def _go_on(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        is_running = self._note(job, said)
        step = self._store.steps.by_id(job.step)
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
            self.abandon(job, reason, at)
        elif not step.deps_left:
            self._orders.send_data(step, msgspec.json.decode(step.inputs))

    def fail(self, job: JobRow, end: JobEnd, at: Moment, *, was_seen: bool = False, is_final: bool = False) -> None:
        """Close a job that has ended without a result; if it is the present one, try its step again or let it fail.

        Args:
            job: The job.
            end: How it ended.
            at: The time.
            was_seen: It is known how its process ended. Nobody knows what else it has done.
            is_final: Another attempt would end like this one.
        """
        step = self._store.steps.by_id(job.step)
        if job.asked and step.job == job.job:
            self._give_up(job, end, at)
            return
        self._store.jobs.close(job.job, end)
        self._orders.recall_takers(job.job)
        if job.asked:
            self._on_asked_ended(step, at, begun=job.begun or end.begun)
            return
        if step.job != job.job and not (step.in_doubt and was_seen and job.attempt == step.attempt):
            return
        row = self._store.workflows.by_seq(step.workflow)
        ids = {"workflow": row.id, "step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.warning("attempt failed: %s", end.reason, extra={"action": "attempt_failed", **ids})
        self._again(row, step, job, end, at, was_seen=was_seen, is_final=is_final)

    def _give_up(self, job: JobRow, end: JobEnd, at: Moment) -> None:
        """Close a job whose inputs were not those of its step, or that was taken back; that uses up no attempt."""
        self._store.jobs.close(job.job, end)
        self._orders.recall_takers(job.job)
        step = self._store.steps.by_id(job.step)
        if step.job == job.job:
            self._ask_anew(step, job, end.reason or "", at, begun=job.begun or end.begun)

    def _ask_anew(self, step: StepRow, job: JobRow, reason: str, at: Moment, *, begun: bool) -> None:
        """Ask anew for a step whose present job is given up; if that may not be repeated, wait for `retry`."""
        row = self._store.workflows.by_seq(step.workflow)
        if row.status in ENDED:
            self._engine.set_aside(step)
        elif not begun:
            self._orders.unplace(step, job)
        elif job.repeat:
            self._orders.recalled(step)
        else:
            self._doubt(row, step, job, reason, at)

    def _on_asked_ended(self, step: StepRow, at: Moment, *, begun: bool) -> None:
        """A job that was taken back by asking has ended: its step waits for `retry` if it had begun, else for nothing.

        Unless somebody has decided meanwhile.
        """
        if step.in_doubt is None or begun or self._store.jobs.any_asked(step.id):
            return
        self._store.steps.put_in_doubt(step.id, None)
        self._context.dirty_job_types.add(step.job_type)
        if not self._store.steps.any_in_doubt(step.workflow):
            self._engine.statuses.resume(self._store.workflows.by_seq(step.workflow), WorkflowEvent.SERVED_AGAIN, at)

    def lose(self, job: JobRow, reason: str, at: Moment) -> None:
        """Give the step of an open job another attempt, since its agent is silent; the first result counts."""
        step = self._store.steps.by_id(job.step)
        if self._orders.cannot_have_begun(job):
            self._orders.take_back(step, job, reason)
            return
        self._store.jobs.lose(job.job, reason)
        if step.job != job.job:
            return
        if job.asked or not job.data_sent:
            self._ask_anew(step, job, reason, at, begun=True)
        else:
            row = self._store.workflows.by_seq(step.workflow)
            self._again(row, step, job, JobEnd("failed", reason=reason, begun=True), at)

    def abandon(self, job: JobRow, reason: str, at: Moment) -> None:
        """Give up a job that nothing more will be heard of: it counts as an attempt only if it was sent its inputs."""
        end = JobEnd("failed", begun=True, reason=reason, ended=at.date)
        if job.data_sent:
            self.fail(job, end, at)
        elif job.inputs_from is not None:
            self._give_up(job, end, at)
        else:
            self._orders.never_was(self._store.steps.by_id(job.step), job)

    def reject(self, agent: str, jobs: Iterable[str], reason: str, at: Moment) -> None:
        """Let jobs fail about which a message could not be handled, by this manager or by the agent."""
        for name in jobs:
            if job := self._open(agent, name):
                self._context.outbox.put(agent, JobKill(job=name, reason=f"a message about it was rejected: {reason}"))
                begun = job.may_have_data
                end = JobEnd("failed", begun=begun, reason=f"a message was rejected: {reason}", ended=at.date)
                self.fail(job, end, at)

    def fail_undelivered(self, agent: str, name: str, reason: str, at: Moment) -> None:
        """Let a job fail for good of which its agent cannot be told."""
        if job := self._open(agent, name):
            self._context.outbox.put(agent, JobKill(job=name, reason=reason))
            self.fail(job, JobEnd("failed", reason=reason, ended=at.date), at, is_final=True)

    def _again(
        self,
        row: WorkflowRow,
        step: StepRow,
        job: JobRow,
        end: JobEnd,
        at: Moment,
        *,
        was_seen: bool = False,
        is_final: bool = False,
    ) -> None:
        """Let a step wait for its next attempt, after one that counts; let it fail if that was the last.

        What may have begun and may not be repeated fails at once where it is known how it ended; otherwise the workflow
        is stalled until somebody says what is to become of it.
        """
        reason = end.reason or "failed"
        is_once = not job.repeat and (job.begun or end.begun)
        if row.status in ENDED:
            self._engine.set_aside(step)
            return
        ids: dict[str, Any] = {"job": job.job, "agent": job.agent, "attempt": job.attempt}
        settings = self._context.settings
        if is_once and not was_seen:
            self._doubt(row, step, job, reason, at)
            return
        if is_once or is_final or step.tries + 1 >= settings.attempts:
            reason = f"{reason}{NOT_REPEATED}" if is_once else reason
            if step.remade:
                self.remaking.give_up(row, step, reason, at)
                return
            facts = {**ids, "exit_code": end.exit_code, "stderr": end.stderr}
            self._engine.fail_step(row, step, reason, at, tries=step.tries + 1, **facts)
            return
        status = require(STEP, step.status, StepEvent.ATTEMPT_FAILED, workflow=row.id, step=step.path, job=job.job)
        self._store.steps.again(step.id, status, reason, at.now + _delay_s(settings.retry_delay_s, step.tries))
        if LOCATION in step.inputs:
            self._context.lacking.add(row.seq)
        if step.remade:
            return
        self._context.events.step("caroni.step.retried", row, step.path, at.date, status=status, reason=reason, **ids)

    def _doubt(self, row: WorkflowRow, step: StepRow, job: JobRow, reason: str, at: Moment) -> None:
        """Let a step wait for `retry`, of whose last job nobody knows what it has done."""
        status = require(STEP, step.status, StepEvent.ATTEMPT_FAILED, workflow=row.id, step=step.path, job=job.job)
        in_doubt = (
            f"attempt {job.attempt} on agent {job.agent} may have begun, nobody saw how it ended, and its job type is "
            f"never run again by itself (repeat: false)"
        )
        self._store.steps.doubt(step.id, status, reason, in_doubt)
        self._engine.statuses.stall(
            row, WorkflowEvent.IN_DOUBT, f"step {step.path} waits for retry: {in_doubt} ({reason})", at
        )

    def _complete(self, job: JobRow, said: JobStatusUpdate, at: Moment) -> None:
        step = self._store.steps.by_id(job.step)
        row = self._store.workflows.by_seq(step.workflow)
        outputs = said.outputs or {}
        if job.asked:
            self._engine.drops.on_late(row, outputs, job.agent)
            self.fail(job, _end(said, "no step counts on its result: its manager had forgotten it"), at)
            return
        if said.outputs_left_out:
            size = said.outputs_left_out
            reason = (
                f"its outputs have {size} bytes, too large for the broker, and stay at agent {job.agent}: {RAISE_LIMIT}"
            )
            self.fail(job, _end(said, reason), at, was_seen=True, is_final=True)
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
        self._orders.kill_others(step.id, job.job, at)
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
            self.fail(job, _end(said, reason), at, was_seen=True)
        else:
            self.fail(job, _end(said, f"{reason}{WOULD_FAIL_AGAIN}"), at, was_seen=True, is_final=True)

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
    """Return how long a step waits before its next attempt, when so many have failed: it doubles up to a minute."""
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
        box=said.box,
    )
