"""Who takes part: a broker, managers and agents on small disks and lines that can be cut, jobs that leave a trace."""

import re
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.brokers import Mosquitto
from tests.chaos import photos
from tests.chaos.disk import SmallDisk, mounts_allowed
from tests.chaos.network import Line, Namespace, lines, namespaces_allowed
from tests.e2e.daemons import CONFIG, Daemon
from tests.keepers import end_all

SLOTS = 4
AGENTS = ("a1", "a2", "a3")
ON_SMALL_DISKS = ("m1", "a1")
DISK_BYTES, DISK_BYTES_PER_JOB = 64 << 20, 32 << 10
FILE_BYTES_PER_JOB = 64 << 10
"""An agent has each file twice: in its store, and in the directory of the job that has made or taken it."""

REPORT = r"""
printf 'report<<END\n%s: %s (%s words)\nEND\n' "$CARONI_ENV_title" "$CARONI_ENV_text" "$CARONI_ENV_words" \
    >> "$CARONI_OUTPUTS"
"""
"""The example is in Python, whose start would cost more than all else here."""

EFFECT = """\
set -e
echo "$CARONI_WORKFLOW/$CARONI_STEP/$CARONI_ATTEMPT $CARONI_JOB" >> {effects}/$CARONI_JOB
case $((RANDOM % 8)) in
    0) sleep 1 ;;
    *) sleep 0.$((RANDOM % 2))$((RANDOM % 10)) ;;
esac
"""


class ForgetfulBroker(Mosquitto):
    """A mosquitto that can lose all it knows, and keep only few messages for who is away."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._config = directory / "mosquitto.conf"
        self._config.write_text(self._config.read_text().replace("log_type all", "log_type error"))

    def bound_queues(self, messages: int) -> None:
        """From the next start on keep so many messages for a client that is away."""
        text = re.sub(r"(max_queued_messages) \d+", rf"\1 {messages}", self._config.read_text())
        self._config.write_text(text)

    def forget(self) -> None:
        """Lose all sessions and messages; it must not be running."""
        (self.directory / "mosquitto.db").unlink(missing_ok=True)


@dataclass
class Member:
    """A manager or an agent, with what can be done to it."""

    daemon: Daemon
    line: Line
    namespace: Namespace | None = None
    disk: SmallDisk | None = None

    @property
    def name(self) -> str:
        return self.daemon.name

    @property
    def is_agent(self) -> bool:
        return self.daemon.role == "agent"


@dataclass
class Stage:
    """All who take part.

    Attributes:
        directory: Where all is.
        effects: Each job adds a line to the file with its name in here.
        broker: The broker.
        managers: The managers.
        agents: The agents.
        leaves_out: What cannot be done on this machine, for people.
    """

    directory: Path
    effects: Path
    broker: ForgetfulBroker
    managers: list[Member] = field(default_factory=list)
    agents: list[Member] = field(default_factory=list)
    leaves_out: list[str] = field(default_factory=list)

    @property
    def members(self) -> list[Member]:
        """Managers and agents."""
        return [*self.managers, *self.agents]

    def keep_databases(self) -> None:
        """Copy the databases that would be gone with their disks."""
        for member in self.members:
            if member.disk is not None:
                for path in member.daemon.state_dir.glob("state.db*"):
                    shutil.copy(path, self.directory / f"{member.name}-{path.name}")


def open_stage(directory: Path, managers: int, jobs: int, opened: ExitStack) -> Stage:
    """Start the broker and make the nodes, which are not started yet; `opened` ends all."""
    stage = Stage(directory, directory / "effects", ForgetfulBroker(directory / "mosquitto"))
    stage.effects.mkdir()
    templates = directory / "templates"
    shutil.copytree(CONFIG / "templates", templates)
    photos.write_templates(templates)
    may_mount, may_unplug = mounts_allowed(directory / "probe"), namespaces_allowed()
    stage.leaves_out += [] if may_mount else ["full disks (mounting is not allowed)"]
    stage.leaves_out += [] if may_unplug else ["unplugged lines (network namespaces are not allowed)"]
    opened.callback(stage.broker.kill)
    stage.broker.start()
    make_line = opened.enter_context(lines(stage.broker.port))

    def add(role: str, name: str, number: int, **settings: Any) -> Member:
        namespace = disk = None
        if role == "agent" and may_unplug:
            namespace = Namespace(number)
            opened.callback(namespace.close)
        line = make_line(namespace.host if namespace else "127.0.0.1")
        member = Member(Daemon(directory, role, name, line, **settings), line, namespace)
        member.daemon.prefix = namespace.prefix if namespace else ()
        if may_mount and name in ON_SMALL_DISKS:
            per_job = DISK_BYTES_PER_JOB + FILE_BYTES_PER_JOB * member.is_agent
            disk = member.disk = SmallDisk(member.daemon.state_dir, DISK_BYTES + jobs * per_job)
            opened.callback(disk.close)
        opened.callback(_end, member.daemon)
        return member

    patience = {"attempts": 1000, "retry_delay": "200ms"}
    for number in range(managers):
        stage.managers.append(add("manager", f"m{number + 1}", number, templates=str(templates), **patience))
    for number, name in enumerate(AGENTS):
        job_types = write_job_types(directory / f"jobtypes-{name}", stage.effects, photos.job_types(name))
        stage.agents.append(add("agent", name, number, job_types=str(job_types), slots=SLOTS, web=False))
    return stage


def write_job_types(directory: Path, effects: Path, more: Iterable[dict[str, Any]]) -> Path:
    """Write the example job types again, and more, so that each job also leaves a line and takes a moment."""
    directory.mkdir()
    examples = [yaml.safe_load(path.read_text()) for path in (CONFIG / "jobtypes").glob("*.yaml")]
    for facts in (*examples, *more):
        if facts.pop("interpreter", None):
            facts["script"] = REPORT
        facts["script"] = EFFECT.format(effects=effects) + facts["script"]
        facts["limits"] = {"timeout": "1m"}
        (directory / f"{facts['name']}.yaml").write_text(yaml.safe_dump(facts))
    return directory


def _end(daemon: Daemon) -> None:
    if daemon.is_running():
        daemon.kill()
    end_all({daemon.state_dir})
