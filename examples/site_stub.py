"""Starts a workflow over MQTT and prints its result, as a web site would: `python site_stub.py caronirocks`.

It needs nothing of Caroni Edge but a login at its broker, and paho-mqtt. Copy `run`, and call it where your site needs
a workflow done.
"""

import json
import os
import queue
import sys
import time
import uuid

import paho.mqtt.client as mqtt

HOST = os.environ.get("MQTT_HOST", "127.0.0.1")
PORT = int(os.environ.get("MQTT_PORT", "1883"))
USERNAME = os.environ.get("MQTT_USERNAME", "site")
PASSWORD = os.environ.get("MQTT_PASSWORD", "")
MANAGER = os.environ.get("CARONI_MANAGER", "m1")
WITHIN_S = float(os.environ.get("WITHIN_S", "60"))
TRIGGER_MAX_BYTES = 65_536

NOBODY = f"Nobody has answered within {WITHIN_S:g} s. Is the manager {MANAGER} up?"
NOT_YET = f"It runs, but has not ended within {WITHIN_S:g} s. Are agents up? The manager's page says what it waits for."
LOST = "The connection to the broker was lost, and is not back. Is it up?"


class NoResult(Exception):
    """There is no result; the text says why."""


def run(template: str, inputs: dict) -> dict:
    """Start a workflow, wait for its end, and return its outputs.

    Raises:
        NoResult: The broker is away, the workflow was refused or has failed, or nobody answered in time.
    """
    number = uuid.uuid4().hex
    answers = f"caroni/replies/{USERNAME}/{number}"
    trigger = json.dumps({"template": template, "inputs": inputs, "id": number, "reply_to": answers}).encode()
    if len(trigger) > TRIGGER_MAX_BYTES:
        raise NoResult(f"That is too much: a manager takes {TRIGGER_MAX_BYTES // 1024} KiB.")
    heard = queue.Queue()

    def on_connect(client, _data, _flags, reason, _properties):
        if reason.is_failure:
            heard.put(("no login", {"reason": f"The broker does not let {USERNAME} in: {reason}."}))
        else:
            client.subscribe(answers, qos=1)

    def on_subscribe(client, *_):
        # After a reconnect it is sent again: an id that the manager knows starts nothing, and is answered.
        client.publish(f"caroni/managers/{MANAGER}/workflows", trigger, qos=1)

    def on_message(_client, _data, message):
        event = json.loads(message.payload)  # a CloudEvent
        heard.put((event["type"], event["data"]))

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"caroni-site-{number}")
    client.username_pw_set(USERNAME, PASSWORD)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    try:
        client.connect(HOST, PORT)
    except OSError as error:
        raise NoResult(f"The broker {HOST}:{PORT} cannot be reached: {error}. Is it up?") from error
    client.loop_start()
    try:
        return wait_for_end(client, heard)
    finally:
        client.disconnect()
        client.loop_stop()


def wait_for_end(client: mqtt.Client, heard: queue.Queue) -> dict:
    """Return the outputs as soon as the workflow has completed."""
    until, waits_for = time.monotonic() + WITHIN_S, NOBODY
    while True:
        try:
            kind, data = heard.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            raise NoResult(waits_for if client.is_connected() else LOST) from None
        match kind:
            case "caroni.workflow.completed":
                return data["outputs"]
            case "caroni.workflow.rejected":
                raise NoResult(f"The manager has not taken it: {data['reason']}")
            case "caroni.workflow.failed" | "caroni.workflow.cancelled":
                raise NoResult(f"The workflow is {data['status']}: {data.get('reason')}")
            case "no login":
                raise NoResult(data["reason"])
            case _:
                waits_for = NOT_YET  # it has started, or one of its steps has ended


def main(arguments: list[str]) -> int:
    """Print what the workflow makes of the one argument."""
    if len(arguments) != 1:
        print('Say what the workflow is to work on: python site_stub.py "some words"', file=sys.stderr)
        return 2
    try:
        message = os.fsencode(arguments[0]).decode(errors="replace")  # what is no UTF-8 can be in no message
        print(run("test_simple", {"message": message})["result"])
    except NoResult as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
