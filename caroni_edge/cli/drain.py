"""`caroni-edge drain`: an agent takes no new work, and finishes what it has."""

import time
from collections.abc import Callable
from typing import Any

import click

from caroni_edge.cli._api_client import Api, agent_api
from caroni_edge.cli._output import say

POLL_S = 1.0


@click.command(epilog="Example: caroni-edge drain --wait --config /etc/caroni-edge/agent.yaml")
@click.option("--off", is_flag=True, help="Take work again.")
@click.option("--wait", is_flag=True, help="Return when the agent has finished what it has.")
@agent_api
def drain(api: Api, off: bool, wait: bool) -> None:
    """Let an agent take no new work and finish what it has; its next start, or --off, ends that."""
    answer = api.post("/api/drain", {"on": not off})
    if wait and not off:
        answer = finish(api, answer)
    api.show(answer, [text(answer)])


def finish(api: Api, answer: Any, pause: Callable[[float], Any] = time.sleep) -> Any:
    """Ask until the agent has no jobs left; return its last answer."""
    said = ""
    while answer["drained"] and sum(answer["jobs"].values()):
        if said != (said := text(answer)):
            say(said, err=True)
        pause(POLL_S)
        answer = api.get("/api/drain")
    return answer


def text(answer: Any) -> str:
    """Return as a sentence whether the agent takes new work, and what jobs it has left."""
    left = ", ".join(f"{count} {state}" for state, count in answer["jobs"].items() if count) or "none"
    return f"the agent {'takes no new work' if answer['drained'] else 'takes work'}; jobs left: {left}"
