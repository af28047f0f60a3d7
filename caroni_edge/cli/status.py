"""`caroni-edge status`: workflows, or the steps of one."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._filters import filters
from caroni_edge.cli._ids import complete_step, find_step, part
from caroni_edge.cli._outline import one_lines, outline
from caroni_edge.cli._tables import UTC, table, took, when
from caroni_edge.cli._watch import Look, Seen
from caroni_edge.cli._watch import watch as watch_it
from caroni_edge.manager.lifecycle import ENDED


@click.command(epilog="Example: caroni-edge status --failed --since 2d")
@click.argument("workflow", required=False, metavar="[WORKFLOW[/STEP]]", shell_complete=complete_step)
@filters
@click.option("--failed", is_flag=True, help="Only what has failed: workflows, or of WORKFLOW the steps, with why.")
@click.option("--limit", type=click.IntRange(1, 1000), help="How many at most.  [default: 20 workflows, 100 steps]")
@click.option("--after", help="Go on after a page: what `next` says.")
@click.option("-o", "--outputs", is_flag=True, help="Of WORKFLOW: show its outputs too.")
@click.option("-w", "--watch", is_flag=True, help="Show it as it changes; of WORKFLOW until it has ended.")
@UTC
@asked_api
def status(api: Api, /, workflow: str | None, wanted: dict[str, Any], watch: bool, utc: bool, **how: Any) -> None:
    """Show workflows, newest first, or the steps of WORKFLOW in the order of its template.

    A scattered step is one line, however many instances it has; WORKFLOW/STEP shows these, or what is in a nested
    workflow.
    """
    look = _look(api, workflow, wanted, utc=utc, **how)
    if watch:
        with suppress(KeyboardInterrupt):  # by which people end it
            watch_it(look)
        return
    seen = look(False)
    api.show(seen.answer, seen.lines)


def _look(
    api: Api, workflow: str | None, wanted: dict[str, Any], *, failed: bool, outputs: bool, utc: bool, **page: Any
) -> Look:
    if workflow is None:
        if failed:
            if wanted.get("status", "failed") != "failed":
                raise UsageError("--failed", "--status names another state already", "Leave one of them out.")
            wanted = wanted | {"status": "failed"}
        asked = wanted | page | {"limit": page["limit"] or 20}

        def look_at_all(is_still: bool) -> Seen:
            answer = api.get("/api/workflows", **asked)
            return Seen(answer, list(all_lines(answer, utc=utc or is_still, is_still=is_still)), is_last=False)

        return look_at_all
    if wanted:
        raise UsageError(
            f"--{next(iter(wanted))}", "is about lists, and this is one workflow", "Leave one of them out."
        )
    name, within = find_step(api, workflow.removesuffix("/") if workflow.count("/") == 1 else workflow)

    def look_at_one(is_still: bool) -> Seen:
        if api.as_json and within is None and not failed:
            return Seen(_whole(api, name), [], is_last=True)
        answer = outline(api, name, within=within, failed=failed, **page)
        lines = list(one_lines(answer, utc=utc or is_still, outputs=outputs, is_still=is_still))
        return Seen(answer, lines, is_last=answer["workflow"]["status"] in ENDED)

    return look_at_one


def _whole(api: Api, workflow: str) -> Any:
    """Return the answer about a workflow, completed by the steps after its first ones."""
    answer = api.get(f"/api/workflows/{part(workflow)}")
    while answer["steps_next"] is not None:
        page = api.get(f"/api/workflows/{part(workflow)}/steps", limit=1000, after=answer["steps_next"])
        answer["steps"].update(page["steps"])
        answer["steps_next"] = page["next"]
    return answer


def all_lines(answer: Mapping[str, Any], *, utc: bool, is_still: bool = False) -> Iterator[str]:
    """Return a list of workflows for people; `is_still`: without what changes by itself as time passes."""
    found = answer["workflows"]
    if found:
        rows = (
            [
                *(each["id"], each["status"], each["template"], when(each["created"], utc=utc)),
                took(None if is_still else each["started"], each["duration_s"]),
                each["progress"]["sentence"],
                each["reason"] or "",
            ]
            for each in found
        )
        yield from table(("WORKFLOW", "STATUS", "TEMPLATE", "CREATED", "TOOK", "PROGRESS", ""), rows)
    elif answer["next"] is None:
        yield "no workflows"
    if answer["next"] is not None:
        back = answer["looked_back_to"]
        yield f"more with --after {answer['next']}" + (f" (looked back to {when(back, utc=utc)})" if back else "")
