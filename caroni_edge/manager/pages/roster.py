"""What API and pages show of the agents: the dicts that are made of their rows."""

import sqlite3
from collections.abc import Iterable

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.pages.shapes import (
    AgentDetail,
    AgentJobPage,
    AgentJobView,
    AgentPage,
    AgentTypeView,
    AgentView,
)
from caroni_edge.manager.store.roster import RosterRows, ShownAgent, ShownAgentJob, ShownAgentType
from caroni_edge.protocol.labels import read_label

FILES_COUNTED = 10_000
"""So many files that lie at one agent alone are counted, and not more."""


class Roster:
    """The agents that this manager has heard of, at one commit."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Read on a connection that is within a transaction."""
        self._rows = RosterRows(conn)

    def page(self, limit: int, after: str, job_type: str | None = None) -> AgentPage:
        """Return a page of the agents, or of those that have a job type, by id."""
        page = self._rows.page(job_type, limit, after)
        return AgentPage(agents=self._views(page.rows), next=page.next)

    def agent(self, agent: str) -> AgentDetail | None:
        """Return an agent."""
        row = self._rows.by_id(agent)
        if row is None:
            return None
        return AgentDetail(**self._views([row])[0], files_only_here=self._rows.files_only_at(agent, FILES_COUNTED))

    def jobs(self, agent: str, limit: int, after: str) -> AgentJobPage:
        """Return a page of the jobs that an agent has of this manager."""
        page = self._rows.jobs(agent, limit, after)
        return AgentJobPage(jobs=[_job(row) for row in page.rows], next=page.next)

    def _views(self, rows: Iterable[ShownAgent]) -> list[AgentView]:
        rows = list(rows)
        types: dict[str, dict[str, AgentTypeView]] = {row.agent: {} for row in rows}
        for each in self._rows.types(types):
            types[each.agent][each.job_type] = _type(each)
        return [_agent(row, types[row.agent]) for row in rows]


def _agent(row: ShownAgent, types: dict[str, AgentTypeView]) -> AgentView:
    return AgentView(
        id=row.agent,
        online=row.online,
        host=row.host,
        version=row.version,
        slots=row.slots,
        backlog=row.backlog,
        pending=row.pending,
        open_jobs=row.open_jobs,
        messages_waiting=row.messages,
        is_asked=row.asked,
        seen=rfc3339(row.seen) if row.seen else None,
        refuses=msgspec.json.decode(row.refuses),
        labels=dict(read_label(each) for each in msgspec.json.decode(row.labels)),
        depot=row.depot,
        job_types=types,
    )


def _type(row: ShownAgentType) -> AgentTypeView:
    notice = msgspec.json.decode(row.notice)
    return AgentTypeView(
        serves=row.serves,
        repeat=notice.get("repeat", True),
        inputs=notice.get("inputs", {}),
        outputs=notice.get("outputs", {}),
        secrets=notice.get("secrets", []),
    )


def _job(row: ShownAgentJob) -> AgentJobView:
    return AgentJobView(
        workflow=row.workflow,
        step=row.step,
        attempt=row.attempt,
        job=row.job,
        job_type=row.job_type,
        status=row.status,
        placed=rfc3339(row.placed),
        started=rfc3339(row.started),
    )
