"""A job has ended without a result, or nobody will hear of its end: what comes of its step.

It gets another attempt, after a while and perhaps on another agent; or the step fails, and its workflow with it; or its
workflow is stalled until somebody says what is to become of it.
"""

import logging
from typing import Any

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import require
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, WorkflowEvent
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.remaking import Remaking
from caroni_edge.values.carried import LOCATION

log = logging.getLogger(__name__)

RETRY_DELAY_MAX_S = 60.0

NOT_REPEATED = "; its job type is never run again by itself (repeat: false)"
"""What is said of a step that fails at its first attempt."""


class Failures:
    """Closes jobs without a result, and decides whether their steps get another attempt."""

    def __init__(self, context: Context, engine: Engine, orders: Orders, remaking: Remaking) -> None:
        """Change steps and workflows by `engine`, and tell agents by `orders`; `remaking` makes files again."""
        self._context, self._engine, self._orders, self._remaking = context, engine, orders, remaking
        self._store = context.store

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
            self.give_up(job, end, at)
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

    def give_up(self, job: JobRow, end: JobEnd, at: Moment) -> None:
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
            self.give_up(job, end, at)
        else:
            self._orders.never_was(self._store.steps.by_id(job.step), job)

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
                self._remaking.give_up(row, step, reason, at)
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


def _delay_s(first_s: float, tries: int) -> float:
    """Return how long a step waits before its next attempt, when so many have failed: it doubles up to a minute."""
    return Backoff(first_s, max_s=max(first_s, RETRY_DELAY_MAX_S)).nth(tries)
