"""`caroni-edge why`: why a workflow or a step is where it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api, part, split_step


@click.command(epilog="Example: caroni-edge why w1/upper")
@click.argument("workflow", metavar="WORKFLOW[/STEP]")
@manager_api
def why(api: Api, workflow: str) -> None:
    """Say why a workflow or a step waits, runs or has failed."""
    name, step = split_step(workflow)
    path = f"/api/workflows/{part(name)}"
    answer = api.get(f"{path}/why" if step is None else f"{path}/steps/{part(step)}/why")
    api.show(answer, _lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    what = answer["workflow"] if answer["step"] is None else f"{answer['workflow']}/{answer['step']}"
    yield f"{what} is {answer['status']}"
    for reason in answer["why"]:
        yield f"- {on_one_line(reason['sentence'])}"
        if stderr := reason["facts"].get("stderr"):
            yield "  the end of its standard error:"
            yield from (f"    {on_one_line(line)}" for line in stderr.splitlines())
