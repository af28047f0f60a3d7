"""What a message costs a manager does not depend on how much there is: finished, live, at agents, or of agents."""

from collections.abc import Callable
from typing import Any

import pytest

from caroni_edge.manager.offers import demand
from caroni_edge.manager.workflows import scatters
from tests.unit.manager.bench import Bench
from tests.unit.manager.workflows.test_branches import SPREAD
from tests.work import Work, work_of

FEW, MANY = 10, 120
PAST = 2000


def a_workflow(bench: Bench) -> None:
    """Let a workflow of three steps go from its trigger to its end, before all others, with time for demand between."""
    name = f"more{bench.database.conn.total_changes}"
    bench.start("chain", name, priority=9)
    for job_type in ("upper", "lower", "upper"):
        bench.advance(demand.EVERY_S)
        job = bench.place(job_type=job_type)
        bench.run(job)
        bench.complete(job)
    bench.advance(demand.EVERY_S)
    assert bench.workflow_state(name) == "completed"
    take_all(bench)


def take_all(bench: Bench) -> None:
    """Take what agents and the broker would have taken."""
    bench.outbox.sent.clear()
    bench.notices.take()
    bench.take_events()


def cost(make: Callable[[int], Bench], size: int, do: Callable[[Bench], Any] = a_workflow) -> Work:
    """Return what it takes to do something where there is so much, when it was done once before."""
    bench = make(size)
    take_all(bench)
    do(bench)
    return work_of(bench.database.conn, lambda: do(bench))


def assert_flat(make: Callable[[int], Bench], do: Callable[[Bench], Any] = a_workflow, many: int = MANY) -> None:
    """Assert that it takes as much with few as with many."""
    few, lots = cost(make, FEW, do), cost(make, many, do)
    assert lots.is_like(few), (few, lots)


def idle(_size: int = 0) -> Bench:
    bench = Bench()
    bench.presence()
    return bench


def live(size: int) -> Bench:
    bench = idle()
    for number in range(size):
        bench.start("chain", f"w{number}")
    return bench


def at_agent(size: int, **settings: Any) -> Bench:
    bench = Bench(**settings)
    bench.presence()
    for number in range(size):
        bench.start("one", f"w{number}")
    assert len(bench.place_all(ready=size)) == size
    return bench


def agents(size: int) -> Bench:
    bench = idle()
    for number in range(size):
        bench.presence(f"b{number}")
    return bench


def finished(size: int) -> Bench:
    bench = idle()
    a_workflow(bench)
    for table, changed in {
        "workflows": {"seq": "1000 + n", "id": "'past' || n"},
        "steps": {"id": "100000 + 10 * n + t.id", "workflow": "1000 + n"},
        "jobs": {"job": "t.job || n", "step": "100000 + 10 * n + t.step"},
    }.items():
        columns = [row[1] for row in bench.database.conn.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(changed.get(name, f"t.{name}") for name in columns)
        bench.database.conn.execute(
            f"""INSERT INTO {table} ({", ".join(columns)})
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            SELECT {values} FROM {table} t CROSS JOIN numbers""",
            (size,),
        )
    return bench


def scattered(size: int) -> Bench:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": ["x"] * size})
    return bench


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is counted up to a bound be counted up to a small one: it is the rest that must not grow."""
    monkeypatch.setattr(demand, "COUNT_LIMIT", FEW)
    monkeypatch.setattr(scatters, "UNTAKEN", FEW)
    monkeypatch.setattr(scatters, "GROWTH", FEW)


def test_finished_workflows_cost_nothing() -> None:
    assert_flat(finished, many=PAST)


@pytest.mark.usefixtures("small_bounds")
def test_workflows_that_wait_cost_nothing() -> None:
    assert_flat(live)


@pytest.mark.parametrize("max_live_steps", [None, 10 * MANY])
def test_jobs_at_an_agent_cost_others_nothing(max_live_steps: int | None) -> None:
    assert_flat(lambda size: at_agent(size, max_live_steps=max_live_steps))


def test_agents_cost_a_workflow_nothing() -> None:
    assert_flat(agents)


def test_agents_cost_the_presence_of_one_nothing() -> None:
    def come_and_go(bench: Bench) -> None:
        bench.presence("b1", online=False)
        bench.presence("b1")
        bench.presence("b1")

    assert_flat(agents, come_and_go)


@pytest.mark.usefixtures("small_bounds")
def test_instances_of_a_step_cost_each_other_nothing() -> None:
    def an_instance(bench: Bench) -> None:
        for placed in bench.place_all(ready=1):
            bench.run(placed.job)
            bench.complete(placed.job)
        bench.advance(demand.EVERY_S)
        take_all(bench)

    few, many = cost(scattered, 5 * FEW, an_instance), cost(scattered, 5 * MANY, an_instance)
    assert many.is_like(few), (few, many)


def test_a_large_value_costs_no_more_statements_and_no_more_decisions_than_a_small_one() -> None:
    def with_value(size: int) -> Callable[[Bench], None]:
        def work(bench: Bench) -> None:
            name = f"more{bench.database.conn.total_changes}"
            bench.start("one", name, inputs={"message": "x" * size})
            bench.complete(bench.place(), out="y" * size)
            assert bench.workflow_state(name) == "completed"

        return work

    small, large = cost(idle, 0, with_value(10)), cost(idle, 0, with_value(48_000))
    assert large.is_like(small), (small, large)
