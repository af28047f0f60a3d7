"""The embedded broker: it starts, asks for a name, keeps sessions, and ends; and the pinned ways to ask it."""

import socket
import threading
from importlib.metadata import version

import pytest

from caroni_edge.demo.broker import BrokerNotStarted, EmbeddedBroker
from caroni_edge.transport.base import Arrived
from tests.conftest import MakeClient


def test_it_listens_on_the_port_that_it_says() -> None:
    # EmbeddedBroker asks a private attribute of amqtt for its port: look at that again when amqtt changes.
    assert version("amqtt").startswith("0.12.")
    with EmbeddedBroker() as broker:
        assert broker.port > 0
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        socket.create_connection((broker.host, broker.port)).close()
    assert broker.ended.is_set()
    assert broker.failure is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port))
    assert "embedded-broker" not in {thread.name for thread in threading.enumerate()}


def test_it_listens_on_one_address_only() -> None:
    with EmbeddedBroker() as broker, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.port))


def test_a_port_that_is_taken_is_an_error() -> None:
    with EmbeddedBroker() as broker, pytest.raises(BrokerNotStarted, match="cannot listen") as caught:
        EmbeddedBroker(port=broker.port).__enter__()
    assert f"127.0.0.1:{broker.port}" in str(caught.value)
    assert "--port" in caught.value.advice


def test_it_can_be_stopped_twice_and_with_clients(make_client: MakeClient) -> None:
    with EmbeddedBroker() as broker:
        make_client(broker).connect()
        broker.stop()
        broker.stop()
    assert broker.ended.is_set()


def test_it_queues_for_a_client_that_is_away(amqtt_broker: EmbeddedBroker, make_client: MakeClient) -> None:
    first, sender = make_client(amqtt_broker), make_client(amqtt_broker, "sender")
    first.connect()
    first.subscribe("t")
    first.stop()
    sender.connect()
    for number in range(300):
        sender.publish("t", b"%d" % number)
    second = make_client(amqtt_broker)
    second.connect()
    second.wait_for(Arrived, lambda event: event.payload == b"299")
    assert second.payloads("t") == [b"%d" % number for number in range(300)]
