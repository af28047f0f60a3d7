"""What must hold on every broker, though brokers differ: triggers that come twice, and values of the greatest size."""

from pathlib import Path

from tests.e2e.daemons import Fleet
from tests.e2e.test_faults import runs, slow_type
from tests.support import wait_until

LARGE = "x" * 48_000


def test_a_trigger_that_comes_twice_starts_one_workflow(broker_fleet: Fleet, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    Path(f"{trace}.go").touch()
    broker_fleet.agent(job_types=slow_type(tmp_path / "types", trace))
    manager = broker_fleet.manager()
    trigger = {"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"}
    broker_fleet.trigger(trigger)
    broker_fleet.trigger(trigger)
    assert broker_fleet.outputs("w1") == {"result": "x"}
    broker_fleet.trigger(trigger)
    wait_until(lambda: len(broker_fleet.of("w1", "caroni.workflow.completed")) > 1, what="the last event once more")
    assert len(manager.get("/api/workflows")["workflows"]) == 1
    assert sorted(runs(trace)) == ["w1/append/1", "w1/prepend/1", "w1/upper/1"]


def test_values_of_the_greatest_size_pass(broker_fleet: Fleet) -> None:
    broker_fleet.agent()
    broker_fleet.manager()
    for number in range(10):
        broker_fleet.trigger({"template": "test_simple", "inputs": {"message": LARGE}, "id": f"w{number}"})
    for number in range(10):
        assert broker_fleet.outputs(f"w{number}", 60) == {"result": f"prepended {LARGE.upper()}append"}


def test_two_managers_run_the_same_workload(broker_fleet: Fleet, tmp_path: Path) -> None:
    """The same templates, ids and agents at the same time: each gets its own results, and each step runs once."""
    trace = tmp_path / "trace"
    Path(f"{trace}.go").touch()
    for name in ("m1", "m2"):
        broker_fleet.manager(name)
    for number in range(5):
        for name in ("m1", "m2"):
            inputs = {"message": f"{name} {number}"}
            broker_fleet.trigger({"template": "test_simple", "inputs": inputs, "id": f"w{number}"}, name)
    for name in ("a1", "a2"):
        broker_fleet.agent(name, job_types=slow_type(tmp_path / f"types-{name}", trace))
    for number in range(5):
        wait_until(lambda n=number: len(broker_fleet.of(f"w{n}", "caroni.workflow.completed")) == 2)  # type: ignore[misc]
        found = [data["outputs"]["result"] for data in broker_fleet.of(f"w{number}", "caroni.workflow.completed")]
        assert sorted(found) == [f"m1 {number}", f"m2 {number}"]
    steps = [f"w{number}/{step}/1" for number in range(5) for step in ("upper", "prepend", "append")]
    assert sorted(runs(trace)) == sorted(2 * steps)
