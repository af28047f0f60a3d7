"""Reconciliation: after a lost or restored database on either side the agent is asked which jobs it has.

The rules are in docs/protocol.md, "Reconciliation".
"""

import logging
from math import inf

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.logs import JobLogs
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import STEP, StepEvent
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.store.jobs import JobRow, NewJob
from caroni_edge.manager.store.steps import PlacedStep, StepRow
from caroni_edge.manager.workflows.attempts import Attempts
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.node.parts import Part
from caroni_edge.protocol.messages import JobHere, JobKill, JobsHere, JobStatusUpdate, JobsWanted
from caroni_edge.values.json import hash_of

log = logging.getLogger(__name__)

ASK_AGAIN_S = 5.0
"""So long after a message could not be handled its agent is asked: not at once, or it would go on and on."""
LIVE = ("pending", "queued", "running")


class Reconciliation(Part):
    """Asks agents which jobs they have (`JobsWanted`), and takes over their answers; twice the same changes nothing."""

    def __init__(
        self, context: Context, engine: Engine, attempts: Attempts, orders: Orders, logs: JobLogs, holds: Holds
    ) -> None:
        """Keep queries in the store of `context`, and let what agents say take effect by the other parts."""
        super().__init__(context.journal)
        self._context, self._engine, self._attempts, self._orders = context, engine, attempts, orders
        self._store, self._logs, self._holds = context.store, logs, holds

    def on_start(self, at: Moment) -> None:
        """Repeat open queries: the answer may have come, and been rejected."""
        self._store.agents.begin_anew(at.now)

    def ask_later(self, agent: str, at: Moment) -> None:
        """Ask an agent in a while, since a message was rejected and nobody can say which jobs it was about."""
        self._store.agents.ask_later(agent, at.now + ASK_AGAIN_S)

    def settle(self, at: Moment) -> None:
        """Ask each agent that was marked; until it has answered its offers wait, and for a while what it may hold."""
        agents = self._store.agents.to_ask(at.now)
        for agent in agents:
            known = self._store.agents.reconciled(agent)
            query = self._context.chance.new_id()
            self._store.agents.ask(agent, query, at.now)
            self._holds.asked(agent, at.now)
            self._store.offers.delete_of(agent)
            self._context.outbox.put(agent, JobsWanted(wanted=query, database=known.database, known=known.known))
            log.warning("asking an agent what it holds", extra={"action": "reconcile", "peer": agent})
        if agents:
            self._logs.ask_again()  # what was asked before may be lost

    def next_due(self) -> float:
        """Return when an agent is to be asked because of the time alone."""
        due = self._store.agents.next_ask()
        return inf if due is None else due

    def on_jobs_here(self, agent: str, message: JobsHere, at: Moment) -> None:
        """Take the states of the jobs in a range of ids; what we know there and it does not name is not there."""
        known = self._store.agents.reconciled(agent)
        if known.query != message.wanted:
            log.debug("an answer to an earlier query", extra={"action": "stale_answer_ignored", "peer": agent})
            return
        for here in message.jobs:
            self._take(agent, here, at)
        named = {here.job for here in message.jobs}
        for job in self._store.jobs.open_of_agent(agent, message.after, message.upto):
            if job.job not in named:
                self._miss(job, at, is_same_database=known.database == message.database)
        self._store.agents.hear(agent, max((here.serial for here in message.jobs), default=0))
        if not message.upto:
            self._store.agents.answered(agent, message.database)
            self._holds.answered(agent, at.now)
            log.warning("an agent has said what it holds", extra={"action": "reconciled", "peer": agent})

    def _take(self, agent: str, here: JobHere, at: Moment) -> None:
        """Take the status of a job, whatever was heard of it before; let the agent kill a job that no step needs."""
        job = self._store.jobs.by_id(here.job) or self._adopt(agent, here, at)
        if job is not None and job.open and job.agent == agent:
            self._attempts.take_state(job, _status(here), at)
        elif here.status in LIVE:
            self._context.outbox.put(agent, JobKill(job=here.job, reason="its manager does not want it any more"))

    def _miss(self, job: JobRow, at: Moment, *, is_same_database: bool) -> None:
        """Give up a job that its agent does not have; that uses up an attempt if the job may have begun there."""
        if job.begun or (job.data_sent and not is_same_database):
            self._attempts.abandon(job, "its agent has lost what it knew of the job, which may have begun", at)
        else:
            self._orders.never_was(self._store.steps.by_id(job.step), job)

    def _adopt(self, agent: str, here: JobHere, at: Moment) -> JobRow | None:
        """Make a job that is not known here the present one of its step.

        Only if the agent may take the step, which has the same inputs, and no job of it is known to have begun. Returns
        None otherwise. Its number is the next one here: what the agent says of that proves nothing.
        """
        row = self._store.workflows.by_id(here.workflow)
        step = self._engine.find(row, here.step, at) if row else None
        if step is None or not self._is_for(agent, here, step):
            return None
        step = self._make_way(step)
        status = advance(STEP, step.status, StepEvent.PLACED)
        if status is None:
            return None
        attempt = step.attempt + 1
        repeat = self._store.agents.may_repeat(agent, here.job_type)
        self._store.steps.place([PlacedStep(step.id, status, here.job, attempt)])
        self._store.jobs.add(
            [
                NewJob(
                    job=here.job,
                    step=step.id,
                    attempt=attempt,
                    agent=agent,
                    status=here.status,
                    data_sent=True,
                    repeat=repeat,
                    placed=at.date,
                )
            ]
        )
        self._context.dirty_job_types.add(step.job_type)
        ids = {"workflow": here.workflow, "step": here.step, "job": here.job, "attempt": attempt, "peer": agent}
        log.warning("took over a job that its agent holds", extra={"action": "job_adopted", **ids})
        return self._store.jobs.by_id(here.job)

    def _is_for(self, agent: str, here: JobHere, step: StepRow) -> bool:
        if step.agents is not None and agent not in msgspec.json.decode(step.agents):
            return False
        if here.status not in (*LIVE, "completed") or step.deps_left or step.job_type != here.job_type:
            return False
        if any(job.begun for job in self._store.jobs.open_of_step(step.id)):
            return False
        return hash_of(msgspec.json.decode(step.inputs)) == here.inputs_hash

    def _make_way(self, step: StepRow) -> StepRow:
        """Withdraw the present job of a step, which is not known to have begun, in favour of one that has."""
        status = advance(STEP, step.status, StepEvent.TAKEN_BACK)
        job = self._orders.present(step)
        if status is None or job is None:
            return step
        self._orders.withdraw(step, job, status, "another attempt of the step was found")
        return self._store.steps.by_id(step.id)


def _status(here: JobHere) -> JobStatusUpdate:
    """Return the same as a status update, all fields of which a `JobHere` has."""
    return JobStatusUpdate(**{name: getattr(here, name) for name in JobStatusUpdate.__struct_fields__})
