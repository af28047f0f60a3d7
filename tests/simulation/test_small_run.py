"""A small seeded run of several nodes in one process, without faults and with some."""

import pytest

from caroni_edge.transport.memory import Faults
from tests.simulation.checker import is_quiet, problems
from tests.simulation.federation import PLANS, Federation


@pytest.mark.parametrize("seed", range(5))
def test_workflows_cross_agents(seed: int) -> None:
    federation = Federation(seed, managers=2, agents=3)
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.submit(manager.name, template)
    assert federation.run(600, lambda: is_quiet(federation)), problems(federation)
    assert problems(federation) == []


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_doubled_by_a_bad_broker_and_crashes(seed: int) -> None:
    federation = Federation(seed, managers=2, agents=3, fail=0.1)
    federation.broker.faults = Faults(drop=0.1, double=0.1, reorder=0.1, late_s=0.3, cut=0.02, wipe=0.002)
    for member in federation.members:
        member.fuse.probability = 0.003
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.submit(manager.name, template)
            federation.run(federation.chance.random() * 5)
            federation.start()
    for _ in range(10):
        federation.run(federation.chance.random() * 20)
        federation.start()
    federation.calm()
    assert federation.run(3600, lambda: is_quiet(federation)), problems(federation)
    assert problems(federation) == []
