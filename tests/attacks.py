"""An agent with one job that attacks it, and what the job says of its success; `tests/integration/test_boxes.py`.

`python -m tests.attacks DIRECTORY STRENGTH SANDBOX IMAGE` runs as whatever user is to be attacked: it puts into the
directory what an agent has, keeps a secret in its own environment and memory, runs the Python text of its standard
input as a job, and prints how that ended as JSON.
"""

import json
import os
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from caroni_edge.agent.boxes.boxes import Boxes
from caroni_edge.agent.boxes.host import look
from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.boxes.view import hidden
from caroni_edge.agent.keeper.places import be_private
from caroni_edge.agent.processes.outcome import Completed
from caroni_edge.agent.processes.port import JobEnded
from tests.keepers import end_all
from tests.runners import Agent

SECRET = "s3cr3t-of-the-agent"
BEFORE = """
import ctypes, glob, os, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
env = os.environ
state, secret_file, agent = env["STATE"], env["SECRET_FILE"], int(env["AGENT"])

def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20)
"""


def attack(
    directory: Path, strength: Strength, text: str, sandbox: dict[str, Any], image: dict[str, Any] | None
) -> dict[str, Any]:
    """Run a job that attacks, and gets a file if there is one; return how it and one after it ended."""
    state = directory / "state"
    for name in ("jobs", "scripts"):
        (state / name).mkdir(parents=True, mode=0o700)
    for path in (state / "state.db", state / "web-token", directory / "password"):
        path.write_text(SECRET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state / "api.sock"))
    listener.listen()
    threading.Thread(target=_answer, args=(listener,), daemon=True).start()
    be_private()
    boxes = look(hidden(state, [directory / "password"], None), os.environ["PATH"])
    agent = _BoxedAgent(state, boxes)
    secret_file = str(directory / "password")
    facts = {"STATE": str(state), "SECRET_FILE": secret_file, "AGENT": str(os.getpid()), "BOX": strength.value}
    try:
        script = directory / "attack.py"
        ended = agent.boxed("attack11", BEFORE + text, strength, facts, sandbox, image)
        log, _ = agent.runner.log_chunk("attack11", 0, 1 << 20)
        after = agent.boxed("after111", "print('well')", strength, facts, {})
        return {
            "able": boxes.able,
            "log": log.decode(errors="replace"),
            "outcome": str(ended.outcome),
            "lives": isinstance(after.outcome, Completed),
            "is_touched": script.exists() or (state / "state.db").read_text() != SECRET,
        }
    finally:
        agent.stop()
        end_all({state})


class _BoxedAgent(Agent):
    """An agent whose runner makes boxes."""

    def __init__(self, state: Path, boxes: Boxes) -> None:
        super().__init__(state, boxes=boxes)

    def boxed(
        self,
        job: str,
        text: str,
        strength: Strength,
        facts: dict[str, str],
        sandbox: dict[str, Any],
        image: dict[str, Any] | None = None,
    ) -> JobEnded:
        """Run a Python text as a job; one that gets a file may give one, the output `copy`."""
        about = {"name": job, "script": text, "interpreter": ["/usr/bin/python3"], "environment": facts}
        files = {"inputs": {"image": "File"}, "outputs": {"copy": "File?"}} if image else {}
        typed = yaml.safe_dump({**about, **files, "sandbox": sandbox}, sort_keys=False)
        order = self.order(job, typed, {"image": image} if image else {})
        self.runner.start(replace(order, box=Choice(strength)))
        return self.end(job)


def _answer(listener: socket.socket) -> None:
    while True:
        connected, _ = listener.accept()
        with connected:
            connected.sendall(SECRET.encode())


def main() -> None:
    """Be the agent."""
    directory, strength, (sandbox, image) = Path(sys.argv[1]), Strength(sys.argv[2]), map(json.loads, sys.argv[3:])
    json.dump(attack(directory, strength, sys.stdin.read(), sandbox, image), sys.stdout)


if __name__ == "__main__":
    main()
