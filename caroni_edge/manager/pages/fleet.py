"""The fleet: which agents there are, what they take, and what waits for them."""

from typing import Any, NoReturn

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.node.reactor import UnknownPeer
from caroni_edge.web import audit
from caroni_edge.web.parameters import AfterName
from caroni_edge.web.problems import Problem
from caroni_edge.web.site import Site
from caroni_edge.web.templating import MenuItem, page

ROWS = 50


@get("/agents", include_in_schema=False, sync_to_thread=True)
def show_agents(
    manager: NamedDependency[ManagerApi], job_type: FromQuery[str | None] = None, after: AfterName = ""
) -> Template:
    """Show the agents, or those that have a job type."""
    with manager.look() as views:
        shown = views.roster.page(ROWS, after, job_type or None)
        counts, unplaced = views.count_agents(), views.count_unplaced()
    return page("manager/agents.html", shown=shown, job_type=job_type or "", counts=counts, unplaced=unplaced)


@get("/agents/{agent:str}", include_in_schema=False, sync_to_thread=True)
def show_agent(manager: NamedDependency[ManagerApi], agent: FromPath[str], after: AfterName = "") -> Template:
    """Show an agent, and the jobs that it has of this manager."""
    with manager.look() as views:
        shown = views.roster.agent(agent) or _no_agent(agent)
        jobs = views.roster.jobs(agent, ROWS, after)
    unanswered_s = manager.unanswered_s(agent)
    is_named = agent in manager.reactor.settings.depots
    return page("manager/agent.html", agent=shown, jobs=jobs, unanswered_s=unanswered_s, is_named_depot=is_named)


@post("/agents/{agent:str}/forget", include_in_schema=False, sync_to_thread=True, opt={audit.ACTION: "forget"})
def forget_agent(request: Request[Any, Any, Any], site: NamedDependency[Site], agent: FromPath[str]) -> Redirect:
    """Forget an agent that will not come back."""
    audit.note(peer=f"agents/{agent}")
    try:
        gone = site.node_commands.forget(agent)
    except UnknownPeer:
        _no_agent(agent)
    request.user.note(f"Agent {agent} is forgotten, with {gone.jobs} jobs: their steps are given to others.")
    return Redirect("/agents", status_code=303)


def _no_agent(agent: str) -> NoReturn:
    raise Problem(404, f"this manager has not heard of an agent {agent}")


PAGES = (show_agents, show_agent, forget_agent)
MENU = (MenuItem("Fleet", "/agents", ("/agents/",)),)
