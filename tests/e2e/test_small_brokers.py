"""Brokers that drop what is large, or cut off who publishes it: that alone fails, with the reason; all else goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import hasty
from tests.e2e.conftest import MakeShipped
from tests.e2e.daemons import Daemon, Fleet
from tests.support import HTTP, wait_until

MakeFleet = Callable[[str], Fleet]
FOUND_OUT_WITHIN_S = 90.0
DROPS = "message_size_limit 20000\n"
CUTS = "max_packet_size 100000\n"


@pytest.fixture
def small_fleet(tmp_path: Path, make_shipped: MakeShipped) -> Iterator[MakeFleet]:
    made: list[Fleet] = []

    def make(limits: str) -> Fleet:
        made.append(Fleet(tmp_path, make_shipped(limits), hasty.PROGRAM))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


def parallel(directory: Path, steps: int) -> dict[str, str]:
    """Write a workflow of steps side by side, and a job type that gives back its text, and `size` bytes more."""
    (directory / "types").mkdir()
    (directory / "templates").mkdir()
    more = '"$(head -c "$CARONI_ENV_size" /dev/zero | tr "\\0" y)"'
    script = f'printf "out=%s%s" "$CARONI_ENV_text" {more} >> "$CARONI_OUTPUTS"'
    job_type = {"name": "grow", "inputs": {"text": "string", "size": "int"}, "outputs": {"out": "string"}}
    (directory / "types" / "grow.yaml").write_text(yaml.safe_dump({**job_type, "script": script}))
    run = {"class": "Operation", "inputs": job_type["inputs"], "outputs": job_type["outputs"]}
    facts: dict[str, Any] = {
        "class": "Workflow",
        "cwlVersion": "v1.2",
        "inputs": {"text": "string", "size": "int"},
        "outputs": {},
        "steps": {
            f"s{number}": {
                "run": run,
                "in": {"text": "text", "size": "size"},
                "out": ["out"],
                "hints": {"caroni:JobType": {"name": "grow"}},
            }
            for number in range(steps)
        },
    }
    (directory / "templates" / "parallel.cwl").write_text(yaml.safe_dump(facts))
    return {"job_types": str(directory / "types"), "templates": str(directory / "templates")}


def start(fleet: Fleet, workflow: str, text: int, size: int = 0) -> None:
    fleet.trigger({"template": "parallel", "inputs": {"text": "x" * text, "size": size}, "id": workflow})


def ended(manager: Daemon, workflow: str) -> str:
    def status() -> str | None:
        found = {each["id"]: each["status"] for each in manager.get("/api/workflows")["workflows"]}
        return found.get(workflow) if found.get(workflow) in ("completed", "failed") else None

    return wait_until(status, FOUND_OUT_WITHIN_S, f"the end of {workflow}") or ""


def ready_reason(node: Daemon) -> str:
    return HTTP.get(f"{node.url}/readyz").text


def test_two_steps_that_pass_one_by_one_do_so(small_fleet: MakeFleet, tmp_path: Path) -> None:
    """One frame of 24 KB held both, and never passed; nothing to that agent did, without a word."""
    fleet, where = small_fleet(DROPS), parallel(tmp_path, 2)
    fleet.agent(job_types=where["job_types"])
    manager = fleet.manager(templates=where["templates"])
    start(fleet, "w1", 12_000)
    assert ended(manager, "w1") == "completed"
    start(fleet, "w2", 10)
    assert ended(manager, "w2") == "completed"


def test_inputs_that_are_too_large_fail_their_step_and_nothing_else(small_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet, where = small_fleet(DROPS), parallel(tmp_path, 2)
    fleet.agent(job_types=where["job_types"])
    manager = fleet.manager(templates=where["templates"])
    # A trigger of that size does not pass this broker either.
    large = {"template": "parallel", "inputs": {"text": "x" * 30_000, "size": 0}, "id": "w1"}
    assert manager.post("/api/workflows", large).status_code == 201
    start(fleet, "w2", 10)
    assert ended(manager, "w1") == "failed"
    found = manager.get("/api/workflows/w1")
    assert "the broker drops messages larger than" in found["reason"]
    assert all(len(step["attempts"]) <= 1 for step in found["steps"].values())
    assert ended(manager, "w2") == "completed"
    assert "the broker drops messages larger than" in manager.log
    assert "the broker drops messages larger than" in ready_reason(manager)
    start(fleet, "w3", 10)
    assert ended(manager, "w3") == "completed"


def test_outputs_that_are_too_large_stay_at_the_agent(small_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet, where = small_fleet(DROPS), parallel(tmp_path, 3)
    agent = fleet.agent(job_types=where["job_types"])
    manager = fleet.manager(templates=where["templates"])
    start(fleet, "w1", 10, 40_000)
    assert ended(manager, "w1") == "failed"
    assert "stay at agent a1" in manager.get("/api/workflows/w1")["reason"]
    start(fleet, "w2", 10)
    assert ended(manager, "w2") == "completed"
    [job, *_] = [each for each in agent.get("/api/jobs")["jobs"] if each["status"] == "completed"]
    assert job


def test_a_broker_that_cuts_off_is_not_asked_for_ever(small_fleet: MakeFleet, tmp_path: Path) -> None:
    """An event with three outputs of 40,000 bytes cut the manager off milliseconds after every connect."""
    fleet, where = small_fleet(CUTS), parallel(tmp_path, 3)
    path = tmp_path / "templates" / "parallel.cwl"
    facts = yaml.safe_load(path.read_text())
    facts["outputs"] = {f"o{n}": {"type": "string", "outputSource": f"s{n}/out"} for n in range(3)}
    path.write_text(yaml.safe_dump(facts))
    fleet.agent(job_types=where["job_types"])
    manager = fleet.manager(templates=where["templates"])
    start(fleet, "w1", 10, 40_000)
    assert ended(manager, "w1") == "completed"
    wait_until(lambda: fleet.of("w1", "caroni.workflow.completed"), FOUND_OUT_WITHIN_S, "the event")
    [data] = fleet.of("w1", "caroni.workflow.completed")
    assert data["outputs_left_out"] is True
    assert "the broker cuts us off" in manager.log
    start(fleet, "w2", 10)
    wait_until(lambda: fleet.of("w2", "caroni.workflow.completed"), FOUND_OUT_WITHIN_S, "the next event")
    manager.wait_ready()
