"""`caroni-edge submit`: starts a workflow, over MQTT or by the manager's API."""

import sys
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

import click

from caroni_edge.cli import _by_api, _by_broker
from caroni_edge.cli._brokers import is_by_broker
from caroni_edge.cli._context import Place, place_options
from caroni_edge.cli._folders import Uploads
from caroni_edge.cli._giving import first_event
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli._starting import trigger_options
from caroni_edge.cli._uploading import upload

if TYPE_CHECKING:
    from caroni_edge.protocol.triggers import Trigger


@click.command(
    epilog="Example: caroni-edge submit test_simple -i message=hello --broker mqtt://127.0.0.1 --manager m1 --wait"
)
@trigger_options
@place_options(with_broker=True)
@click.option("--wait", is_flag=True, help="Follow the workflow, and print its outputs as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the id as JSON too, and an error.")
def submit(
    trigger: "Trigger", uploads: Uploads, place: Place, timeout_s: float | None, wait: bool, as_json: bool
) -> None:
    """Start a workflow from TEMPLATE, and print its id.

    Where a broker is known, it is started over MQTT, and whether the manager is there or not; otherwise by the
    manager's API.
    """
    assert trigger.id is not None
    to_give = upload(place, trigger, uploads, as_json=as_json)
    if not is_by_broker(place):
        workflow, give_up_at = _by_api.start(place, trigger, as_json=as_json), _give_up_at(timeout_s)
        if not wait:
            _print_id(workflow["id"], as_json=as_json, taken=True)
            return
        say(f"{workflow['id']}: taken", err=True)
        sys.exit(_by_api.to_the_end(place, workflow["id"], give_up_at))
    with _by_broker.submitted(place, trigger, to_give) as submission:
        give_up_at = _give_up_at(timeout_s)
        first = first_event(submission, trigger.id, place, to_give, timeout_s, wait=wait)
        if not wait:
            _print_id(trigger.id, as_json=as_json, taken=first is not None)
            if first is not None:
                _by_broker.say_workflow(trigger.id, first)
            return
        say(f"{trigger.id}: {'taken' if first else 'waiting'}", err=True)
        sys.exit(_by_broker.to_the_end(submission, trigger.id, first, give_up_at))


def _give_up_at(timeout_s: float | None) -> float:
    return inf if timeout_s is None else monotonic() + timeout_s


def _print_id(workflow: str, *, as_json: bool, taken: bool) -> None:
    if as_json:
        say_json({"id": workflow, "taken": taken}, indent=None)
    else:
        say(workflow)
