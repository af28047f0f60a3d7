"""`caroni-edge agents`: the agents that a manager has heard of."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._ids import complete_agent, part
from caroni_edge.cli._output import Shown, shown_json
from caroni_edge.cli._tables import UTC, state, table, when


@click.command(epilog="Example: caroni-edge agents a1")
@click.argument("agent", required=False, shell_complete=complete_agent)
@click.option("--job-type", metavar="NAME", help="Only agents that have this job type.")
@UTC
@asked_api
def agents(api: Api, agent: str | None, job_type: str | None, utc: bool) -> None:
    """Show the agents that the manager has heard of, or AGENT with its job types and what it refuses."""
    if agent is not None:
        found = api.get(f"/api/agents/{part(agent)}")
        api.show(found, _one(found, utc=utc))
        return
    answer = api.get("/api/agents", job_type=job_type, limit=1000)
    while answer["next"] is not None:
        page = api.get("/api/agents", job_type=job_type, limit=1000, after=answer["next"])
        answer = {"agents": answer["agents"] + page["agents"], "next": page["next"]}
    api.show(answer, _all(answer["agents"], utc=utc))


def _all(found: list[Mapping[str, Any]], *, utc: bool) -> Iterator[str]:
    if not found:
        yield "no agents have been heard of"
        return
    rows = (
        [
            *(each["id"], _state(each), when(each["seen"], utc=utc), f"{each['open_jobs']}/{each['slots']}"),
            *(each["version"], each["host"], _labels(each), " ".join(each["job_types"])),
            "; ".join(f"refuses {what}: {why}" for what, why in each["refuses"].items()),
        ]
        for each in found
    )
    yield from table(("AGENT", "STATE", "HEARD", "JOBS/SLOTS", "VERSION", "HOST", "LABELS", "JOB TYPES", ""), rows)


def _one(found: Mapping[str, Any], *, utc: bool) -> Iterator[str]:
    heard = on_one_line(f"host {found['host']}, version {found['version']}, heard of {when(found['seen'], utc=utc)}")
    yield Shown(f"{on_one_line(found['id'])}: {state(_state(found))} ({heard})")
    ahead = f"keeps {found['backlog']} ready ones and {found['pending']} that wait for data"
    yield f"  {found['open_jobs']} jobs of this manager; {found['slots']} slots, {ahead}"
    if found["messages_waiting"]:
        yield f"  {found['messages_waiting']} messages wait for it"
    if found["is_asked"]:
        yield "  it was asked which jobs it has, and is given none before it has answered"
    if found["labels"]:
        yield f"  labels {_labels(found)}"
    for what, why in found["refuses"].items():
        yield f"  refuses {'everything' if what == '*' else what}: {why}"
    rows = (
        [name, "yes" if each["serves"] else "no", _types(each["inputs"]), _types(each["outputs"])]
        for name, each in found["job_types"].items()
    )
    yield from table(("JOB TYPE", "SERVED", "INPUTS", "OUTPUTS"), rows)


def _labels(found: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in found["labels"].items())


def _state(found: Mapping[str, Any]) -> str:
    return "online" if found["online"] else "offline"


def _types(types: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}: {kind if isinstance(kind, str) else shown_json(kind, None)}" for name, kind in types.items()
    )
