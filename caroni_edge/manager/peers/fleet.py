"""Keeps what agents say of themselves (presence), and gives up the jobs of those that are silent for too long."""

import logging
from collections.abc import Mapping
from math import inf

import msgspec

from caroni_edge.base.memory import MemoryDict, MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.config.model import EVERYBODY
from caroni_edge.manager.context import Context
from caroni_edge.manager.jobs.files import JobFiles
from caroni_edge.manager.offers.holds import Holds
from caroni_edge.manager.peers.stalls import Stalls
from caroni_edge.manager.store.agents import AgentType
from caroni_edge.manager.workflows.failures import Failures
from caroni_edge.node.parts import Part
from caroni_edge.node.reactor import Forgotten
from caroni_edge.protocol.depots import DRAINED
from caroni_edge.protocol.labels import as_list
from caroni_edge.protocol.messages import Presence
from caroni_edge.values.json import as_text
from caroni_edge.values.remote import direct_address

log = logging.getLogger(__name__)

LOOK_FOR_SILENCE_S = 60.0
STAGING_MAX = 500
"""So much is kept of what an agent says that files wait for."""


class Fleet(Part):
    """Looks after the agents. Presence makes things sooner and fills `why`; no correctness depends on it."""

    def __init__(self, context: Context, stalls: Stalls, failures: Failures, holds: Holds, files: JobFiles) -> None:
        """Keep agents in the store of `context`; tell `stalls` of job types, and `failures` of jobs that are lost."""
        super().__init__(context.journal)
        self._files = files
        self._context, self._stalls, self._failures, self._holds = context, stalls, failures, holds
        self._store = context.store
        self._silence_due = -inf
        self._is_reloaded = False
        self._heard: MemorySet[str] = MemorySet(context.journal)
        self._serving: MemoryDict[str, int] = MemoryDict(context.journal)

    def on_start(self, at: Moment) -> None:
        """Take all agents for away: those that are there will say so."""
        self._store.agents.nobody_online()

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """From now on each agent is a newcomer once: it may have missed what was said before."""
        self._heard.clear()

    def on_presence(self, agent: str, presence: Presence | None, at: Moment) -> set[str]:
        """Keep what an agent says of itself.

        Args:
            agent: Its id.
            presence: What it says; None when its presence was cleared.
            at: The time.

        Returns:
            The job types that it serves and did not serve before, or all that it serves if it is a newcomer.
        """
        before = self._store.agents.serving(agent)
        if presence is None or not presence.online:
            self._store.agents.gone(agent, at.date)
            self._heard.discard(agent)
        else:
            self._see(agent, presence, at)
        now = self._store.agents.serving(agent)
        self._serves(before, now, at)
        knows = before if agent in self._heard else set()
        if presence and presence.online:
            self._heard.add(agent)
        return now - knows

    def _see(self, agent: str, presence: Presence, at: Moment) -> None:
        refuses, labels = presence.refuses, as_text(as_list(presence.labels))
        hosts = None if presence.hosts is None else as_text(presence.hosts)
        if has_other_hosts := hosts != self._store.agents.hosts(agent):
            self._stalls.look_at_files()
        if has_other_labels := labels != self._store.agents.labels(agent):
            self._heard.discard(agent)  # other steps are for it now
        self._store.agents.see(
            agent,
            boot=presence.boot,
            version=presence.version,
            host=presence.host,
            slots=presence.slots,
            backlog=2 * presence.slots if presence.backlog is None else presence.backlog,
            pending=2 * presence.slots if presence.pending is None else presence.pending,
            refuses=as_text(refuses),
            labels=labels,
            speaks=presence.speaks,
            staging=self._staging(presence),
            depot=presence.depot,
            drains=refuses.get("*", "").startswith(DRAINED),
            # What is no address would make messages to others unreadable.
            direct="" if direct_address(presence.direct) is None else presence.direct,
            hosts=hosts,
            date=at.date,
        )
        types = [
            AgentType(name, self._is_served(agent, name, refuses), as_text(notice))
            for name, notice in presence.job_types.items()
        ]
        lost_types = self._store.agents.set_types(agent, types)
        if has_other_hosts or has_other_labels or lost_types:
            # What waits for it, since it has the files, it perhaps cannot take any more.
            self._context.bind_anew(self._store.unplaced.workflows_bound_to(agent))

    def count_serving(self, job_type: str) -> int:
        """Return how many agents serve a job type to us."""
        return self._serving.get(job_type, 0)

    def forget(self, agent: str, at: Moment) -> Forgotten:
        """Delete an agent that will not come back. Its jobs count as attempts as far as they may have begun."""
        reason = f"agent {agent} was forgotten"
        jobs = self._store.jobs.open_of_agent(agent)
        for job in jobs:
            self._failures.abandon(job, reason, at)
        self._holds.forget(agent)
        self._heard.discard(agent)
        before = self._store.agents.serving(agent)
        offers, rows = self._store.offers.delete_of(agent), self._store.agents.forget(agent)
        rows += self._store.places.forget(agent) + self._files.forget(agent)
        self._context.bind_anew(self._store.remakes.workflows())
        self._serves(before, set(), at)
        self._stalls.look_at_files()
        return Forgotten(rows=rows, jobs=len(jobs), offers=offers)

    def settle(self, at: Moment) -> None:
        """Give up the jobs of silent agents, when it is time to look."""
        if self._is_reloaded:
            self._is_reloaded = False
            self._look_whom_to_trust(at)
        if at.now >= self._silence_due:
            self._look_for_silence(at)

    def next_due(self) -> float:
        """Return when `settle` has something to do."""
        return self._silence_due

    def reload(self) -> None:
        """Look at once: `lost_after` may be another, and other agents may be trusted."""
        self._silence_due, self._is_reloaded = -inf, True

    def _staging(self, presence: Presence) -> str:
        """Return what the files of our jobs wait for at an agent, for people; empty where they come."""
        said = (presence.staging.get(name) for name in (EVERYBODY, self._context.topics.node))
        return "; ".join(each for each in said if each)[:STAGING_MAX]

    def _is_served(self, agent: str, job_type: str, refuses: Mapping[str, str]) -> bool:
        """Tell whether an agent that has a job type serves it to us.

        A type that it has and refuses is one whose jobs all fail there: it still offers a place now and then.
        """
        is_willing = "*" not in refuses and self._context.topics.node not in refuses
        return is_willing and self._context.settings.trusts(agent, job_type)

    def _look_whom_to_trust(self, at: Moment) -> None:
        """Note for each job type of the agents that are there whether they serve it by the present settings."""
        for agent, job_type, served, refuses in self._store.agents.shown_types():
            serves = self._is_served(agent, job_type, msgspec.json.decode(refuses))
            if serves != served:
                self._store.agents.set_serves(agent, job_type, serves=serves)
                self._serves({job_type} if served else set(), {job_type} if serves else set(), at)
        self._context.dirty_job_types.update(self._store.unplaced.job_types())

    def _serves(self, before: set[str], now: set[str], at: Moment) -> None:
        """Note what an agent served before and serves now."""
        for job_type in before ^ now:
            if count := self.count_serving(job_type) + (1 if job_type in now else -1):
                self._serving[job_type] = count
            else:
                del self._serving[job_type]
        self._stalls.look_at(before ^ now, at)
        for job_type in sorted(before - now):
            # What has failed on all others was to wait for this agent: now anyone may have it.
            if self._store.demands.renew(job_type):
                self._context.dirty_job_types.add(job_type)

    def _look_for_silence(self, at: Moment) -> None:
        lost_after_s = self._context.settings.lost_after_s
        if lost_after_s is None:
            self._silence_due = inf
            return
        self._silence_due = at.now + min(lost_after_s / 3, LOOK_FOR_SILENCE_S)
        for agent in self._store.jobs.agents_with_open():
            if self._context.silent_for(agent, at.now) < lost_after_s:
                continue
            jobs = [job for job in self._store.jobs.open_of_agent(agent) if not job.lost]
            if jobs:
                reason = f"agent {agent} has been silent for longer than lost_after"
                log.warning("%s", reason, extra={"action": "agent_silent", "peer": agent})
                for job in jobs:
                    self._failures.lose(job, reason, at)
