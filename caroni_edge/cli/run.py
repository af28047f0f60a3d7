"""`caroni-edge run`: starts a workflow, and shows its steps until it has ended."""

import re
import sys
import time
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from caroni_edge.base.errors import CaroniError
from caroni_edge.cli import _by_api, _by_broker
from caroni_edge.cli._api_client import Api, api_at
from caroni_edge.cli._brokers import is_by_broker
from caroni_edge.cli._context import Place, place_options
from caroni_edge.cli._folders import Uploads
from caroni_edge.cli._giving import first_event
from caroni_edge.cli._output import say
from caroni_edge.cli._starting import trigger_options
from caroni_edge.cli._tables import table
from caroni_edge.cli._uploading import upload
from caroni_edge.cli._watch import LOOK_EVERY_S, Seen, watch
from caroni_edge.cli.logs import Wanted, show_failed

if TYPE_CHECKING:
    from caroni_edge.client.submission import Submission, WorkflowEvent
    from caroni_edge.protocol.triggers import Trigger

LOG_LINES = 20
"""So much is shown of the log of each step that has failed."""
_INDEX = re.compile(r"\[[0-9]+\]")


@click.command(epilog="Example: caroni-edge run test_simple -i message=hello --context shore")
@trigger_options
@place_options(with_broker=True)
@click.option("--json", "as_json", is_flag=True, help="Print an error as JSON; the outputs are JSON in any case.")
def run(trigger: "Trigger", uploads: Uploads, place: Place, timeout_s: float | None, as_json: bool) -> None:
    """Start a workflow from TEMPLATE, show its steps until it has ended, and print its outputs as JSON.

    What fails is shown with the end of its log. Where a broker is known, the workflow is started over MQTT; where the
    manager's API is known too, its steps are shown by that, otherwise by the events that come over MQTT.
    """
    assert trigger.id is not None
    to_give = upload(place, trigger, uploads, as_json=as_json)
    give_up_at = inf if timeout_s is None else monotonic() + timeout_s
    try:
        if not is_by_broker(place):
            started = _by_api.start(place, trigger, as_json=as_json)
            sys.exit(_by_the_api(api_at(place, as_json=False), started["id"], give_up_at))
        with _by_broker.submitted(place, trigger, to_give) as submission:
            first = first_event(submission, trigger.id, place, to_give, timeout_s, wait=True)
            if first is None or place.url is None:
                sys.exit(_by_events(submission, trigger.id, first, give_up_at))
        sys.exit(_by_the_api(api_at(place, as_json=False), trigger.id, give_up_at))
    except KeyboardInterrupt:
        say(f"{trigger.id} goes on; `caroni-edge cancel {trigger.id}` ends it", err=True)
        raise


def _by_the_api(api: Api, workflow: str, give_up_at: float) -> int:
    answer = _by_api.follow(api, workflow, give_up_at, time.sleep, in_place=True)
    if answer["workflow"]["status"] == "failed":
        try:
            show_failed(api, workflow, Wanted(tail=LOG_LINES, head=None, is_all=False), raw=False, err=True)
        except CaroniError as error:
            say(f"{workflow}: its logs cannot be had: {error}", err=True)
    return _by_api.end(answer["workflow"])


def _by_events(submission: "Submission", workflow: str, first: "WorkflowEvent | None", give_up_at: float) -> int:
    from caroni_edge.client.submission import ENDS  # noqa: PLC0415

    steps = Steps(workflow)
    waiting = [first]

    def look(_is_still: bool) -> Seen:
        event = waiting.pop() if waiting else None
        event = event or next(submission.events(LOOK_EVERY_S, steps.say_trouble), None)
        if event is None and monotonic() >= give_up_at:
            raise _by_broker.not_ended(workflow, is_taken=steps.is_taken)
        if event is not None:
            steps.take(event)
        return Seen(event, steps.lines(), event is not None and event.type in ENDS)

    return _by_broker.end(workflow, watch(look, lambda _seconds: None, err=True))


class Steps:
    """The steps of a workflow as its events tell of them; those of a scatter are one.

    Attributes:
        is_taken: The manager has said that it has the workflow.
    """

    def __init__(self, workflow: str) -> None:
        """Begin with nothing known."""
        self.is_taken = False
        self._workflow, self._status, self._reason = workflow, "waiting", ""
        self._steps: dict[str, dict[str, int]] = {}
        self._last: dict[str, str] = {}

    def take(self, event: "WorkflowEvent") -> None:
        """Note what an event says."""
        self.is_taken = True
        kind, _, what = event.type.removeprefix("caroni.").partition(".")
        data: dict[str, Any] = event.data
        if kind == "workflow":
            self._status = {"started": "running", "resumed": "running"}.get(what, what)
            self._reason = str(data.get("reason") or "")
        elif kind == "step" and isinstance(name := data.get("step"), str):
            step = _INDEX.sub("", name)
            counts = self._steps.setdefault(step, {})
            counts[what] = counts.get(what, 0) + 1
            where = f"on {data['agent']}" if data.get("agent") else ""
            why = f": {data['reason']}" if data.get("reason") else ""
            self._last[step] = where + why

    def say_trouble(self, why: str) -> None:
        """Note that there is no connection now."""
        self._reason = f"disconnected: {why}"

    def lines(self) -> list[str]:
        """Return all that for people."""
        reason = f": {self._reason}" if self._reason else ""
        rows = [
            (
                step,
                ", ".join(f"{count} {what}" if count > 1 else what for what, count in counts.items()),
                self._last[step],
            )
            for step, counts in self._steps.items()
        ]
        return [f"{self._workflow}: {self._status}{reason}", *(table(("STEP", "HAS", ""), rows) if rows else [])]
