"""The manager's first page: its workflows, newest first."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery
from litestar.response import Template

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.filters import TEXT_MAX_CHARS, read_filter
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.manager.workflows.bulk import STATES
from caroni_edge.web.parameters import AfterNumber
from caroni_edge.web.templating import MenuItem, page

ROWS, WALL_ROWS = 50, 16
SINCE = {
    "": "at any time",
    "1h": "in the last hour",
    "24h": "in the last day",
    "7d": "in the last 7 days",
    "30d": "in the last 30 days",
}

_STATES = [state for state in WorkflowState if state is not WorkflowState.CREATED]  # no batch ends in that one


@get(
    "/",
    include_in_schema=False,
    sync_to_thread=True,
    dependencies={"wanted": Provide(read_filter, sync_to_thread=False)},
)
def show_runs(
    request: Request[Any, Any, Any],
    manager: NamedDependency[ManagerApi],
    wanted: NamedDependency[WorkflowFilter],
    after: AfterNumber = None,
    wall: FromQuery[bool] = False,
) -> Template:
    """Show the workflows; `wall`: large, for a screen that many look at."""
    asked = {name: request.query_params.get(name, "") for name in WorkflowFilter._fields}
    with manager.look() as views:
        shown = views.workflows(wanted, WALL_ROWS if wall else ROWS, after)
        counts = views.count_workflows()
    return page(
        "manager/runs.html",
        shown=shown,
        asked=asked | {"wall": "1"} if wall else asked,
        counts={state: int(counts[state]) for state in _STATES},
        after=after,
        wall=wall,
        templates=sorted(manager.templates().loaded),
        since=SINCE if asked["since"] in SINCE else SINCE | {asked["since"]: f"since {asked['since']}"},
        text_max=TEXT_MAX_CHARS,
        actions=[action for action, states in STATES.items() if wanted.status is None or wanted.status in states],
    )


PAGES = (show_runs,)
MENU = (MenuItem("Runs", "/", ("/runs/",)),)
