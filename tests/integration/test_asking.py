"""What the command line says when it asks over the broker, on a real one: the manager is played by the test."""

import json
import threading
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli
from caroni_edge.cli import _asking
from caroni_edge.transport.base import Arrived
from tests.brokers import Client, Mosquitto
from tests.conftest import MakeClient
from tests.support import free_port, wait_until

Asked = Callable[..., Result]


@pytest.fixture
def asked(mosquitto: Mosquitto) -> Asked:
    def asked(*words: str) -> Result:
        there = ["--broker", mosquitto.url, "--manager", "m1", "--username", "alice"]
        return CliRunner().invoke(cli.main, [*words, *there])

    return asked


@pytest.fixture
def player(mosquitto: Mosquitto, make_client: MakeClient) -> Client:
    client = make_client(mosquitto, "m1")
    client.connect()
    client.subscribe("caroni/managers/m1/ask/+")
    return client


def test_a_question_that_was_lost_is_asked_again_as_the_same(
    asked: Asked, player: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_asking, "ASK_EVERY_S", 0.1)

    def questions() -> list[Arrived]:
        return player.find(Arrived, lambda event: event.topic == "caroni/managers/m1/ask/alice")

    def play() -> None:
        wait_until(lambda: len(questions()) > 1, 60, "the question to come again")
        replies = [json.loads(each.payload)["reply"] for each in questions()]
        answer = json.dumps({"status": 200, "body": {"workflows": [], "next": None}}).encode()
        player.publish(f"caroni/replies/alice/{replies[0]}", answer)

    manager = threading.Thread(target=play, daemon=True)
    manager.start()
    done = asked("status")
    manager.join(60)
    assert (done.exit_code, done.stdout) == (0, "no workflows\n"), done.stderr
    assert done.stderr.startswith("asking the manager m1 over MQTT, by mqtt://127.0.0.1:")
    assert len({json.loads(each.payload)["reply"] for each in questions()}) == 1


def test_a_manager_that_is_away_is_said_at_once(asked: Asked, player: Client) -> None:
    body = {"online": False, "boot": "b", "version": "1", "host": "h"}
    player.publish("caroni/presence/managers/m1", json.dumps(body).encode(), retain=True)
    done = asked("cancel", "w1")
    assert (done.exit_code, "m1 does not answer over MQTT: it is away" in done.stderr) == (3, True), done.stderr


def test_a_name_that_is_none_is_said_before_anything_is_asked() -> None:
    done = CliRunner().invoke(cli.main, ["status", "--broker", "mqtt://127.0.0.1:1", "--manager", "M1"])
    assert (done.exit_code, '"M1" is no name' in done.stderr) == (2, True), done.output


def test_both_ways_that_fail_are_said(asked: Asked, player: Client) -> None:
    body = {"online": False, "boot": "b", "version": "1", "host": "h"}
    player.publish("caroni/presence/managers/m1", json.dumps(body).encode(), retain=True)
    done = asked("status", "--url", f"http://127.0.0.1:{free_port()}")
    assert (done.exit_code, "m1 does not answer over MQTT" in done.stderr) == (3, True), done.stderr
    assert "asking the manager m1 over MQTT" in done.stderr
