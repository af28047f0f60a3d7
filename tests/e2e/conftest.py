"""A fleet of real daemons on each kind of broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto, RunningBroker
from tests.e2e.daemons import Fleet


@pytest.fixture
def fleet(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Fleet]:
    """Daemons on a real mosquitto."""
    running = Fleet(tmp_path, mosquitto)
    yield running
    running.close()


@pytest.fixture
def any_fleet(tmp_path: Path, any_broker: RunningBroker) -> Iterator[Fleet]:
    """Daemons on mosquitto, and on the embedded broker."""
    running = Fleet(tmp_path, any_broker)
    yield running
    running.close()
