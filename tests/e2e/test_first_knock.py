"""What serves pages and API is loaded when somebody asks, and not before; a node works without it, too."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import Daemon, Fleet
from tests.support import HTTP, WITHIN_S, wait_until

SERVE = {"litestar", "uvicorn", "jinja2", "prometheus_client", "httpx", "asyncio", "multipart", "h11"}
IMPORTED = re.compile(r"^import time: .*\| +([\w.]+)$", re.MULTILINE)
TRIGGER = {"template": "test_simple", "id": "w1", "inputs": {"message": "x"}}


def connected(daemon: Daemon) -> Daemon:
    """Start a daemon, and wait until it is connected: its page is not looked at."""
    daemon.start(wait=False)
    wait_until(lambda: "connected to the broker" in daemon.log, what=f"{daemon.name} to be connected")
    return daemon


@pytest.mark.parametrize("role", ["manager", "agent"])
def test_a_daemon_loads_what_serves_when_somebody_asks(fleet: Fleet, role: str) -> None:
    daemon = (fleet.manager if role == "manager" else fleet.agent)(start=False)
    daemon.program = (sys.executable, "-X", "importtime", "-m", "caroni_edge")
    connected(daemon)
    imported = set(IMPORTED.findall(daemon.log))
    assert imported >= {"paho", f"caroni_edge.{role}.daemon"}
    assert imported.isdisjoint(SERVE | {"caroni_edge.web.serving", f"caroni_edge.{role}.pages.site"})
    assert daemon.ready() == 200
    assert "pages and API loaded" in daemon.log
    assert set(IMPORTED.findall(daemon.log)) >= {"litestar", "uvicorn", "jinja2"}


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(WITHIN_S)
        yield systemd


def test_nodes_work_though_they_cannot_load_what_serves(fleet: Fleet, tmp_path: Path, systemd: socket.socket) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "jinja2.py").write_text("raise ImportError('it is broken')\n")
    paths = [str(tmp_path / "broken"), os.environ.get("PYTHONPATH", "")]
    manager, agent = fleet.manager(start=False), fleet.agent(start=False)
    for daemon in (manager, agent):
        daemon.environ = {"PYTHONPATH": os.pathsep.join(each for each in paths if each)}
    manager.environ = {**manager.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    for daemon in (connected(manager), connected(agent)):
        answer = HTTP.get(f"{daemon.url}/readyz")
        assert (answer.status_code, "cannot be loaded" in answer.json()["error"]) == (503, True)

    def begun() -> object:
        fleet.trigger(TRIGGER)  # by its id it is one, however often it is said
        return fleet.of("w1", "caroni.workflow.started")

    wait_until(begun, what="the workflow to begin", every_s=1)
    assert fleet.outputs("w1") == {"result": "prepended Xappend"}
    for daemon in (manager, agent):
        assert "pages and API cannot be loaded: ImportError: it is broken" in daemon.log
        assert "Traceback" not in daemon.log
    said = ""
    while "STATUS=pages and API cannot be loaded: ImportError: it is broken" not in said:
        said = systemd.recv(4096).decode()
