"""A ship with a broker of its own, and a bridge to the shore's (docs/scaling.md): the line is cut, brokers die.

Aboard are a manager and an agent, ashore likewise. Each workflow completes once, and each of its steps runs once.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec
import pytest

from tests.chaos.network import lines
from tests.conftest import MakeClient
from tests.e2e.daemons import CONFIG, Daemon
from tests.e2e.test_faults import runs, slow_type
from tests.made_brokers import WATCHER, MadeMosquitto
from tests.support import wait_until

STEPS = ("upper", "prepend", "append")
WITHIN_S = 120.0
"""A question without an answer is put again after 5 s, then after 10, 20, …"""


class Sea:
    """Two brokers, the bridge between them, and on each side a manager and an agent."""

    def __init__(self, directory: Path) -> None:
        self.trace = directory / "trace"
        self._started: dict[str, Daemon] = {}
        behind = ("--bridge-manager", "ship", "m2", "--bridge-agent", "ship", "a2")
        self.shore = self._broker(directory / "shore", "m1", "a1", *behind, "--tls", "--client-certificates")
        self.ship = self._broker(directory / "ship", "m2", "a2")
        self._opened = ExitStack()
        self.line = self._opened.enter_context(lines(self.shore.port))("127.0.0.1")
        files = self.shore.made.folder("ship")
        config = (files / "caroni-bridge.conf").read_text().replace("/etc/mosquitto/bridge", str(files))
        reached = f"address 127.0.0.1:{self.shore.port}"
        assert reached in config
        fitted = config.replace(reached, f"address {self.line.host}:{self.line.port}")
        (self.ship.made.install_dir / "conf.d/caroni-bridge.conf").write_text(fitted)
        for broker in (self.shore, self.ship):
            self._opened.callback(broker.kill)
            broker.start()
        self.m1, self.m2 = (self._manager(name, broker) for name, broker in (("m1", self.shore), ("m2", self.ship)))
        self.a1, self.a2 = (self._agent(name, broker) for name, broker in (("a1", self.shore), ("a2", self.ship)))

    def _broker(self, directory: Path, manager: str, agent: str, *more: str) -> MadeMosquitto:
        who = ("--manager", manager, "--agent", agent, "--person", WATCHER, "--allow", WATCHER, "readwrite", "#")
        return MadeMosquitto(directory, *who, *more)

    def _manager(self, name: str, broker: MadeMosquitto) -> Daemon:
        return self._daemon("manager", name, broker, templates=str(CONFIG / "templates"))

    def _agent(self, name: str, broker: MadeMosquitto) -> Daemon:
        types = slow_type(broker.directory / "types", self.trace)
        return self._daemon("agent", name, broker, job_types=types, slots=2)

    def _daemon(self, role: str, name: str, broker: MadeMosquitto, **settings: object) -> Daemon:
        section = broker.made.broker_section(name)
        daemon = Daemon(broker.directory, role, name, broker, broker=section, **settings)
        self._opened.callback(daemon.stop)
        return daemon.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def start(self, manager: Daemon, *workflows: str) -> None:
        """Start workflows at a manager itself."""
        for workflow in workflows:
            manager.post("/api/workflows", trigger(workflow)).raise_for_status()
            self._started[workflow] = manager

    def started_elsewhere(self, manager: Daemon, workflow: str) -> None:
        """Note a workflow that reached its manager over the bridge."""
        self._started[workflow] = manager

    def named(self, workflow: str) -> list[str]:
        """Return the ids of workflows aboard that are called so."""
        return [each["id"] for each in self.m2.get("/api/workflows")["workflows"] if each["id"] == workflow]

    def status(self, workflow: str) -> str:
        """Return the status of a workflow."""
        status: str = self._started[workflow].get(f"/api/workflows/{workflow}")["status"]
        return status

    def wait(self, *workflows: str) -> None:
        """Wait until workflows have completed."""
        for workflow in workflows:
            wait_until(lambda w=workflow: self.status(w) == "completed", WITHIN_S, f"{workflow} to complete")  # type: ignore[misc]

    def agents_of(self, manager: Daemon) -> set[str]:
        """Return which agents a manager knows to be there."""
        agents = manager.get("/api/agents")["agents"]
        return {agent["id"] for agent in agents if agent["online"]}

    def hold_jobs(self) -> None:
        """Let jobs that begin wait."""
        Path(f"{self.trace}.go").unlink(missing_ok=True)

    def let_jobs_end(self) -> None:
        """Let jobs go on."""
        Path(f"{self.trace}.go").touch()

    def check_each_once(self) -> None:
        """Wait for all: each step of each workflow has run once, in its first attempt."""
        self.wait(*self._started)
        assert sorted(runs(self.trace)) == sorted(
            f"{workflow}/{step}/1" for workflow in self._started for step in STEPS
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sea]:
    """Start all of it once."""
    with Sea(tmp_path_factory.mktemp("sea")) as made:
        yield made


@pytest.fixture
def sea(running: Sea) -> Iterator[Sea]:
    """Give it with its line whole, jobs that wait for `let_jobs_end`, and every agent known to every manager."""
    running.line.heal()
    running.hold_jobs()
    for manager in (running.m1, running.m2):
        wait_until(lambda m=manager: running.agents_of(m) == {"a1", "a2"}, WITHIN_S, "both agents")  # type: ignore[misc]
    yield running
    running.let_jobs_end()


def trigger(workflow: str) -> dict[str, object]:
    return {"template": "test_simple", "inputs": {"message": "hello"}, "id": workflow}


def test_each_side_works_while_the_bridge_is_cut_and_all_is_done_once_after_it(sea: Sea) -> None:
    sea.start(sea.m1, *(f"m1-{number}" for number in range(6)))
    sea.start(sea.m2, *(f"m2-{number}" for number in range(6)))
    # Jobs run on both sides, for managers of both, when the line goes.
    wait_until(lambda: len(runs(sea.trace)) >= 4, WITHIN_S, "jobs on both sides")
    sea.line.refuse()
    sea.let_jobs_end()
    cut_off = {"m1-cut": sea.m1, "m2-cut": sea.m2}
    for workflow, manager in cut_off.items():
        sea.start(manager, workflow)
    sea.wait(*cut_off)
    sea.line.heal()
    sea.check_each_once()


def test_a_killed_broker_on_either_side_costs_time_alone(sea: Sea) -> None:
    sea.let_jobs_end()
    sea.a1.stop()  # so all that the shore's manager has done is done aboard
    for number, broker in enumerate((sea.ship, sea.shore, sea.ship, sea.shore)):
        names = [f"{manager}-{number}{letter}" for manager in ("m1", "m2") for letter in "abc"]
        sea.start(sea.m1, *names[:3])
        sea.start(sea.m2, *names[3:])
        broker.kill()
        broker.start()
        sea.wait(*names)
    sea.a1.start()
    sea.check_each_once()


def test_a_trigger_from_the_shore_starts_one_workflow_aboard(sea: Sea, make_client: MakeClient) -> None:
    """Also where it was said while the line was cut, and again."""
    sea.let_jobs_end()
    person = make_client(sea.shore.people, "caroni-person", **sea.shore.made.login(WATCHER))
    person.connect()
    person.subscribe("caroni/managers/m2/events/#")
    topic, payload = "caroni/managers/m2/workflows", msgspec.json.encode(trigger("far"))
    sea.line.refuse()
    for _ in range(3):
        person.publish(topic, payload)
    sea.line.heal()
    sea.started_elsewhere(sea.m2, "far")
    wait_until(lambda: len(sea.named("far")) == 1, WITHIN_S, "the trigger aboard")
    sea.check_each_once()
    completed = b'"caroni.workflow.completed"'
    wait_until(lambda: any(completed in said for said in person.payloads("caroni/managers/m2/events/far")), WITHIN_S)
    assert len(sea.named("far")) == 1
