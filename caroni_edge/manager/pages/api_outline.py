"""The manager's JSON API for people at a command line: a workflow level by level, and ids by their beginnings."""

from typing import TypedDict

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from caroni_edge.documents.documents import meant
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.pages.api import ManagerApi, no_workflow
from caroni_edge.manager.pages.api_flows import Within, dataflows_of
from caroni_edge.manager.pages.lines import StepLine, kind_of, lines_of
from caroni_edge.manager.pages.shapes import WorkflowSummary
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.web.parameters import AfterName, Limit

DIGITS_MAX = 18
"""No place in a list has a number with so many digits."""


class OutlineStep(TypedDict):
    """A step in an outline; a scatter is one, however many instances it has.

    Attributes:
        kind: `job`, `scatter` or `workflow`: what is inside.
        parts: How many parts there are, and how many of them are in which state; None where it has none.
        attempts: How many there were.
        began: When the job began that counts, or runs.
    """

    path: str
    kind: str
    status: StepState
    job_type: str | None
    agent: str | None
    parts: dict[str, int] | None
    attempts: int
    waiting_for: list[str]
    reason: str | None
    began: str | None
    ended: str | None
    duration_s: float | None


class Outline(TypedDict):
    """A workflow with the steps of one level, in the order of its file; `next` is the `after` of the next ones."""

    workflow: WorkflowSummary
    steps: list[OutlineStep]
    next: str | None


class Ids(TypedDict):
    """Workflows that an id may mean.

    Attributes:
        ids: Those that begin so, by name: the one that is called exactly so is the first.
        newest: The newest of all; None where there is none.
        nearest: The one that is most like it, of the newest 1,000.
    """

    ids: list[str]
    newest: str | None
    nearest: str | None


class OutlineController(Controller):
    """What a command line asks."""

    tags = ("workflows",)

    @get("/api/workflows/{workflow:str}/outline", sync_to_thread=True)
    def outline(
        self,
        manager: NamedDependency[ManagerApi],
        workflow: FromPath[str],
        within: Within = None,
        status: FromQuery[StepState | None] = None,
        limit: Limit = 100,
        after: AfterName = "",
    ) -> Outline:
        """Show a workflow with its steps, or those within one of them, in the order of the file; or all in a state."""
        with manager.look() as views:
            row = views.workflow_row(workflow) or no_workflow(workflow)
            if status is None:
                rows, following = level(views, row, within or "", after, limit)
            else:
                rows, following = views.step_page(row, limit, after, status)
            summary = views.summaries([row])[0]
            steps = [_step(line) for line in lines_of(views, row, summary, rows)]
            return Outline(workflow=summary, steps=steps, next=following)

    @get("/api/ids", sync_to_thread=True)
    def ids(self, manager: NamedDependency[ManagerApi], begin: FromQuery[str] = "", limit: Limit = 20) -> Ids:
        """List the ids of workflows that begin so, and what else may be meant."""
        with manager.look() as views:
            newest = views.newest_ids(1000)
            found = views.ids_from(begin, limit)
        return Ids(ids=found, newest=newest[0] if newest else None, nearest=meant(begin, newest))


def level(
    views: ManagerViews, workflow: ShownWorkflow, within: str, after: str, limit: int
) -> tuple[list[ShownStep], str | None]:
    """Return a page of the steps of a workflow, of a nested one, or of the instances of a scattered step.

    Args:
        views: Where to read.
        workflow: The whole one.
        within: Path of the step whose parts are meant; empty for the workflow's own steps.
        after: What this has returned with the page before.
        limit: How many at most.
    """
    step = views.step_row(workflow, within) if within else None
    first = int(after) if after.isdecimal() and len(after) < DIGITS_MAX else 0
    if step and kind_of(views.plan(workflow), step) == "scatter":
        rows, last = views.instances(step, limit, first - 1)
        return rows, None if last is None else str(int(last) + 1)
    nodes = dataflows_of(views, workflow.id, within or None).graph()["nodes"]
    shown = [node["path"] for node in nodes[first : first + limit]]
    found = {row.path: row for row in views.step_rows(workflow, shown)}
    following = str(first + limit) if len(nodes) > first + limit else None
    return [found[path] for path in shown if path in found], following


def _step(line: StepLine) -> OutlineStep:
    view, counts = line.view, line.counts
    return OutlineStep(
        path=line.path,
        kind=line.kind,
        status=view["status"],
        job_type=line.job_type or None,
        agent=view["agent"],
        parts=counts and counts._asdict(),
        attempts=len(view["attempts"]),
        waiting_for=view["waiting_for"],
        reason=_reason(line),
        began=line.began,
        ended=line.ended,
        duration_s=line.duration_s,
    )


def _reason(line: StepLine) -> str | None:
    """Return what is to be said of a step; the error of an attempt before is no state of one that is tried again."""
    view = line.view
    is_over = view["status"] in (StepState.COMPLETED, StepState.FAILED, StepState.CANCELLED)
    is_old = not is_over and view["reason"] in [attempt["reason"] for attempt in view["attempts"]]
    return f"tried again after: {view['reason']}" if view["reason"] and is_old else view["reason"]


ROUTES = (OutlineController,)
