"""Ended workflows go when they are old; never all at once, and never what is still needed."""

import pytest
from sqlite_utils import Database

from caroni_edge.node.allowance import DAY_S
from caroni_edge.storage.migrations.manager import manager
from tests.unit.manager.bench import Bench
from tests.unit.manager.workflows.test_branches import SPREAD, run_all

TABLES = ("workflows", "steps", "jobs", "logs")


@pytest.fixture
def bench() -> Bench:
    bench = Bench(retention_s=10 * DAY_S)
    bench.presence()
    return bench


def counts(bench: Bench) -> list[int]:
    return [len(bench.rows(f"SELECT 1 FROM {table}")) for table in TABLES]


def later(bench: Bench, days: float) -> None:
    bench.now += days * DAY_S
    bench.date += days * DAY_S
    bench.settle()


def finish(bench: Bench, workflow: str) -> None:
    bench.start("one", workflow)
    job = bench.place()
    bench.run(job)
    bench.complete(job, out="X")


def test_what_is_old_goes_with_all_that_belongs_to_it(bench: Bench) -> None:
    for number in range(20):
        finish(bench, f"w{number}")
    later(bench, 9)
    assert counts(bench) == [20, 20, 20, 0]
    later(bench, 2)
    assert counts(bench) == [19, 19, 19, 0]
    assert bench.rows("SELECT 1 FROM workflows WHERE id = 'w0'") == []


def test_a_plan_goes_with_the_last_workflow_that_runs_by_it(bench: Bench) -> None:
    bench.start("pair", "last")
    bench.complete(bench.place())
    bench.complete(bench.place("a1", "lower"))
    later(bench, 5)
    finish(bench, "first")
    finish(bench, "second")
    for left in (2, 1):
        later(bench, 10)
        assert counts(bench)[0] == left
        assert [row["template"] for row in bench.rows("SELECT template FROM plans")] == ["one"]
    later(bench, 20)
    assert bench.rows("SELECT 1 FROM plans") == []
    finish(bench, "third")


def test_plans_that_were_left_behind_go_at_the_update() -> None:
    bench = Bench()
    bench.start("one")
    conn = bench.database.conn
    conn.execute("INSERT INTO plans (hash, template, body, date) VALUES ('unused', 'old', x'', 0)")
    conn.execute("DROP INDEX workflows_plan")
    conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'plans_in_use'")
    conn.commit()
    manager.apply(Database(conn))
    assert [row["template"] for row in bench.rows("SELECT template FROM plans")] == ["one"]


def test_a_clock_that_jumps_takes_one_in_twenty_a_day_at_most(bench: Bench) -> None:
    for number in range(40):
        finish(bench, f"w{number}")
    later(bench, 0.01)
    bench.date += 1000 * DAY_S
    later(bench, 1)
    assert counts(bench)[0] == 38
    later(bench, 1)
    assert counts(bench)[0] in (36, 37)


def test_a_large_workflow_goes_at_once_for_people_and_few_by_few_in_the_database() -> None:
    bench = Bench(SPREAD, retention_s=10 * DAY_S)
    bench.presence()
    bench.start("spread", inputs={"values": ["v"] * 2500})
    run_all(bench)
    bench.take_events()
    later(bench, 1)
    bench.now += 20 * DAY_S
    bench.date += 20 * DAY_S
    bench.settle()
    assert bench.rows("SELECT 1 FROM workflows") == []
    assert 1000 < counts(bench)[1] < 2501
    bench.advance(0.0)
    assert counts(bench) == [0, 0, 0, 0]
    assert bench.rows("SELECT 1 FROM scattered") == bench.rows("SELECT 1 FROM pruned") == []


def test_what_has_not_ended_stays(bench: Bench) -> None:
    bench.start("one", "waiting")
    later(bench, 1)
    later(bench, 100)
    assert counts(bench)[0] == 1


def test_without_a_bound_nothing_goes() -> None:
    bench = Bench(retention_s=None)
    bench.presence()
    finish(bench, "w1")
    later(bench, 1)
    later(bench, 1000)
    assert counts(bench)[0] == 1
