"""The manager's first page: its workflows, newest first."""

from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.response import Template

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.filters import read_filter
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.web.parameters import AfterNumber
from caroni_edge.web.templating import MenuItem, page

ROWS = 50


@get(
    "/",
    include_in_schema=False,
    sync_to_thread=True,
    dependencies={"wanted": Provide(read_filter, sync_to_thread=False)},
)
def show_runs(
    manager: NamedDependency[ManagerApi], wanted: NamedDependency[WorkflowFilter], after: AfterNumber = None
) -> Template:
    """Show the workflows."""
    with manager.look() as views:
        shown = views.workflows(wanted, ROWS, after)
    return page("manager/runs.html", shown=shown, wanted=wanted, states=list(WorkflowState))


PAGES = (show_runs,)
MENU = (MenuItem("Runs", "/", ("/runs/",)),)
