"""The configuration for a network that we ship (config/mosquitto): who can throw off whom."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.transport.base import Connected, Disconnected
from tests.brokers import ShippedMosquitto
from tests.conftest import MakeClient

NODE_ID = "caroni-managers-m1"


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    broker = ShippedMosquitto(tmp_path, "m1", "a1", "alice")
    broker.start()
    yield broker
    broker.kill()


def test_a_person_connects_as_often_as_they_like(shipped: ShippedMosquitto, make_client: MakeClient) -> None:
    first = make_client(shipped.people, "caroni-submit-1", username="alice")
    first.connect()
    make_client(shipped.people, "caroni-submit-2", username="alice").connect()
    first.publish("caroni/managers/m1/workflows", b"")
    assert not first.find(Disconnected)


def test_a_node_that_is_connected_stays_so_while_its_login_is_used_elsewhere(
    shipped: ShippedMosquitto, make_client: MakeClient
) -> None:
    node = make_client(shipped, NODE_ID, username="m1")
    node.connect()
    make_client(shipped.people, "caroni-submit-1", username="m1").connect()
    node.publish("caroni/presence/managers/m1", b"")
    assert not node.find(Disconnected)


@pytest.mark.parametrize("taken", ["m1", "a1", "node"])
def test_a_person_takes_no_client_id_of_a_node(shipped: ShippedMosquitto, make_client: MakeClient, taken: str) -> None:
    """On the nodes' listener the login is the client id."""
    node = make_client(shipped, NODE_ID, username="m1")
    node.connect()
    thief = make_client(shipped.people, taken, username="alice").start()
    thief.wait_for(Disconnected)
    assert not thief.find(Connected)
    node.publish("caroni/presence/managers/m1", b"")
    assert not node.find(Disconnected)


def test_a_login_is_one_node(shipped: ShippedMosquitto, make_client: MakeClient) -> None:
    """Whatever it calls itself, it cuts off the other: they are never on together."""
    first = make_client(shipped, NODE_ID, username="m1")
    first.connect()
    make_client(shipped, "caroni-agents-a1", username="m1").connect()
    assert "the broker closed the connection" in first.wait_for(Disconnected).reason
