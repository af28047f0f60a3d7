"""Real daemons as processes, on a real broker: started, killed, asked over MQTT and HTTP."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml

from caroni_edge.transport.base import Arrived, Connected, Event, Published
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import WATCHER, RunningBroker, ShippedMosquitto, config_of
from tests.support import HTTP, WITHIN_S, free_port, wait_until

PROGRAM = (sys.executable, "-m", "caroni_edge")
TOKEN = "a-token-for-tests"
CONFIG = Path(__file__).resolve().parent.parent.parent / "config"


class Daemon:
    """A manager or an agent.

    Attributes:
        config: Its configuration file.
        url: Of its API.
        state_dir: Its state.
        prefix: Words before its command.
        program: The command line of Caroni Edge.
        environ: More of its environment.
    """

    def __init__(self, directory: Path, role: str, name: str, broker: RunningBroker, /, **settings: Any) -> None:
        self.role, self.name = role, name
        self.state_dir = directory / f"state-{name}"
        self.prefix: Sequence[str] = ()
        self.program: Sequence[str] = PROGRAM
        self.environ: Mapping[str, str] = {}
        self.config = directory / f"{name}.yaml"
        own = settings.get("web", {})
        web = {"port": free_port(), "token": TOKEN, "password": "x", **(own or {})}
        self.url = f"{'https' if 'cert_file' in web else 'http'}://127.0.0.1:{web['port']}"
        if own:
            settings["web"] = web
        facts = {
            "id": name,
            "state_dir": str(self.state_dir),
            "broker": {"url": broker.url, "data_url": people_of(broker).url, "username": name, "password": "x"},
            "disk_floor": "1M",
            "web": web,
        }
        self.config.write_text(yaml.safe_dump({**facts, **settings}, sort_keys=False))
        self._log_file = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> "Daemon":
        """Start it, and wait until it is ready."""
        command = [*self.prefix, *self.program, self.role, "--config", str(self.config)]
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self.environ})
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until it is connected."""
        wait_until(lambda: self.ready() == 200, what=f"{self.name} to be ready", every_s=0.02)

    def ready(self) -> int:
        """Return the status of /readyz, 0 while nothing answers; a daemon that has ended fails the test."""
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with contextlib.suppress(httpx.HTTPError):
            return HTTP.get(f"{self.url}/readyz", timeout=5).status_code
        return 0

    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def stop(self) -> int:
        """Stop it cleanly, and return its exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(WITHIN_S)

    def wait(self) -> int:
        """Wait until it has ended by itself, and return its exit status."""
        assert self._process is not None
        return self._process.wait(WITHIN_S)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(WITHIN_S)

    def get(self, path: str) -> Any:
        """Ask its API."""
        return self.ask(path).json()

    def ask(self, path: str, accept: str = "*/*") -> httpx.Response:
        """Ask for a page, or what its API gives."""
        answer = HTTP.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {TOKEN}", "Accept": accept})
        answer.raise_for_status()
        return answer

    def post(self, path: str, body: Any = None) -> httpx.Response:
        """Change something by its API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return HTTP.post(f"{self.url}{path}", headers=headers, json=body)


class Watcher:
    """Hears all events of all managers, over reconnects too, and publishes triggers."""

    def __init__(self, broker: RunningBroker) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._subscribed = threading.Event()
        self._transport = MqttTransport(config_of(broker, username=WATCHER), "caroni-watcher", retry_first_s=0.05)
        self._published: set[int] = set()
        self._transport.start(self._take)
        assert self._subscribed.wait(WITHIN_S), "the watcher does not connect"

    def stop(self) -> None:
        """Disconnect."""
        self._transport.stop(1)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1, and wait for the PUBACK."""
        token = self._transport.publish(topic, payload, qos=1, retain=retain)
        assert token, "not connected"
        wait_until(lambda: token in self._published, what="the PUBACK")

    def _take(self, event: Event) -> None:
        match event:
            case Connected():
                self._transport.subscribe([("caroni/managers/+/events/#", 1)])
                self._subscribed.set()
            case Published():
                self._published.add(event.token)
            case Arrived():
                body = msgspec.json.decode(event.payload)
                self.events.append((body["type"], body["data"]))
                self._transport.ack(event)


def people_of(broker: RunningBroker) -> RunningBroker:
    """Return the listener of a broker where each login may connect as often as it likes."""
    return broker.people if isinstance(broker, ShippedMosquitto) else broker


class Fleet:
    """Daemons and a client on one broker.

    Attributes:
        program: The command line of Caroni Edge that they are started with.
    """

    def __init__(self, directory: Path, broker: RunningBroker, program: Sequence[str] = PROGRAM) -> None:
        self.directory, self.broker, self.program = directory, broker, program
        self._daemons: list[Daemon] = []
        self.client = Watcher(broker)

    @property
    def people(self) -> RunningBroker:
        """Where people connect, each as often as they like."""
        return people_of(self.broker)

    def manager(self, name: str = "m1", *, start: bool = True, **settings: Any) -> Daemon:
        """Start a manager with the example templates, unless it is given others."""
        return self._daemon("manager", name, {"templates": str(CONFIG / "templates"), **settings}, start=start)

    def agent(self, name: str = "a1", *, start: bool = True, **settings: Any) -> Daemon:
        """Start an agent with the example job types, unless it is given others."""
        chosen = {"job_types": str(CONFIG / "jobtypes"), "slots": 2, **settings}
        return self._daemon("agent", name, chosen, start=start)

    def _daemon(self, role: str, name: str, settings: Mapping[str, Any], *, start: bool) -> Daemon:
        daemon = Daemon(self.directory, role, name, self.broker, **settings)
        daemon.program = self.program
        self._daemons.append(daemon)
        return daemon.start() if start else daemon

    def close(self) -> None:
        """End all; none waits for another."""
        for daemon in self._daemons:
            if daemon.is_running():
                daemon.signal(signal.SIGTERM)
        for daemon in self._daemons:
            daemon.stop()
        self.client.stop()

    def trigger(self, payload: bytes | Mapping[str, Any], manager: str = "m1") -> None:
        """Publish a trigger."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        self.client.publish(f"caroni/managers/{manager}/workflows", body)

    def of(self, workflow: str, kind: str) -> list[dict[str, Any]]:
        """Return the data of a workflow's events of one type."""
        return [data for seen, data in self.client.events if seen == kind and data.get("workflow") == workflow]

    def outputs(self, workflow: str, timeout_s: float = WITHIN_S) -> dict[str, Any]:
        """Wait for a workflow to complete, and return its outputs."""

        def completed() -> list[dict[str, Any]]:
            failed = self.of(workflow, "caroni.workflow.failed")
            assert not failed, failed
            return self.of(workflow, "caroni.workflow.completed")

        outputs: dict[str, Any] = wait_until(completed, timeout_s, f"{workflow} to complete")[0]["outputs"]
        return outputs

    def rejections(self) -> list[dict[str, Any]]:
        """Return the data of all refused triggers."""
        return [data for kind, data in self.client.events if kind == "caroni.workflow.rejected"]
