"""`caroni-edge why`: why a workflow or a step is where it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.ages import with_ages
from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._ids import complete_step, find_step, part
from caroni_edge.cli._output import Shown
from caroni_edge.cli._tables import UTC, state


@click.command(epilog="Example: caroni-edge why w1/upper")
@click.argument("workflow", metavar="WORKFLOW[/STEP]", shell_complete=complete_step)
@UTC
@asked_api
def why(api: Api, workflow: str, utc: bool) -> None:
    """Say why a workflow or a step waits, runs or has failed."""
    name, step = find_step(api, workflow)
    path = f"/api/workflows/{part(name)}"
    answer = api.get(f"{path}/why" if step is None else f"{path}/steps/{part(step)}/why")
    api.show(answer, _lines(answer, utc=utc))


def _lines(answer: Mapping[str, Any], *, utc: bool) -> Iterator[str]:
    what = answer["workflow"] if answer["step"] is None else f"{answer['workflow']}/{answer['step']}"
    yield Shown(f"{on_one_line(what)} is {state(answer['status'])}")
    for reason in answer["why"]:
        sentence = reason["sentence"]
        yield f"- {on_one_line(sentence if utc else with_ages(sentence))}"
        if stderr := reason["facts"].get("stderr"):
            yield "  the end of its standard error:"
            yield from (f"    {on_one_line(line)}" for line in stderr.splitlines())
