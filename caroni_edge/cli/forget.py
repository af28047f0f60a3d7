"""`caroni-edge forget`: a node drops a peer that will not come back."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, Options, Role
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli.check_config import load_node
from caroni_edge.config import AgentConfig, ManagerConfig


@click.command(epilog="Example: caroni-edge forget agents/a7 --config /etc/caroni-edge/manager.yaml")
@click.argument("peer")
@click.option("--config", required=True, type=FILE, help="The configuration of the node that is to forget.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def forget(peer: str, config: Path, as_json: bool) -> None:
    """Let a node drop PEER, which will not come back: its rows, its jobs, and what it retained.

    PEER is agents/ID for a manager and managers/ID for an agent, or the ID alone. What it retained at the broker is
    cleared as far as the broker lets this node. A running node is asked by its socket; of one that is stopped the
    database is worked on directly. A peer that does come back is met anew.
    """
    from caroni_edge.node.startup import AlreadyRunning  # noqa: PLC0415
    from caroni_edge.protocol.topics import OTHER, peer_id  # noqa: PLC0415

    loaded = load_node(config)
    others = OTHER[loaded.role]
    found = peer_id(peer, others)
    if found is None:
        raise UsageError("PEER", f'"{peer}" is none of the {others}', f"The peers of {loaded.name} are {others}/ID.")
    try:
        answer = _in_database(loaded, found)
    except AlreadyRunning:
        answer = _by_api(loaded, config, found)
    if as_json:
        say_json(answer)
    else:
        say(text(answer))
    if why := answer.get("not_cleared"):
        say(f"what the broker has retained of it is still there: {why}", err=True)


def text(answer: Any) -> str:
    """Return what was dropped as a sentence."""
    return f"{answer['peer']} is forgotten: {answer['rows']} rows, {answer['jobs']} jobs, {answer['offers']} offers"


def _in_database(config: ManagerConfig | AgentConfig, peer: str) -> dict[str, Any]:
    from caroni_edge.node import offline  # noqa: PLC0415
    from caroni_edge.protocol.topics import OTHER  # noqa: PLC0415

    quiet = replace(config, log=replace(config.log, level="error"))
    with ExitStack() as opened:
        if isinstance(quiet, ManagerConfig):
            from caroni_edge.manager.daemon import idle_node as idle_manager  # noqa: PLC0415

            node = idle_manager(quiet, opened)
        else:
            from caroni_edge.agent.daemon import idle_node as idle_agent  # noqa: PLC0415

            node = idle_agent(quiet, opened)
        gone, why = offline.forget(node, peer)
    counts = {"rows": gone.rows, "jobs": gone.jobs, "offers": gone.offers}
    return {"peer": f"{OTHER[config.role]}/{peer}", **counts, **({"not_cleared": why} if why else {})}


def _by_api(config: ManagerConfig | AgentConfig, path: Path, peer: str) -> Any:
    from caroni_edge.protocol.topics import OTHER  # noqa: PLC0415

    role: Role = "manager" if isinstance(config, ManagerConfig) else "agent"
    api = Api(role, Options(url=None, token=None, token_file=None, config=path), as_json=False)
    return api.post("/api/forget", {"peer": f"{OTHER[config.role]}/{peer}"})
