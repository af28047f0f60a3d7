"""A broker whose ACL swallows what goes to one agent: mosquitto acknowledges a publication that it refuses."""

import subprocess
from pathlib import Path

from tests.brokers import find
from tests.conftest import MakeMosquitto
from tests.e2e.daemons import CONFIG, Fleet
from tests.support import HTTP, wait_until

LOGINS = ("m1", "a1", "watcher")
WATCHER = "\nuser watcher\ntopic readwrite #\n"


def test_an_agent_that_hears_nothing_is_named(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    acl = (CONFIG / "mosquitto" / "acl.conf").read_text()
    right = "topic write caroni/agents/+/inbox/managers/m1\n"
    assert right in acl
    (tmp_path / "acl").write_text(acl.replace(right, "") + WATCHER)
    for number, login in enumerate(LOGINS):
        made = [] if number else ["-c"]
        subprocess.run(
            [find("mosquitto_passwd", "mosquitto"), "-b", *made, tmp_path / "passwords", login, "x"], check=True
        )
    settings = f"password_file {tmp_path / 'passwords'}\nacl_file {tmp_path / 'acl'}\n"
    fleet = Fleet(tmp_path, make_mosquitto(settings=settings, anonymous=False).start())
    try:
        fleet.agent()
        manager = fleet.manager()
        fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})

        def sentences() -> str:
            found = manager.get("/api/workflows/w1/why")["why"] if manager.get("/api/workflows")["workflows"] else []
            return "\n".join(each["sentence"] for each in found)

        wait_until(lambda: "has not acknowledged it" in sentences(), 20, "why to say what is known")
        assert "for the next slot that is free" not in sentences()
        wait_until(lambda: manager.ready() == 503, 90, "/readyz to notice")
        said = HTTP.get(f"{manager.url}/readyz", timeout=5).text
        assert "no answer from a1, though online" in said
        assert "caroni/agents/a1/inbox/managers/m1" in said
        assert "a1 is online and answers nothing" in manager.log.replace("agents/a1", "a1")
        assert "it was asked, and has not answered for" in sentences()
    finally:
        fleet.close()
