"""Nodes of an older build: they work with those of today, and become them while jobs run. The way back is refused.

The older build comes out of the repository's history. Where there is none (a copy of the source, a shallow clone), what
older builds say is still pinned by `tests/unit/protocol/test_versions.py`.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto
from tests.e2e.daemons import Daemon, Fleet
from tests.e2e.notes import Notes, start, wait_completed
from tests.keepers import keepers_of
from tests.support import wait_until

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
        return daemon

    return use


def today(daemon: Daemon) -> Daemon:
    """Give a daemon that has ended the program of today."""
    daemon.program, daemon.environ = (sys.executable, "-m", "caroni_edge"), {}
    return daemon


@pytest.fixture
def fleet(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, mosquitto)
    yield fleet
    fleet.close()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


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
    wait_until(notes.runs, 30, "the job to begin")
    (keeper,) = keepers_of(agent.state_dir)
    for daemon in (agent, manager):
        daemon.stop()
        today(daemon).start()
    assert keepers_of(agent.state_dir) == [keeper], "the job has it still"
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
