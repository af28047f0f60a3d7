"""Starting and following a workflow by the manager's API."""

import time
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, Unreachable, api_at
from caroni_edge.cli._by_broker import not_ended
from caroni_edge.cli._context import Place
from caroni_edge.cli._outline import one_lines, outline
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli._watch import Seen, watch
from caroni_edge.manager.lifecycle import ENDED

if TYPE_CHECKING:
    from caroni_edge.protocol.triggers import Trigger


def start(place: Place, trigger: "Trigger", *, as_json: bool) -> Any:
    """Start a workflow, and return what the manager says of it.

    Raises:
        UsageError: Nothing names a manager, and there is none where it would be by default.
    """
    import msgspec  # noqa: PLC0415

    try:
        return api_at(place, as_json=as_json).post("/api/workflows", msgspec.to_builtins(trigger))
    except Unreachable as error:
        if place.url is not None:
            raise
        what = f"no broker is named, and no manager answers at {error.where}"
        hint = "Name a broker by --broker and --manager, or a manager by --url, --config or --context."
        raise UsageError("", what, hint) from None


def to_the_end(place: Place, workflow: str, give_up_at: float, pause: Callable[[float], Any] = time.sleep) -> int:
    """Follow a workflow with a line on standard error for each change, print its outputs, and return the status.

    Raises:
        NotAnswered: It has not ended in time.
    """
    api = api_at(place, as_json=False)
    return end(follow(api, workflow, give_up_at, pause, in_place=False)["workflow"])


def follow(api: Api, workflow: str, give_up_at: float, pause: Callable[[float], Any], *, in_place: bool) -> Any:
    """Show a workflow on standard error until it has ended, and return it with its steps.

    Raises:
        NotAnswered: It has not ended in time.
    """

    def look(is_still: bool) -> Seen:
        answer = outline(api, workflow)
        has_ended = answer["workflow"]["status"] in ENDED
        if not has_ended and monotonic() >= give_up_at:
            raise not_ended(workflow, is_taken=True)
        return Seen(answer, list(one_lines(answer, utc=is_still, outputs=None, is_still=is_still)), has_ended)

    return watch(look, pause, in_place=in_place, err=True)


def end(run: Any) -> int:
    """Say how a workflow has ended, print its outputs, and return the status."""
    reason = f": {run['reason']}" if run["reason"] else ""
    say(f"{run['id']}: {run['status']}{reason}", err=True)
    if run["status"] != "completed":
        return 1
    say_json(run["outputs"])
    return 0
