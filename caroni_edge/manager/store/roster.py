"""Agents as pages show them, read on connections of their own."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.storage.rows import Page, Rows, columns
from caroni_edge.values.json import as_text


class ShownAgent(NamedTuple):
    """An agent.

    Attributes:
        online: It is connected, as far as we have heard.
        backlog: So many ready jobs it keeps beside those that run.
        pending: So many jobs it keeps ahead of their data.
        refuses: Why it offers nothing, as JSON, by job type or manager.
        labels: What it says that it is, as a JSON list.
        depot: What it says of itself as a depot: `open`, or `full: ` and why; empty where it is none.
        seen: When it was heard of last; 0 when it has not been.
        asked: It was asked which jobs it has, and has not answered yet.
        open_jobs: How many of our jobs it has.
        messages: How many messages it has not acknowledged yet.
    """

    agent: str
    online: bool
    version: str
    host: str
    slots: int
    backlog: int
    pending: int
    refuses: str
    labels: str
    depot: str
    seen: float
    asked: bool
    open_jobs: int
    messages: int


class ShownAgentType(NamedTuple):
    """A job type of an agent, what the agent says of it (JSON), and whether it serves it to us now."""

    agent: str
    job_type: str
    serves: bool
    notice: str


class ShownAgentJob(NamedTuple):
    """A job of ours that an agent has."""

    workflow: str
    step: str
    attempt: int
    job: str
    job_type: str
    status: str
    placed: float
    started: float | None


# The numbers of the rows in an outbox are without gaps.
_AGENT = """
    a.agent, a.online, a.version, a.host, a.slots, a.backlog, a.pending, a.refuses, a.labels, a.depot, a.seen,
    a.wanted IS NOT NULL AS asked,
    (SELECT count(*) FROM jobs j WHERE j.agent = a.agent AND j.open) AS open_jobs,
    (SELECT coalesce(max(o.seq) - min(o.seq) + 1, 0) FROM outbox o WHERE o.peer = a.agent) AS messages"""


class RosterRows(Rows):
    """Statements that read agents for people."""

    ALL = f"SELECT {_AGENT} FROM agents a WHERE a.agent > :after ORDER BY a.agent LIMIT :limit"
    OF_TYPE = f"""
        SELECT {_AGENT} FROM agent_types t CROSS JOIN agents a ON a.agent = t.agent
        WHERE t.job_type = :job_type AND t.agent > :after ORDER BY t.agent LIMIT :limit"""

    def page(self, job_type: str | None, limit: int, after: str) -> Page[ShownAgent]:
        """Return a page of the agents, or of those with a job type, by id."""
        sql = self.ALL if job_type is None else self.OF_TYPE
        return self._page(ShownAgent, sql, "agent", limit, job_type=job_type, after=after)

    BY_ID = f"SELECT {_AGENT} FROM agents a WHERE a.agent = :agent"

    def by_id(self, agent: str) -> ShownAgent | None:
        """Return an agent."""
        return self._one(ShownAgent, self.BY_ID, agent=agent)

    FILES_ONLY_AT = """
        SELECT count(*) FROM (SELECT 1 FROM object_places p WHERE p.agent = :agent AND p.held > 0
            AND NOT EXISTS (SELECT 1 FROM object_places o WHERE o.workflow = p.workflow AND o.object = p.object
                AND o.held > 0 AND o.agent <> p.agent)
            LIMIT :limit)"""

    def files_only_at(self, agent: str, limit: int) -> int:
        """Count the files of workflows that no other node has, up to `limit`."""
        return self._only(int, self.FILES_ONLY_AT, agent=agent, limit=limit)

    TYPES = f"""
        SELECT {columns(ShownAgentType, "t", serves="online")}
        FROM json_each(:agents) a CROSS JOIN agent_types t ON t.agent = a.value ORDER BY t.agent, t.job_type"""

    def types(self, agents: Iterable[str]) -> list[ShownAgentType]:
        """Return the job types of these agents."""
        return self._all(ShownAgentType, self.TYPES, agents=as_text(list(agents)))

    JOBS = """
        SELECT w.id AS workflow, s.path AS step, j.attempt, j.job, s.job_type, j.status, j.placed, j.started
        FROM jobs j CROSS JOIN steps s ON s.id = j.step CROSS JOIN workflows w ON w.seq = s.workflow
        WHERE j.agent = :agent AND j.open AND j.job > :after ORDER BY j.job LIMIT :limit"""

    def jobs(self, agent: str, limit: int, after: str) -> Page[ShownAgentJob]:
        """Return a page of the jobs that an agent has of us, by their names."""
        return self._page(ShownAgentJob, self.JOBS, "job", limit, agent=agent, after=after)
