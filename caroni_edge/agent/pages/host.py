"""The agent's JSON API about the host: how its slots are used, what is not taken and why, pause and drain."""

import json
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, RawBody

from caroni_edge.agent.pages.api import AgentApi
from caroni_edge.agent.pages.shapes import Drain, RefusalsView, SlotsView
from caroni_edge.web.problems import Problem

TURNED_AWAY_SHOWN = 200

Hours = Annotated[int, QueryParameter(ge=1, le=24, description="How far to look back.")]


@get("/api/slots", tags=["agent"], sync_to_thread=True)
def show_slots(agent: NamedDependency[AgentApi], hours: Hours = 3) -> SlotsView:
    """Tell how the slots were used in the last hours: by minute, and by whom."""
    return agent.slots(hours)


@get("/api/refusals", tags=["agent"], sync_to_thread=True)
def show_refusals(agent: NamedDependency[AgentApi]) -> RefusalsView:
    """Tell what is refused now, and what was declined or refused lately."""
    return agent.refusals(TURNED_AWAY_SHOWN)


@get("/api/drain", tags=["agent"], sync_to_thread=True)
def show_drain(agent: NamedDependency[AgentApi]) -> Drain:
    """Tell whether the agent takes no new work, and what it has left."""
    return agent.drain()


@post("/api/drain", tags=["agent"], status_code=200, sync_to_thread=True)
def drain(agent: NamedDependency[AgentApi], body: RawBody) -> Drain:
    """Let the agent take no new work and finish what it has; the body `{"on": false}`, or its next start, ends that."""
    return agent.set_drained(on=_is_on(body))


@post("/api/pause", tags=["agent"], status_code=200, sync_to_thread=True)
def pause(agent: NamedDependency[AgentApi], body: RawBody) -> Drain:
    """Let the agent start nothing, over restarts too: what runs goes on, what waits is given back to its manager.

    The body `{"on": false}` ends that.
    """
    return agent.set_paused(on=_is_on(body))


def _is_on(body: RawBody) -> bool:
    try:
        found = json.loads(body) if body.strip() else {}
        on = found.get("on", True)
    except (ValueError, AttributeError, RecursionError):
        raise Problem(400, 'the body is empty, or {"on": true} or {"on": false}') from None
    if not isinstance(on, bool):
        raise Problem(422, "on must be true or false", "on")
    return on


ROUTES = (show_slots, show_refusals, show_drain, drain, pause)
