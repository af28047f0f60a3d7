"""Backups are made while nodes work (docs/operations.md, "Backup and restore"), and put back: nothing runs twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemons import Daemon, Fleet
from tests.e2e.notes import Notes, start, wait_completed
from tests.support import wait_until


def back_up(daemon: Daemon, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caroni_edge", "backup", "--config", str(daemon.config), str(to), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def put_back(daemon: Daemon, copy: Path) -> None:
    """Put a backup in the place of what a daemon that is stopped had."""
    for path in daemon.state_dir.glob("state.db*"):
        path.unlink()
    shutil.copy(copy, daemon.state_dir / "state.db")


@pytest.mark.parametrize("repeat", [True, False])
def test_a_manager_is_put_back_and_nothing_runs_twice(fleet: Fleet, notes: Notes, tmp_path: Path, repeat: bool) -> None:
    if not repeat:
        notes.once()
    copy = tmp_path / "m1.db"
    fleet.agent(job_types=str(notes.types), slots=4)
    manager = fleet.manager(templates=str(notes.templates))
    start(manager, "w1")
    wait_until(lambda: notes.runs() == ["w1/1"], what="the job to run")
    done = back_up(manager, copy)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"file": str(copy), "bytes": copy.stat().st_size})
    start(manager, "later")
    notes.go_on()
    wait_completed(manager, 2)
    manager.kill()
    put_back(manager, copy)
    manager.start()
    wait_completed(manager, 1)
    assert [each["id"] for each in manager.get("/api/workflows")["workflows"]] == ["w1"]
    assert notes.runs() == ["later/1", "w1/1"]
    start(manager, "next")
    wait_completed(manager, 2)


def test_what_began_after_the_copy_of_its_manager_is_ended(fleet: Fleet, notes: Notes, tmp_path: Path) -> None:
    agent = fleet.agent(job_types=str(notes.types))
    manager = fleet.manager(templates=str(notes.templates))
    assert back_up(manager, tmp_path / "m1.db").returncode == 0
    start(manager, "later")
    wait_until(lambda: notes.runs() == ["later/1"], what="the job to run")
    manager.kill()
    put_back(manager, tmp_path / "m1.db")
    manager.start()
    wait_until(lambda: agent.get("/api/jobs?status=killed")["jobs"], what="the job to be ended")
    assert manager.get("/api/workflows")["workflows"] == []


def test_an_agent_is_put_back_and_nothing_runs_twice(fleet: Fleet, notes: Notes, tmp_path: Path) -> None:
    copy = tmp_path / "a1.db"
    notes.go_on()
    agent = fleet.agent(job_types=str(notes.types))
    manager = fleet.manager(templates=str(notes.templates))
    start(manager, "w1")
    wait_completed(manager, 1)
    assert back_up(agent, copy).returncode == 0
    start(manager, "w2")
    wait_completed(manager, 2)
    agent.kill()
    put_back(agent, copy)
    agent.start()
    start(manager, "w3")
    wait_completed(manager, 3)
    assert notes.runs() == ["w1/1", "w2/1", "w3/1"]


def test_a_backup_replaces_nothing_and_needs_a_database(fleet: Fleet, tmp_path: Path) -> None:
    agent = fleet.agent(start=False)
    without = back_up(agent, tmp_path / "copy.db")
    assert (without.returncode, "there is no state database yet" in without.stderr) == (2, True)
    there = tmp_path / "there.db"
    there.write_text("mine")
    agent.start()
    refused = back_up(agent, there)
    assert (refused.returncode, "this file is there already" in refused.stderr) == (2, True)
    nowhere = back_up(agent, tmp_path / "nowhere" / "copy.db")
    assert (nowhere.returncode, "No such file or directory" in nowhere.stderr) == (1, True)
    assert there.read_text() == "mine"
