"""Jobs side by side, of an agent whose slots have user ids, or have none; `tests/integration/test_slot_ids.py`.

`python -m tests.neighbours DIRECTORY SCENE` runs as the user that the agent is to have, and prints as JSON what has
come of it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.host import look
from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.keeper.records import read
from caroni_edge.agent.processes.outcome import Completed
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.values.carried import file_value
from tests.escapes import ATTACKS, HIDDEN, escape, sleeper_in, survivors
from tests.keepers import end_all
from tests.runners import Agent, outputs_of
from tests.support import wait_until
from tests.trespasses import ACTS, BEFORE, FIND, LEAVE, READS, VICTIM_TEXT, all_of

VICTIM, ATTACKER = "victim11", "attack11"


class Neighbourhood(Agent):
    """An agent that runs jobs in the box that they share."""

    def __init__(self, home: Path, running: tuple[str, ...] = (), boxes: Boxes | None = None) -> None:
        self.home, state = home, home / "state"
        for name in ("jobs", "scripts"):
            (state / name).mkdir(parents=True, mode=0o700, exist_ok=True)
        self.boxes = boxes or look(hidden(state, [], None), os.environ["PATH"])
        super().__init__(state, running, boxes=self.boxes)

    def begin(self, job: str, text: str, manager: str = "m1", given: dict[str, Any] | None = None, **more: Any) -> None:
        """Start a job that runs a Python text, with the inputs that are given to it."""
        about = {"PLACE": str(self.home), "STATE": str(self.state_dir), "VICTIM": str(self.directory(VICTIM))}
        about["KEY"] = str(os.getpid())
        shape = {"name": job, "script": BEFORE + text, "interpreter": ["/usr/bin/python3"], "environment": about}
        order = self.order(job, yaml.safe_dump({**shape, **more}, sort_keys=False), given)
        self.runner.start(replace(order, box=Choice(Strength.SHARED), manager=manager))

    def done(self, job: str, text: str, manager: str = "m1", **more: Any) -> JobEnded:
        """Run one to its end."""
        self.begin(job, text, manager, **more)
        return self.end(job)

    def text(self, job: str) -> str:
        """Return its log as far as it has come."""
        return self.runner.log_chunk(job, 0, 1 << 20)[0].decode(errors="replace")

    def user(self, job: str) -> int:
        """Return the user id that its record says."""
        start = read(str(self.state_dir), job).start
        return start.user if start else -1

    def wait_for(self, job: str, word: str) -> None:
        """Wait until its log says something."""
        wait_until(lambda: word in self.text(job), what=f"{job} to say {word}")


def attacked(home: Path) -> dict[str, Any]:
    """Let a job attack another one; return what both say."""
    agent = Neighbourhood(home)
    try:
        agent.begin(VICTIM, VICTIM_TEXT, outputs={"secret": "string"})
        agent.wait_for(VICTIM, "ready")
        ended = agent.done(ATTACKER, all_of({**{f"read {k}": v for k, v in READS.items()}, **ACTS}))
        (home / "go").touch()
        victim = agent.end(VICTIM)
        log = agent.text(VICTIM)
        intact: dict[str, bool] = next(
            (json.loads(line[7:]) for line in log.splitlines() if line.startswith("intact ")), {}
        )
        return {
            "able": agent.boxes.able,
            "attacker": str(ended.outcome),
            "log": agent.text(ATTACKER),
            "victim": str(victim.outcome),
            "outputs": outputs_of(victim) if isinstance(victim.outcome, Completed) else None,
            "intact": intact,
            "victim log": log,
        }
    finally:
        agent.stop()
        end_all({agent.state_dir})


def left_over(home: Path) -> dict[str, Any]:
    """Let a job leave what it can, and the next one of its id, and one of another manager, look for it."""
    agent = Neighbourhood(home)
    try:
        given = {"before": file_value("before", b"x")}
        left = agent.done("leaver11", LEAVE, given=given, inputs={"before": "File"}, outputs={"after": "File"})
        found = agent.done("finder11", FIND, outputs={"found": "Any"})
        other = agent.done("finder22", FIND, "m2", outputs={"found": "Any"})
        users = [agent.user(job) for job in ("leaver11", "finder11", "finder22")]
        for job in ("leaver11", "finder11", "finder22"):
            agent.runner.remove(job)
        agent.all_is_deleted()
        return {
            "able": agent.boxes.able,
            "left": outputs_of(left),
            "found": outputs_of(found),
            "found by another": outputs_of(other),
            "users": users,
            "disk": left.disk_bytes,
        }
    finally:
        agent.stop()
        end_all({agent.state_dir})


SAY = "write(os.environ['CARONI_OUTPUTS'], 'user=%s' % os.getuid())"
WAIT = """
print("ready", file=sys.stderr, flush=True)
while not os.path.exists(home + "/go"):
    time.sleep(0.01)
