"""What the API and the pages show of a manager: the dicts that are made of its rows."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.pages.progress import progress_of
from caroni_edge.manager.pages.roster import Roster
from caroni_edge.manager.pages.shapes import (
    AttemptView,
    PartsView,
    PauseView,
    Progress,
    StepPage,
    StepView,
    WorkflowPage,
    WorkflowSummary,
    WorkflowView,
)
from caroni_edge.manager.store import Store
from caroni_edge.manager.store.gates import GateKey
from caroni_edge.manager.store.jobs import LogEnd
from caroni_edge.manager.store.listed import ListedRows, WorkflowFilter
from caroni_edge.manager.store.pauses import PauseRow
from caroni_edge.manager.store.shown import (
    ShownAgentRows,
    ShownAttempt,
    ShownServer,
    ShownStep,
    ShownStepRows,
    ShownWorkflow,
    ShownWorkflowRows,
)
from caroni_edge.manager.templates.plan import Plan, decode_plan, prefix_of
from caroni_edge.manager.workflows.bulk import BulkAction, filters_of

STEPS_SHOWN = 1000
PIECES_AT_ONCE = 32
"""Steps in the answer about a workflow; more are asked for by page."""

PLANS_KEPT = 32
HELD_COUNTED = 100_000
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


class ManagerViews:
    """Reads what is shown of a manager from its database."""

    def __init__(self, conn: sqlite3.Connection, plans: Plans) -> None:
        """Read on `conn`."""
        self._store, self._plans = Store(conn), plans
        self.roster = Roster(conn)
        self._workflows, self._steps, self._agents = ShownWorkflowRows(conn), ShownStepRows(conn), ShownAgentRows(conn)
        self._lists = ListedRows(conn)

    # Workflows

    def workflows(self, wanted: WorkflowFilter, limit: int, after: int | None) -> WorkflowPage:
        """Return a page of the workflows that fit a filter, newest first."""
        page = self._lists.page(wanted, limit, after)
        following = None if page.next is None else str(page.next)
        return WorkflowPage(
            workflows=self._summaries(page.rows), next=following, looked_back_to=rfc3339(page.looked_back_to)
        )

    def count_for(self, action: BulkAction, wanted: WorkflowFilter) -> int | None:
        """Count the workflows that fit a filter and to which something can be done; None if too many do not fit.

        Returns:
            How many; `COUNTED_MAX + 1` for all that are more.
        """
        count, looked_at = 0, 0
        for each in filters_of(action, wanted):
            fits = each.fitting()
            for row in self._lists.each(each):
                if not fits(row):
                    looked_at += 1
                elif action != "retry" or row.status is WorkflowState.FAILED or self._store.steps.any_in_doubt(row.seq):
                    count += 1
                if looked_at > LOOKED_AT_MAX:
                    return None
                if count > COUNTED_MAX:
                    return count
        return count

    def workflow_row(self, workflow: str) -> ShownWorkflow | None:
        """Return the row of a workflow."""
        return self._workflows.by_id(workflow)

    def workflow(self, workflow: str) -> WorkflowView | None:
        """Return a workflow with its first steps."""
        row = self.workflow_row(workflow)
        if row is None:
            return None
        steps = self.steps(row, None, STEPS_SHOWN, "")
        return WorkflowView(**self._summaries([row])[0], steps=steps["steps"], steps_next=steps["next"])

    def summary(self, workflow: str) -> WorkflowSummary | None:
        """Return a workflow without its steps."""
        row = self.workflow_row(workflow)
        return self._summaries([row])[0] if row else None

    def _summaries(self, rows: Sequence[ShownWorkflow]) -> list[WorkflowSummary]:
        progress = progress_of(self._lists, {row: self.plan(row) for row in rows})
        return [_summary(row, progress[row.seq]) for row in rows]

    def plan(self, workflow: ShownWorkflow) -> Plan:
        """Return the plan that a workflow runs by: its template as it was at the start, compiled."""
        return self._plans.get(workflow.plan, self._store.workflows.plan)

    def pause(self, template: str) -> PauseRow | None:
        """Return the pause of a template, if its new workflows are held."""
        return self._store.pauses.of_template(template)

    def pauses(self) -> dict[str, PauseView]:
        """Return which templates are paused, and of which workflows are still held, by name."""
        return {each.template: self._pause(each.template, each) for each in self._store.pauses.all()}

    def pause_view(self, template: str) -> PauseView:
        """Return whether a template is paused."""
        return self._pause(template, self.pause(template))

    def _pause(self, template: str, row: PauseRow | None) -> PauseView:
        paused = row is not None and not row.resumed
        since = rfc3339(row.since) if row is not None and paused else None
        held = self._lists.count_held(template, HELD_COUNTED) if row else 0
        return PauseView(template=template, paused=paused, since=since, held=held)

    # Steps

    def steps(self, workflow: ShownWorkflow, status: StepState | None, limit: int, after: str) -> StepPage:
        """Return a page of a workflow's steps, by name."""
        page = self._steps.page(workflow.seq, status, limit, after)
        attempts = self.attempts(row.id for row in page.rows)
        waiting = self.waiting_for(workflow, page.rows)
        steps = {row.path: _step(row, waiting[row.path], attempts.get(row.id, [])) for row in page.rows}
        return StepPage(steps=steps, next=page.next)

    def steps_that_tell(self, workflow: ShownWorkflow, statuses: Iterable[StepState], limit: int) -> list[ShownStep]:
        """Return steps of a workflow in these states, those first that tell most about why it is where it is."""
        return self._steps.that_tell(workflow.seq, statuses, limit)

    def step_row(self, workflow: ShownWorkflow, path: str) -> ShownStep | None:
        """Return the row of a step."""
        return self._steps.by_path(workflow.seq, path)

    def attempts(self, steps: Iterable[int]) -> dict[int, list[AttemptView]]:
        """Return the attempts of steps (by their ids), in order."""
        found: dict[int, list[AttemptView]] = {}
        for row in self._steps.attempts(steps):
            found.setdefault(row.step, []).append(_attempt(row))
        return found

    def waiting_for(self, workflow: ShownWorkflow, steps: Sequence[ShownStep]) -> dict[str, list[str]]:
        """Return, by path, the steps whose outputs each of these steps has not got yet."""
        found: dict[str, list[str]] = {row.path: [] for row in steps}
        waiting = [row for row in steps if row.deps_left]
        if not waiting:
            return found
        plan = self.plan(workflow)
        sources = {
            row.path: [prefix_of(row.path) + name for name in sorted(plan.step_at(row.name).waits_for)]
            for row in waiting
        }
        there = self.statuses(workflow, {name for names in sources.values() for name in names})
        for path, names in sources.items():
            found[path] = [name for name in names if there.get(name) != StepState.COMPLETED]
        return found

    def statuses(self, workflow: ShownWorkflow, paths: Iterable[str]) -> dict[str, StepState]:
        """Return the states of steps of a workflow."""
        return dict(self._steps.statuses(workflow.seq, paths))

    def gate(self, gate: int) -> GateKey:
        """Return what a limit is of (`/`: the workflow), and how many it lets through at a time."""
        return self._store.gates.by_id(gate)

    def log(self, job: str, offset: int = 0) -> tuple[bytes, bool]:
        """Return what has come of a job's log from `offset` on, or a part of that, and whether the log ends with it."""
        pieces = self._store.jobs.log(job, offset, PIECES_AT_ONCE)
        data = b"".join(piece.data for piece in pieces)
        return data[offset - pieces[0].offset :] if pieces else b"", bool(pieces and pieces[-1].is_last)

    def log_end(self, job: str) -> LogEnd:
        """Return how much of a job's log has come, and whether that is all."""
        return self._store.jobs.log_end(job)

    # Agents

    def is_untaken(self, agent: str, job: str) -> bool:
        """Tell whether something that was said to an agent about a job has not been acknowledged by it."""
        return self._agents.is_untaken(agent, job)

    def seen(self, agent: str) -> tuple[bool, str | None]:
        """Tell whether an agent is connected, as far as we have heard, and when it was heard of last."""
        found = self._agents.presence(agent)
        return found.online, rfc3339(found.seen or None)

    def servers(self, step: int, job_type: str, limit: int, among: list[str] | None = None) -> list[ShownServer]:
        """Return the agents (`among`: of these) that have a job type, and whether the step has failed on them."""
        return self._agents.servers(step, job_type, limit, among)

    # Numbers

    def count_workflows(self) -> Mapping[str, float]:
        """Count the workflows in each state."""
        none: dict[str, float] = dict.fromkeys(WorkflowState, 0)
        return none | dict(self._store.workflows.counts())

    def count_unplaced(self) -> Mapping[str, float]:
        """Count, by job type, the steps that no agent has taken yet."""
        return dict(self._store.unplaced.counts())

    def count_open_jobs(self) -> Mapping[str, float]:
        """Count, by state, the attempts that may still give a result."""
        return dict(self._store.jobs.open_counts())

    def count_agents(self) -> Mapping[str, float]:
        """Count the agents that are online and offline."""
        found = {"online": 0, "offline": 0}
        return found | {"online" if count.online else "offline": count.agents for count in self._store.agents.counts()}


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
        inputs=_values(row.inputs) or {},
        outputs=_values(row.outputs),
        reason=row.reason,
    )


