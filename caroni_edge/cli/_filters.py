"""The options that say which workflows are meant, and commands on all of those at once."""

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._api_client import Api
from caroni_edge.cli._ids import complete_agent, complete_template
from caroni_edge.cli._output import say
from caroni_edge.manager.lifecycle import WorkflowState

FILTERS: Final = ("status", "template", "agent", "since", "label", "text")

_OPTIONS: Final = (
    click.option(
        "--status", type=click.Choice([state.value for state in WorkflowState]), help="Only workflows in this state."
    ),
    click.option("--template", shell_complete=complete_template, help="Only workflows of this template."),
    click.option("--agent", shell_complete=complete_agent, help="Only workflows of which this agent has had a job."),
    click.option("--since", metavar="AGE", help="Only those created since: an age as 2d, or a date."),
    click.option("--label", metavar="NAME=VALUE", help="Only those with this label."),
    click.option("--text", help="Only those whose inputs hold this text."),
)


class NotConfirmed(CaroniError):
    """{count} would be {done}, and nobody has confirmed that."""

    hint = "Give --yes, or answer y on a terminal."
    exit_status = 2


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which workflows are meant; in `wanted` it gets what was said."""

    @functools.wraps(command)
    def with_filters(*args: Any, **kwargs: Any) -> None:
        wanted = {name: kwargs.pop(name) for name in FILTERS}
        command(*args, wanted={name: value for name, value in wanted.items() if value is not None}, **kwargs)

    for option in reversed(_OPTIONS):
        with_filters = option(with_filters)
    return with_filters


YES = click.option("-y", "--yes", is_flag=True, help="Do it to as many as there are, without asking.")


def act_on_many(api: Api, action: str, done: str, wanted: dict[str, Any], *, yes: bool) -> None:
    """Count the workflows that a filter means, ask, and let it be done to them.

    Args:
        api: The manager.
        action: What is done: `cancel`, `retry` or `delete`.
        done: The same as a participle.
        wanted: The filter.
        yes: Nobody is asked.

    Raises:
        NotConfirmed: Somebody said no, or there is nobody to ask.
    """
    path = f"/api/workflows/{action}"
    found = api.post(path, **wanted)
    some = f"more than {found['count'] - 1}" if found["more"] else str(found["count"])
    some += " workflow" if found["count"] == 1 else " workflows"
    if not found["count"]:
        api.show(found, [f"there are no such workflows that could be {done}"])
        return
    if not yes:
        if not is_asked():
            raise NotConfirmed("", count=some, done=done)
        say(f"{some} would be {done}:", err=True)
        _say_some(api, wanted, found["count"])
        if not click.confirm("Go on?", err=True):
            raise NotConfirmed("", count=some, done=done)
    begun = api.post(path, **wanted, count=found["count"])
    api.show(begun, [f"{some} {'is' if found['count'] == 1 else 'are'} being {done}, a few at a time"])


def is_asked() -> bool:
    """Tell whether there is somebody who could answer a question."""
    return sys.stdin.isatty()


def _say_some(api: Api, wanted: dict[str, Any], count: int) -> None:
    newest = api.get("/api/workflows", **wanted, limit=5)["workflows"]
    for each in newest:
        say(f"  {each['id']} ({each['template']}, {each['status']})", err=True)
    if count > len(newest):
        say("  …", err=True)


def one_or_many(workflow: str | None, wanted: dict[str, Any], action: str) -> None:
    """Make sure that a command names one workflow or a filter, and not both.

    Raises:
        UsageError: It names both, or nothing.
    """
    if (workflow is None) == (not wanted):
        what = "name a workflow or, by --template, --status and others, many; not both"
        raise UsageError(action, what, f"caroni-edge {action} --template X --status failed")
