"""Small seeded runs of several nodes in one process, without faults and with all of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.checker import problems, unrest
from tests.simulation.federation import Federation
from tests.simulation.plans import PLANS
from tests.simulation.schedule import KINDS, play

ROOT = Path(__file__).parents[2]
BUSY = "SELECT min(started), max(ended), sum(ended - started) FROM jobs"


@pytest.mark.parametrize("seed", range(3))
def test_workflows_cross_agents(seed: int) -> None:
    federation = Federation(seed, managers=2, agents=3)
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.users.submit(manager.name, template)
    assert federation.run(3600, lambda: not unrest(federation)), unrest(federation)
    assert problems(federation) == []


@pytest.mark.parametrize("slowness", [0.01, 0.1])
def test_slots_are_busy_as_long_as_there_is_work(slowness: float) -> None:
    """An offer that is refused without need costs 10 s of the slots that it was for."""
    federation = Federation(1, agents=1)
    (agent,) = federation.agents
    agent.host.slowness = slowness
    federation.start()
    for _ in range(60):
        federation.users.submit("m0", "chain3")
    assert federation.run(3600, lambda: not unrest(federation)), unrest(federation)
    ((first, last, busy_s),) = agent.disk.database.conn.execute(BUSY)
    assert busy_s > 0.9 * 2 * (last - first)


@pytest.mark.parametrize(
    ("kind", "seed"), [(kind, seed) for kind in KINDS for seed in range(30 if kind == "all" else 6)]
)
def test_nothing_is_lost_or_doubled(kind: str, seed: int) -> None:
    """A job is never started twice, and every workflow completes; after the faults all comes to rest."""
    assert play(kind, seed) == []


def test_the_same_seed_gives_the_same_run() -> None:
    """In other processes too, where sets have another order."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", "--seeds", "0:5", "--trace"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (run.communicate()[0].splitlines() for run in runs)
    assert len(first) > 1000
    for one, other in zip(first, second, strict=True):
        assert one == other
