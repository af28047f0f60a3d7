"""Nodes and brokers that are away, and come back: all completes afterwards, and nothing runs twice."""

import os
import signal
from pathlib import Path

import pytest
import yaml

from tests.brokers import BrokerProcess
from tests.e2e.daemons import Fleet
from tests.support import wait_until


def slow_type(directory: Path, trace: Path) -> str:
    """Write a job type that notes that it runs, and goes on when the file `go` beside its note is there."""
    directory.mkdir()
    script = f"""
        echo "$CARONI_WORKFLOW/$CARONI_STEP/$CARONI_ATTEMPT" >> {trace}
        while [ ! -e {trace}.go ]; do sleep 0.05; done
        printf 'jobout=%s\\n' "$CARONI_ENV_message" >> "$CARONI_OUTPUTS"
    """
    for name in ("foojob0", "foojob1", "foojob2"):
        facts = {"name": name, "inputs": {"message": "string"}, "outputs": {"jobout": "string"}, "script": script}
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(facts))
    return str(directory)


def runs(trace: Path) -> list[str]:
    return trace.read_text().split() if trace.exists() else []


def test_a_trigger_waits_for_its_manager(broker_fleet: Fleet) -> None:
    broker_fleet.agent()
    manager = broker_fleet.manager()
    assert manager.stop() == 0
    broker_fleet.trigger({"template": "test_simple", "inputs": {"message": "later"}, "id": "w1"})
    manager.start()
    assert broker_fleet.outputs("w1") == {"result": "prepended LATERappend"}


def test_workflows_wait_for_an_agent(broker_fleet: Fleet) -> None:
    manager = broker_fleet.manager()
    for number in range(5):
        broker_fleet.trigger({"template": "test_simple", "inputs": {"message": f"n{number}"}, "id": f"w{number}"})
    wait_until(lambda: len(manager.get("/api/workflows")["workflows"]) == 5)
    broker_fleet.agent()
    for number in range(5):
        assert broker_fleet.outputs(f"w{number}") == {"result": f"prepended N{number}append"}


class SlowChain:
    """A workflow whose first job runs, and ends when it is let go on; each job notes that it ran."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self._fleet, self._trace = fleet, directory / "trace"
        self.agent = fleet.agent(job_types=slow_type(directory / "types", self._trace))
        self.manager = fleet.manager()
        fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
        wait_until(lambda: runs(self._trace), what="the first job to run")

    def go_on(self) -> None:
        """Let the jobs end."""
        Path(f"{self._trace}.go").touch()

    def assert_each_step_ran_once(self) -> None:
        """Wait for the end."""
        assert self._fleet.outputs("w1", 60) == {"result": "x"}
        assert sorted(runs(self._trace)) == ["w1/append/1", "w1/prepend/1", "w1/upper/1"]


def test_work_goes_on_after_the_broker_was_killed(broker_fleet: Fleet, broker: BrokerProcess, tmp_path: Path) -> None:
    chain = SlowChain(broker_fleet, tmp_path)
    broker.kill()
    chain.go_on()
    broker.start()
    chain.assert_each_step_ran_once()
    broker_fleet.trigger({"template": "test_simple", "inputs": {"message": "y"}, "id": "w2"})
    assert broker_fleet.outputs("w2") == {"result": "y"}


@pytest.mark.parametrize("who", ["agent", "manager"])
def test_work_goes_on_after_a_daemon_was_killed(broker_fleet: Fleet, tmp_path: Path, who: str) -> None:
    """The job outlives its agent, and runs once."""
    chain = SlowChain(broker_fleet, tmp_path)
    daemon = {"agent": chain.agent, "manager": chain.manager}[who]
    daemon.kill()
    chain.go_on()
    daemon.start()
    chain.assert_each_step_ran_once()


def test_a_failure_says_why_and_retry_goes_on(fleet: Fleet, tmp_path: Path) -> None:
    types = tmp_path / "types"
    types.mkdir()
    facts = {"inputs": {"message": "string"}, "outputs": {"jobout": "string"}}
    good = 'printf \'jobout=%s\\n\' "$CARONI_ENV_message" >> "$CARONI_OUTPUTS"'
    for name in ("foojob0", "foojob1", "foojob2"):
        (types / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **facts, "script": good}))
    bad = yaml.safe_dump({"name": "foojob2", **facts, "script": "echo not good >&2; exit 3"})
    (types / "foojob2.yaml").write_text(bad)
    agent = fleet.agent(job_types=str(types))
    manager = fleet.manager(attempts=2, retry_delay="100ms")
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    failed = wait_until(lambda: fleet.of("w1", "caroni.workflow.failed"), what="the workflow to fail")
    assert "append" in failed[0]["reason"]
    step = manager.get("/api/workflows/w1")["steps"]["append"]
    assert [attempt["exit_code"] for attempt in step["attempts"]] == [3, 3]
    assert "not good" in step["attempts"][-1]["stderr"]
    (types / "foojob2.yaml").write_text(yaml.safe_dump({"name": "foojob2", **facts, "script": good}))
    agent.signal(signal.SIGHUP)
    wait_until(lambda: "configuration read anew" in agent.log, what="the agent to re-read its job types")
    assert manager.post("/api/workflows/w1/retry").status_code == 200
    wait_until(lambda: fleet.of("w1", "caroni.workflow.completed"), what="the workflow to complete")


def test_two_managers_share_an_agent_by_weight(fleet: Fleet, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    types = slow_type(tmp_path / "types", trace)
    Path(f"{trace}.go").touch()
    fleet.manager("m1")
    fleet.manager("m2")
    for number in range(20):
        for name in ("m1", "m2"):
            message = {"template": "test_simple", "inputs": {"message": "x"}, "id": f"{name}w{number}"}
            fleet.trigger(message, name)
    fleet.agent(job_types=types, slots=1, managers={"m1": {"weight": 3}, "m2": {"weight": 1}})
    for number in range(20):
        for name in ("m1", "m2"):
            fleet.outputs(f"{name}w{number}", 120)
    first = [run[:2] for run in runs(trace)[:40]]
    assert len(runs(trace)) == 120
    assert first.count("m1") > first.count("m2") > 0


def test_a_second_daemon_on_one_state_directory_is_refused(fleet: Fleet) -> None:
    manager = fleet.manager()
    second = type(manager)(fleet.directory, "manager", "m1", fleet.broker, templates=str(fleet.directory))
    second.start(wait=False)
    assert second.wait() == 2
    assert "Another process uses this state directory" in second.log
    assert os.path.exists(manager.config)
