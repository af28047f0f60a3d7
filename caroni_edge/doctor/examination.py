"""All checks, in the order in which one makes sense of the next."""

import time
from collections.abc import Iterable, Iterator

from caroni_edge.config import AgentConfig, NodeConfig
from caroni_edge.doctor import boxes, broker, clock, database, direct, disk, keepers, secrets
from caroni_edge.doctor.database import State
from caroni_edge.doctor.findings import Finding


def examine(config: NodeConfig, job_types: Iterable[str]) -> Iterator[Finding]:
    """Look at a node: its state, disk, clock and keepers, and then its broker.

    Args:
        config: The node's configuration.
        job_types: The job types of an agent.
    """
    state = State()
    yield from database.check(config, state)
    yield from disk.check(config)
    if isinstance(config, AgentConfig):
        yield from boxes.check(config)
        yield from secrets.check(config)
    yield from clock.check(state.dates, time.time())
    yield from keepers.check(config)
    yield from direct.check(config)
    yield from broker.check(config, job_types, state)
