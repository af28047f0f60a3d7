"""A broker whose ACL swallows what goes to one agent: mosquitto acknowledges a publication that it refuses."""

import json
import subprocess
import sys
from pathlib import Path

from tests.e2e import hasty
from tests.e2e.conftest import MakeShipped
from tests.e2e.daemons import Daemon, Fleet
from tests.support import HTTP, wait_until

RIGHT = "topic write caroni/agents/+/inbox/managers/m1\n"


def finding(manager: Daemon) -> tuple[str, str]:
    """Ask the doctor what the running node says of itself."""
    command = [sys.executable, "-m", "caroni_edge", "doctor", "--config", str(manager.config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    (ready,) = [each for each in json.loads(done.stdout)["findings"] if each["name"] == "ready"]
    assert done.returncode == (1 if ready["level"] == "problem" else 0)
    return ready["level"], ready["sentence"]


def test_an_agent_that_hears_nothing_is_named(tmp_path: Path, make_shipped: MakeShipped) -> None:
    broker = make_shipped()
    acl = broker.acl.read_text()
    assert RIGHT in acl
    broker.acl.write_text(acl.replace(RIGHT, ""))
    broker.restart()
    fleet = Fleet(tmp_path, broker, hasty.PROGRAM)
    try:
        fleet.agent()
        manager = fleet.manager()
        fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})

        def sentences() -> str:
            found = manager.get("/api/workflows/w1/why")["why"] if manager.get("/api/workflows")["workflows"] else []
            return "\n".join(each["sentence"] for each in found)

        wait_until(lambda: "has not acknowledged it" in sentences(), what="why to say what is known")
        assert "for the next slot that is free" not in sentences()
        wait_until(lambda: manager.ready() == 503, 90, "/readyz to notice")
        said = HTTP.get(f"{manager.url}/readyz").text
        assert "no answer from a1, though online" in said
        assert "caroni/agents/a1/inbox/managers/m1" in said
        assert "a1 is online and answers nothing" in manager.log.replace("agents/a1", "a1")
        assert "it was asked, and has not answered for" in sentences()
        level, said = finding(manager)
        assert level == "problem"
        assert "no answer from a1, though online" in said
        broker.acl.write_text(acl)
        broker.restart()
        fleet.outputs("w1", 90)
        manager.wait_ready()
        assert finding(manager)[0] == "ok"
    finally:
        fleet.close()
