"""Messages of sensors on a real broker: what they start, with JavaScript, while the manager is killed and read anew."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.brokers import ShippedMosquitto
from tests.e2e.daemons import Daemon, Fleet
from tests.support import wait_until

MESSAGES = 300
TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
inputs: {ship: string, double: int}
outputs: {}
steps: {}
"""
HOT: dict[str, Any] = {
    "topic": "sensors/+/t",
    "when": "$(message.celsius > 40)",
    "template": "alarm",
    "inputs": {"ship": "$(topic[1])", "double": "${return 2 * message.celsius;}"},
    "id": "hot-$(topic[1])-$(message.n)",
}


@pytest.fixture
def fleet(tmp_path: Path, mosquitto: ShippedMosquitto) -> Iterator[Fleet]:
    """Daemons where a login connects once only, but for the other listener."""
    acl = mosquitto.acl.read_text()
    mosquitto.acl.write_text(f"{acl}\nuser m1\ntopic read sensors/#\ntopic read elsewhere/#\n")
    mosquitto.restart()
    running = Fleet(tmp_path, mosquitto)
    yield running
    running.close()


def manager(fleet: Fleet, tmp_path: Path, **triggers: Any) -> Daemon:
    templates = tmp_path / "templates"
    shutil.rmtree(templates, ignore_errors=True)
    templates.mkdir()
    (templates / "alarm.cwl").write_text(TEMPLATE)
    return fleet.manager("m1", templates=str(templates), triggers=triggers)


def publish(fleet: Fleet, number: int, celsius: int) -> None:
    fleet.client.publish(f"sensors/s{number % 3}/t", json.dumps({"n": number, "celsius": celsius}).encode())


def workflows(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = {}
    after: str | None = ""
    while after is not None:
        page = daemon.get(f"/api/workflows?limit=100{after}")
        found |= {each["id"]: each["inputs"] for each in page["workflows"]}
        after = None if page["next"] is None else f"&after={page['next']}"
    return found


def test_what_fits_starts_one_workflow_each_through_kills_of_the_manager(fleet: Fleet, tmp_path: Path) -> None:
    daemon = manager(fleet, tmp_path, hot=HOT)
    wanted = {}
    for number in range(MESSAGES):
        celsius = 35 + number % 10
        publish(fleet, number, celsius)
        if celsius > 40:
            wanted[f"hot-s{number % 3}-{number}"] = {"ship": f"s{number % 3}", "double": 2 * celsius}
        if number % 100 == 50:
            daemon.kill()
            daemon.start(wait=number % 200 == 50)
    daemon.wait_ready()
    assert wait_until(lambda: len(found := workflows(daemon)) >= len(wanted) and found) == wanted
    counts = daemon.get("/api/triggers")["triggers"][0]["counts"]
    assert counts["started"]["times"] == len(wanted)
    assert counts["unmet"]["times"] >= MESSAGES - len(wanted)


def test_sighup_changes_what_is_listened_to(fleet: Fleet, tmp_path: Path) -> None:
    daemon = manager(fleet, tmp_path)
    assert daemon.get("/api/triggers") == {"triggers": []}
    config = yaml.safe_load(daemon.config.read_text())
    daemon.config.write_text(yaml.safe_dump(config | {"triggers": {"hot": HOT}}))
    daemon.signal(signal.SIGHUP)
    wait_until(
        lambda: [each["listens_since"] for each in daemon.get("/api/triggers")["triggers"] if each["listens_since"]]
    )
    publish(fleet, 1, 41)
    wait_until(lambda: "hot-s1-1" in workflows(daemon))
    other = HOT | {"topic": "elsewhere/#", "id": "else-$(message.n)"}
    daemon.config.write_text(yaml.safe_dump(config | {"triggers": {"hot": other}}))
    daemon.signal(signal.SIGHUP)
    wait_until(
        lambda: [
            each
            for each in daemon.get("/api/triggers")["triggers"]
            if each["topic"][0] == "e" and each["listens_since"]
        ]
    )
    publish(fleet, 2, 41)
    fleet.client.publish("elsewhere/s1", b'{"n": 3, "celsius": 50}')
    wait_until(lambda: "else-3" in workflows(daemon))
    assert set(workflows(daemon)) == {"hot-s1-1", "else-3"}
