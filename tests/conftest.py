"""Fixtures of all tests: brokers on loopback, each test its own."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from caroni_edge.base import logs
from caroni_edge.demo.broker import EmbeddedBroker
from tests.brokers import BrokerProcess, Client, Mosquitto, RunningBroker
from tests.other_brokers import Nats, RabbitMq

MakeMosquitto = Callable[..., Mosquitto]
MakeClient = Callable[..., Client]

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Give the log of this process back as it was: what a test has set up would keep records from the next ones."""
    root, names = logging.getLogger(), ("", "caroni_edge", *logs.QUIET)
    handlers, levels = root.handlers[:], [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)


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


@pytest.fixture(scope="session")
def shared_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """Start RabbitMQ, once."""
    broker = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    yield broker
    broker.close()


@pytest.fixture
def rabbitmq(shared_rabbitmq: RabbitMq) -> RabbitMq:
    """Give an empty RabbitMQ."""
    return shared_rabbitmq.empty()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    """Start a nats-server."""
    broker = Nats(tmp_path / "nats").start()
    yield broker
    broker.kill()


BROKERS = ("mosquitto", "rabbitmq", "nats")


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> BrokerProcess:
    """Start each broker for production in turn: what the nodes promise must hold on all of them."""
    found: BrokerProcess = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=[*BROKERS, "amqtt_broker"])
def any_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Start each kind of broker in turn, the embedded one too, which can be neither killed nor started again."""
    found: RunningBroker = request.getfixturevalue(request.param)
    return found


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
