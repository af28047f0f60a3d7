"""`caroni-edge templates`: what workflows can be started from."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._ids import complete_template, part
from caroni_edge.cli._output import Shown, shown_json
from caroni_edge.cli._tables import UTC, state, table, took, when

LAST_RUNS = 5


@click.command(epilog="Example: caroni-edge templates alarm")
@click.argument("template", required=False, shell_complete=complete_template)
@UTC
@manager_api
def templates(api: Api, template: str | None, utc: bool) -> None:
    """Show the templates: whether each can be started, its inputs and last run; or TEMPLATE with its last runs."""
    if template is None:
        answer = api.get("/api/templates")
        api.show(answer, _all(answer, utc=utc))
        return
    answer = api.get(f"/api/templates/{part(template)}")
    runs = api.get("/api/workflows", template=template, limit=LAST_RUNS)["workflows"]
    api.show(answer | {"last_runs": runs}, _one(answer, runs, utc=utc))


def _all(answer: Mapping[str, Any], *, utc: bool) -> Iterator[str]:
    loaded = {each["name"]: each for each in answer["templates"]}
    names = sorted({*loaded, *answer["errors"]})
    if not names:
        yield "no templates"
        return
    rows = []
    for name in names:
        last, pause = answer["last_runs"].get(name), answer["paused"].get(name)
        kind = _state(name in loaded, pause)
        inputs = ", ".join(map(_input, loaded[name]["inputs"])) if name in loaded else None
        said = f"{when(last['created'], utc=utc)}, {last['status']}" if last else None
        rows.append([name, kind, inputs, said, "; ".join(answer["errors"].get(name, []))])
    yield from table(("TEMPLATE", "STATE", "INPUTS", "LAST RUN", ""), rows)


def _one(answer: Mapping[str, Any], runs: list[Mapping[str, Any]], *, utc: bool) -> Iterator[str]:
    template, pause = answer["template"], answer["pause"]
    kind = _state(template is not None, pause)
    yield Shown(f"{on_one_line(answer['name'])}: {state(kind)} ({on_one_line(answer['file'])})")
    if pause["since"]:
        yield f"  paused {when(pause['since'], utc=utc)}"
    for each in answer["findings"]:
        where = f"line {each['line']}: " if each["line"] else ""
        yield f"  {'warning: ' if each['warning'] else ''}{where}{each['what']}"
    yield from (f"  {each['sentence']}" for each in answer["agents"])
    if template is not None:
        rows = [[each["name"], _type(each["type"]), _default(each)] for each in template["inputs"]]
        yield from table(("INPUT", "TYPE", "DEFAULT"), rows)
        steps = [
            [each["name"], each["job_type"] or "a workflow", ", ".join(each["waits_for"])] for each in template["steps"]
        ]
        yield from table(("STEP", "RUNS", "WAITS FOR"), steps)
    if runs:
        ran = [
            [each["id"], each["status"], when(each["created"], utc=utc), took(each["started"], each["duration_s"])]
            for each in runs
        ]
        yield from table(("LAST RUN", "STATUS", "CREATED", "TOOK"), ran)


def _state(is_loaded: bool, pause: Mapping[str, Any] | None) -> str:
    if not is_loaded:
        return "broken"
    if pause is None or not pause["paused"]:
        return "ready"
    return f"paused, {pause['held']} held"


def _input(each: Mapping[str, Any]) -> str:
    default = _default(each)
    return f"{each['name']}: {_type(each['type'])}" + (f" = {default}" if default else "")


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else shown_json(kind, None)


def _default(each: Mapping[str, Any]) -> str:
    return "" if each["default"] is None else shown_json(each["default"], None)
