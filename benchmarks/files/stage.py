"""Who takes part: a broker, a manager, and two agents of which one has a file that the other one takes."""

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.chains import Client
from benchmarks.files.badlines import Host, hosts
from tests.chaos.network import DOWN
from tests.chaos.stage import ForgetfulBroker
from tests.chaos.work import ask
from tests.e2e.daemons import Daemon
from tests.keepers import end_all
from tests.support import wait_until

HOLDER, ASKER = "a1", "a2"
SLOTS = 2
WITHIN_S = 3600.0

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {bytes: int, word: string}
steps:
  make:
    run: {class: Operation, inputs: {bytes: int, word: string}, outputs: {file: File, digest: string}}
    hints: {caroni:JobType: {name: make}}
    in: {bytes: bytes, word: word}
    out: [file, digest]
  take:
    run: {class: Operation, inputs: {file: File}, outputs: {digest: string}}
    hints: {caroni:JobType: {name: take}}
    in: {file: make/file}
    out: [digest]
outputs:
  given: {type: string, outputSource: make/digest}
  taken: {type: string, outputSource: take/digest}
"""
MAKE = """\
head --bytes "$CARONI_ENV_bytes" /dev/urandom > file.bin
digest=$(sha256sum < file.bin)
printf 'file=file.bin\\ndigest=%s\\n' "${digest%% *}" >> "$CARONI_OUTPUTS"
"""
TAKE = """\
digest=$(sha256sum < "$CARONI_ENV_file")
echo "digest=${digest%% *}" >> "$CARONI_OUTPUTS"
"""


class Work(NamedTuple):
    """What there is to do.

    Attributes:
        templates: By name.
        job_types: The job types of each agent.
    """

    templates: Mapping[str, str]
    job_types: Mapping[str, Sequence[Mapping[str, Any]]]


MAKE_TYPE = {
    "name": "make",
    "inputs": {"bytes": "int", "word": "string"},
    "outputs": {"file": "File", "digest": "string"},
    "script": MAKE,
}
TAKE_TYPE = {"name": "take", "inputs": {"file": "File"}, "outputs": {"digest": "string"}, "script": TAKE}
MOVE = Work({"move": TEMPLATE}, {HOLDER: [MAKE_TYPE], ASKER: [TAKE_TYPE]})
"""A file goes from one agent to the other."""


def also(work: Work, templates: Mapping[str, str], job_types: Mapping[str, Sequence[Mapping[str, Any]]]) -> Work:
    """Return some work, and more."""
    both = {name: [*work.job_types.get(name, ()), *job_types.get(name, ())] for name in (HOLDER, ASKER)}
    return Work({**work.templates, **templates}, both)


class Moved(NamedTuple):
    """How a file went from one agent to the other.

    Attributes:
        seconds: From when it was known at its asker that it lies elsewhere until all of it was there, and right.
        more: So much more than the file has come, as a share of it; None where nothing counted.
    """

    seconds: float
    more: float | None


class Stage:
    """A broker, managers and two agents.

    Attributes:
        managers: `m1`, whose files go, and others.
        agents: The holder and the asker of files.
        far: Where they are, if that is elsewhere.
        client: Starts workflows at `m1`, and hears of them.
    """

    def __init__(
        self,
        directory: Path,
        broker: ForgetfulBroker,
        far: Sequence[Host],
        work: Work,
        managers: int,
        opened: ExitStack,
    ) -> None:
        """Start all; `opened` ends it."""
        for name, text in work.templates.items():
            write(directory / "templates" / f"{name}.cwl", text)
        self.managers = [
            Daemon(directory, "manager", f"m{number + 1}", broker, templates=str(directory / "templates"))
            for number in range(managers)
        ]
        self.agents: list[Daemon] = []
        self.far = far
        for name, host in itertools.zip_longest((HOLDER, ASKER), far):
            types = directory / f"types-{name}"
            for facts in work.job_types[name]:
                write(types / f"{facts['name']}.yaml", yaml.safe_dump(dict(facts)))
            line = host.line if host else broker
            agent = Daemon(directory, "agent", name, line, job_types=str(types), slots=SLOTS, web=False)
            agent.prefix = host.prefix if host else ()
            opened.callback(end_all, {agent.state_dir})
            self.agents.append(agent)
        for daemon in (*self.managers, *self.agents):
            opened.callback(daemon.stop)
            daemon.start(wait=daemon in self.managers)
        self.client = Client(broker.port, opened)

    def move(self, size_bytes: int, meanwhile: Callable[[], object] = lambda: None) -> Moved:
        """Let the holder make a file and the asker take it; `meanwhile` is called again and again on the way."""
        asker = self.agents[1]
        job, word = self._last(asker), str(time.time())
        before = self.far[1].line.brought_bytes[DOWN] if self.far else 0
        workflow = self.start("move", {"bytes": size_bytes, "word": word})
        staging = wait_until(lambda: self._next(asker, job), WITHIN_S, "the job that takes the file", every_s=0.02)
        began = time.monotonic()
        while self._state(asker, staging) == "staging":
            meanwhile()
            time.sleep(0.02)
        seconds = time.monotonic() - began
        came = self.far[1].line.brought_bytes[DOWN] - before if self.far else None
        outputs = self.outputs(workflow)
        if outputs["given"] != outputs["taken"]:
            sys.exit(f"the asker has got another file than the holder has given: {outputs}")
        return Moved(seconds, None if came is None else came / size_bytes - 1)

    def start(self, template: str, inputs: Mapping[str, Any], manager: int = 0) -> str:
        """Start a workflow; return its id."""
        answer = self.managers[manager].post("/api/workflows", {"template": template, "inputs": inputs})
        answer.raise_for_status()
        workflow: str = answer.json()["id"]
        return workflow

    def outputs(self, workflow: str) -> dict[str, Any]:
        """Wait for the end of a workflow; return its outputs."""

        def ended() -> dict[str, Any]:
            found: dict[str, Any] = self.managers[0].get(f"/api/workflows/{workflow}")
            if found["status"] == "failed":
                sys.exit(f"a workflow failed: {found}")
            return found if found["status"] == "completed" else {}

        found: dict[str, Any] = wait_until(ended, WITHIN_S, f"the end of {workflow}", every_s=0.1)["outputs"]
        return found

    def _last(self, agent: Daemon) -> int:
        number: int = ask(agent.state_dir, "SELECT ifnull(max(id), 0) FROM jobs")[0][0]
        return number

    def _next(self, agent: Daemon, after: int) -> str:
        rows = ask(
            agent.state_dir, "SELECT job FROM jobs WHERE id > ? AND job_type = 'take' AND state <> 'pending'", after
        )
        return str(rows[0][0]) if rows else ""

    def _state(self, agent: Daemon, job: str) -> str:
        state: str = ask(agent.state_dir, "SELECT state FROM jobs WHERE job = ?", job)[0][0]
        return state


@contextmanager
def staged(work: Work = MOVE, *, far: bool = True, managers: int = 1) -> Iterator[Stage]:
    """Start all that takes part; `far`: each agent is behind a line of its own."""
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-files-")))
        broker = ForgetfulBroker(directory / "mosquitto")
        opened.callback(broker.kill)
        broker.start()
        made = opened.enter_context(hosts(broker.port, 2)) if far else []
        yield Stage(directory, broker, made, work, managers, opened)


def write(path: Path, text: str) -> None:
    """Write a file, and make its directory."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def load() -> float:
    """Return how busy the machine is: the average of the last minute."""
    return round(os.getloadavg()[0], 1)
