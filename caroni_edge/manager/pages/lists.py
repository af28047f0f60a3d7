"""Lists of workflows: what the API and the pages show of each without its steps."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.config.model import ManagerConfig
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.agentcheck import check_agents
from caroni_edge.manager.pages.progress import progress_of
from caroni_edge.manager.pages.shapes import Progress, WorkflowPage, WorkflowSummary
from caroni_edge.manager.pages.templateshapes import AgentFinding, LastRun, PauseView, VersionView
from caroni_edge.manager.store import Store
from caroni_edge.manager.store.listed import ListedRows, WorkflowFilter
from caroni_edge.manager.store.pauses import PauseRow
from caroni_edge.manager.store.serving import ServingRows
from caroni_edge.manager.store.shown import ShownWorkflow
from caroni_edge.manager.templates.plan import Plan, decode_plan
from caroni_edge.manager.workflows.bulk import BulkAction, filters_of

PLANS_KEPT = 32
HELD_COUNTED = 100_000
VERSIONS_SHOWN = 20
COUNTED_MAX = 10_000
LOOKED_AT_MAX = 20_000
"""To count the workflows of a filter, so many others are looked at."""


class Plans:
    """Plans by their hash; they never change. Shared by all requests."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, Plan] = {}

    def get(self, plan_hash: str, read: Callable[[str], bytes]) -> Plan:
        """Return a plan; `read` gives it as it is kept."""
        plan = self._kept.get(plan_hash)
        if plan is None:
            plan = decode_plan(read(plan_hash))
            if len(self._kept) >= PLANS_KEPT:
                self._kept.clear()
            self._kept[plan_hash] = plan
        return plan


class WorkflowLists:
    """Reads lists of workflows from the database of a manager."""

    def __init__(self, conn: sqlite3.Connection, plans: Plans) -> None:
        """Read on `conn`."""
        self._store, self._plans = Store(conn), plans
        self._lists, self._serving = ListedRows(conn), ServingRows(conn)

    def workflows(self, wanted: WorkflowFilter, limit: int, after: int | None) -> WorkflowPage:
        """Return a page of the workflows that fit a filter, newest first."""
        page = self._lists.page(wanted, limit, after)
        following = None if page.next is None else str(page.next)
        return WorkflowPage(
            workflows=self.summaries(page.rows), next=following, looked_back_to=rfc3339(page.looked_back_to)
        )

    def count_for(self, action: BulkAction, wanted: WorkflowFilter) -> int | None:
        """Count the workflows that fit a filter and to which something can be done; None if too many do not fit.

        Returns:
            How many; `COUNTED_MAX + 1` for all that are more.
        """
        count, looked_at = 0, 0
        for each in filters_of(action, wanted):
            for_doubt = action == "retry" and each.status is WorkflowState.STALLED
            if each.status and not for_doubt and each == WorkflowFilter(each.status, each.template):
                count += self._lists.count(each.status, each.template, COUNTED_MAX + 1 - count)
                continue
            fits = each.fitting()
            for row in self._lists.each(each):
                if not fits(row):
                    looked_at += 1
                elif not for_doubt or self._store.steps.any_in_doubt(row.seq):
                    count += 1
                if looked_at > LOOKED_AT_MAX:
                    return None
                if count > COUNTED_MAX:
                    return count
        return count

    def summaries(self, rows: Sequence[ShownWorkflow]) -> list[WorkflowSummary]:
        """Return workflows without their steps."""
        progress = progress_of(self._lists, [(row, self.plan(row)) for row in rows])
        return [_summary(row, progress[row.seq]) for row in rows]

    def plan(self, workflow: ShownWorkflow) -> Plan:
        """Return the plan that a workflow runs by: its template as it was at the start, compiled."""
        return self._plans.get(workflow.plan, self._store.workflows.plan)

    def pause(self, template: str) -> PauseRow | None:
        """Return the pause of a template, if its new workflows are held."""
        return self._store.pauses.of_template(template)

    def versions(self, template: str, hash_now: str | None) -> list[VersionView]:
        """Return the versions of a template that workflows run by, the newest first."""
        return [
            VersionView(
                version=each.hash,
                since=rfc3339(each.date),
                workflows=min(each.workflows, COUNTED_MAX),
                more=each.workflows > COUNTED_MAX,
                in_force=each.hash == hash_now,
            )
            for each in self._lists.versions(template, VERSIONS_SHOWN, COUNTED_MAX + 1)
        ]

    def last_runs(self, templates: Sequence[str]) -> dict[str, LastRun]:
        """Return the newest workflow of each of these templates, by name, where there is one."""
        return {
            each.template: LastRun(id=each.id, status=each.status, created=rfc3339(each.created))
            for each in self._lists.newest_of(templates)
        }

    def check_agents(self, plan: Plan, settings: ManagerConfig) -> list[AgentFinding]:
        """Return what keeps the agents that are there from running a template; nothing when they can."""
        return check_agents(self._serving, plan, settings)

    def pauses(self) -> dict[str, PauseView]:
        """Return which templates are paused, and of which workflows are still held, by name."""
        return {each.template: self._pause(each.template, each) for each in self._store.pauses.all()}

    def pause_view(self, template: str) -> PauseView:
        """Return whether a template is paused."""
        return self._pause(template, self.pause(template))

    def _pause(self, template: str, row: PauseRow | None) -> PauseView:
        paused = row is not None and not row.resumed
        since = rfc3339(row.since) if row is not None and paused else None
        held = self._lists.count(WorkflowState.HELD, template, HELD_COUNTED) if row else 0
        return PauseView(template=template, paused=paused, since=since, held=held)


def _summary(row: ShownWorkflow, progress: Progress) -> WorkflowSummary:
    started = row.created if row.started == 0 else row.started
    return WorkflowSummary(
        id=row.id,
        template=row.template,
        status=row.status,
        priority=row.priority,
        created=rfc3339(row.created),
        started=rfc3339(started),
        ended=rfc3339(row.ended),
        duration_s=None if started is None or row.ended is None else max(0.0, row.ended - started),
        progress=progress,
        inputs=values_of(row.inputs) or {},
        outputs=values_of(row.outputs),
        labels=values_of(row.labels) or {},
        reason=row.reason,
    )


def values_of(text: str | None) -> dict[str, Any] | None:
    """Return the values that are kept as JSON."""
    values: dict[str, Any] | None = None if text is None else msgspec.json.decode(text)
    return values
