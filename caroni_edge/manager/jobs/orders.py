"""Jobs as an agent hears of them after they were placed: their data comes, they are taken back, they are killed.

What the end of one means for its step is decided in `attempts.py`.
"""

import logging
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import require
from caroni_edge.manager.context import Context
from caroni_edge.manager.lifecycle import STEP, StepEvent, StepState
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.protocol.messages import JobDataReady, JobKill

log = logging.getLogger(__name__)


class Orders:
    """What is said to agents about jobs that they hold."""

    def __init__(self, context: Context) -> None:
        """Say it through the outbox of `context`."""
        self._context, self._store, self._outbox = context, context.store, context.outbox

    def present(self, step: StepRow) -> JobRow | None:
        """Return the job of a step that is not over and not lost."""
        job = self._store.jobs.by_id(step.job) if step.job else None
        return job if job is not None and job.open else None

    def send_data(self, step: StepRow, inputs: dict[str, Any]) -> None:
        """All inputs of a step are there: send them where it was placed; who is known away, or refuses, loses it.

        To where they were sent before they go again: the job may have begun, and only its agent can say how it ended.
        """
        job = self.present(step)
        if job is None:
            return
        if job.data_sent or self._store.agents.may_serve(job.agent, step.job_type):
            self._store.jobs.data_sent(job.job)
            self._outbox.put(job.agent, JobDataReady(job=job.job, inputs=inputs))
        else:
            self.take_back(step, job, "its data is there, and the agent is not, or takes no such jobs now")

    def take_back(self, step: StepRow, job: JobRow, reason: str) -> None:
        """Ask anew at once for a step whose job cannot have begun; this uses up no attempt."""
        self._outbox.put(job.agent, JobKill(job=job.job, reason=reason))
        self.never_was(step, job)

    def never_was(self, step: StepRow, job: JobRow, *, due: float | None = None) -> None:
        """A job has not come to its agent, or cannot have begun there: ask anew; this uses up no attempt.

        Args:
            step: Its step.
            job: The job.
            due: When to ask, on the monotonic clock; None for at once.
        """
        self._store.jobs.delete(job.job)
        if step.job != job.job:
            return
        status = require(STEP, step.status, StepEvent.TAKEN_BACK, step=step.path, job=job.job)
        self._store.steps.take_back(step.id, status, due)
        self._context.dirty_job_types.add(step.job_type)
        ids = {"step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.info("the job was not taken; asking anew", extra={"action": "job_taken_back", **ids})

    def withdraw(self, step: StepRow, job: JobRow, status: StepState, reason: str) -> None:
        """Take the present job of a step back, which goes to `status`.

        Nobody here knows whether it has begun meanwhile, once its data was sent: then its number stays its own, and
        should it have completed before it is killed, its result counts.
        """
        self._outbox.put(job.agent, JobKill(job=job.job, reason=reason))
        if job.data_sent:
            self._store.jobs.lose(job.job, reason)
            self._store.steps.leave(step.id, status)
        else:
            self._store.jobs.delete(job.job)
            self._store.steps.take_back(step.id, status)

    def kill_others(self, step: int, winner: str, at: Moment) -> None:
        """An attempt of a step has completed: end the others."""
        for job in self._store.jobs.open_of_step(step):
            if job.job != winner:
                self._kill(job.agent, job.job, "another attempt has completed", at)

    def kill_all(self, workflow: int, reason: str, at: Moment) -> None:
        """End all jobs of a workflow."""
        for job, agent in self._store.jobs.open_of_workflow(workflow):
            self._kill(agent, job, reason, at)

    def _kill(self, agent: str, job: str, reason: str, at: Moment) -> None:
        self._outbox.put(agent, JobKill(job=job, reason=reason))
        self._store.jobs.close(job, JobEnd("killed", reason=reason, ended=at.date))
