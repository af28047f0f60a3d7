"""A fleet of real daemons on each kind of broker; mosquitto has the configuration and the ACL that we ship."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import WATCHER, BrokerProcess, RunningBroker, ShippedMosquitto
from tests.e2e.daemons import Fleet
from tests.e2e.notes import Notes

MakeShipped = Callable[..., ShippedMosquitto]
LOGINS = ("m1", "m2", "m3", "a1", "a2", "a3", "a4", "alice", "mallory", WATCHER)


@pytest.fixture
def make_shipped(tmp_path: Path) -> Iterator[MakeShipped]:
    """Start mosquittos as we ship it, but for `settings` of one's own; they are ended after the test."""
    made: list[ShippedMosquitto] = []

    def make(settings: str = "") -> ShippedMosquitto:
        made.append(ShippedMosquitto(tmp_path / f"shipped-{len(made)}", *LOGINS, settings=settings))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def mosquitto(make_shipped: MakeShipped) -> ShippedMosquitto:
    """Start a mosquitto as we ship it: what holds on mosquitto holds with that ACL."""
    return make_shipped()


@pytest.fixture
def fleet(tmp_path: Path, mosquitto: ShippedMosquitto) -> Iterator[Fleet]:
    """Daemons on a real mosquitto."""
    running = Fleet(tmp_path, mosquitto)
    yield running
    running.close()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    """Job types and a template whose runs are noted."""
    return Notes(tmp_path)


@pytest.fixture
def broker_fleet(tmp_path: Path, broker: BrokerProcess) -> Iterator[Fleet]:
    """Daemons on each broker for production."""
    running = Fleet(tmp_path, broker)
    yield running
    running.close()


@pytest.fixture
def any_fleet(tmp_path: Path, any_broker: RunningBroker) -> Iterator[Fleet]:
    """Daemons on each broker, the embedded one too."""
    running = Fleet(tmp_path, any_broker)
    yield running
    running.close()
