"""The manager's JSON API about the shape of a workflow: its graph, what flows through it, and when."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from caroni_edge.manager.pages.api import ManagerApi, no_step, no_workflow
from caroni_edge.manager.pages.dataflows import DataflowPage, Dataflows, Graph
from caroni_edge.manager.pages.timeline import Timeline, timeline
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.web.parameters import NUMBER_MAX, AfterName, Limit
from caroni_edge.web.problems import Problem

Within = Annotated[
    str | None, QueryParameter(description="Path of a step that runs a nested workflow: that one is meant.")
]
AfterFlow = Annotated[int, QueryParameter(ge=0, le=NUMBER_MAX, description="What `next` of the page before says.")]


class FlowsController(Controller):
    """The shape of a workflow."""

    path = "/api/workflows/{workflow:str}"
    tags = ("workflows",)

    @get("/graph", sync_to_thread=True)
    def graph(self, manager: NamedDependency[ManagerApi], workflow: FromPath[str], within: Within = None) -> Graph:
        """Show the steps of a workflow, and which takes what of which; a scatter is one node."""
        with manager.look() as views:
            return dataflows_of(views, workflow, within).graph()

    @get("/dataflows", sync_to_thread=True)
    def dataflows(
        self,
        manager: NamedDependency[ManagerApi],
        workflow: FromPath[str],
        within: Within = None,
        limit: Limit = 100,
        after: AfterFlow = 0,
    ) -> DataflowPage:
        """Show which output goes where, with its value as far as it is there and not too large."""
        with manager.look() as views:
            return dataflows_of(views, workflow, within).page(limit, after)

    @get("/timeline", sync_to_thread=True)
    def timeline(
        self,
        manager: NamedDependency[ManagerApi],
        workflow: FromPath[str],
        limit: Limit = 100,
        after: AfterName = "",
    ) -> Timeline:
        """Show when each step was placed, began and ended, by path."""
        with manager.look() as views:
            return timeline(views, views.workflow_row(workflow) or no_workflow(workflow), limit, after)


def dataflows_of(views: ManagerViews, workflow: str, within: str | None) -> Dataflows:
    """Return what flows through a workflow, or through the one that its step `within` runs.

    Raises:
        Problem: 404; there is no such workflow or step, or it runs none.
    """
    row = views.workflow_row(workflow) or no_workflow(workflow)
    step = (views.step_row(row, within) or no_step(workflow, within, views.plan(row).routes)) if within else None
    try:
        if step and views.plan(row).step_at(step.name).scatter and not step.path.endswith("]"):
            raise Problem(404, f"the step {within} has instances: name one of them, as in {within}[0]", "within")
        return Dataflows(views, row, step)
    except KeyError:
        raise Problem(404, f"the step {within} runs no workflow, so there is nothing in it", "within") from None


ROUTES = (FlowsController,)
