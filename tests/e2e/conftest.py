"""A fleet of real daemons on each kind of broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import BrokerProcess, Mosquitto, RunningBroker
from tests.e2e.daemons import Fleet


@pytest.fixture
def fleet(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Fleet]:
    """Daemons on a real mosquitto."""
    running = Fleet(tmp_path, mosquitto)
    yield running
    running.close()


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
