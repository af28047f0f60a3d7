"""A node drops a peer that will not come back: asked while it runs, and while it is stopped."""

import json
import subprocess
import sys
from typing import Any

from tests.e2e.daemons import Daemon, Fleet
from tests.support import wait_until


def forget(daemon: Daemon, peer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caroni_edge", "forget", peer, "--config", str(daemon.config), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def agents(manager: Daemon) -> list[str]:
    found: list[dict[str, Any]] = manager.get("/api/agents")["agents"]
    return [agent["id"] for agent in found]


def run_one(fleet: Fleet) -> tuple[Daemon, Daemon]:
    """Let a manager and an agent do some work together; the agent stops then."""
    manager, agent = fleet.manager(), fleet.agent()
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    fleet.outputs("w1")
    agent.stop()
    return manager, agent


def test_a_running_manager_forgets_an_agent_and_what_it_retained(fleet: Fleet) -> None:
    manager, _ = run_one(fleet)
    wait_until(lambda: agents(manager) == ["a1"], what="the agent to be known")
    answer = forget(manager, "agents/a1")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["rows"] > 0
    assert agents(manager) == []
    again = forget(manager, "a1")
    assert (again.returncode, again.stdout) == (1, "")
    assert "managers/m1 knows nothing of agents/a1" in again.stderr
    assert manager.ready() == 200


def test_a_stopped_agent_forgets_its_manager_with_its_jobs(fleet: Fleet) -> None:
    _, agent = run_one(fleet)
    answer = forget(agent, "m1")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert (told["peer"], told["jobs"]) == ("managers/m1", 3)
    assert forget(agent, "managers/m9").returncode == 1
    wrong = forget(agent, "agents/a2")
    assert (wrong.returncode, "none of the managers" in wrong.stderr) == (2, True)
    agent.start()
    wait_until(lambda: agent.get("/api/jobs")["jobs"] == [], what="the forgotten jobs to be deleted")


def test_a_peer_that_was_forgotten_and_comes_back_works_again(fleet: Fleet) -> None:
    manager, agent = run_one(fleet)
    assert forget(manager, "a1").returncode == 0
    agent.start()
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w2"})
    assert fleet.outputs("w2") == {"result": "prepended Xappend"}
