"""Real daemons, and people on their network or their host who have no login."""

import os
import resource
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.brokers import Mosquitto
from tests.e2e.daemons import TOKEN, Daemon, Fleet
from tests.support import HTTP, wait_until

DESCRIPTORS = 1024
ANSWERED_WITHIN_S = 60.0
LOG_GROWS_BYTES = 20_000


@contextmanager
def half_open(daemon: Daemon, count: int) -> Iterator[list[socket.socket]]:
    """Open connections to a daemon's page, and send the beginning of a request on each."""
    port = int(daemon.url.rpartition(":")[2])
    with ExitStack() as opened:
        crowd = []
        for _ in range(count):
            each = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=ANSWERED_WITHIN_S))
            each.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n")
            crowd.append(each)
        yield crowd


@pytest.fixture
def _enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * DESCRIPTORS, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answers(daemon: Daemon) -> None:
    """Ask as a program with the token, over a new connection, and let it be answered in time."""
    began = time.monotonic()
    answer = HTTP.get(f"{daemon.url}/api/node", headers={"Authorization": f"Bearer {TOKEN}", "Connection": "close"})
    assert answer.status_code == 200
    assert time.monotonic() - began < ANSWERED_WITHIN_S


@pytest.mark.usefixtures("_enough_descriptors")
@pytest.mark.parametrize("count", [205, 1400])
def test_half_open_connections_cost_neither_answers_nor_work(fleet: Fleet, mosquitto: Mosquitto, count: int) -> None:
    manager, agent = fleet.manager(start=False), fleet.agent(start=False)
    for daemon in (manager, agent):
        daemon.prefix = ("prlimit", f"--nofile={DESCRIPTORS}")
        daemon.start()
    before = {daemon.name: len(daemon.log) for daemon in (manager, agent)}
    with half_open(manager, count), half_open(agent, count):
        for daemon in (manager, agent):
            for _ in range(3):
                answers(daemon)
            assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < DESCRIPTORS // 2
        mosquitto.kill()
        mosquitto.start()
        for daemon in (manager, agent):
            daemon.wait_ready()
        started = {"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"}
        assert manager.post("/api/workflows", started).status_code == 201
        wait_until(lambda: manager.get("/api/workflows/w1")["status"] == "completed", what="the workflow to complete")
        for daemon in (manager, agent):
            answers(daemon)
            assert len(daemon.log) - before[daemon.name] < LOG_GROWS_BYTES, daemon.log[-2000:]


def modes(directory: Path) -> dict[str, int]:
    """Return the rights that others than the owner have to a directory and to all that the node has made in it."""
    found = [directory, *(each for each in directory.rglob("*") if "work" not in each.relative_to(directory).parts)]
    return {
        str(each.relative_to(directory)): stat.S_IMODE(each.lstat().st_mode) & 0o077
        for each in found
        if not each.is_symlink()
    }


@pytest.mark.parametrize("umask", [0o022, 0])
def test_what_a_node_keeps_is_its_owners_alone(fleet: Fleet, umask: int) -> None:
    before = os.umask(umask)
    try:
        manager, agent = fleet.manager(), fleet.agent(web=False, start=False)
        agent.start(wait=False)
        fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
        fleet.outputs("w1")
        for daemon in (manager, agent):
            found = modes(daemon.state_dir)
            assert {"state.db", "state.db-wal", "lock", "api.sock"} <= set(found)
            assert not [name for name, rights in found.items() if rights]
    finally:
        os.umask(before)


def test_a_state_directory_that_was_open_is_closed_and_that_is_said(fleet: Fleet) -> None:
    manager = fleet.manager(start=False)
    manager.state_dir.mkdir(mode=0o755)
    manager.state_dir.chmod(0o755)
    (manager.state_dir / "state.db").touch(0o644)
    manager.start()
    assert not any(modes(manager.state_dir).values())
    assert "others could use" in manager.log
