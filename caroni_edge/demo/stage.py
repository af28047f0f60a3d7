"""The demo's stage: its directory, its configuration files, its broker and its daemons."""

import os
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType

import httpx
import yaml

from caroni_edge.agent.processes.homes import end_jobs
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.frozen import program
from caroni_edge.demo.broker import EmbeddedBroker

STARTER, FILES = resources.files("caroni_edge") / "starter", resources.files("caroni_edge.demo") / "files"
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05
USER, PASSWORD = "admin", "password"
AGENTS = {"a1": ("foojob0", "foojob2"), "a2": ("foojob1",)}
BUSY_AGENTS = {"a1": ("measure",), "a2": ("measure", "warmest")}
TEMPLATE, SURVEY = "test_simple", "survey"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nobody is trusted: the demo speaks plain HTTP with itself, and need not read the certificates of this world."""


class DaemonFailed(CaroniError):
    """The {role} {name} did not start: {last}."""

    hint = "Its log is {log}."


class PortTaken(CaroniError):
    """Something else listens on port {port}, which the demo needs."""

    hint = "End it first (another manager or agent?), or run the demo without --serve: it takes free ports."


@dataclass(frozen=True)
class Player:
    """A daemon of the demo."""

    role: str
    name: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The URL of its page and API."""
        return f"http://127.0.0.1:{self.port}"


class Stage:
    """Everything that the demo runs, on 127.0.0.1; left, it is all ended, jobs too.

    Attributes:
        directory: Where templates, job types, logs and state are.
        broker_url: The embedded broker.
        token: Of the API of all daemons.
        players: The daemons; the manager is the first.
    """

    def __init__(self, *, fixed_ports: bool) -> None:
        """Prepare; `fixed_ports` gives the pages 8000 to 8002, else they get free ones."""
        self._fixed = fixed_ports
        self._opened = ExitStack()
        self.players: list[Player] = []
        self.token = secrets.token_urlsafe(24)

    def __enter__(self) -> "Stage":
        try:
            self.directory = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-edge-demo-")))
            broker = self._opened.enter_context(EmbeddedBroker(port=1883 if self._fixed and _is_free(1883) else 0))
            self.broker_url = f"mqtt://127.0.0.1:{broker.port}"
            self._copy(STARTER / "templates" / f"{TEMPLATE}.cwl", self.directory / "templates")
            self._copy(FILES / f"{SURVEY}.cwl", self.directory / "templates")
            self._start("manager", "m1", 8000, {"templates": "templates", "retry_delay": "10s"})
            for number, (agent, job_types) in enumerate(AGENTS.items(), start=1):
                for job_type in job_types:
                    self._copy(STARTER / "jobtypes" / f"{job_type}.yaml", self.directory / agent)
                for job_type in BUSY_AGENTS[agent]:
                    self._copy(FILES / f"{job_type}.yaml", self.directory / agent)
                self._start("agent", agent, 8000 + number, {"job_types": agent, "slots": 2})
            with httpx.Client(timeout=1.0, verify=NO_TLS) as client:
                for player in self.players:
                    self._await(player, client)
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def manager(self) -> Player:
        """The workflow manager."""
        return self.players[0]

    def _copy(self, file: Traversable, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        (directory / file.name).write_bytes(file.read_bytes())

    def _start(self, role: str, name: str, port: int, more: dict[str, object]) -> None:
        try:
            held = self._opened.enter_context(hold_port(port if self._fixed else 0))
        except OSError:
            raise PortTaken("demo", port=port) from None
        port = held.getsockname()[1]
        config = {
            "id": name,
            "state_dir": f"state/{name}",
            "broker": {"url": self.broker_url, "username": name, "password": "demo"},
            "disk_floor": "1M",
            "web": {"port": port, "username": USER, "password": PASSWORD, "token": self.token},
            **more,
        }
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        log = self.directory / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*program(), role, "--config", str(path)], stdout=out, stderr=out, env=_environment()
            )
        if role == "agent":
            self._opened.callback(end_jobs, self.directory / "state" / name, STOP_WITHIN_S)
        self._opened.callback(_end, process)
        self.players.append(Player(role, name, port, log, process))

    def _await(self, player: Player, client: httpx.Client) -> None:
        """Wait until a daemon is ready, and fail early when it has ended."""
        until = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                if client.get(f"{player.url}/readyz").status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass  # it does not listen yet; the loop ends by the deadline or by the process
            if player.process.poll() is not None or time.monotonic() > until:
                lines = player.log.read_text(errors="replace").strip().splitlines()
                last = lines[-1] if lines else "it said nothing"
                raise DaemonFailed("demo", role=player.role, name=player.name, last=last, log=player.log)
            time.sleep(LOOK_EVERY_S)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CARONI_EDGE_")}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def hold_port(port: int) -> socket.socket:
    """Take a port of 127.0.0.1, or a free one for 0, so that nobody else gets it before a daemon listens there.

    Linux lets one socket listen on what others only hold, where all of them say SO_REUSEADDR (socket(7)).

    Raises:
        OSError: Somebody listens there.
    """
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    return held


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
