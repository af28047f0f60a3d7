"""`caroni-edge status`: workflows, or the steps of one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api, manager_api, table, whole_workflow
from caroni_edge.cli._output import shown_json
from caroni_edge.manager.lifecycle import WorkflowState


@click.command(epilog="Example: caroni-edge status w1")
@click.argument("workflow", required=False)
@click.option(
    "--status",
    "state",
    type=click.Choice([status.value for status in WorkflowState]),
    help="Only workflows in this state.",
)
@click.option("--template", help="Only workflows of this template.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", help="Go on after a page: what `next` says.")
@manager_api
def status(
    api: Api, workflow: str | None, state: str | None, template: str | None, limit: int, after: str | None
) -> None:
    """Show workflows, newest first, or the steps of WORKFLOW."""
    if workflow is not None:
        answer = api.get(f"/api/workflows/{whole_workflow(workflow)}")
        if api.as_json:
            _add_steps(api, answer)
        api.show(answer, _one(answer))
    else:
        answer = api.get("/api/workflows", status=state, template=template, limit=limit, after=after)
        api.show(answer, _all(answer))


def _add_steps(api: Api, answer: dict[str, Any]) -> None:
    """Complete the answer about a workflow by the steps after its first ones."""
    while answer["steps_next"] is not None:
        page = api.get(f"/api/workflows/{answer['id']}/steps", limit=1000, after=answer["steps_next"])
        answer["steps"].update(page["steps"])
        answer["steps_next"] = page["next"]


def _all(answer: Mapping[str, Any]) -> Iterator[str]:
    found = answer["workflows"]
    if not found:
        yield "no workflows"
        return
    rows = ([each["id"], each["status"], each["template"], each["created"], _reason(each)] for each in found)
    yield from table(("WORKFLOW", "STATUS", "TEMPLATE", "CREATED", ""), rows)
    if answer["next"] is not None:
        yield f"more with --after {answer['next']}"


def _one(found: Mapping[str, Any]) -> Iterator[str]:
    ended = f", ended {found['ended']}" if found["ended"] else ""
    yield f"{found['id']}: {found['status']} (template {found['template']}, created {found['created']}{ended})"
    if found["reason"]:
        yield f"  {on_one_line(found['reason'])}"
    rows = (
        [name, step["status"], step["agent"], len(step["attempts"]), ", ".join(step["waiting_for"]), _step_reason(step)]
        for name, step in sorted(found["steps"].items(), key=lambda item: _numbers_in_order(item[0]))
    )
    yield from table(("STEP", "STATUS", "AGENT", "ATTEMPTS", "WAITING FOR", ""), rows)
    if found["steps_next"] is not None:
        yield f"more steps than these {len(found['steps'])}; --json and the API have them all"
    if found["outputs"] is not None:
        yield "outputs:"
        yield from shown_json(found["outputs"]).split("\n")


def _numbers_in_order(name: str) -> list[str | int]:
    """Return by what to sort names so that `s[10]` comes after `s[9]`."""
    return [int(part) if nth % 2 else part for nth, part in enumerate(re.split(r"([0-9]+)", name))]


def _step_reason(step: Mapping[str, Any]) -> str:
    """Return what is to be said of a step; the error of an attempt before is no state of one that is tried again."""
    reason = _reason(step)
    is_over = step["status"] in ("completed", "failed", "cancelled")
    is_old = not is_over and reason in [attempt["reason"] for attempt in step["attempts"]]
    return f"tried again after: {reason}" if reason and is_old else reason


def _reason(found: Mapping[str, Any]) -> str:
    return found["reason"] or ""
