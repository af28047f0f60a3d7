"""The agent's first page, what it does now; its list of jobs; and one job."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Redirect, Template

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.agent.pages.chart import outline
from caroni_edge.agent.pages.host import Hours
from caroni_edge.agent.pages.views import UNFINISHED
from caroni_edge.config.units import amount_text
from caroni_edge.web.auth import Visitor
from caroni_edge.web.forms import fields
from caroni_edge.web.parameters import AfterNumber
from caroni_edge.web.templating import MenuItem, page

ROWS, ENDED_ROWS, TURNED_AWAY_ROWS = 50, 10, 20
LOG_SHOWN_BYTES = 16 * 1024
LOOKS_BACK = (1, 3, 12, 24)

Asked = Request[Visitor, Any, Any]


@get("/", include_in_schema=False, sync_to_thread=True)
def show_now(agent: NamedDependency[AgentApi], hours: Hours = 3) -> Template:
    """Show what the agent does now, how its slots were used, and what it does not take."""
    slots = agent.slots(hours)
    with agent.look() as views:
        ended = views.ended(ENDED_ROWS)
    return page(
        "agent/now.html",
        now={status: agent.jobs(status, None, ROWS, None)["jobs"] for status in reversed(UNFINISHED)},
        ended=ended,
        state=agent.drain(),
        slots=slots,
        outline=outline(slots["busy"], slots["slots"]),
        amount=amount_text,
        looks_back=LOOKS_BACK,
        refusals=agent.refusals(TURNED_AWAY_ROWS),
        job_types=agent.reactor.job_types.names(),
        directory=str(agent.reactor.settings.job_types),
    )


@get("/jobs", include_in_schema=False, sync_to_thread=True)
def show_jobs(
    agent: NamedDependency[AgentApi],
    status: FromQuery[JobState | None] = None,
    manager: FromQuery[str | None] = None,
    after: AfterNumber = None,
) -> Template:
    """List the jobs, newest first."""
    shown = agent.jobs(status, manager, ROWS, after)
    with agent.look() as views:
        counts = views.count_jobs()
    return page(
        "agent/jobs.html",
        shown=shown,
        asked={"status": status, "manager": manager},
        after=after,
        counts={each: int(counts[each]) for each in JobState},
    )


@get("/jobs/{job:str}", include_in_schema=False, sync_to_thread=True)
def show_job(agent: NamedDependency[AgentApi], job: FromPath[str]) -> Template:
    """Show a job with all that is known of it, and its log."""
    found, log_begin = agent.job_with_end(job, LOG_SHOWN_BYTES)
    is_there = agent.reactor.job_types.get(found["job_type"]) is not None
    return page(
        "agent/job.html",
        job=found,
        log_begin=log_begin,
        runs=found["status"] in UNFINISHED,
        type_is_there=is_there,
    )


@post("/jobs/{job:str}/kill", include_in_schema=False, sync_to_thread=True)
def kill(request: Asked, agent: NamedDependency[AgentApi], job: FromPath[str]) -> Redirect:
    """End a job."""
    now = agent.kill(job)
    is_killed = now["status"] == JobState.KILLED
    request.user.note(f"Job {job} is killed." if is_killed else f"Job {job} ends as soon as its processes are gone.")
    return Redirect(f"/jobs/{job}", status_code=303)


@post("/pause", include_in_schema=False, sync_to_thread=True)
def pause(request: Asked, agent: NamedDependency[AgentApi], body: RawBody) -> Redirect:
    """Pause the agent, or resume it."""
    on = fields(body).get("on") != "0"
    agent.set_paused(on=on)
    request.user.note(
        "The agent is paused. What runs goes on; what waited was given back." if on else "The agent starts jobs again."
    )
    return Redirect("/", status_code=303)


@post("/drain", include_in_schema=False, sync_to_thread=True)
def drain(request: Asked, agent: NamedDependency[AgentApi], body: RawBody) -> Redirect:
    """Drain the agent, or let it take work again."""
    on = fields(body).get("on") != "0"
    agent.set_drained(on=on)
    request.user.note("The agent takes no new work, and finishes what it has." if on else "The agent takes work again.")
    return Redirect("/", status_code=303)


PAGES = (show_now, show_jobs, show_job, kill, pause, drain)
MENU = (MenuItem("Now", "/"), MenuItem("Jobs", "/jobs", ("/jobs/",)))
