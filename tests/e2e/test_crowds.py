"""One person with a valid login starts more than anybody can do: on real daemons, and mosquitto as we ship it."""

import json
import subprocess
import sys

from tests.brokers import find
from tests.e2e.daemons import Fleet
from tests.support import wait_until

MANY = 1500
TEXT, OWN = "x" * 40_000, "a" * 39_000
BOUND = 2 << 20
JUNK = 20_000
LEFT_OUT_WITHIN_S = 120.0


def publish(fleet: Fleet, login: str, topic: str, lines: bytes) -> None:
    """Publish each line with QoS 1, as a person does with the tool of mosquitto."""
    words = ["-p", str(fleet.people.port), "-u", login, "-P", "x", "-I", "caroni-", "-q", "1", "-t", topic, "-l"]
    subprocess.run([find("mosquitto_pub", "mosquitto-clients"), *words], input=lines, check=True, timeout=120)


def flood(fleet: Fleet, priority: int) -> None:
    trigger = {"template": "test_simple", "inputs": {"message": TEXT}, "priority": priority}
    publish(fleet, "mallory", "caroni/managers/m1/workflows", (json.dumps(trigger).encode() + b"\n") * MANY)


def submit(fleet: Fleet, workflow: str, *more: str) -> subprocess.CompletedProcess[str]:
    (fleet.directory / "alice.pw").write_text("x")
    words = ["submit", "test_simple", "-i", f"message={OWN}", "--id", workflow, "--manager", "m1"]
    words += ["--broker", fleet.people.url, "--username", "alice", "--password-file", str(fleet.directory / "alice.pw")]
    command = [sys.executable, "-m", "caroni_edge", *words, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_a_flood_at_high_priority_leaves_others_their_turn(fleet: Fleet) -> None:
    manager = fleet.manager(priority_max=5, waiting={"size": "2M"})
    flood(fleet, 9)
    first = submit(fleet, "w1")
    assert first.returncode == 0, first.stderr
    wait_until(lambda: len(fleet.rejections()) == MANY, LEFT_OUT_WITHIN_S, "all of the flood to be refused")
    assert "this manager takes 5 at most (priority_max)" in fleet.rejections()[0]["reason"]
    flood(fleet, 5)
    taken = (BOUND - len(OWN)) // (len(TEXT) + len('{"message":""}'))
    wait_until(lambda: len(fleet.rejections()) == 2 * MANY - taken, LEFT_OUT_WITHIN_S, "the rest to be refused")
    for said in (fleet.rejections()[-1]["reason"], (refused := submit(fleet, "w2")).stderr):
        assert f"waiting.size is {BOUND} bytes" in said
        assert "try again later, or cancel some" in said
    assert refused.returncode == 1
    answer = manager.post("/api/workflows", {"template": "test_simple", "inputs": {"message": OWN}})
    assert (answer.status_code, "waiting.size" in answer.json()["error"]) == (503, True)
    assert submit(fleet, "w1").returncode == 0, "what is known is answered"
    fleet.agent()
    for workflow in ("w1", "w2"):
        done = submit(fleet, workflow, "--wait", "--timeout", "90s")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"result": f"prepended {OWN.upper()}append"}
    assert len(manager.log) < 100_000, "a flood is counted, not written down"


def test_junk_is_counted_and_not_written_down(fleet: Fleet) -> None:
    """300,000 messages that nobody can read had filled a log without end."""
    fleet.agent()
    manager = fleet.manager()
    publish(fleet, "mallory", "caroni/managers/m1/workflows", b"junk\n" * JUNK)
    publish(fleet, "a2", "caroni/managers/m1/inbox/agents/a2", b'{"v":1}\n' * JUNK)
    publish(fleet, "a2", "caroni/presence/agents/a2", b'{"online":"maybe"}\n' * JUNK)
    assert submit(fleet, "w1", "--wait").returncode == 0
    assert "like_it=" in manager.log
    assert len(manager.log) < 200_000
    assert manager.ready() == 200
