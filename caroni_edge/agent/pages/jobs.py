"""The agent's first page: what it does now."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.web.parameters import AfterNumber
from caroni_edge.web.templating import MenuItem, page

ROWS = 50


@get("/", include_in_schema=False, sync_to_thread=True)
def show_jobs(
    agent: NamedDependency[AgentApi], status: FromQuery[JobState | None] = None, after: AfterNumber = None
) -> Template:
    """Show the jobs."""
    with agent.look() as views:
        shown = views.jobs(status, None, ROWS, after)
    return page("agent/jobs.html", jobs=shown["jobs"], next=shown["next"], status=status or "", states=list(JobState))


PAGES = (show_jobs,)
MENU = (MenuItem("Jobs", "/", ("/jobs/",)),)