os.umask(0o077)
new = os.environ["CARONI_OUTPUTS"] + ".new"
write(new, json.dumps({"user": os.getuid()}))
os.rename(new, os.environ["CARONI_OUTPUTS"])
"""


def outlived(home: Path) -> dict[str, Any]:
    """Let an agent go and come again while a job runs, and then the keeper."""
    agent = Neighbourhood(home)
    try:
        agent.begin(VICTIM, WAIT, outputs={"user": "int"})
        agent.wait_for(VICTIM, "ready")
        agent.stop()
        agent = Neighbourhood(home, (VICTIM,), agent.boxes)
        neighbour = agent.done("second11", SAY, outputs={"user": "int"})
        (home / "go").touch()
        first = agent.end(VICTIM)
        (home / "go").unlink()
        agent.begin("third111", WAIT, outputs={"user": "int"})
        agent.wait_for("third111", "ready")
        box = agent.runner._keepers.shared
        assert box is not None
        os.kill(box.first, signal.SIGKILL)
        third = agent.end("third111")
        fourth = agent.done("fourth11", SAY, outputs={"user": "int"})
        return {
            "able": agent.boxes.able,
            "user": agent.user(VICTIM),
            "first": outputs_of(first)["user"],
            "second": outputs_of(neighbour)["user"],
            "third": str(third.outcome),
            "fourth": outputs_of(fourth)["user"],
        }
    finally:
        agent.stop()
        end_all({agent.state_dir})


def two_boxes(home: Path) -> dict[str, Any]:
    """Let a second box serve beside one that still has a job."""
    agent = Neighbourhood(home)
    try:
        agent.begin(VICTIM, WAIT, outputs={"user": "int"})
        agent.wait_for(VICTIM, "ready")
        agent.stop()
        (home / "password").touch()
        boxes = agent.boxes._replace(hidden=hidden(home / "state", [home / "password"], None))
        agent = Neighbourhood(home, (VICTIM,), boxes)
        agent.done("second11", "pass")
        both = [agent.user(job) for job in (VICTIM, "second11")]
        (home / "go").touch()
        return {"able": boxes.able, "users": both, "first": outputs_of(agent.end(VICTIM))["user"]}
    finally:
        agent.stop()
        end_all({agent.state_dir})


def ended(home: Path) -> dict[str, Any]:
    """Let jobs start what is to outlive them, and end in each of the ways that there are."""
    agent = Neighbourhood(home)
    (home / "programs").mkdir()
    sleeper = sleeper_in(home / "programs")
    escapes = (*ATTACKS.values(), *HIDDEN.values())
    for path in (sleeper, sleeper.parent, *sleeper.parent.iterdir()):
        path.chmod(0o755)
    script = "\n".join(line for what in escapes for line in escape(sleeper, what, "/usr/bin/python3").split("\n"))
    says: dict[str, Any] = {"able": agent.boxes.able}
    try:
        for name, then, more in (
            ("success", "exit 0", {}),
            ("timeout", "sleep 600", {"limits": {"timeout": "3s"}}),
            ("killed", "echo ready >&2; sleep 600", {}),
            ("processes", "for i in $(seq 90); do sleep 600 & done; wait", {"sandbox": {"processes": 80}}),
            (
                "memory",
                "exec python3 -c 'x = bytearray(1 << 28); input()' < <(sleep 600)",
                {"limits": {"memory": "100M"}},
            ),
            ("disk", "head -c 3M /dev/zero > a; cp a b; cp a c; sleep 600", {"sandbox": {"disk": "4M"}}),
            ("log", "yes >&2", {"limits": {"log": "64K"}}),
        ):
            job = f"{name}1111"
            text = script if name not in {"memory", "disk", "log"} else ""
            about = {"name": job, "script": f"{text}\n{then}\n", "interpreter": ["/bin/bash"]}
            order = agent.order(job, yaml.safe_dump({**about, **more}, sort_keys=False))
            agent.runner.start(replace(order, box=Choice(Strength.SHARED)))
            if name == "killed":
                agent.wait_for(job, "ready")
                agent.runner.kill(job, "enough")
            outcome = agent.end(job).outcome
            says[name] = "" if isinstance(outcome, Completed) else outcome.reason
            assert survivors(sleeper) == [], name
        return says
    finally:
        agent.stop()
        end_all({agent.state_dir})


SCENES: dict[str, Callable[[Path], dict[str, Any]]] = {
    scene.__name__: scene for scene in (attacked, left_over, outlived, two_boxes, ended)
}


def main() -> None:
    """Play a scene."""
    os.umask(0o077)  # as the units have it
    json.dump(SCENES[sys.argv[2]](Path(sys.argv[1])), sys.stdout)


if __name__ == "__main__":
    main()
