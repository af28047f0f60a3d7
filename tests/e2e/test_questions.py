"""Asking a manager over the broker: by the command line, and with mosquitto's own tools; mosquitto is as we ship it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.brokers import find
from tests.e2e.daemons import TOKEN, Fleet
from tests.support import free_port


def test_people_ask_over_the_broker(fleet: Fleet, tmp_path: Path) -> None:
    fleet.manager(people={"alice": "operator"})
    fleet.agent()
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    fleet.outputs("w1", 120)
    (tmp_path / "pw").write_text("x")
    (tmp_path / "token").write_text(TOKEN)
    there = ["--broker", fleet.people.url, "--manager", "m1", "--username", "alice"]
    there += ["--password-file", str(tmp_path / "pw")]

    def asked(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "caroni_edge", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    status = asked("status", "w1", *there)
    assert (status.returncode, "w1: completed" in status.stdout) == (0, True), status
    assert "asking the manager m1 over MQTT" in status.stderr
    assert asked("logs", "last/upper", *there).returncode == 0
    nobody = f"http://127.0.0.1:{free_port()}"
    why = asked("why", "w", *there, "--url", nobody, "--token-file", str(tmp_path / "token"))
    assert (why.returncode, "w1 is completed" in why.stdout) == (0, True), why
    agents = asked("agents", "--json", *there)
    assert [each["id"] for each in json.loads(agents.stdout)["agents"]] == ["a1"], agents
    cancel = asked("cancel", "w1", *there)
    assert (cancel.returncode, "completed" in cancel.stderr) == (1, True), cancel

    def by_hand(version: str, reply: str, question: dict[str, Any]) -> Any:
        words = ["-h", fleet.people.host, "-p", str(fleet.people.port), "-u", "alice", "-P", "x", "-V", version]
        words += ["-i", f"caroni-{reply}", "-q", "1", "-W", "120", "-m", json.dumps({**question, "reply": reply})]
        words += ["-t", "caroni/managers/m1/ask/alice", "-e", f"caroni/replies/alice/{reply}"]
        rr = [find("mosquitto_rr", "mosquitto"), *words]
        return json.loads(subprocess.run(rr, capture_output=True, check=True, timeout=300).stdout)

    for version in ("mqttv311", "mqttv5"):
        answer = by_hand(version, f"n-{version}", {"ask": "why", "of": "w1"})
        assert (answer["status"], answer["body"]["status"]) == (200, "completed")
    assert by_hand("mqttv5", "n-retry", {"ask": "retry", "of": "nix"})["status"] == 404
