"""`caroni-edge triggers`: what messages start workflows by themselves."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._tables import UTC, when


@click.command(epilog="Example: caroni-edge triggers")
@UTC
@manager_api
def triggers(api: Api, utc: bool) -> None:
    """Show the triggers of a manager: when each last fired, what it started, and why not."""
    answer = api.get("/api/triggers")
    api.show(answer, _lines(answer["triggers"], utc=utc))


def _lines(found: list[Mapping[str, Any]], *, utc: bool) -> Iterator[str]:
    if not found:
        yield "no message starts a workflow by itself: manager.yaml has no triggers"
    for each in found:
        yield on_one_line(f"{each['name']}: {each['topic']} starts {each['template']}")
        if each["listens_since"] is None:
            yield "  it does not listen yet: the broker has no subscription of it"
        for what, count in sorted(each["counts"].items(), key=lambda item: item[0] != "started"):
            said = f": {count['said']}" if count["said"] else ""
            yield on_one_line(f"  {what} {count['times']}, last {when(count['last'], utc=utc)}{said}")
        if each["problem"]:
            yield on_one_line(f"  look at this: {each['problem']}")
