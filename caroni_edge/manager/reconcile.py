"""Reconciliation: after a lost or restored database on either side, the agent says what it holds.

The rules are in docs/protocol.md, "From a step to its result".
"""

import logging
from math import inf

import msgspec

from caroni_edge.manager.attempts import Attempts
from caroni_edge.manager.context import Context
from caroni_edge.manager.engine import Engine
from caroni_edge.manager.lifecycle import STEP, StepEvent
from caroni_edge.manager.placing import OTHERS_WAIT_S, Placing
from caroni_edge.manager.store.jobs import JobEnd
from caroni_edge.protocol.messages import JobHere, JobKill, JobsHere, JobStatusUpdate, JobsWanted
from caroni_edge.reactor import Moment
from caroni_edge.states import advance
from caroni_edge.values import hash_of

log = logging.getLogger(__name__)


class Reconciliation:
    """Asks agents for their jobs, and brings ours to what they say. It may happen twice: all of it is repeatable."""

    def __init__(self, context: Context, engine: Engine, attempts: Attempts, placing: Placing) -> None:
        """Decide with what is in `context`."""
        self._context, self._engine, self._attempts, self._placing = context, engine, attempts, placing
        self._store = context.store

    def settle(self, at: Moment) -> None:
        """Ask each agent that was marked; until it has answered its offers wait, and others' for a while."""
        for agent in self._store.agents.marked():
            known = self._store.agents.reconciling(agent)
            wanted = self._context.chance.new_id()
            self._store.agents.want(agent, wanted)
            self._store.offers.delete_of(agent)
            question = JobsWanted(wanted=wanted, database=known.database, known=known.known)
            self._context.outbox.put(agent, question)
            self._store.agents.unmark(agent)
            self._placing.hold_until = at.now + OTHERS_WAIT_S
            log.warning("asking an agent what it holds", extra={"action": "reconcile", "peer": agent})

    def on_jobs_here(self, agent: str, message: JobsHere, at: Moment) -> None:
        """Take the states of the jobs in a range of ids; what we believed there and is not named is not there."""
        known = self._store.agents.reconciling(agent)
        if known.wanted != message.wanted:
            log.debug("an answer to an earlier question", extra={"action": "stale_answer_ignored", "peer": agent})
            return
        named = {here.job for here in message.jobs}
        for here in message.jobs:
            self._take(agent, here, at)
        if known.database != message.database:
            self._store.agents.renew(agent, message.database)
        same = not self._store.agents.is_renewed(agent)
        for job in self._store.jobs.open_of_agent(agent, message.after, message.upto):
            if job.job in named:
                continue
            if same or not job.data_sent:
                self._engine.never_was(self._store.steps.by_id(job.step), job.job, at)
            else:
                reason = "its agent has lost its database; the job may have begun"
                self._attempts.fail(job, JobEnd("failed", begun=True, reason=reason, ended=at.date), at)
        self._store.agents.set_known(agent, max((here.serial for here in message.jobs), default=0))
        if not message.upto:
            self._store.agents.reconciled(agent)
            self._placing.hold_until = inf
            log.warning("an agent has said what it holds", extra={"action": "reconciled", "peer": agent})

    def _take(self, agent: str, here: JobHere, at: Moment) -> None:
        job = self._store.jobs.by_id(here.job)
        if job is None and here.status in ("pending", "queued", "running", "completed"):
            if not self._adopt(agent, here, at):
                self._context.outbox.put(agent, JobKill(job=here.job, reason="the manager does not know this job"))
                return
            job = self._store.jobs.by_id(here.job)
        if job is None or not job.open or job.agent != agent:
            if here.status in ("pending", "queued", "running"):
                self._context.outbox.put(agent, JobKill(job=here.job, reason="the manager does not want this job"))
            return
        if here.serial > job.serial:
            self._attempts.take_state(job, _status(here), at)

    def _adopt(self, agent: str, here: JobHere, at: Moment) -> bool:
        """Take over a job that we have forgotten, for a step with the same inputs that we do not know to have begun."""
        row = self._store.workflows.by_id(here.workflow)
        step = self._store.steps.by_path(row.seq, here.step) if row else None
        if step is None or step.missing or step.job_type != here.job_type or not here.inputs_hash:
            return False
        status = advance(STEP, step.status, StepEvent.PLACED)
        same_inputs = hash_of(msgspec.json.decode(step.inputs)) == here.inputs_hash
        if status is None or not same_inputs or self._store.jobs.has_begun(step.id):
            return False
        attempt = max(here.attempt, step.attempt + 1)
        self._store.steps.place([(status, here.job, attempt, step.id)])
        self._store.jobs.adopt(here.job, step.id, attempt, agent, here.status, begun=here.begun, date=at.date)
        self._context.wanted.add(step.job_type)
        ids = {"workflow": here.workflow, "step": here.step, "job": here.job, "attempt": attempt, "peer": agent}
        log.warning("took over a job that its agent holds", extra={"action": "job_adopted", **ids})
        return True


def _status(here: JobHere) -> JobStatusUpdate:
    return JobStatusUpdate(
        job=here.job,
        serial=here.serial,
        status=here.status,
        begun=here.begun,
        outputs=here.outputs,
        reason=here.reason,
        exit_code=here.exit_code,
        stderr=here.stderr,
        started=here.started,
        ended=here.ended,
        version=here.version,
    )
