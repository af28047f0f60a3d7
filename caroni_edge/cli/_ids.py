"""Names that people type: workflows by the beginning of their id, or as `last`; and what shells complete."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._api_client import Api, ApiRefused, api_at
from caroni_edge.cli._context import Place, find

LAST = "last"
"""The newest workflow."""
LISTED = 10
"""So many ids are named that an ambiguous one may mean."""
COMPLETED_WITHIN_S = 2.0
"""Nobody waits longer for a shell to complete a word."""


def part(text: str) -> str:
    """Return a name quoted, as one part of the path of a URL."""
    return quote(text, safe="")


def split_step(text: str) -> tuple[str, str | None]:
    """Return workflow and step of WORKFLOW[/STEP]."""
    workflow, sign, step = text.partition("/")
    if not workflow or (sign and not step):
        missing = "step" if workflow else "workflow"
        raise UsageError(
            "WORKFLOW[/STEP]", f'"{text}" lacks the name of the {missing}', "`caroni-edge status` has them."
        )
    return workflow, step if sign else None


def find_step(api: Api, text: str) -> tuple[str, str | None]:
    """Return workflow and step of WORKFLOW[/STEP], the workflow by its whole id."""
    workflow, step = split_step(text)
    return _whole_id(api, workflow), step


def find_workflow(api: Api, text: str) -> str:
    """Return the whole id of a workflow, for commands that take no step.

    Raises:
        UsageError: `text` names a step, or nothing, or several workflows.
        ApiRefused: There is none.
    """
    workflow, step = split_step(text.removesuffix("/"))
    if step is not None or text != workflow:
        raise UsageError("WORKFLOW", f'"{text}" is no workflow', f"The workflow alone is {workflow}.")
    return _whole_id(api, workflow)


def _whole_id(api: Api, text: str) -> str:
    """Return the id that a text means: in full before by its beginning, and both before `last`."""
    try:
        found = api.get("/api/ids", begin=text, limit=LISTED + 1)
    except ApiRefused:  # a manager of before knows whole ids alone
        return text
    ids: list[str] = found["ids"]
    if len(ids) == 1 or text in ids:
        return text if text in ids else ids[0]
    if ids:
        listed = ", ".join(ids[:LISTED]) + (" and more" if len(ids) > LISTED else "")
        raise UsageError("WORKFLOW", f'"{text}" may be {listed}', "Write more of it.")
    if text == LAST and found["newest"] is not None:
        return str(found["newest"])
    nearest = f' (did you mean "{found["nearest"]}"?)' if found["nearest"] else ""
    raise ApiRefused("", reason=f"there is no workflow {text}{nearest}")


# --- What shells complete --------------------------------------------------------------------------------------------

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(names: Callable[[Api, str], Iterable[str]]) -> Complete:
    """Return what completes a word by names that the manager has; where it does not answer, by nothing."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        said = {name: ctx.params.get(name) for name in Place._fields}
        try:
            place = find(said, ctx.params.get("context"))
            api = api_at(place, as_json=False, timeout_s=COMPLETED_WITHIN_S)
            return [CompletionItem(name) for name in names(api, incomplete) if name.startswith(incomplete)]
        except (CaroniError, OSError, LookupError):
            return []

    return complete


def _workflows(api: Api, begin: str) -> list[str]:
    return [*api.get("/api/ids", begin=begin, limit=100)["ids"], LAST]


def _workflows_or_steps(api: Api, begin: str) -> list[str]:
    workflow, sign, step = begin.partition("/")
    if not sign:
        return _workflows(api, begin)
    path = f"/api/workflows/{part(_whole_id(api, workflow))}"
    names: Any = api.get(f"{path}/steps", after=step, limit=100)["steps"]
    return [f"{workflow}/{name}" for name in names]


complete_workflow = _completing(_workflows)
complete_step = _completing(_workflows_or_steps)
complete_template = _completing(lambda api, _begin: [each["name"] for each in api.get("/api/templates")["templates"]])
complete_agent = _completing(lambda api, begin: [each["id"] for each in api.get("/api/agents", after=begin)["agents"]])
