"""Brokers and clients for tests: a mosquitto process of one's own, and a transport whose events are kept."""

import os
import re
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import pytest

from caroni_edge.config import BrokerConfig, BrokerUrl, Secret
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event, Published, Transport, Will
from caroni_edge.transport.mqtt import MqttTransport
from tests.support import WITHIN_S, free_port, wait_until

Kind = TypeVar("Kind")

SETTINGS = """\
listener {port} 127.0.0.1
allow_anonymous {anonymous}
persistence true
persistence_location {directory}/
autosave_interval 30
max_queued_messages 100000
max_inflight_messages 100
set_tcp_nodelay true
log_dest stderr
log_type all
"""


class RunningBroker(Protocol):
    """What fixtures of brokers have in common."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...


def find(program: str, package: str, *, first: str = "") -> str:
    """Return the path of a program; without it the test is skipped, but fails where `CI=true`."""
    path = shutil.which(program, path=f"{first}:{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is not None:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed: apt-get install {package}")
    pytest.skip(f"{program} is not installed: apt-get install {package}")


def config_of(
    broker: RunningBroker,
    *,
    username: str | None = "u",
    password: str = "x",
    tls: bool = False,
    **files: Any,
) -> BrokerConfig:
    """Return how a node reaches a broker."""
    url = BrokerUrl(broker.host, broker.port, tls)
    return BrokerConfig(urls=(url,), username=username, password=Secret(password), **files)


class BrokerProcess(ABC):
    """A broker as a process of its own, on a free port of 127.0.0.1, with all that it keeps in one directory."""

    host = "127.0.0.1"
    start_within_s = WITHIN_S

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command that runs it in the foreground."""

    def environ(self) -> dict[str, str]:
        """Return the environment that it runs in."""
        return dict(os.environ)

    @property
    def name(self) -> str:
        """Its kind, for people."""
        return type(self).__name__.lower()

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        assert self._process is None
        with (self.directory / "log").open("ab") as log:
            # A session of its own: what ends it ends its children too.
            self._process = subprocess.Popen(
                self.command(), env=self.environ(), stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._accepts, self.start_within_s, f"{self.name} on port {self.port}")
        return self

    def _accepts(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"{self.name} ended with status {self._process.returncode}:\n{self.log}")
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def stop(self) -> None:
        """End it in good order: what it keeps is written."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it: it loses what was not written yet."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay, and nothing is answered."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._send(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._send(number)
            self._send(signal.SIGCONT)
            self._process.wait(WITHIN_S)
            self._process = None


class Mosquitto(BrokerProcess):
    """A mosquitto with the settings that the project recommends."""

    def __init__(self, directory: Path, *, settings: str = "", anonymous: bool = True, tls: bool = False) -> None:
        self._program, self._tls = find("mosquitto", "mosquitto"), tls
        super().__init__(directory)
        facts = {"port": self.port, "directory": directory, "anonymous": str(anonymous).lower()}
        # As root mosquitto becomes the user `mosquitto`, who may not write here.
        user = "user root\n" if os.geteuid() == 0 else ""
        (directory / "mosquitto.conf").write_text(SETTINGS.format(**facts) + user + settings)

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._tls else 'mqtt'}://{self.host}:{self.port}"

    def command(self) -> Sequence[str | Path]:
        return [self._program, "-c", self.directory / "mosquitto.conf"]


SHIPPED = Path(__file__).parents[1] / "config" / "mosquitto"


WATCHER = "watcher"
"""A login of tests that may write and read all topics."""


def shipped_acl(*logins: str) -> str:
    """Return the ACL that we ship, with its lines for each login: m2 is a manager, a2 an agent, others are people."""
    text = (SHIPPED / "acl.conf").read_text()
    blocks = {block.split(maxsplit=2)[1]: block for block in re.findall(r"^user .*\n(?:topic .*\n)+", text, re.M)}
    for login in logins:
        like = "m1" if re.fullmatch(r"m\d+", login) else "a1" if re.fullmatch(r"a\d+", login) else "alice"
        if login == WATCHER:
            text += f"\nuser {login}\ntopic readwrite #\n"
        elif login not in blocks:
            # What a person may write to is that manager's.
            own = re.compile(rf"\b{like}\b")
            text += "\n" + own.sub(login, blocks[like])
    return text


class ShippedMosquitto(Mosquitto):
    """A mosquitto with config/mosquitto/caroni.conf and its ACL, but without TLS; `port` is the nodes' listener.

    Attributes:
        people: The other listener.
        acl: The file that says who may do what; it is read at the start and at SIGHUP.
    """

    def __init__(self, directory: Path, *logins: str, settings: str = "") -> None:
        """Write the configuration; what `settings` says takes the place of what we ship."""
        super().__init__(directory)
        self.people = OtherListener(self.host, free_port())
        passwords, self.acl, config = directory / "passwords", directory / "acl", directory / "mosquitto.conf"
        passwords.write_text("".join(f"{login}:x\n" for login in logins))
        subprocess.run([find("mosquitto_passwd", "mosquitto"), "-U", passwords], check=True)
        self.acl.write_text(shipped_acl(*logins))
        ports = {"8883": self.port, "8884": self.people.port}
        lines = ["user root"] if os.geteuid() == 0 else []
        lines += ["log_dest stderr", f"persistence_location {directory}/"]
        others = {line.split()[0] for line in settings.splitlines()}
        for line in (SHIPPED / "caroni.conf").read_text().splitlines():
            match line.split():
                case ["listener", port]:
                    lines.append(f"listener {ports[port]} 127.0.0.1")
                case ["certfile" | "keyfile", _]:
                    continue
                case ["password_file", _]:
                    lines.append(f"password_file {passwords}")
                case ["acl_file", _]:
                    lines.append(f"acl_file {self.acl}")
                case [name, _] if name in others:
                    continue
                case _:
                    lines.append(line)
        config.write_text("\n".join(lines) + f"\n{settings}")


class OtherListener(NamedTuple):
    """Where else a broker listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"


