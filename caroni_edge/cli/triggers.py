"""`caroni-edge triggers`: what messages start workflows by themselves."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api


@click.command(epilog="Example: caroni-edge triggers")
@manager_api
def triggers(api: Api) -> None:
    """Show the triggers of a manager: when each last fired, what it started, and why not."""
    answer = api.get("/api/triggers")
    api.show(answer, _lines(answer["triggers"]))


def _lines(found: list[Mapping[str, Any]]) -> Iterator[str]:
    if not found:
        yield "no message starts a workflow by itself: manager.yaml has no triggers"
    for each in found:
        yield on_one_line(f"{each['name']}: {each['topic']} starts {each['template']}")
        counts = dict(each["counts"])
        if each["listens_since"] is None:
            yield "  it does not listen yet: the broker has no subscription of it"
        if started := counts.pop("started", None):
            yield on_one_line(f"  started {started['times']}, last {started['said']} at {started['last']}")
        for what, count in counts.items():
            said = f": {count['said']}" if count["said"] else ""
            yield on_one_line(f"  {what} {count['times']}, last at {count['last']}{said}")
        if each["problem"]:
            yield on_one_line(f"  look at this: {each['problem']}")
