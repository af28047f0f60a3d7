"""The agents as they show themselves: who serves what, who is silent, and what that means for the workflows."""

import logging
from math import inf

import msgspec

from caroni_edge.manager.attempts import Attempts
from caroni_edge.manager.context import Context
from caroni_edge.manager.engine import Engine
from caroni_edge.manager.lifecycle import WORKFLOW, Workflow, WorkflowEvent
from caroni_edge.protocol.messages import Presence
from caroni_edge.reactor import Moment

log = logging.getLogger(__name__)

_MAY_STALL = msgspec.json.encode(
    [s for s, arrows in WORKFLOW.items() if WorkflowEvent.NOBODY_SERVES in arrows]
).decode()
LOOK_FOR_SILENCE_S = 60.0


class Fleet:
    """Presence of agents. It makes things sooner and fills `why`; no correctness depends on it."""

    def __init__(self, context: Context, engine: Engine, attempts: Attempts) -> None:
        """Decide with what is in `context`."""
        self._context, self._engine, self._attempts = context, engine, attempts
        self._store = context.store
        self._stall_due = inf
        self._silence_due = inf

    def on_start(self, at: Moment) -> None:
        """Who is there will say so; durations begin anew."""
        self._store.agents.nobody_online()
        self._store.demands.begin_anew(at.now)
        self._look_at(set(self._store.steps.job_types_wanted()), at)
        self._stall_due = at.now + self._context.settings.stalled_after_s
        self._silence_due = at.now + self._silence_every_s()

    def on_presence(self, agent: str, presence: Presence | None, at: Moment) -> None:
        """An agent says what it is; None when it has been cleared."""
        before = self._store.agents.types(agent)
        if presence is None or not presence.online:
            self._store.agents.gone(agent, at.date)
        else:
            refuses = presence.refuses
            facts = (True, presence.boot, presence.version, presence.host, presence.slots, _json(refuses), at.date)
            self._store.agents.see(agent, facts)
            us = self._context.topics.node
            served = "*" not in refuses and us not in refuses
            types = [(name, served and name not in refuses, _json(t)) for name, t in presence.job_types.items()]
            self._store.agents.set_types(agent, types)
        self._look_at(before | (set(presence.job_types) if presence else set()), at)

    def settle(self, at: Moment) -> None:
        """Note what has become due: stalled workflows, lost jobs."""
        if self._context.wanted:
            self._look_at(self._context.wanted, at)
        if at.now >= self._stall_due:
            self._stall(at)
        if at.now >= self._silence_due:
            self._silence_due = at.now + self._silence_every_s()
            self._look_for_silence(at)

    def next_due(self) -> float:
        """Return when `settle` has something to do."""
        return min(self._stall_due, self._silence_due)

    def _look_at(self, job_types: set[str], at: Moment) -> None:
        """Note since when nobody serves these job types, and let workflows go on that somebody serves again."""
        for job_type in sorted(job_types):
            if not self._store.agents.is_served(job_type):
                self._store.demands.set_unserved(job_type, at.now)
                self._stall_due = min(self._stall_due, at.now + self._context.settings.stalled_after_s)
            elif self._store.demands.set_served(job_type):
                self._unstall(job_type)

    def _stall(self, at: Moment) -> None:
        after_s = self._context.settings.stalled_after_s
        job_types = self._store.demands.unserved(at.now - after_s)
        for job_type in job_types:
            for seq in self._store.workflows.wanting(job_type, _MAY_STALL):
                row = self._store.workflows.by_seq(seq)
                reason = f"no agent that is online serves the job type {job_type}"
                if self._engine.apply(row, WorkflowEvent.NOBODY_SERVES, reason):
                    ids = {"action": "workflow_stalled", "workflow": row.id}
                    log.warning("workflow stalled: %s", reason, extra=ids)
        following = self._store.demands.next_unserved(at.now - after_s)
        # A type that stays unserved is looked at again: new workflows may want it.
        self._stall_due = min((following or inf) + after_s, at.now + after_s if job_types else inf)

    def _unstall(self, job_type: str) -> None:
        for seq in self._store.workflows.wanting(job_type, _json([Workflow.STALLED])):
            if self._store.workflows.unserved_step(seq) is None:
                row = self._store.workflows.by_seq(seq)
                if self._engine.apply(row, WorkflowEvent.SERVED_AGAIN):
                    log.info("workflow goes on", extra={"action": "workflow_unstalled", "workflow": row.id})

    def _silence_every_s(self) -> float:
        lost_after_s = self._context.settings.lost_after_s
        return inf if lost_after_s is None else min(lost_after_s / 3, LOOK_FOR_SILENCE_S)

    def _look_for_silence(self, at: Moment) -> None:
        lost_after_s = self._context.settings.lost_after_s
        if lost_after_s is None:
            return
        for agent in self._store.jobs.agents_with_open():
            if self._context.silent_for(agent, at.now) < lost_after_s or not self._store.jobs.has_present(agent):
                continue
            reason = f"agent {agent} has been silent for longer than lost_after"
            log.warning("%s", reason, extra={"action": "agent_silent", "peer": agent})
            for job in self._store.jobs.open_of_agent(agent):
                if not job.lost:
                    self._attempts.lose(job, reason, at)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
