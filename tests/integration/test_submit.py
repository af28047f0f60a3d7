"""`submit` claims nothing that it does not know: against a real broker, with managers that a test plays."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli
from caroni_edge.client import submission
from tests.brokers import Client, Mosquitto, ShippedMosquitto
from tests.conftest import MakeClient
from tests.support import wait_until

TRIGGERS = "caroni/managers/m1/workflows"
PRESENCE = "caroni/presence/managers/m1"
EVENTS = "caroni/managers/m1/events/w1"

Submit = Callable[..., Result]


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch) -> Submit:
    def run(broker: Any, *more: str, within_s: float = 2.5) -> Result:
        """Submit; where nobody answers, all else (the connection, what is retained) must have come within this time."""
        monkeypatch.setattr("caroni_edge.cli._by_broker.TAKEN_WITHIN_S", within_s)
        words = ["submit", "one", "--id", "w1", "--broker", broker.url, "--manager", "m1", *more]
        if "--username" not in more:
            words += ["--username", "u"]
        return CliRunner().invoke(cli.main, words)

    return run


@pytest.fixture
def player(mosquitto: Mosquitto, make_client: MakeClient) -> Client:
    client = make_client(mosquitto, "m1")
    client.connect()
    client.subscribe(TRIGGERS)
    return client


def presence(boot: str, *, online: bool = True) -> bytes:
    return json.dumps({"online": online, "boot": boot, "version": "1", "host": "h"}).encode()


def event(kind: str, number: str, **data: Any) -> bytes:
    return json.dumps({"type": f"caroni.workflow.{kind}", "id": number, "data": {"workflow": "w1", **data}}).encode()


def test_a_manager_that_was_never_seen_keeps_nothing(mosquitto: Mosquitto, submit: Submit) -> None:
    done = submit(mosquitto)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "nothing keeps this trigger" in done.stderr
    assert f"that the broker lets you write to {TRIGGERS}" in done.stderr


def test_with_wait_the_end_of_the_time_is_an_end(mosquitto: Mosquitto, submit: Submit) -> None:
    done = submit(mosquitto, "--wait", "--timeout", "2500ms")
    assert done.exit_code == 3
    assert "nothing keeps this trigger" in done.stderr
    assert "it has not ended within --timeout" in done.stderr


def test_a_manager_that_is_away_has_it_queued(mosquitto: Mosquitto, player: Client, submit: Submit) -> None:
    player.publish(PRESENCE, presence("b1", online=False), retain=True)
    done = submit(mosquitto)
    assert (done.exit_code, done.stdout) == (0, "w1\n")
    assert "the manager is away; the trigger is queued for it" in done.stderr


def test_a_manager_that_is_there_and_silent_is_said(mosquitto: Mosquitto, player: Client, submit: Submit) -> None:
    player.publish(PRESENCE, presence("b1"), retain=True)
    done = submit(mosquitto)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "the manager is there and does not answer" in done.stderr


def test_a_wrong_password_ends_it_at_once(tmp_path: Path, submit: Submit) -> None:
    broker = ShippedMosquitto(tmp_path / "broker", "m1", "alice")
    broker.start()
    (tmp_path / "pw").write_text("wrong")
    try:
        login = ("--username", "alice", "--password-file", str(tmp_path / "pw"), "--wait")
        done = submit(broker.people, *login)
    finally:
        broker.kill()
    assert done.exit_code == 2
    assert 'the broker refused the login of user "alice"' in done.stderr


def test_a_topic_that_the_broker_forbids_is_a_possible_cause(tmp_path: Path, submit: Submit) -> None:
    """Mosquitto acknowledges what its ACL forbids."""
    broker = ShippedMosquitto(tmp_path / "broker", "m1", "a1")
    broker.start()
    (tmp_path / "pw").write_text("x")
    try:
        done = submit(broker.people, "--username", "a1", "--password-file", str(tmp_path / "pw"))
    finally:
        broker.kill()
    assert done.exit_code == 3
    assert f"the broker lets you write to {TRIGGERS}" in done.stderr


def test_a_broker_that_is_not_there_is_nobody(mosquitto: Mosquitto, submit: Submit) -> None:
    mosquitto.stop()
    done = submit(mosquitto)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "the broker cannot be reached: nothing listens at" in done.stderr


@pytest.fixture
def manager(player: Client) -> Iterator[list[str]]:
    """Play a manager that comes after the first trigger, holds, stalls and completes the workflow; note its words."""
    said: list[str] = []

    def play() -> None:
        wait_until(lambda: len(player.arrived(TRIGGERS)) == 1, what="the first trigger")
        player.publish(PRESENCE, presence("b1"), retain=True)
        wait_until(lambda: len(player.arrived(TRIGGERS)) == 2, what="the second, since the manager has come")
        for body in (
            event("held", "1", reason="the template t is paused"),
            event("started", "2"),
            event("stalled", "3", reason="nobody serves it"),
            event("completed", "4", outputs={"out": 1}),
        ):
            said.append(body.decode())
            player.publish(EVENTS, body)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    yield said
    thread.join(60)


def test_it_asks_again_when_the_manager_comes_and_waits_for_what_is_held_or_stalled(
    mosquitto: Mosquitto, manager: list[str], submit: Submit
) -> None:
    done = submit(mosquitto, "--wait", "--timeout", "90s", within_s=60.0)
    assert done.exit_code == 0, done.stderr
    assert "w1: held: the template t is paused" in done.stderr
    assert "w1: stalled: nobody serves it" in done.stderr
    assert json.loads(done.stdout) == {"out": 1}
    assert len(manager) == 4


def test_a_held_workflow_is_taken(mosquitto: Mosquitto, manager: list[str], submit: Submit) -> None:
    done = submit(mosquitto, within_s=60.0)
    assert (done.exit_code, done.stdout.strip(), len(manager) > 0) == (0, "w1", True)
    assert "w1: held: the template t is paused" in done.stderr


def test_it_asks_again_after_a_while(
    mosquitto: Mosquitto, player: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "ASK_EVERY_S", 0.3)

    def answer() -> None:
        wait_until(lambda: len(player.arrived(TRIGGERS)) >= 3, what="the third trigger")
        player.publish(EVENTS, event("started", "1"))

    thread = threading.Thread(target=answer)
    thread.start()
    assert submit(mosquitto, within_s=60.0).exit_code == 0
    thread.join()
