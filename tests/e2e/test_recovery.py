"""Full queues, dead keepers, a broker that is not there from the start: all completes, and nothing runs twice."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.keeper.records import JOBS, OUTPUTS
from caroni_edge.agent.keeper.trees import marked
from tests.brokers import Mosquitto
from tests.e2e.conftest import MakeShipped
from tests.e2e.daemons import Daemon, Fleet
from tests.e2e.notes import LOOK_EVERY_S, Notes, start, wait_completed
from tests.keepers import keepers_of
from tests.support import wait_until


def test_work_for_an_agent_that_was_away_passes_through_a_queue_of_five(
    make_shipped: MakeShipped, tmp_path: Path, notes: Notes
) -> None:
    """What the broker drops is sent again as soon as the agent is heard; no long timer has to run out."""
    fleet = Fleet(tmp_path, make_shipped("max_queued_messages 5\n"))
    try:
        notes.go_on()
        manager = fleet.manager(templates=str(notes.templates))
        agent = fleet.agent(job_types=str(notes.types), slots=4)
        start(manager, "first")
        wait_completed(manager, 1)
        agent.kill()
        for number in range(300):
            start(manager, f"w{number}")
        agent.start()
        wait_completed(manager, 301)
        assert notes.runs() == sorted(["first/1", *(f"w{number}/1" for number in range(300))])
    finally:
        fleet.close()


@pytest.mark.parametrize("with_agent", [False, True], ids=["keeper alone", "agent and keeper"])
@pytest.mark.parametrize("ends", ["while nobody looks", "when it is watched again"])
def test_a_killed_keeper_fails_what_runs_and_doubles_nothing(
    fleet: Fleet, notes: Notes, with_agent: bool, ends: str
) -> None:
    agent = fleet.agent(job_types=str(notes.types))
    manager = fleet.manager(templates=str(notes.templates), retry_delay="100ms")
    start(manager, "w1")
    wait_until(notes.runs, what="the job to run")
    if with_agent:
        agent.kill()
    (keeper,) = keepers_of(agent.state_dir)
    if ends == "while nobody looks":
        os.kill(keeper, signal.SIGSTOP)
        notes.go_on()
        (job,) = (agent.state_dir / JOBS).iterdir()
        wait_until(lambda: not marked(str(job / OUTPUTS)), what="the job to end")
    os.kill(keeper, signal.SIGKILL)
    if with_agent:
        agent.start()
    wait_until(lambda: set(keepers_of(agent.state_dir)) - {keeper}, what="a new keeper")
    notes.go_on()
    wait_completed(manager, 1)
    first, second = attempts(manager, "w1")
    assert first["reason"].startswith("it ended unseen: ")
    assert second["status"] == "completed"
    assert notes.runs() == ["w1/1", "w1/2"]


def attempts(manager: Daemon, workflow: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager.get(f"/api/workflows/{workflow}")["steps"]["only"]["attempts"]
    return found


Copy = dict[str, bytes]


def copy_of(daemon: Daemon) -> Copy:
    """Copy the database of a daemon that is stopped."""
    return {path.name: path.read_bytes() for path in daemon.state_dir.glob("state.db*")}


def restore(daemon: Daemon, copy: Copy) -> None:
    """Put a copy in the place of the database of a daemon that is stopped; an empty one wipes it."""
    for path in daemon.state_dir.glob("state.db*"):
        path.unlink()
    for name, content in copy.items():
        (daemon.state_dir / name).write_bytes(content)


def wait_stalled(manager: Daemon, workflow: str) -> None:
    page = f"/api/workflows/{workflow}"
    wait_until(lambda: manager.get(page)["status"] == "stalled", what="the workflow to wait for somebody's word")


def test_a_wiped_agent_runs_nothing_twice_by_itself(fleet: Fleet, notes: Notes) -> None:
    notes.once()
    agent = fleet.agent(job_types=str(notes.types))
    manager = fleet.manager(templates=str(notes.templates))
    start(manager, "w1")
    wait_until(lambda: notes.runs() == ["w1/1"], what="the job to run")
    agent.kill()
    restore(agent, {})
    agent.start()
    wait_stalled(manager, "w1")
    assert "may have begun" in str(manager.get("/api/workflows/w1/why"))
    assert notes.runs() == ["w1/1"]
    notes.go_on()
    assert manager.post("/api/workflows/w1/retry").status_code == 200
    wait_completed(manager, 1)
    assert notes.runs() == ["w1/1", "w1/2"]


@pytest.mark.parametrize("meanwhile", ["it runs", "it has failed"])
def test_a_manager_restored_from_a_copy_lets_nothing_run_twice(fleet: Fleet, notes: Notes, meanwhile: str) -> None:
    """It has forgotten that the job was placed."""
    notes.once()
    manager = fleet.manager(templates=str(notes.templates))
    start(manager, "w1")
    manager.stop()
    copy = copy_of(manager)
    manager.start()
    agent = fleet.agent(job_types=str(notes.types))
    wait_until(lambda: notes.runs() == ["w1/1"], what="the job to run")
    manager.kill()
    if meanwhile == "it has failed":
        notes.go_on(fails=True)
        wait_until(lambda: agent.get("/api/jobs?status=failed")["jobs"], what="the job to fail")
    restore(manager, copy)
    manager.start()
    if meanwhile == "it has failed":
        wait_stalled(manager, "w1")
    else:
        wait_until(lambda: manager.get("/api/workflows/w1")["status"] == "running", what="the job to be adopted")
        notes.go_on()
        wait_completed(manager, 1)
    assert notes.runs() == ["w1/1"]


def test_a_job_type_that_is_removed_while_jobs_wait_costs_them_nothing(fleet: Fleet, notes: Notes) -> None:
    agent = fleet.agent(job_types=str(notes.types), slots=1, backlog=4)
    manager = fleet.manager(templates=str(notes.templates), attempts=1)
    start(manager, "w0")
    wait_until(lambda: notes.runs() == ["w0/1"], what="the first job to run")
    start(manager, "w1")
    wait_until(lambda: len(agent.get("/api/jobs")["jobs"]) == 2, what="the second job to wait")
    path = notes.types / "note.yaml"
    text = path.read_text()
    path.unlink()
    agent.signal(signal.SIGHUP)
    wait_until(lambda: not agent.get("/api/job-types")["job_types"], what="the job type to be gone")
    notes.go_on()
    wait_completed(manager, 1)
    wait_until(lambda: attempts(manager, "w1") == [], what="the job to be declined, which is no attempt")
    path.write_text(text)
    agent.signal(signal.SIGHUP)
    wait_completed(manager, 2)
    assert notes.runs()[0] == "w0/1"
    assert len(notes.runs()) == 2


@pytest.mark.parametrize("restored", ["before it was accepted", "while it waits for a slot"])
def test_an_agent_restored_from_a_copy_runs_nothing_twice(fleet: Fleet, notes: Notes, restored: str) -> None:
    """The keeper knows what has begun since: the step of a job that may not be repeated waits, or gets its result."""
    notes.once()
    agent = fleet.agent(job_types=str(notes.types), slots=1, backlog=4)
    manager = fleet.manager(templates=str(notes.templates))
    if restored == "while it waits for a slot":
        start(manager, "w0")
        wait_until(lambda: notes.runs() == ["w0/1"], what="the first job to run")
        start(manager, "w1")
        wait_until(lambda: len(agent.get("/api/jobs")["jobs"]) == 2, what="the second job to wait")
    agent.stop()
    copy = copy_of(agent)
    agent.start()
    if restored == "before it was accepted":
        start(manager, "w1")
    else:
        notes.go_on()
    wait_until(lambda: "w1/1" in notes.runs(), what="the job to run")
    agent.kill()
    restore(agent, copy)
    agent.start()
    if restored == "before it was accepted":
        page = "/api/workflows/w1"
        wait_until(lambda: manager.get(page)["status"] == "stalled", what="the workflow to wait for somebody's word")
        assert notes.runs() == ["w1/1"]
    else:
        wait_completed(manager, 2)
        assert notes.runs() == ["w0/1", "w1/1"]


def test_nodes_work_without_a_broker_from_the_start(fleet: Fleet, mosquitto: Mosquitto, notes: Notes) -> None:
    """The agent finishes its queue and keeps the results, the manager takes submissions; then everything flows."""
    agent = fleet.agent(job_types=str(notes.types), slots=1, backlog=4)
    manager = fleet.manager(templates=str(notes.templates))
    queued = [f"w{number}" for number in range(5)]
    for workflow in queued:
        start(manager, workflow)
    wait_until(lambda: len(agent.get("/api/jobs")["jobs"]) == 5, what="the agent to have all jobs")
    agent.stop()
    manager.stop()
    mosquitto.kill()
    agent.start(wait=False)
    manager.start(wait=False)
    wait_until(lambda: agent.ready() == manager.ready() == 503, what="both to serve their pages")
    notes.go_on()
    path = "/api/jobs?status=completed"
    wait_until(lambda: len(agent.get(path)["jobs"]) == 5, what="the agent to finish its queue", every_s=LOOK_EVERY_S)
    start(manager, "later")
    assert manager.get("/api/workflows/w0")["status"] != "completed"
    mosquitto.start()
    wait_completed(manager, 6)
    assert notes.runs() == sorted([*(f"{workflow}/1" for workflow in queued), "later/1"])
