"""What a job was locked into is to be seen by its agent's owner and by who waits for its workflow."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import find
from tests.e2e.daemons import CONFIG, Daemon, Fleet
from tests.support import wait_until

NO_BWRAP = "bubblewrap is not installed (bwrap)"


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """Return a PATH on which there is no bubblewrap."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "sleep", "tr"):
        (programs / name).symlink_to(shutil.which(name) or "")
    return str(programs)


def sentences(manager: Daemon, workflow: str) -> str:
    return " | ".join(each["sentence"] for each in manager.get(f"/api/workflows/{workflow}/why")["why"])


def attempts(manager: Daemon, workflow: str) -> list[dict[str, Any]]:
    steps = manager.get(f"/api/workflows/{workflow}")["steps"].values()
    return [attempt for step in steps for attempt in step["attempts"]]


def start(manager: Daemon, workflow: str) -> None:
    manager.post("/api/workflows", {"template": "test_simple", "id": workflow, "inputs": {"message": "caroni"}})


def test_each_attempt_says_what_it_was_locked_into(fleet: Fleet, tmp_path: Path, elsewhere: str) -> None:
    find("bwrap", "bubblewrap")
    types = tmp_path / "jobtypes"
    shutil.copytree(CONFIG / "jobtypes", types)
    with (types / "foojob1.yaml").open("a") as file:
        file.write("\nsandbox: {each: true}\n")
    agent, manager = fleet.agent(job_types=str(types)), fleet.manager()
    start(manager, "w1")
    assert fleet.outputs("w1")
    said = {each["job_type"]: each["box"] for each in agent.get("/api/jobs")["jobs"]}
    if said["foojob0"].startswith("none"):
        pytest.skip(f"no box can be made here: {said}")
    assert said == {"foojob0": "shared", "foojob1": "each", "foojob2": "shared"}
    assert sorted(each["box"] for each in attempts(manager, "w1")) == ["each", "shared", "shared"]
    agent.stop()
    agent.environ = {"PATH": elsewhere}
    agent.start()
    start(manager, "w2")
    assert fleet.outputs("w2")
    assert {each["box"] for each in attempts(manager, "w2")} == {f"none: {NO_BWRAP}"}
    newest = agent.get("/api/jobs?limit=1")["jobs"][0]["id"]
    assert (
        f"it ran in no box, since it could not be locked up better: {NO_BWRAP}"
        in agent.get(f"/api/jobs/{newest}")["log"]
    )


def test_where_a_box_is_required_and_cannot_be_nothing_is_taken_and_why_is_said(fleet: Fleet, elsewhere: str) -> None:
    agent, manager = fleet.agent(start=False, sandbox="required"), fleet.manager()
    agent.environ = {"PATH": elsewhere}
    agent.start()
    start(manager, "w1")
    wait_until(lambda: NO_BWRAP in sentences(manager, "w1"), what="the reason to be said")
    assert f"is not taken by agent {agent.name}, which offers nothing for foojob0" in sentences(manager, "w1")
    assert attempts(manager, "w1") == []
