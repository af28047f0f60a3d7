"""What the owner of a host does on real daemons: a job type is tried, mended and tried again; the host is paused."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.daemons import CONFIG, TOKEN, Daemon, Fleet
from tests.support import HTTP, wait_until


@pytest.fixture
def job_types(tmp_path: Path) -> Path:
    path = tmp_path / "jobtypes"
    shutil.copytree(CONFIG / "jobtypes", path)
    broken = (path / "foojob0.yaml").read_text().replace("message=${", "echo no such device >&2; exit 3; message=${")
    (path / "foojob0.yaml").write_text(broken)
    return path


def put(daemon: Daemon, path: str, body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return HTTP.put(f"{daemon.url}{path}", headers=headers, json=body)


def tried(agent: Daemon, **inputs: Any) -> dict[str, Any]:
    """Try `foojob0`, and return the job when it has ended."""
    job = agent.post("/api/job-types/foojob0/try", {"inputs": inputs}).json()["id"]

    def ended() -> Any:
        found = agent.get(f"/api/jobs/{job}")
        return found if found["ended"] else None

    found: dict[str, Any] = wait_until(ended, what="the trial to end")
    return found


def test_a_failing_job_type_is_found_mended_and_tried_and_the_next_attempt_completes(
    fleet: Fleet, job_types: Path
) -> None:
    agent = fleet.agent(job_types=str(job_types))
    manager = fleet.manager(attempts=50, retry_delay="200ms")
    manager.post("/api/workflows", {"template": "test_simple", "id": "w1", "inputs": {"message": "caroni"}})
    wait_until(lambda: agent.get("/api/jobs?status=failed&manager=m1")["jobs"], what="an attempt to fail")
    failed = tried(agent, message="x")
    assert (failed["status"], failed["exit_code"], failed["manager"]) == ("failed", 3, "")
    assert "no such device" in failed["log"]
    assert failed["cpu_s"] > 0
    found = agent.get("/api/job-types/foojob0")
    mended = found["source"].replace("echo no such device >&2; exit 3; ", "")
    answer = put(agent, "/api/job-types/foojob0", {"source": mended, "mark": found["mark"]})
    assert answer.status_code == 200, answer.text
    assert tried(agent, message="x")["outputs"] == {"jobout": "X"}
    assert fleet.outputs("w1")
    assert [each["in_force"] for each in agent.get("/api/job-types/foojob0")["versions"]] == [True, False]
    assert [each["id"] for each in manager.get("/api/workflows")["workflows"]] == ["w1"]
    slots = agent.get("/api/slots")
    assert {each["manager"] for each in slots["managers"]} == {"m1", ""}


def test_a_paused_host_starts_nothing_over_a_restart_and_goes_on_when_it_is_resumed(fleet: Fleet) -> None:
    agent, manager = fleet.agent(), fleet.manager()
    assert agent.post("/api/pause").json()["paused"] is True
    agent.stop()
    agent.start()
    manager.post("/api/workflows", {"template": "test_simple", "id": "w1", "inputs": {"message": "caroni"}})

    def why() -> str:
        return str(manager.get("/api/workflows/w1/why"))

    wait_until(lambda: "the agent is paused" in why(), what="the manager to say why")
    assert agent.get("/api/drain")["paused"] is True
    assert agent.get("/api/jobs")["jobs"] == []
    agent.post("/api/pause", {"on": False})
    assert fleet.outputs("w1")


def test_a_trial_goes_on_while_its_agent_is_killed_and_holds_its_slot_until_it_is_ended(
    fleet: Fleet, job_types: Path
) -> None:
    (job_types / "foojob0.yaml").write_text("name: foojob0\ninputs: {message: string}\ncommand: [/bin/sleep, '600']\n")
    agent = fleet.agent(job_types=str(job_types), slots=1)
    job = agent.post("/api/job-types/foojob0/try", {"inputs": {"message": "x"}}).json()["id"]
    wait_until(lambda: agent.get(f"/api/jobs/{job}")["memory_bytes"], what="its process to be seen")
    agent.kill()
    agent.start()
    assert agent.get(f"/api/jobs/{job}")["status"] == "running"
    refused = agent.post("/api/job-types/foojob0/try", {"inputs": {"message": "x"}})
    assert (refused.status_code, f"job {job}" in refused.text) == (409, True)
    assert agent.post(f"/api/jobs/{job}/kill").status_code == 200
    wait_until(lambda: agent.get(f"/api/jobs/{job}")["status"] == "killed", what="the trial to end")
