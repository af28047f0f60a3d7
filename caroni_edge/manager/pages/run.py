"""The pages of one run: what it waits for, its graph, its steps, and what flows through it when."""

from datetime import UTC, datetime
from typing import Any, NoReturn

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from caroni_edge.manager.lifecycle import ENDED, WORKFLOW, StepState, WorkflowEvent, WorkflowState
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.api_flows import AfterFlow, dataflows_of
from caroni_edge.manager.pages.api_outline import level
from caroni_edge.manager.pages.dataflows import Dataflows
from caroni_edge.manager.pages.graph import draw_few
from caroni_edge.manager.pages.lines import StepLine, counts_of, lines_of
from caroni_edge.manager.pages.shapes import Why, WorkflowSummary
from caroni_edge.manager.pages.timeline import timeline_steps
from caroni_edge.manager.pages.timeline_chart import chart
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.web.parameters import AfterName
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import page

ROWS = 50


class Run:
    """A run, as its pages have it in common; read at one commit."""

    def __init__(self, manager: ManagerApi, views: ManagerViews, workflow: str) -> None:
        """Read a run.

        Raises:
            Problem: 404, there is none.
        """
        self.views = views
        self.row: ShownWorkflow = views.workflow_row(workflow) or nothing(f"there is no run {workflow}")
        self.summary: WorkflowSummary = views.summaries([self.row])[0]
        self._why: Why = manager.explain(views).workflow(self.row)

    def flows(self, within: str) -> Dataflows:
        """Return what flows through it, or through one of its nested workflows; 404 where there is none."""
        return dataflows_of(self.views, self.row.id, within or None)

    def rows(self, within: str, after: str) -> tuple[list[ShownStep], str | None]:
        """Return a page of the steps of the run, of a nested workflow, or of the instances of a scattered step."""
        return level(self.views, self.row, within, after, ROWS)

    def lines(self, rows: list[ShownStep]) -> list[StepLine]:
        """Return the lines of a list of steps."""
        return lines_of(self.views, self.row, self.summary, rows)

    def page(self, template: str, tab: str, **context: Any) -> Template:
        """Return one of its pages."""
        status = self.row.status
        in_doubt = any(reason["condition"] == "in_doubt" for reason in self._why["why"])
        return page(
            template,
            run=self.summary,
            why=self._why["why"],
            tab=tab,
            may_cancel=WorkflowEvent.CANCEL in WORKFLOW[status],
            may_retry=status is WorkflowState.FAILED or in_doubt,
            has_ended=status in ENDED,
            **context,
        )


@get("/runs/{workflow:str}", include_in_schema=False, sync_to_thread=True)
def show_run(manager: NamedDependency[ManagerApi], workflow: FromPath[str], within: FromQuery[str] = "") -> Template:
    """Show a run with its graph; `within`: with the graph of a nested workflow."""
    with manager.look() as views:
        run = Run(manager, views, workflow)
        graph = run.flows(within).graph()
        nodes = graph["nodes"]
        sources: dict[str, list[str]] = {node["name"]: [] for node in nodes}
        flows = {(edge["source"], edge["target"]): edge["flows"] for edge in graph["edges"]}
        for source, target in flows:
            if source is not None and target is not None:
                sources[target].append(source)
        drawing = draw_few(sources)
        if drawing is None:
            rows, following = run.rows(within, "")
            context = {"graph": graph, "within": within, "lines": run.lines(rows), "next": following}
            return run.page("manager/run_graph.html", "graph", drawing=None, **context)
        return run.page(
            "manager/run_graph.html",
            "graph",
            graph=graph,
            within=within,
            drawing=drawing,
            nodes={node["name"]: node for node in nodes},
            counts={node["name"]: counts_of(node["parts"], node["instances"]) for node in nodes},
            flows=flows,
        )


@get("/runs/{workflow:str}/steps", include_in_schema=False, sync_to_thread=True)
def show_steps(
    manager: NamedDependency[ManagerApi],
    workflow: FromPath[str],
    within: FromQuery[str] = "",
    status: FromQuery[str] = "",
    after: AfterName = "",
) -> Template:
    """Show the steps of a run, level by level; or, wherever they are, those in a state."""
    if status and status not in [*StepState]:
        raise Problem(400, f"status must be one of {', '.join(StepState)}", "status")
    with manager.look() as views:
        run = Run(manager, views, workflow)
        if status:
            rows, following = views.step_page(run.row, ROWS, after, StepState(status))
        else:
            rows, following = run.rows(within, after)
        asked = {"within": within, "status": status, "after": after}
        context = {"lines": run.lines(rows), "next": following, "asked": asked, "states": list(StepState)}
        return run.page("manager/run_steps.html", "steps", **context)


@get("/runs/{workflow:str}/timeline", include_in_schema=False, sync_to_thread=True)
def show_timeline(
    manager: NamedDependency[ManagerApi], workflow: FromPath[str], within: FromQuery[str] = "", after: AfterName = ""
) -> Template:
    """Show when the steps of a run were placed, began and ended, level by level."""
    with manager.look() as views:
        run = Run(manager, views, workflow)
        rows, following = run.rows(within, after)
        started = run.summary["started"]
        whole = None if within or after or started is None else (started, run.summary["ended"])
        context = {"chart": chart(timeline_steps(views, rows), datetime.now(UTC), whole), "next": following}
        return run.page("manager/run_timeline.html", "timeline", within=within, after=after, **context)


@get("/runs/{workflow:str}/dataflows", include_in_schema=False, sync_to_thread=True)
def show_dataflows(
    manager: NamedDependency[ManagerApi], workflow: FromPath[str], within: FromQuery[str] = "", after: AfterFlow = 0
) -> Template:
    """Show which output went where in a run, or in one of its nested workflows, with its value."""
    with manager.look() as views:
        run = Run(manager, views, workflow)
        found = run.flows(within).page(ROWS, after)
        prefix = f"{within}/" if within else ""
        return run.page(
            "manager/run_dataflows.html", "dataflows", found=found, within=within, after=after, prefix=prefix
        )


def nothing(said: str) -> NoReturn:
    """Say that something is not there.

    Raises:
        Problem: 404.
    """
    raise Problem(404, said)


PAGES = (show_run, show_steps, show_timeline, show_dataflows)
