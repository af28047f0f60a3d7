"""`caroni-edge submit`: starts a workflow over MQTT."""

import json
import sys
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import click

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json

TAKEN_WITHIN_S = 10.0


def _duration(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    from caroni_edge.config import duration  # noqa: PLC0415

    try:
        return None if text is None else duration(text)
    except ValueError as error:
        raise UsageError("--timeout", str(error)) from None


@click.command(
    epilog="Example: caroni-edge submit test_simple -i message=hello --broker mqtt://127.0.0.1 --manager m1 --wait"
)
@click.argument("template")
@click.option("-i", "--input", "pairs", multiple=True, metavar="NAME=TEXT", help="An input; NAME:=JSON gives JSON.")
@click.option("--inputs", "inputs_file", type=FILE, help="A YAML or JSON file with inputs.")
@click.option("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT], mqtts://…, ws://… or wss://…")
@click.option("--manager", required=True, metavar="ID", help="The workflow manager.")
@click.option("--id", "workflow", metavar="ID", help="Id of the workflow; the same one never starts it twice.")
@click.option("--priority", type=click.IntRange(0, 9), default=4, show_default=True)
@click.option("--username", help="For the broker.")
@click.option("--password-file", type=FILE, help="Holds the password for the broker.")
@click.option("--ca-file", type=FILE, help="Certificates to trust instead of the system's.")
@click.option("--cert-file", type=FILE, help="Certificate of our own, for a broker that wants one.")
@click.option("--key-file", type=FILE, help="Its key, where it is in another file.")
@click.option("--topic-root", default="caroni", show_default=True)
@click.option("--wait", is_flag=True, help="Follow the workflow, and print its outputs as JSON.")
@click.option("--timeout", callback=_duration, metavar="DURATION", help="Give up after so long (exit status 3).")
@click.option("--json", "as_json", is_flag=True, help="Print the id as JSON too.")
def submit(template: str, pairs: tuple[str, ...], inputs_file: Path | None, as_json: bool, **options: Any) -> None:
    """Start a workflow from TEMPLATE, over MQTT, and print its id."""
    from caroni_edge.base.chance import SystemChance  # noqa: PLC0415
    from caroni_edge.client.submission import Submission  # noqa: PLC0415
    from caroni_edge.protocol.codec import encode  # noqa: PLC0415
    from caroni_edge.protocol.fields import is_segment  # noqa: PLC0415
    from caroni_edge.protocol.topics import Topics  # noqa: PLC0415
    from caroni_edge.protocol.triggers import TRIGGER_LIMIT_BYTES, Trigger  # noqa: PLC0415

    workflow = options["workflow"] or SystemChance().new_id()
    for name, word in (("--manager", options["manager"]), ("--id", workflow), ("--topic-root", options["topic_root"])):
        if not is_segment(word):
            raise UsageError(name, f'"{word}" is no name', "1 to 40 of a-z 0-9 _ - make one.")
    inputs = {**(_file(inputs_file) if inputs_file else {}), **dict(_pair(pair) for pair in pairs)}
    trigger = Trigger(template=template, inputs=inputs, id=workflow, priority=options["priority"])
    if (size_bytes := len(encode(trigger))) > TRIGGER_LIMIT_BYTES:
        what = f"the trigger would have {size_bytes} bytes, and {TRIGGER_LIMIT_BYTES} are allowed"
        raise UsageError("--inputs" if inputs_file else "-i", what, "Pass a URL, or a path that both hosts know.")
    topics = Topics(options["topic_root"], "managers", options["manager"])
    login = {name: options[name] for name in ("username", "password_file", "ca_file", "cert_file", "key_file")}
    with Submission(broker_config(options["broker"], **login), topics, trigger) as submission:
        told = {"wait": options["wait"], "timeout_s": options["timeout"], "as_json": as_json}
        sys.exit(_follow(submission, workflow, **told))


def broker_config(url: str, *, password_file: Path | None = None, **others: Any) -> Any:
    """Return how a broker is reached, from what a command line says; `others` are fields of `BrokerConfig`.

    Raises:
        UsageError: The URL is none, or the file holds no password.
    """
    from caroni_edge.config import BrokerConfig, broker_url, read_secret  # noqa: PLC0415

    try:
        parts = broker_url(url)
    except ValueError as error:
        raise UsageError("--broker", str(error)) from None
    try:
        password = read_secret(password_file) if password_file else None
    except ValueError as error:
        raise UsageError("--password-file", f"{password_file} {error}") from None
    return BrokerConfig(urls=(parts,), password=password, **others)


class NotAnswered(CaroniError):
    """{workflow}: {what}."""

    hint = "{advice}"
    exit_status = 3


def _follow(submission: Any, workflow: str, *, wait: bool, timeout_s: float | None, as_json: bool) -> int:
    """Print the id when the manager has taken the workflow, then (`wait`) its way to the end; return the status.

    Raises:
        NotAnswered: Nobody has answered in time, and it is not known that the workflow will start.
    """
    give_up_at = inf if timeout_s is None else monotonic() + timeout_s
    within_s = TAKEN_WITHIN_S if timeout_s is None else min(TAKEN_WITHIN_S, timeout_s) if wait else timeout_s
    first = next(submission.events(within_s, lambda _why: None), None)
    if first is None:
        _say_untaken(submission, workflow, within_s, wait=wait)
    if not wait:
        if as_json:
            say_json({"id": workflow, "taken": first is not None}, indent=None)
        else:
            say(workflow)
        if first is not None:
            _say_workflow(workflow, first)
        return 0
    _say(f"{workflow}: {'taken' if first else 'waiting'}")
    return _to_the_end(submission, workflow, first, give_up_at)


def _to_the_end(submission: Any, workflow: str, first: Any, give_up_at: float) -> int:
    from caroni_edge.client.submission import ENDS  # noqa: PLC0415

    left_s = None if give_up_at == inf else max(0.0, give_up_at - monotonic())
    following = submission.events(left_s, lambda why: _say(f"{workflow}: disconnected: {why}"))
    event = first or next(following, None)
    while event is not None and event.type not in ENDS:
        _say_step(event)
        _say_workflow(workflow, event)
        event = next(following, None)
    if event is None:
        advice = "It goes on; ask again by the same --id, or with `caroni-edge status`." if first else ""
        raise NotAnswered("", workflow=workflow, what="it has not ended within --timeout", advice=advice)
    return _end(workflow, event)


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


def _say_workflow(workflow: str, event: Any) -> None:
    """Say that a workflow stands still or goes on again, and why."""
    status = event.type.rpartition(".")[2]
    if event.type.startswith("caroni.workflow.") and status in {"stalled", "held", "resumed"}:
        _say(f"{workflow}: {status}" + (f": {event.data['reason']}" if event.data.get("reason") else ""))


def _end(workflow: str, event: Any) -> int:
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


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.rstrip(":"):
        raise UsageError(f"-i {text}", "an input is written NAME=TEXT or NAME:=JSON")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError as error:
        raise UsageError(f"-i {text}", f"what follows := is no JSON ({error})", "Use NAME=TEXT for a text.") from None


def _file(path: Path) -> dict[str, Any]:
    from caroni_edge.documents.documents import load  # noqa: PLC0415

    document = load(path)
    if not isinstance(document.value, dict):
        raise UsageError(document.where(), "inputs are a mapping of names to values")
    return document.value
