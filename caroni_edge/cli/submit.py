"""`caroni-edge submit`: starts a workflow over MQTT."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json

TAKEN_WITHIN_S = 10.0


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
@click.option("--json", "as_json", is_flag=True, help="Print the id as JSON too.")
def submit(template: str, pairs: tuple[str, ...], inputs_file: Path | None, as_json: bool, **options: Any) -> None:
    """Start a workflow from TEMPLATE, over MQTT, and print its id."""
    from caroni_edge.base.chance import SystemChance  # noqa: PLC0415
    from caroni_edge.client.submission import Submission  # noqa: PLC0415
    from caroni_edge.protocol.codec import encode  # noqa: PLC0415
    from caroni_edge.protocol.messages import is_segment  # noqa: PLC0415
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
        sys.exit(_follow(submission, workflow, wait=options["wait"], as_json=as_json))


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


def _follow(submission: Any, workflow: str, *, wait: bool, as_json: bool) -> int:
    """Print the id when the manager has taken the workflow, then (`wait`) its way to the end; return the status."""
    from caroni_edge.client.submission import ENDS  # noqa: PLC0415

    gone: list[str] = []
    events = submission.events(TAKEN_WITHIN_S, gone.append)
    first = next(events, None)
    if first is None:
        where = f"the broker cannot be reached: {gone[-1]}" if gone else _away(submission)
        _say(f"{workflow}: not taken within {TAKEN_WITHIN_S:g} s: {where}")
        if gone and not wait:
            return 1
    if not wait:
        if as_json:
            say_json({"id": workflow, "taken": first is not None}, None)
        else:
            say(workflow)
        return 0
    _say(f"{workflow}: {'taken' if first else 'waiting'}")
    following = submission.events(None, lambda why: _say(f"{workflow}: disconnected: {why}"))
    event = first or next(following)
    while event.type not in ENDS:
        _say_step(event)
        event = next(following)
    return _end(workflow, event)


def _away(submission: Any) -> str:
    if submission.is_manager_known:
        return "the manager is away; the broker has queued it"
    return (
        "no manager of this name was ever seen on this broker (check --manager and --topic-root); the broker may have "
        "queued it"
    )


def _say(line: str) -> None:
    """Say something on standard error: the words of others in it can neither forge a line nor command the terminal."""
    say(line, err=True)


def _say_step(event: Any) -> None:
    data = event.data
    if step := data.get("step"):
        where = f" on {data['agent']}" if data.get("agent") else ""
        why = f": {data['reason']}" if data.get("reason") else ""
        _say(f"{data['workflow']}/{step}: {event.type.rpartition('.')[2]}{where}{why}")


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
