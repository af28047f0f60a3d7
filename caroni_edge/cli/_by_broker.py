"""Starting and following a workflow over MQTT."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from caroni_edge.base.errors import CaroniError
from caroni_edge.cli._brokers import broker_config, check_segment
from caroni_edge.cli._context import LOGIN, Place
from caroni_edge.cli._output import say, say_json

if TYPE_CHECKING:
    from caroni_edge.client.giving import Files
    from caroni_edge.client.submission import Submission, WorkflowEvent
    from caroni_edge.protocol.triggers import Trigger

TAKEN_WITHIN_S = 10.0


@contextmanager
def submitted(place: Place, trigger: "Trigger", uploads: "Files") -> "Iterator[Submission]":
    """Send a trigger to the manager at a place, and files if there are any, as long as the context is open."""
    from caroni_edge.client import submission  # noqa: PLC0415
    from caroni_edge.protocol.topics import Topics  # noqa: PLC0415

    root, manager = place.topic_root or "caroni", place.manager or ""
    check_segment("--manager", manager)
    check_segment("--topic-root", root)
    login = {name: value for name, value in place._asdict().items() if name in LOGIN}
    with submission.Submission(
        broker_config(place.broker or "", **login), Topics(root, "managers", manager), trigger, uploads
    ) as found:
        yield found


def first_event(
    submission: "Submission", workflow: str, timeout_s: float | None, *, wait: bool
) -> "WorkflowEvent | None":
    """Return the event by which the manager says that it has the workflow; None when it has not, which is said.

    Raises:
        NotAnswered: Nobody has answered in time, and it is not known that the workflow will start.
    """
    within_s = TAKEN_WITHIN_S if timeout_s is None else min(TAKEN_WITHIN_S, timeout_s) if wait else timeout_s
    first = next(submission.events(within_s, lambda _why: None), None)
    if first is None:
        _say_untaken(submission, workflow, within_s, wait=wait)
    return first


class NotAnswered(CaroniError):
    """{workflow}: {what}."""

    hint = "{advice}"
    exit_status = 3


def to_the_end(submission: Any, workflow: str, first: Any, give_up_at: float) -> int:
    """Follow a workflow with a line on standard error for each event, print its outputs, and return the status.

    Raises:
        NotAnswered: It has not ended in time.
    """
    from caroni_edge.client.submission import ENDS  # noqa: PLC0415

    left_s = None if give_up_at == inf else max(0.0, give_up_at - monotonic())
    following = submission.events(left_s, lambda why: _say(f"{workflow}: disconnected: {why}"))
    event = first or next(following, None)
    while event is not None and event.type not in ENDS:
        _say_step(event)
        say_workflow(workflow, event)
        event = next(following, None)
    if event is None:
        raise not_ended(workflow, is_taken=first is not None)
    return end(workflow, event)


def not_ended(workflow: str, *, is_taken: bool) -> NotAnswered:
    """Return the error that a workflow has not ended in time."""
    advice = "It goes on; ask again by the same --id, or with `caroni-edge status`." if is_taken else ""
    return NotAnswered("", workflow=workflow, what="it has not ended within --timeout", advice=advice)


def _say_untaken(submission: Any, workflow: str, within_s: float, *, wait: bool) -> None:
    """Say what is known of a workflow that was not taken in time.

    Raises:
        NotAnswered: Not even that its trigger is kept for the manager; with `wait` it is asked for again.
    """
    what = f"not taken within {within_s:g} s: "
    if submission.trouble:
        what, advice = f"{what}the broker cannot be reached: {submission.trouble}", "Nothing was started."
    elif submission.manager is None:
        what += "this broker has never had a word of such a manager, so nothing keeps this trigger"
        advice = f"Check --manager and --topic-root, and that the broker lets you {_rights(submission)}."
    elif submission.manager.online:
        what += "the manager is there and does not answer"
        advice = f"Check that the broker lets you {_rights(submission)}, and the manager's log."
    else:
        _say(f"{workflow}: {what}the manager is away; the trigger is queued for it")
        return
    if not wait:
        raise NotAnswered("", workflow=workflow, what=what, advice=advice)
    _say(f"{workflow}: {what}. {advice}")


def _rights(submission: Any) -> str:
    refused = f" (it has refused {', '.join(sorted(submission.refused))})" if submission.refused else ""
    return f"write to {submission.topic} and read the manager's presence and events{refused}"


def _say(line: str) -> None:
    """Say something on standard error: the words of others in it can neither forge a line nor command the terminal."""
    say(line, err=True)


def _say_step(event: Any) -> None:
    data = event.data
    if step := data.get("step"):
        where = f" on {data['agent']}" if data.get("agent") else ""
        why = f": {data['reason']}" if data.get("reason") else ""
        _say(f"{data['workflow']}/{step}: {event.type.rpartition('.')[2]}{where}{why}")


def say_workflow(workflow: str, event: Any) -> None:
    """Say that a workflow stands still or goes on again, and why."""
    status = event.type.rpartition(".")[2]
    if event.type.startswith("caroni.workflow.") and status in {"stalled", "held", "resumed"}:
        _say(f"{workflow}: {status}" + (f": {event.data['reason']}" if event.data.get("reason") else ""))


def end(workflow: str, event: Any) -> int:
    """Say how a workflow has ended by its last event, print its outputs, and return the status."""
    status = event.type.rpartition(".")[2]
    reason = f": {event.data['reason']}" if event.data.get("reason") else ""
    _say(f"{workflow}: {status}{reason}")
    if status != "completed":
        return 1
    if event.data.get("outputs_left_out"):
        _say(f"{workflow}: the outputs are too large for an event; `caroni-edge status` has them")
        return 0
    say_json(event.data.get("outputs", {}))
    return 0