def _step(row: ShownStep, waiting_for: list[str], attempts: list[AttemptView]) -> StepView:
    return StepView(
        status=row.status,
        job_type=row.job_type or None,
        parts=None if row.parts is None else _parts(row, row.parts),
        agents=msgspec.json.decode(row.agents) if row.agents else None,
        agent=_agent_of(row, attempts),
        outputs=_values(row.outputs),
        waiting_for=waiting_for,
        reason=row.in_doubt or row.reason,
        attempts=attempts,
    )


def _parts(row: ShownStep, count: int) -> PartsView:
    return PartsView(count=count, made=row.made, completed=count - row.parts_left)


def _agent_of(step: ShownStep, attempts: list[AttemptView]) -> str | None:
    """Return the agent that has the step, or whose attempt has decided its state."""
    for each in attempts:
        if each["status"] == "completed" or each["job"] == step.job:
            return each["agent"]
    return attempts[-1]["agent"] if attempts and step.status == StepState.FAILED else None


def _attempt(row: ShownAttempt) -> AttemptView:
    return AttemptView(
        attempt=row.attempt,
        job=row.job,
        agent=row.agent,
        status=row.status,
        exit_code=row.exit_code,
        reason=row.reason,
        stderr=row.stderr,
        lost=row.lost,
        placed=rfc3339(row.placed),
        started=rfc3339(row.started),
        ended=rfc3339(row.ended),
    )


def _values(text: str | None) -> dict[str, Any] | None:
    values: dict[str, Any] | None = None if text is None else msgspec.json.decode(text)
    return values
