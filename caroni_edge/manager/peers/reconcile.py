"""Reconciliation: after a lost or restored database on either side the agent is asked which jobs it has.

The rules are in docs/protocol.md, "From a step to its result".
"""

import logging
from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from caroni_edge.base.backoff import Backoff
from caroni_edge.base.memory import MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.handover import Handover
from caroni_edge.manager.jobs.logs import JobLogs
from caroni_edge.manager.jobs.orders import Orders
from caroni_edge.manager.lifecycle import STEP, StepEvent, WorkflowState
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.peers.strays import LIVE, Strays
from caroni_edge.manager.store.answers import SaidOfJob
from caroni_edge.manager.store.jobs import JobEnd, JobRow, NewJob
from caroni_edge.manager.store.steps import PlacedStep, StepRow
from caroni_edge.manager.workflows.attempts import Attempts
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.node.parts import Part
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import JobDecline, JobStatusUpdate
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.values.carried import objects_in
from caroni_edge.values.json import hash_of

log = logging.getLogger(__name__)

ASK_AGAIN_S = 5.0
"""So long after a message could not be handled its agent is asked: not at once, or it would go on and on."""
UNKNOWN_MAX, UNKNOWN_MAX_BYTES = 20_000, 64 << 20
"""So many jobs that are not known here may an agent name in an answer, and so much may it say of them."""
UNANSWERED_MAX, AGAIN = 5, Backoff(first_s=2.0, max_s=300.0)
"""After so many queries without an answer the next ones wait: each of them is a row until it is acknowledged."""


