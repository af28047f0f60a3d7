"""What brokers differ in, as docs/brokers.md says it. A test that fails here tells that a broker has changed."""

from pathlib import Path

import pytest

from caroni_edge.transport.base import Arrived, Connected, Disconnected
from tests.brokers import BrokerProcess, Mosquitto
from tests.conftest import MakeClient, MakeMosquitto
from tests.other_brokers import Nats, RabbitMq
from tests.support import wait_until

SHIPPED = Path(__file__).parents[2] / "config" / "mosquitto"


def retained_heard(broker: BrokerProcess, make_client: MakeClient, topic_filter: str) -> list[bytes]:
    """Retain a message at t/a, subscribe, and return what has come until something sent later has."""
    client = make_client(broker, f"{broker.name}-{topic_filter[-1].replace('+', 'all')}")
    client.connect()
    client.publish("t/a", b"kept", retain=True)
    client.subscribe(topic_filter)
    client.subscribe("barrier")
    client.publish("barrier", b"")
    client.wait_for(Arrived, lambda event: event.topic == "barrier")
    return client.payloads("t/a")


def test_mosquitto_and_nats_give_what_is_retained_to_wildcards(
    mosquitto: Mosquitto, nats: Nats, make_client: MakeClient
) -> None:
    for broker in (mosquitto, nats):
        assert retained_heard(broker, make_client, "t/+") == [b"kept"]


def test_rabbitmq_gives_what_is_retained_to_exact_subscriptions_only(
    rabbitmq: RabbitMq, make_client: MakeClient
) -> None:
    assert retained_heard(rabbitmq, make_client, "t/+") == []
    assert retained_heard(rabbitmq, make_client, "t/a") == [b"kept"]


@pytest.mark.parametrize("topic", ["a.b", "a b"])
def test_nats_cuts_off_who_uses_other_characters(nats: Nats, make_client: MakeClient, topic: str) -> None:
    client = make_client(nats)
    client.connect()
    assert client.transport.publish(topic, b"", qos=1)
    client.wait_for(Disconnected)
    client.wait_for(Connected, lambda event: event.connection > 1)


def test_rabbitmq_takes_a_dot_for_a_slash(rabbitmq: RabbitMq, make_client: MakeClient) -> None:
    client = make_client(rabbitmq)
    client.connect()
    client.subscribe("a/b")
    client.publish("a.b", b"x")
    assert client.wait_for(Arrived, lambda event: event.payload == b"x").topic == "a/b"


def test_rabbitmq_sends_no_more_than_the_prefetch_at_once(rabbitmq: RabbitMq, make_client: MakeClient) -> None:
    client = make_client(rabbitmq)
    client.connect()
    client.subscribe("t")
    for number in range(150):
        client.publish("t", b"%d" % number)
    wait_until(lambda: len(client.arrived("t")) >= 100, what="what may be sent at once")
    assert len(client.arrived("t")) == 100
    client.transport.ack(client.arrived("t")[0])
    wait_until(lambda: len(client.arrived("t")) == 101, what="one more")


def test_nats_repeats_what_is_not_acknowledged_on_the_same_connection(nats: Nats, make_client: MakeClient) -> None:
    """The others wait for the next connection."""
    client = make_client(nats)
    client.connect()
    client.subscribe("t")
    client.publish("t", b"x")
    wait_until(lambda: len(client.arrived("t")) >= 2, what="the same once more")
    first, again = client.arrived("t")[:2]
    assert (again.dup, again.packet_id, again.connection) == (True, first.packet_id, first.connection)


@pytest.mark.parametrize("size_bytes", [64 * 1024, 512 * 1024])
def test_a_frame_and_a_large_event_pass(broker: BrokerProcess, make_client: MakeClient, size_bytes: int) -> None:
    client = make_client(broker)
    client.connect()
    client.subscribe("t")
    client.publish("t", b"x" * size_bytes)
    assert len(client.wait_for(Arrived, lambda event: event.topic == "t").payload) == size_bytes


BOUNDS = ("message_size_limit", "max_queued_messages", "max_queued_bytes")


@pytest.mark.parametrize("name", ["caroni.conf", "local.conf"])
def test_the_shipped_mosquitto_keeps_no_junk(make_mosquitto: MakeMosquitto, make_client: MakeClient, name: str) -> None:
    """Retained messages of 20 MB made it 348 MB large."""
    lines = (SHIPPED / name).read_text().splitlines()
    bounds = [line for line in lines if line.split(" ")[0] in BOUNDS]
    assert len(bounds) == len(BOUNDS)
    broker = make_mosquitto(settings="\n".join(bounds) + "\n").start()
    before = resident_bytes(broker)
    client = make_client(broker)
    client.connect()
    for number in range(5):
        client.publish(f"caroni/managers/none{number}/workflows", b"x" * 20_000_000, retain=True)
    client.publish("caroni/managers/none9/workflows", b"x" * 132 * 1024, retain=True)
    client.subscribe("caroni/managers/+/workflows")
    heard = client.wait_for(Arrived, lambda event: event.topic.startswith("caroni/"))
    assert (heard.topic, len(heard.payload)) == ("caroni/managers/none9/workflows", 132 * 1024)
    assert len(client.find(Arrived, lambda event: event.topic.startswith("caroni/"))) == 1
    assert resident_bytes(broker) - before < 40_000_000


def resident_bytes(broker: Mosquitto) -> int:
    status = Path(f"/proc/{broker.pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
