"""Jobs that an agent has and no step counts on, after somebody has lost a database.

Nobody wants them, so they are killed. But where a job may not be repeated by itself, its step is given to nobody else
before it is known whether that job has begun: it is taken back by asking.
"""

import logging

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import ENDED, STEP, StepEvent, StepState, WorkflowEvent
from caroni_edge.manager.store.jobs import JobRow, NewJob
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.protocol.messages import JobKill
from caroni_edge.protocol.reconciling import JobHere

log = logging.getLogger(__name__)

LIVE = ("pending", "queued", "running")
CLAIMS_MAX = 100
"""So many jobs of one step may an agent have had here, before those that nobody knows get no row any more."""
_OVER = (StepState.COMPLETED, StepState.FAILED, StepState.CANCELLED)


class Strays:
    """Decides what becomes of such jobs, and of their steps."""

    def __init__(self, context: Context, engine: Engine, orders: Orders) -> None:
        """Find steps by `engine`, and tell agents by the outbox of `context` and by `orders`."""
        self._context, self._engine, self._orders = context, engine, orders
        self._store = context.store

    def take(self, agent: str, here: JobHere, at: Moment) -> None:
        """Have a job killed; let its step wait, if the job may not be repeated and may have begun or still begins."""
        job, is_live = self._store.jobs.by_id(here.job), here.status in LIVE
        if is_live:
            self._context.outbox.put(agent, JobKill(job=here.job, reason="its manager does not want it any more"))
        is_news = is_live or (job is None and here.begun)
        if not is_news or (job is not None and job.agent != agent) or self._may_repeat(agent, here, job):
            return
        step = self._store.steps.by_id(job.step) if job is not None else self._find(agent, here, at)
        if step is None or not self._may_wait(agent, step):
            return
        step = self.make_way(step)
        is_asked = job is not None or self._store.jobs.count_at(step.id, agent, CLAIMS_MAX) < CLAIMS_MAX
        if is_live and is_asked:
            self._ask(agent, here, step, job, at)
            why = f"agent {agent} has a job of it that is not wanted here, and is asked whether that has begun"
        else:
            why = f"a job of it has begun on agent {agent}, and was forgotten here"
        self._doubt(step, f"{why}; its job type is never run again by itself (repeat: false)", at)

    def make_way(self, step: StepRow) -> StepRow:
        """Withdraw the present job of a step, which is not known to have begun, in favour of one that has."""
        status = advance(STEP, step.status, StepEvent.TAKEN_BACK)
        job = self._orders.present(step)
        if status is None or job is None:
            return step
        self._orders.withdraw(step, job, status, "another attempt of the step was found")
        return self._store.steps.by_id(step.id)

    def _may_repeat(self, agent: str, here: JobHere, job: JobRow | None) -> bool:
        if job is not None:
            return job.repeat
        return self._store.agents.may_repeat(agent, here.job_type) if here.repeat is None else here.repeat

    def _find(self, agent: str, here: JobHere, at: Moment) -> StepRow | None:
        row = self._store.workflows.by_id(here.workflow)
        step = self._engine.find(row, here.step, at) if row else None
        if step is None or step.job_type != here.job_type or not step.may_be_taken_by(agent):
            return None
        return step if self._context.settings.trusts(agent, step.job_type) else None

    def _may_wait(self, agent: str, step: StepRow) -> bool:
        """Tell whether a step is still to be run, and nothing that runs already would be the second run."""
        if step.status in _OVER or self._store.workflows.by_seq(step.workflow).status in ENDED:
            return False
        present = self._orders.present(step)
        return present is None or not (present.begun or present.agent == agent)

    def _ask(self, agent: str, here: JobHere, step: StepRow, job: JobRow | None, at: Moment) -> None:
        """Keep a job until its end is heard; its result does not count."""
        if job is None:
            attempt = self._store.steps.count_attempt(step.id)
            new = NewJob(here.job, step.id, attempt, agent, here.status, data_sent=True, repeat=False, placed=at.date)
            self._store.jobs.add([new])
        self._store.jobs.ask(here.job, begun=here.begun)

    def _doubt(self, step: StepRow, why: str, at: Moment) -> None:
        self._store.steps.put_in_doubt(step.id, why)
        self._context.dirty_job_types.add(step.job_type)
        row = self._store.workflows.by_seq(step.workflow)
        self._engine.statuses.stall(row, WorkflowEvent.IN_DOUBT, f"step {step.path} waits: {why}", at)