class Reconciliation(Part):
    """Asks agents which jobs they have (`JobsWanted`), and takes over their answers; twice the same changes nothing."""

    def __init__(
        self,
        context: Context,
        engine: Engine,
        attempts: Attempts,
        orders: Orders,
        logs: JobLogs,
        holds: Holds,
        handover: Handover,
    ) -> None:
        """Keep queries in the store of `context`, and let what agents say take effect by the other parts."""
        super().__init__(context.journal)
        self._context, self._engine, self._attempts, self._orders = context, engine, attempts, orders
        self._store, self._logs, self._holds, self._handover = context.store, logs, holds, handover
        self._strays = Strays(context, engine, orders)
        self._unanswered: MemoryDict[str, tuple[int, float]] = MemoryDict(context.journal)
        self._unknown: MemoryDict[str, tuple[int, int]] = MemoryDict(context.journal)  # jobs and bytes, of answers

    def on_start(self, at: Moment) -> None:
        """Repeat open queries: the answer may have come, and been rejected."""
        self._store.agents.begin_anew(at.now)

    def ask_later(self, agent: str, at: Moment) -> None:
        """Ask an agent in a while, since a message was rejected and nobody can say which jobs it was about."""
        self._store.agents.ask_later(agent, at.now + ASK_AGAIN_S)

    def forget(self, agent: str) -> None:
        """Forget an agent that will not come back: what it has said, and how often it has not answered."""
        self._clear(agent)
        self._unanswered.pop(agent, None)

    def settle(self, at: Moment) -> None:
        """Ask each agent that was marked; until it has answered its offers wait, and for a while what it may hold."""
        agents = self._store.agents.to_ask(at.now)
        for agent in agents:
            count, asked_at = self._unanswered.get(agent, (0, -inf))
            due = asked_at + AGAIN.nth(count - UNANSWERED_MAX) if count >= UNANSWERED_MAX else -inf
            known = self._store.agents.reconciled(agent)
            query = self._context.chance.new_id()
            self._store.agents.ask(agent, query, at.now)
            self._clear(agent)
            self._holds.asked(agent, at.now)
            self._store.offers.delete_of(agent)
            if at.now < due:
                self._store.agents.ask_later(agent, due)  # by another query: what answers an earlier one is void
                continue
            self._unanswered[agent] = count + 1, at.now
            wanted = JobsWanted(wanted=query, database=known.database, known=known.known, objects=True)
            self._context.outbox.put(agent, wanted)
            log.warning("asking an agent what it holds", extra={"action": "reconcile", "peer": agent})
        if agents:
            self._logs.ask_again()  # what was asked before may be lost

    def next_due(self) -> float:
        """Return when an agent is to be asked because of the time alone."""
        due = self._store.agents.next_ask()
        return inf if due is None else due

    def on_status(self, agent: str, message: JobStatusUpdate, at: Moment) -> None:
        """Take the status of a job; while its agent is asked what it holds, lay it over the answer."""
        if not self._store.agents.is_reconciling(agent):
            if objects_in(message.outputs or {}) and self._store.jobs.by_id(message.job) is None:
                self.ask_later(
                    agent, at
                )  # it keeps files for a workflow that is not here any more, and does not name it
            self._attempts.on_status(agent, message, at)
            return
        said = encode(message)
        is_named = self._store.answers.has(agent, message.job)
        if self._is_open_at(agent, message.job) or (is_named and self._has_room(agent, 0, len(said))):
            self._store.answers.lay(agent, message.job, said)
            self._store.agents.hear(agent, message.serial)

    def on_declined(self, agent: str, message: JobDecline, at: Moment) -> None:
        """Take a refusal; while its agent is asked what it holds, that is left to its answer: the job is not named."""
        if not self._store.agents.is_reconciling(agent):
            self._attempts.on_declined(agent, message, at)

    def on_jobs_here(self, agent: str, message: JobsHere, at: Moment) -> None:
        """Keep the states of the jobs in a range of ids; when the answer is whole, let it take effect."""
        known = self._store.agents.reconciled(agent)
        if known.query != message.wanted:
            log.debug("an answer to an earlier query", extra={"action": "stale_answer_ignored", "peer": agent})
            return
        for here in message.jobs:
            said = encode(here)
            if self._is_open_at(agent, here.job) or (self._may_matter(here) and self._has_room(agent, 1, len(said))):
                self._store.answers.name(agent, here.job, said)
        self._store.agents.hear(agent, max((here.serial for here in message.jobs), default=0))
        if not message.upto:
            if not self._has_room(agent, 0, 0):
                too_many = "it has named too many jobs that are not known here: only the first ones count"
                log.error(too_many, extra={"action": "jobs_left_out", "peer": agent})
            self._store.agents.answered(agent, message.database)
            self._take_answer(agent, at, is_same_database=known.database == message.database)
            self._clear(agent)
            self._holds.answered(agent, at.now)
            self._unanswered.pop(agent, None)
            log.warning("an agent has said what it holds", extra={"action": "reconciled", "peer": agent})

    def _clear(self, agent: str) -> None:
        self._store.answers.clear(agent)
        self._unknown.pop(agent, None)

    def _is_open_at(self, agent: str, name: str) -> bool:
        job = self._store.jobs.by_id(name)
        return job is not None and job.open and job.agent == agent

    def _may_matter(self, here: JobHere) -> bool:
        """Tell whether a job that is not open here changes anything: it is live, or one of a workflow that goes on."""
        if here.status in LIVE:
            return True
        row = self._store.workflows.by_id(here.workflow)
        goes_on = row is not None and row.status not in (WorkflowState.COMPLETED, WorkflowState.CANCELLED)
        return goes_on and self._store.jobs.by_id(here.job) is None

    def _has_room(self, agent: str, jobs: int, size_bytes: int) -> bool:
        """Count what an agent says of jobs that are not known here; tell whether that is not too much of it."""
        count, total_bytes = self._unknown.get(agent, (0, 0))
        self._unknown[agent] = count, total_bytes = count + jobs, total_bytes + size_bytes
        return count <= UNKNOWN_MAX and total_bytes <= UNKNOWN_MAX_BYTES

    def _take_answer(self, agent: str, at: Moment, *, is_same_database: bool) -> None:
        """Take the states of the jobs that are known; close what is not named; only then adopt what is not known."""
        said = self._store.answers.of(agent)
        states = {each.job: _state(each) for each in said}
        known = {job.job for job in self._store.jobs.open_of_agent(agent)}
        for name in _in_order({name: states[name] for name in known & states.keys()}):
            self._take(name, states[name], at)
        for job in self._store.jobs.open_of_agent(agent):
            if job.job not in states:
                self._miss(job, at, is_same_database=is_same_database)
        new = [each for each in said if each.here is not None and each.job not in known]
        self._adopt_all(agent, [_laid_over(each.here, states[each.job]) for each in new if each.here is not None], at)

    def _take(self, name: str, status: JobStatusUpdate, at: Moment) -> None:
        job = self._store.jobs.by_id(name)  # what was taken before may have closed it
        if job is not None and job.open:
            self._attempts.take_state(job, status, at)

    def _adopt_all(self, agent: str, left: Sequence[JobHere], at: Moment) -> None:
        """Adopt what is not known here: one may bring the inputs of the next. What is left belongs to no step."""
        is_news = True
        while is_news:
            adopted = {here.job for here in left if self._adopt_one(agent, here, at)}
            left, is_news = [here for here in left if here.job not in adopted], bool(adopted)
        for here in left:
            self._strays.take(agent, here, at)

    def _adopt_one(self, agent: str, here: JobHere, at: Moment) -> bool:
        if self._store.jobs.by_id(here.job) is not None:
            return False
        job = self._adopt(agent, here, at)
        if job is not None:
            self._attempts.note_accepted(agent, (here.job,))
            self._attempts.take_state(job, _status(here), at)
        return job is not None

    def _miss(self, job: JobRow, at: Moment, *, is_same_database: bool) -> None:
        """Give up a job that its agent does not have; that uses up an attempt if the job may have begun there."""
        if job.asked:
            end = JobEnd("failed", begun=not is_same_database, reason="its agent does not have it", ended=at.date)
            self._attempts.failures.fail(job, end, at)
            return
        if job.begun or (not is_same_database and job.may_have_data):
            self._attempts.failures.abandon(job, "its agent has lost what it knew of the job, which may have begun", at)
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
        step = self._strays.make_way(step)
        status = advance(STEP, step.status, StepEvent.PLACED)
        if status is None:
            return None
        attempt, repeat = step.attempt + 1, self._may_repeat(agent, here)
        self._store.steps.place([PlacedStep(step.id, status, here.job, attempt)])
        self._store.jobs.add(
            [
                NewJob(
                    job=here.job,
                    step=step.id,
                    attempt=attempt,
                    agent=agent,
                    status=here.status,
                    data_sent=here.status != "pending",
                    repeat=repeat,
                    placed=at.date,
                )
            ]
        )
        if here.status == "pending":
            self._handover.note(here.job, here.inputs_from)
        self._context.dirty_job_types.add(step.job_type)
        ids = {"workflow": here.workflow, "step": here.step, "job": here.job, "attempt": attempt, "peer": agent}
        log.warning("took over a job that its agent holds", extra={"action": "job_adopted", **ids})
        return self._store.jobs.by_id(here.job)

    def _may_repeat(self, agent: str, here: JobHere) -> bool:
        return self._store.agents.may_repeat(agent, here.job_type) if here.repeat is None else here.repeat

    def _is_for(self, agent: str, here: JobHere, step: StepRow) -> bool:
        if not (step.may_be_taken_by(agent) and self._context.settings.trusts(agent, step.job_type)):
            return False
        if here.status not in (*LIVE, "completed") or step.job_type != here.job_type:
            return False
        if step.deps_left:
            return here.status == "pending" and self._takes_the_same(agent, here, step)
        if any(job.begun for job in self._store.jobs.open_of_step(step.id)):
            return False
        return hash_of(msgspec.json.decode(step.inputs)) == here.inputs_hash

    def _takes_the_same(self, agent: str, here: JobHere, step: StepRow) -> bool:
        """Tell whether a pending job takes its inputs from those jobs from which its step would have them."""
        given = self._handover.given(step, agent, repeat=self._may_repeat(agent, here))
        is_free = self._orders.present(step) is None
        return is_free and bool(given.inputs_from) and given.inputs_from == here.inputs_from


