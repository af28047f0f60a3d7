"""What serves pages and API is loaded when somebody asks, and not before."""

import re
import sys

import pytest

from tests.e2e.daemons import Fleet
from tests.support import wait_until

SERVE = {"litestar", "uvicorn", "jinja2", "prometheus_client", "httpx", "asyncio", "multipart", "h11"}
IMPORTED = re.compile(r"^import time: .*\| +([\w.]+)$", re.MULTILINE)


@pytest.mark.parametrize("role", ["manager", "agent"])
def test_a_daemon_loads_what_serves_when_somebody_asks(fleet: Fleet, role: str) -> None:
    daemon = (fleet.manager if role == "manager" else fleet.agent)(start=False)
    daemon.program = (sys.executable, "-X", "importtime", "-m", "caroni_edge")
    daemon.start(wait=False)
    wait_until(lambda: "connected to the broker" in daemon.log, what="the daemon to be connected")
    imported = set(IMPORTED.findall(daemon.log))
    assert imported >= {"paho", f"caroni_edge.{role}.daemon"}
    assert imported.isdisjoint(SERVE | {"caroni_edge.web.serving", f"caroni_edge.{role}.pages.site"})
    assert daemon.ready() == 200
    assert "pages and API loaded" in daemon.log
    assert set(IMPORTED.findall(daemon.log)) >= {"litestar", "uvicorn", "jinja2"}
