"""Small seeded runs of several nodes in one process, without faults and with all of them."""

import pytest

from tests.simulation.checker import is_quiet, problems
from tests.simulation.federation import PLANS, Federation
from tests.simulation.members import Member
from tests.simulation.schedule import KINDS, end, rough


@pytest.mark.parametrize("seed", range(5))
def test_workflows_cross_agents(seed: int) -> None:
    federation = Federation(seed, managers=2, agents=3)
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.submit(manager.name, template)
    assert federation.run(600, lambda: is_quiet(federation)), problems(federation)
    assert problems(federation) == []


@pytest.mark.parametrize(
    ("kind", "seed"),
    [(kind, seed) for kind, count in (("crashes", 40), ("agents", 30), ("managers", 30)) for seed in range(count)],
)
def test_nothing_is_lost_or_doubled(kind: str, seed: int) -> None:
    """A job is never started twice, and every workflow completes; after the faults all comes to rest."""
    federation = rough(seed)
    KINDS[kind](federation)
    assert end(federation) == []


def test_a_restored_agent_that_forgot_a_begun_job() -> None:
    federation = rough(106)
    KINDS["agents"](federation)
    assert end(federation) == []


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = rough(7), rough(7)
    assert first.now == second.now
    assert first.broker.seen == second.broker.seen
    for one, other in zip(first.members, second.members, strict=True):
        assert content(one) == content(other)


def content(member: Member) -> list[str]:
    """Return all rows of a member, but for when its schema was made."""
    return [line for line in member.disk.database.conn.iterdump() if "_sqlite_migrations" not in line]