def _in_order(states: Mapping[str, JobStatusUpdate]) -> list[str]:
    """Return jobs as their states have come to be: what one has taken from another comes after that."""
    return sorted(states, key=lambda name: (states[name].serial, name))


_IN_BOTH = [name for name in JobStatusUpdate.__struct_fields__ if name in JobHere.__struct_fields__]


def _status(here: JobHere) -> JobStatusUpdate:
    """Return the same as a status update."""
    return JobStatusUpdate(**{name: getattr(here, name) for name in _IN_BOTH})


def _state(said: SaidOfJob) -> JobStatusUpdate:
    """Return the last that an agent has said of a job: a status that came after its answer named it, or that."""
    if said.status is not None:
        return msgspec.json.decode(said.status, type=JobStatusUpdate)
    assert said.here is not None  # a row has one of them at least
    return _status(msgspec.json.decode(said.here, type=JobHere))


def _laid_over(named: bytes, state: JobStatusUpdate) -> JobHere:
    """Return what an answer has named, with the last state that was said of it."""
    here = msgspec.json.decode(named, type=JobHere)
    laid = msgspec.structs.replace(here, **{name: getattr(state, name) for name in _IN_BOTH})
    # Agents of version 1 say in their answers alone which inputs a job has.
    return laid if laid.inputs_hash else msgspec.structs.replace(laid, inputs_hash=here.inputs_hash)
