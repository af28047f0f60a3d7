"""What `broker-config` writes, with real daemons: a workflow from a person's trigger to their result."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.transport.base import Arrived, Disconnected, Published, SubscriptionRefused
from tests.brokers import Client
from tests.conftest import MakeClient
from tests.e2e.daemons import CONFIG, Daemon
from tests.made_brokers import MadeMosquitto, MadeRabbitMq
from tests.support import wait_until

LOGINS = ("--manager", "m1", "--agent", "a1", "--person", "alice")
ROLES = {"m1": "managers", "a1": "agents", "alice": "people"}
OWN = {"m1": "caroni/presence/managers/m1", "a1": "caroni/presence/agents/a1", "alice": "caroni/managers/m1/workflows"}
"""Where a login may publish."""


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeRabbitMq]:
    """Start a RabbitMQ on what is written for it."""
    broker = MadeRabbitMq(tmp_path_factory.mktemp("rabbitmq"), *LOGINS, "--tls")
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(params=[(), ("--tls", "--client-certificates")])
def mosquitto(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeMosquitto]:
    """Start a mosquitto on what is written for it."""
    broker = MadeMosquitto(tmp_path / "broker", *LOGINS, *request.param)
    broker.start()
    yield broker
    broker.kill()


def test_a_workflow_on_mosquitto(mosquitto: MadeMosquitto, tmp_path: Path) -> None:
    run_a_workflow(mosquitto, tmp_path)


def test_a_workflow_on_rabbitmq(rabbitmq: MadeRabbitMq, tmp_path: Path) -> None:
    run_a_workflow(rabbitmq, tmp_path)


TOPICS = {
    "caroni/managers/m1/workflows": ("alice", "m1"),
    "caroni/managers/m1/ask/alice": ("alice", "m1"),
    "caroni/managers/m1/ask/bob": ("", "m1"),
    "caroni/managers/m1/inbox/agents/a1": ("a1", "m1"),
    "caroni/managers/m1/inbox/agents/a2": ("", "m1"),
    "caroni/agents/a1/inbox/managers/m1": ("m1", "a1"),
    "caroni/agents/a1/inbox/managers/m2": ("", "a1"),
    "caroni/managers/m1/events/w1": ("m1", "alice"),
    "caroni/replies/alice/x": ("m1", "alice"),
    "caroni/replies/bob/x": ("m1", ""),
    "caroni/requests/t/m1": ("m1", "a1"),
    "caroni/presence/managers/m1": ("m1", "m1 a1 alice"),
    "caroni/presence/agents/a1": ("a1", "a1 m1"),
    "caroni/other": ("", ""),
    "elsewhere": ("", ""),
}
"""Who may publish to a topic, and who may hear it; `caroni/#` and the like are nobody's."""


def test_rabbitmq_cuts_off_who_publishes_where_they_may_not(rabbitmq: MadeRabbitMq, make_client: MakeClient) -> None:
    for login in ("m1", "a1", "alice"):
        for topic, (writers, _readers) in TOPICS.items():
            client = make_client(rabbitmq, own_id(login), clean_session=True, **rabbitmq.made.login(login))
            client.connect()
            token = client.transport.publish(topic, b"", qos=1)
            wait_until(lambda c=client, t=token: answered(c, t))  # type: ignore[misc]
            assert bool(client.find(Published)) == (login in writers.split()), (login, topic)
            client.stop()


def test_rabbitmq_lets_nobody_hear_what_they_may_not(rabbitmq: MadeRabbitMq, make_client: MakeClient) -> None:
    for login in ("m1", "a1", "alice"):
        for topic, (_writers, readers) in {**TOPICS, "#": ("", ""), "caroni/#": ("", "")}.items():
            client = make_client(rabbitmq, own_id(login), clean_session=True, **rabbitmq.made.login(login))
            client.connect()
            client.transport.subscribe([(topic, 1)])
            token = client.transport.publish(OWN[login], b"", qos=1)
            wait_until(lambda c=client, t=token: answered(c, t))  # type: ignore[misc]
            refused = bool(client.find(Disconnected)) or bool(client.find(SubscriptionRefused))
            assert refused != (login in readers.split()), (login, topic)
            client.stop()


def test_at_rabbitmq_nobody_reads_from_the_session_of_another(rabbitmq: MadeRabbitMq, make_client: MakeClient) -> None:
    node = make_client(rabbitmq, "caroni-managers-m1", **rabbitmq.made.login("m1"))
    node.connect()
    node.transport.subscribe([("caroni/managers/m1/workflows", 1)])
    node.publish(OWN["m1"], b"")
    node.stop()
    alice = make_client(rabbitmq, own_id("alice"), clean_session=True, **rabbitmq.made.login("alice"))
    alice.connect()
    alice.publish("caroni/managers/m1/workflows", b"for m1")
    thief = make_client(rabbitmq, "caroni-managers-m1", **rabbitmq.made.login("a1")).start()
    thief.wait_for(Disconnected)
    thief.stop()
    assert not thief.find(Arrived)
    node = make_client(rabbitmq, "caroni-managers-m1", **rabbitmq.made.login("m1"))
    node.connect()
    node.wait_for(Arrived, lambda event: event.payload == b"for m1")


def own_id(login: str) -> str:
    """Return a client id that a login may have at RabbitMQ."""
    return f"caroni/{ROLES[login]}/{login}/x"


def answered(client: Client, token: int) -> bool:
    """Tell whether a publication was acknowledged, or has ended the connection."""
    return bool(client.find(Disconnected)) or bool(client.find(Published, lambda event: event.token == token))


def run_a_workflow(broker: MadeMosquitto | MadeRabbitMq, directory: Path) -> None:
    made = broker.made
    types, templates = str(CONFIG / "jobtypes"), str(CONFIG / "templates")
    agent = Daemon(directory, "agent", "a1", broker, broker=made.broker_section("a1"), job_types=types)
    manager = Daemon(directory, "manager", "m1", broker, broker=made.broker_section("m1"), templates=templates)
    try:
        agent.start()
        manager.start()
        command = [sys.executable, "-m", "caroni_edge", *submission(broker)]
        said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert said.returncode == 0, said.stderr + manager.log
        assert json.loads(said.stdout) == {"result": "prepended HELLOappend"}
    finally:
        agent.stop()
        manager.stop()


def submission(broker: MadeMosquitto | MadeRabbitMq) -> list[str]:
    """Return what a person says, as the command has told them to."""
    folder = broker.made.folder("alice")
    files = {"--password-file": "alice.password", "--cert-file": "alice.pem", "--key-file": "alice.key"}
    files |= {"--ca-file": "ca.pem"}
    there = [word for name, file in files.items() if (folder / file).exists() for word in (name, str(folder / file))]
    has_tls = (folder / "ca.pem").exists()
    port = broker.people.port if isinstance(broker, MadeMosquitto) else broker.port
    url = f"{'mqtts' if has_tls else 'mqtt'}://127.0.0.1:{port}"
    told = ["--broker", url, "--manager", "m1", "--username", "alice", *there]
    return ["submit", "test_simple", "-i", "message=hello", "--wait", "--timeout", "100s", *told]
