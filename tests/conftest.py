"""Fixtures of all tests: brokers on loopback, each test its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.broker import EmbeddedBroker
from tests.brokers import Client, Mosquitto, RunningBroker

MakeMosquitto = Callable[..., Mosquitto]
MakeClient = Callable[..., Client]


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[MakeMosquitto]:
    """Make mosquitto processes with settings of one's own; they are not started yet, and ended after the test."""
    made: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:
        broker = Mosquitto(tmp_path / f"mosquitto-{len(made)}", **options)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def mosquitto(make_mosquitto: MakeMosquitto) -> Mosquitto:
    """Start a mosquitto with the recommended settings. Without the program the test is skipped, in CI it fails."""
    return make_mosquitto().start()


@pytest.fixture
def amqtt_broker() -> Iterator[EmbeddedBroker]:
    """Start the embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "amqtt_broker"])
def any_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Start each kind of broker in turn: what the embedded one shows must hold on mosquitto too."""
    broker: RunningBroker = request.getfixturevalue(request.param)
    return broker


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Make clients of a broker; they are stopped after the test."""
    made: list[Client] = []

    def make(broker: RunningBroker, client_id: str = "node", **options: Any) -> Client:
        client = Client.of(broker, client_id, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.stop(0)
