"""Nodes of an older build: they work with those of today, and become them while jobs run. The way back is refused.

The older build comes out of the repository's history. Where there is none (a copy of the source, a shallow clone), what
it said is still pinned by `tests/unit/protocol/test_versions.py`, and what it wrote is in `kept`: the databases of a
manager and an agent that were killed with one workflow completed and the job of another running.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.daemons import Daemon, Fleet
from tests.e2e.notes import Notes, start, wait_completed
from tests.keepers import keepers_of
from tests.support import wait_until

KEPT = Path(__file__).resolve().parent / "kept"
ROOT = Path(__file__).resolve().parents[2]
OLDER = "10b419880edf120edc69099bd93d2c61b44ba542"
"""A commit whose databases lack many of today's migrations."""

Older = Callable[[Daemon], Daemon]


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Older:
    """Return what gives a daemon that is not started yet the program of the older build."""
    source = tmp_path_factory.mktemp("older")
    words = ["git", "-C", str(ROOT), "archive", "--format=tar", OLDER, "caroni_edge", "config", "web"]
    packed = subprocess.run(words, check=False, capture_output=True)
    if packed.returncode:
        pytest.skip(f"the history of this checkout does not reach back to {OLDER}")
    subprocess.run(["tar", "-x", "-C", str(source)], check=True, input=packed.stdout)

    def use(daemon: Daemon) -> Daemon:
        # -P: the working directory has the program of today.
        daemon.program, daemon.environ = (sys.executable, "-P", "-m", "caroni_edge"), {"PYTHONPATH": str(source)}
        facts = yaml.safe_load(daemon.config.read_text())
        facts["broker"].pop("data_url", None)  # a key that it does not know
        daemon.config.write_text(yaml.safe_dump(facts, sort_keys=False))
        return daemon

    return use


def today(daemon: Daemon) -> Daemon:
    """Give a daemon that has ended the program of today."""
    daemon.program, daemon.environ = (sys.executable, "-m", "caroni_edge"), {}
    return daemon


@pytest.mark.parametrize("role", ["manager", "agent"])
def test_one_that_is_older_works_with_one_of_today(role: str, older: Older, fleet: Fleet) -> None:
    manager, agent = fleet.manager(start=False), fleet.agent(start=False)
    older(manager if role == "manager" else agent)
    manager.start()
    agent.start()
    order = {"template": "test_simple", "inputs": {"message": "caronirocks"}, "id": "w1"}
    assert manager.post("/api/workflows", order).status_code == 201
    wait_completed(manager, 1)
    assert manager.get("/api/workflows/w1")["outputs"] == {"result": "prepended CARONIROCKSappend"}


def test_both_are_upgraded_while_a_job_runs_which_ends_once(older: Older, fleet: Fleet, notes: Notes) -> None:
    manager = older(fleet.manager(templates=str(notes.templates), start=False)).start()
    agent = older(fleet.agent(job_types=str(notes.types), start=False)).start()
    start(manager, "w1")
    wait_until(notes.runs, what="the job to begin")
    (keeper,) = keepers_of(agent.state_dir)
    for daemon in (agent, manager):
        daemon.stop()
        today(daemon).start()
    assert keeper in keepers_of(agent.state_dir), "the job has it still, whatever keeps those that begin from now on"
    notes.go_on()
    wait_completed(manager, 1)
    start(manager, "w2")
    wait_completed(manager, 2)
    assert notes.runs() == ["w1/1", "w2/1"]


@pytest.mark.parametrize("role", ["manager", "agent"])
def test_an_older_one_refuses_the_database_of_today(role: str, older: Older, fleet: Fleet) -> None:
    daemon = (fleet.manager if role == "manager" else fleet.agent)()
    daemon.stop()
    older(daemon).start(wait=False)
    assert daemon.wait() == 2
    assert "was written by a newer release of Caroni Edge" in daemon.log
    assert "Install that release again" in daemon.log
    assert "Traceback" not in daemon.log
    today(daemon).start()


def test_the_databases_that_an_older_build_has_left_are_gone_on_with(fleet: Fleet, notes: Notes) -> None:
    keep: dict[str, Any] = {"retention": {"workflows": "never"}, "forget_after": "never", "start": False}
    manager = fleet.manager(templates=str(notes.templates), **keep)
    keep["retention"] = {"jobs": "never"}
    agent = fleet.agent(job_types=str(notes.types), **keep)
    for daemon, name in ((manager, "managers"), (agent, "agents")):
        daemon.state_dir.mkdir(mode=0o700)
        with closing(sqlite3.connect(daemon.state_dir / "state.db")) as conn:
            conn.executescript((KEPT / f"{name}.sql").read_text())
    notes.go_on()
    agent.start()
    manager.start()
    wait_completed(manager, 2)
    (step,) = manager.get("/api/workflows/w2")["steps"].values()
    assert [each["status"] for each in step["attempts"]] == ["failed", "completed"], "its first job went with its files"
    assert [manager.get(f"/api/workflows/{each}")["outputs"] for each in ("w1", "w2")] == [
        {"result": "w1"},
        {"result": "w2"},
    ]
    assert notes.runs() == ["w2/2"]