class Client:
    """A transport that keeps all it delivers, for tests to wait for and look at."""

    def __init__(self, transport: Transport, client_id: str) -> None:
        self.events: list[Event] = []
        self.transport, self.client_id = transport, client_id

    @classmethod
    def of(
        cls,
        broker: RunningBroker,
        client_id: str = "node",
        *,
        will: Will | None = None,
        clean_session: bool = False,
        retry_first_s: float = 0.05,
        **login: Any,
    ) -> "Client":
        reached = config_of(broker, **login)
        transport = MqttTransport(
            reached, client_id, will=will, clean_session=clean_session, retry_first_s=retry_first_s
        )
        return cls(transport, client_id)

    def start(self) -> "Client":
        self.transport.start(self.events.append)
        return self

    def connect(self) -> Connected:
        """Start, and wait until the broker has taken us in."""
        self.start()
        return self.wait_for(Connected)

    def stop(self, timeout_s: float = 5.0) -> None:
        self.transport.stop(timeout_s)

    def find(self, kind: type[Kind], condition: Callable[[Kind], bool] = lambda _: True) -> list[Kind]:
        return [event for event in list(self.events) if isinstance(event, kind) and condition(event)]

    def wait_for(self, kind: type[Kind], condition: Callable[[Kind], bool] = lambda _: True) -> Kind:
        """Return the first event of `kind` that fits, as soon as there is one."""
        try:
            return wait_until(lambda: self.find(kind, condition))[0]
        except AssertionError as error:
            raise AssertionError(f"no {kind.__name__} as expected among {self.events}") from error

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1, and wait for the PUBACK."""
        token = self.transport.publish(topic, payload, qos=1, retain=retain)
        assert token, f"{topic} was not taken; last seen: {self.events[-3:]}"
        self.wait_for(Published, lambda event: event.token == token)
        return token

    def subscribe(self, topic_filter: str, qos: int = 1) -> None:
        """Subscribe, and wait until the broker has done so: what we publish ourselves comes back."""
        probe = f"probe/{self.client_id}/{len(self.events)}"
        self.transport.subscribe([(topic_filter, qos), (probe, 0)])
        self.publish(probe, b"there")
        self.wait_for(Arrived, lambda event: event.topic == probe)
        self.transport.unsubscribe([probe])

    def arrived(self, topic: str) -> list[Arrived]:
        return self.find(Arrived, lambda event: event.topic == topic)

    def payloads(self, topic: str) -> list[bytes]:
        return [event.payload for event in self.arrived(topic)]

    def last_reason(self) -> str:
        return self.wait_for(Disconnected).reason
