"""What the API and the pages show of a manager: the dicts that are made of its rows."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.doctor.clock import Dates
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.pages.automation import Automation
from caroni_edge.manager.pages.fileviews import FileViews
from caroni_edge.manager.pages.lists import Plans, values_of
from caroni_edge.manager.pages.roster import Roster
from caroni_edge.manager.pages.shapes import (
    AttemptView,
    PartsView,
    StepPage,
    StepView,
    WorkflowSummary,
    WorkflowView,
)
from caroni_edge.manager.store.gates import GateKey
from caroni_edge.manager.store.jobs import LogEnd
from caroni_edge.manager.store.shown import (
    ShownAgentRows,
    ShownAttempt,
    ShownRefusal,
    ShownServer,
    ShownStep,
    ShownStepRows,
    ShownWorkflow,
    ShownWorkflowRows,
)
from caroni_edge.manager.templates.plan import prefix_of
from caroni_edge.storage.rows import Page

STEPS_SHOWN = 1000
"""Steps in the answer about a workflow; more are asked for by page."""
PIECES_AT_ONCE = 32


class ManagerViews(FileViews):
    """Reads what is shown of a manager from its database."""

    def __init__(self, conn: sqlite3.Connection, plans: Plans) -> None:
        """Read on `conn`."""
        super().__init__(conn, plans)
        self.roster = Roster(conn)
        self.automation = Automation(self._store)
        self._workflows, self._steps, self._agents = ShownWorkflowRows(conn), ShownStepRows(conn), ShownAgentRows(conn)

    def dates(self) -> Dates:
        """Return what tells whether clocks are right."""
        return Dates(self._workflows.latest(), dict(self._agents.early_starts()))

    # Workflows

    def workflow_row(self, workflow: str) -> ShownWorkflow | None:
        """Return the row of a workflow."""
        return self._workflows.by_id(workflow)

    def workflow(self, workflow: str, limit: int = STEPS_SHOWN) -> WorkflowView | None:
        """Return a workflow with its first steps."""
        row = self.workflow_row(workflow)
        if row is None:
            return None
        steps = self.steps(row, None, limit, "")
        return WorkflowView(**self.summaries([row])[0], steps=steps["steps"], steps_next=steps["next"])

    def ids_from(self, begin: str, limit: int) -> list[str]:
        """Return the ids of workflows that begin so, by name."""
        return self._workflows.ids_from(begin, limit)

    def newest_ids(self, limit: int) -> list[str]:
        """Return the ids of the newest workflows."""
        return self._workflows.newest_ids(limit)

    def summary(self, workflow: str) -> WorkflowSummary | None:
        """Return a workflow without its steps."""
        row = self.workflow_row(workflow)
        return self.summaries([row])[0] if row else None

    # Steps

    def steps(self, workflow: ShownWorkflow, status: StepState | None, limit: int, after: str) -> StepPage:
        """Return a page of a workflow's steps, by name."""
        page = self._steps.page(workflow.seq, status, limit, after)
        return StepPage(steps=self.step_views(workflow, page.rows), next=page.next)

    def steps_that_tell(self, workflow: ShownWorkflow, statuses: Iterable[StepState], limit: int) -> list[ShownStep]:
        """Return steps of a workflow in these states, those first that tell most about why it is where it is."""
        return self._steps.that_tell(workflow.seq, statuses, limit)

    def step_row(self, workflow: ShownWorkflow, path: str) -> ShownStep | None:
        """Return the row of a step."""
        return self._steps.by_path(workflow.seq, path)

    def step_rows(self, workflow: ShownWorkflow, paths: Iterable[str]) -> list[ShownStep]:
        """Return the rows of those steps that are there."""
        return self._steps.by_paths(workflow.seq, paths)

    def step_page(
        self, workflow: ShownWorkflow, limit: int, after: str, status: StepState | None = None
    ) -> Page[ShownStep]:
        """Return the rows of a page of a workflow's steps, or of those in a state, by path."""
        return self._steps.page(workflow.seq, status, limit, after)

    def outputs_of(self, workflow: ShownWorkflow, paths: Iterable[str], most: int) -> dict[str, tuple[str | None, int]]:
        """Return the outputs of steps by path: as JSON, None where that is larger than `most`, and its size."""
        return {each.path: (each.outputs, each.size) for each in self._steps.outputs(workflow.seq, paths, most)}

    def inputs_of(self, step: ShownStep) -> str:
        """Return what a step was given, as JSON."""
        return self._store.steps.by_id(step.id).inputs

    def count_instances(self, step: ShownStep, most: int) -> tuple[int, int]:
        """Count the instances of a scattered step that nobody has taken, and those that have failed, up to `most`."""
        failed = self._steps.failed_paths(step.id, most)
        names = {path[: path.index("]", len(step.path)) + 1] for path in failed}
        return self._store.steps.count_untaken(step.id, most), len(names)

    def instances(self, parent: ShownStep, limit: int, after: int) -> Page[ShownStep]:
        """Return a page of the instances of a scattered step, in their order."""
        return self._steps.instances(parent.id, limit, after)

    def step_views(self, workflow: ShownWorkflow, rows: Sequence[ShownStep]) -> dict[str, StepView]:
        """Return what is shown of steps, by path, in the order of the rows."""
        attempts, waiting = self.attempts(row.id for row in rows), self.waiting_for(workflow, rows)
        return {row.path: _step(row, waiting[row.path], attempts.get(row.id, [])) for row in rows}

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

    def staging(self, agent: str) -> str:
        """Return what files wait for that are to come to an agent, in its words; empty where it says nothing."""
        return self._agents.staging(agent)

    def servers(
        self, step: int, job_type: str, limit: int, among: list[str] | None = None, labels: Sequence[str] = ()
    ) -> list[ShownServer]:
        """Return the agents (`among`: of these) that have a job type and labels, and how often a step failed there."""
        return self._agents.servers(step, job_type, limit, among, labels)

    def refusing(self, job_type: str, limit: int) -> list[ShownRefusal]:
        """Return the agents that say why they do not offer a job type, whether they have it or not."""
        return self._agents.refusing(job_type, limit)

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


def _step(row: ShownStep, waiting_for: list[str], attempts: list[AttemptView]) -> StepView:
    return StepView(
        status=row.status,
        job_type=row.job_type or None,
        parts=parts_of(row),
        agents=msgspec.json.decode(row.agents) if row.agents else None,
        agent=_agent_of(row, attempts),
        outputs=values_of(row.outputs),
        waiting_for=waiting_for,
        reason=row.in_doubt or row.reason,
        attempts=attempts,
    )


def parts_of(row: ShownStep) -> PartsView | None:
    """Return how far the parts of a step are; None where it has none, or has not begun."""
    if row.parts is None:
        return None
    return PartsView(count=row.parts, made=row.made, completed=row.parts - row.parts_left)


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
        box=row.box,
    )
