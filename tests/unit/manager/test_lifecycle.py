"""The manager's state tables: what the code meets is in them, and they say nothing that never happens."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from caroni_edge.base import states
from caroni_edge.manager.jobs import orders
from caroni_edge.manager.lifecycle import ENDED, STEP, WORKFLOW, StepEvent, StepState, WorkflowState
from caroni_edge.manager.offers import placing
from caroni_edge.manager.peers import reconcile
from caroni_edge.manager.workflows import acting, attempts, engine, failures, instances, remaking, scatters, statuses
from caroni_edge.protocol.messages import JobDecline
from tests.unit.manager.bench import Bench, given, out, plan, step


def test_only_a_failed_workflow_that_has_ended_goes_on() -> None:
    assert {state for state in ENDED if WORKFLOW[state]} == {WorkflowState.FAILED}
    assert {state for state, row in STEP.items() if not row} == {StepState.CANCELLED}
    assert STEP[StepState.COMPLETED] == {StepEvent.FILE_LOST: StepState.FULFILLING}


# What the code meets


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, bool]]:
    """Return the pairs of state and event that the code asks the tables for, and whether there was an arrow."""
    asked: set[tuple[str, str, bool]] = set()

    def advance(table: Mapping[Any, Mapping[Any, Any]], state: Any, event: Any) -> Any:
        found = states.advance(table, state, event)
        asked.add((f"{type(state).__name__}.{state}", str(event), found is not None))
        return found

    def require(table: Mapping[Any, Mapping[Any, Any]], state: Any, event: Any, **ids: object) -> Any:
        advance(table, state, event)
        return states.require(table, state, event, **ids)

    asking = (acting, attempts, engine, failures, instances, orders, placing, reconcile, remaking, scatters, statuses)
    for module in asking:
        monkeypatch.setattr(module, "advance", advance, raising=False)
        monkeypatch.setattr(module, "require", require, raising=False)
    return asked


def live(bench: Bench) -> None:
    """Let workflows go through all that may happen to them."""
    bench.presence()
    bench.start("diamond", "d")
    bench.complete(bench.place())
    for placed in bench.place_all(job_type="lower", ready=2, waiting=2):
        bench.run(placed.job)
        bench.complete(placed.job)
    bench.complete(bench.place())
    for number, waiting in enumerate((False, True)):  # cancelled at each point
        bench.start("pair", f"w{number}")
        (placed,) = bench.place_all()
        bench.cancel(f"w{number}") if waiting else bench.run(placed.job)
    for number in range(2, 6):
        bench.start("pair", f"w{number}")
        (placed,) = bench.place_all()
        if number == 2:
            bench.send(JobDecline(job=placed.job, reason="full"))
        elif number == 3:
            bench.run(placed.job)
            bench.fail(placed.job)
        else:
            (other,) = [each for each in bench.place_all(job_type="lower", ready=9) if each.workflow == f"w{number}"]
            bench.run(other.job)
            bench.fail(placed.job)
            bench.fail(other.job)
    bench.offer(job_type="nobody")
    bench.advance(61)
    bench.presence(online=False)
    bench.start("one", "w9")
    bench.advance(61)
    bench.presence()


def test_what_the_code_asks_the_tables_for_is_in_them(met: set[tuple[str, str, bool]]) -> None:
    bench = Bench(attempts=2)
    live(bench)
    bench = Bench(attempts=1)
    live(bench)
    bench.retry("w3")
    missing = {f"{state} {event}" for state, event, found in met if not found}
    assert not missing
    assert len(met) > 20


# Messages that fit no state


def situations() -> Iterator[tuple[str, Bench, str]]:
    """Yield benches with a job of each kind of which nothing more is expected."""
    for end in ("completed", "failed", "killed", "cancelled", "workflow failed"):
        two = plan("two", step("a", "upper", text=given("message")), step("b", "lower", text=out("a")))
        bench = Bench(two, attempts=1 if end == "workflow failed" else 5)
        bench.presence()
        bench.start("two")
        job = bench.place()
        if end == "completed":
            bench.complete(job)
        elif end == "cancelled":
            bench.cancel()
        elif end == "killed":
            bench.status(job, "killed")
        else:
            bench.fail(job)
        bench.outbox.sent.clear()
        yield end, bench, job


@pytest.mark.parametrize(("end", "bench", "job"), list(situations()), ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("status", ["pending", "queued", "running", "completed", "failed", "killed"])
def test_no_status_changes_anything_of_a_job_that_is_over(end: str, bench: Bench, job: str, status: str) -> None:
    before = bench.dump()
    bench.status(job, status, outputs={"out": "again"} if status == "completed" else None)
    assert bench.dump() == before, end
    bench.outbox.nothing_else()
