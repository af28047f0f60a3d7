"""One workflow with its steps, as commands show it."""

from collections.abc import Iterator, Mapping
from typing import Any

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._api_client import Api
from caroni_edge.cli._ids import part
from caroni_edge.cli._output import Shown, shown_json
from caroni_edge.cli._tables import state, table, took, when


def outline(api: Api, workflow: str, *, within: str | None = None, failed: bool = False, **page: Any) -> Any:
    """Ask for a workflow with the steps of one level, or with those that have failed wherever they are."""
    asked = {"within": within, "status": "failed" if failed else None, **page}
    return api.get(f"/api/workflows/{part(workflow)}/outline", **asked)


def one_lines(
    answer: Mapping[str, Any], *, utc: bool, outputs: bool | None = False, is_still: bool = False
) -> Iterator[str]:
    """Return a workflow with some of its steps for people.

    Args:
        answer: What the manager has said.
        utc: Times are dates, and not ages.
        outputs: Show them; None: do not even name them.
        is_still: Without what changes by itself as time passes.
    """
    run = answer["workflow"]
    facts = [f"template {run['template']}", f"created {when(run['created'], utc=utc)}"]
    facts += [f"ended {when(run['ended'], utc=utc)}"] if run["ended"] else []
    facts += [f"took {took(run['started'], run['duration_s'])}"] if run["ended"] or not is_still else []
    facts += [f"{name}={value}" for name, value in run.get("labels", {}).items()]
    said = on_one_line(f"{', '.join(facts)}; {run['progress']['sentence']}")
    yield Shown(f"{on_one_line(run['id'])}: {state(run['status'])} ({said})")
    if run["reason"]:
        yield f"  {on_one_line(run['reason'])}"
    yield from _step_lines(answer["steps"], is_still=is_still)
    if answer["next"] is not None:
        yield f"more steps with --after {answer['next']}"
    if run["outputs"] is not None and outputs is not None:
        if outputs:
            yield "outputs:"
            yield from shown_json(run["outputs"]).split("\n")
        elif run["outputs"]:
            yield f"outputs: {', '.join(run['outputs'])} (--outputs shows them)"


def _step_lines(steps: list[Mapping[str, Any]], *, is_still: bool) -> list[str]:
    head = ("STEP", "STATUS", "AGENT", "TOOK", "ATTEMPTS", "")
    rows = (
        [
            *(
                each["path"],
                each["status"],
                each["agent"],
                took(None if is_still else each["began"], each["duration_s"]),
            ),
            "" if each["parts"] else each["attempts"],
            "; ".join(_said_of(each)),
        ]
        for each in steps
    )
    return table(head, rows) if steps else []


def _said_of(step: Mapping[str, Any]) -> Iterator[str]:
    if parts := step["parts"]:
        others = [f"{parts[word]} {word}" for word in ("failed", "running") if parts[word]]
        yield ", ".join([f"{parts['completed']} of {parts['total']} completed", *others])
    if step["waiting_for"]:
        yield f"waits for {', '.join(step['waiting_for'])}"
    if step["reason"]:
        yield step["reason"]
