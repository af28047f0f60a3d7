"""Small seeded runs of several nodes in one process, without faults and with all of them."""

import pytest

from tests.simulation.checker import is_quiet, problems
from tests.simulation.federation import PLANS, Federation
from tests.simulation.members import Member
from tests.simulation.schedule import end, lose_databases, pass_time, rough


@pytest.mark.parametrize("seed", range(5))
def test_workflows_cross_agents(seed: int) -> None:
    federation = Federation(seed, managers=2, agents=3)
    federation.start()
    for template in PLANS:
        for manager in federation.managers:
            federation.submit(manager.name, template)
    assert federation.run(600, lambda: is_quiet(federation)), problems(federation)
    assert problems(federation) == []


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_or_doubled_by_a_bad_broker_and_crashes(seed: int) -> None:
    federation = rough(seed)
    for _ in range(10):
        pass_time(federation, 20)
    assert end(federation) == []


@pytest.mark.parametrize("seed", range(100, 130))
def test_agents_that_lose_their_database_start_no_job_twice(seed: int) -> None:
    """Their hosts remember the jobs; every workflow still completes."""
    federation = rough(seed)
    lose_databases(federation, federation.agents)
    assert end(federation) == []


@pytest.mark.parametrize("seed", range(200, 230))
def test_managers_that_lose_their_database_are_told_what_their_agents_hold(seed: int) -> None:
    """What they have forgotten is asked for again by its id."""
    federation = rough(seed)
    lose_databases(federation, federation.managers)
    federation.submit_again([manager.name for manager in federation.managers if manager.was_exempt])
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
