"""What an agent is told of a job after it was placed: here is its data, or it is to end.

What the end of a job means for its step is decided in `workflows/attempts.py`.
"""

import logging
from collections.abc import Collection
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import require
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.lifecycle import STEP, StepEvent, StepState
from caroni_edge.manager.store.jobs import JobEnd, JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.messages import JobDataReady, JobKill
from caroni_edge.values.carried import LOCATION

log = logging.getLogger(__name__)


class Orders:
    """Tells agents about jobs that they have, and keeps rows of jobs and steps in line with it.

    Attributes:
        files: Where agents get the files of jobs from.
    """

    def __init__(self, context: Context) -> None:
        """Tell agents through the outbox of `context`."""
        self._context, self._store, self._outbox = context, context.store, context.outbox
        self.files = JobFiles(context)

    def present(self, step: StepRow) -> JobRow | None:
        """Return the present job of a step; None when it has none, or that has ended."""
        job = self._store.jobs.by_id(step.job) if step.job else None
        return job if job is not None and job.open else None

    def send_data(self, step: StepRow, inputs: dict[str, Any], fed: Collection[str] = ()) -> None:
        """Send all inputs of a step to the agent that has its job; take the job back from one that would not run it.

        Such an agent is known to be away, or refuses the job type. Where inputs were sent before they are sent again:
        the job may have begun, and only its agent can say how it ended. One of those that have taken them already, as
        their agent says (`fed`), needs nothing.
        """
        job = self.present(step)
        if job is None or job.asked:
            return
        if job.job in fed:
            self._store.jobs.data_sent(job.job)
        elif not self.cannot_have_begun(job) or self._store.agents.may_serve(job.agent, step.job_type):
            self._store.jobs.data_sent(job.job)
            workflow = self._store.workflows.by_seq(step.workflow).id
            places = self.files.places(step, workflow, inputs, job.agent)
            self._outbox.put(job.agent, JobDataReady(job=job.job, inputs=inputs, places=places))
        else:
            self.take_back(step, job, "its data is there, and the agent is not, or takes no such jobs now")

    def say_places(self, row: WorkflowRow, name: str) -> None:
        """Say to those that may be fetching an object of a workflow who has it now."""
        for step in self._store.remakes.taking(row.seq, name):
            job = self.present(step)
            if job is not None and not job.begun:
                self.files.say_places(step, row.id, job)

    def cannot_have_begun(self, job: JobRow) -> bool:
        """Tell whether a job has surely not begun: its inputs were never sent, and it takes none by itself.

        A manager whose database was restored may have sent them and not know it. So its agent must have answered a
        question of this process, and nothing must be left to be reconciled with it.
        """
        if job.may_have_data or not self._context.has_answered(job.agent):
            return False
        return not self._store.agents.is_reconciling(job.agent)

    def take_back(self, step: StepRow, job: JobRow, reason: str) -> None:
        """Kill the present job of a step, which cannot have begun, and ask again at once; no attempt is used up."""
        self._outbox.put(job.agent, JobKill(job=job.job, reason=reason))
        self.never_was(step, job)

    def never_was(self, step: StepRow, job: JobRow, *, due: float | None = None) -> None:
        """Delete a job that has not come to its agent or cannot have begun there, and ask again; no attempt is used up.

        Args:
            step: Its step.
            job: The job.
            due: When agents are asked again, on the monotonic clock; None for at once.
        """
        self.recall_takers(job.job, has_begun=False)
        if step.job == job.job:
            self.unplace(step, job, due)
        else:
            self._store.jobs.delete(job.job)

    def recall_takers(self, giver: str, *, has_begun: bool = True) -> None:
        """Take back the jobs that were to take an input from one which will not be its step's result.

        And those that were to take one from them. Where the giver may have begun, they may have: by asking.
        """
        givers = [giver]
        while givers:
            for job in self._store.jobs.takers(givers.pop()):
                step = self._store.steps.by_id(job.step)
                if step.job != job.job:
                    continue
                givers.append(job.job)
                if has_begun or job.data_sent:
                    self.recall(job, "a job that it takes an input from has no result")
                else:
                    self._outbox.put(
                        job.agent, JobKill(job=job.job, reason="a job that it takes an input from is gone")
                    )
                    self.unplace(step, job)

    def recall(self, job: JobRow, reason: str) -> None:
        """Take a job back by asking: until its end is heard it stays the present one of its step."""
        self._outbox.put(job.agent, JobKill(job=job.job, reason=reason))
        self._store.jobs.recall(job.job)

    def recalled(self, step: StepRow) -> None:
        """Ask anew for a step whose present job was taken back by asking, and had begun; no attempt is used up."""
        self._store.steps.leave(step.id, require(STEP, step.status, StepEvent.RECALLED, step=step.path))
        self._context.dirty_job_types.add(step.job_type)

    def unplace(self, step: StepRow, job: JobRow, due: float | None = None) -> None:
        """Delete the present job of a step, which has not begun, and ask again (see `never_was`)."""
        self._store.jobs.delete(job.job)
        status = require(STEP, step.status, StepEvent.TAKEN_BACK, step=step.path, job=job.job)
        self._store.steps.take_back(step.id, status, due)
        self._context.dirty_job_types.add(step.job_type)
        if LOCATION in step.inputs:
            self._context.lacking.add(step.workflow)
        ids = {"step": step.path, "job": job.job, "attempt": job.attempt, "peer": job.agent}
        log.info("the job was not taken; asking anew", extra={"action": "job_taken_back", **ids})

    def withdraw(self, step: StepRow, job: JobRow, status: StepState, reason: str) -> None:
        """Take the present job away from a step that is to be in the state `status`.

        Unless it cannot have begun, it may have done so without the manager knowing. Then it is `lost`: it keeps its
        number among the attempts, and its result counts, should it complete before it is killed.
        """
        self._outbox.put(job.agent, JobKill(job=job.job, reason=reason))
        if not self.cannot_have_begun(job):
            self._store.jobs.lose(job.job, reason)
            self._store.steps.leave(step.id, status)
        else:
            self.recall_takers(job.job, has_begun=False)
            self._store.jobs.delete(job.job)
            self._store.steps.take_back(step.id, status)

    def kill_others(self, step: StepRow, winner: str, at: Moment) -> None:
        """Kill all open jobs of a step but `winner`, which has completed."""
        if step.attempt <= 1:
            return  # each has a number of its own
        for job in self._store.jobs.open_of_step(step.id):
            if job.job != winner:
                self.recall_takers(job.job)
                self._kill(job.agent, job.job, "another attempt has completed", at)

    def kill_all_of(self, step: int, reason: str, at: Moment) -> None:
        """Kill all open jobs of a step."""
        for job in self._store.jobs.open_of_step(step):
            self._kill(job.agent, job.job, reason, at)

    def kill_all(self, workflow: int, reason: str, at: Moment) -> None:
        """Kill all open jobs of a workflow."""
        for job, agent in self._store.jobs.open_of_workflow(workflow):
            self._kill(agent, job, reason, at)

    def _kill(self, agent: str, job: str, reason: str, at: Moment) -> None:
        self._outbox.put(agent, JobKill(job=job, reason=reason))
        self._store.jobs.close(job, JobEnd("killed", reason=reason, ended=at.date))
