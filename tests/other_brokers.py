"""RabbitMQ and NATS for tests: processes of one's own, beside mosquitto. docs/brokers.md tells what they cannot do."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx

from tests.brokers import BrokerProcess, find
from tests.support import HTTP, WITHIN_S, free_port, wait_until

PASSWORD = "x"
USERS = ("u", "m1", "m2", "a1", "a2", "watcher", "alice", "me")
"""Who may log in at RabbitMQ, which has no way to let everybody in; tests use these names, and this password."""

RABBITMQ_SETTINGS = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.prefetch = 100
mqtt.allow_anonymous = true
management.tcp.ip = 127.0.0.1
management.tcp.port = {api_port}
"""
NATS_SETTINGS = """\
server_name: caroni
listen: "127.0.0.1:{nats_port}"
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{port}", max_ack_pending: 1000, ack_wait: "5s" }}
"""


class RabbitMq(BrokerProcess):
    """A RabbitMQ with its MQTT plug-in. It takes ten seconds to start, so it is shared, and emptied between tests."""

    start_within_s = 120.0

    def __init__(self, directory: Path) -> None:
        self._program = find("rabbitmq-server", "rabbitmq-server", first="/usr/lib/rabbitmq/bin")
        self._epmd_program = find("epmd", "erlang-base")
        super().__init__(directory)
        self._api_port, self._epmd_port, self._node_port = free_port(), free_port(), free_port()
        settings = RABBITMQ_SETTINGS.format(port=self.port, api_port=self._api_port)
        (directory / "rabbitmq.conf").write_text(settings)
        (directory / "plugins").write_text("[rabbitmq_mqtt, rabbitmq_management].\n")
        self._epmd: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        return [self._program]

    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.directory),  # where the cookie is
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": "caroni@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        }

    def start(self) -> "RabbitMq":
        if self._epmd is None:
            # One of its own that RabbitMQ started would stay in the background for ever.
            command = [self._epmd_program, "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = subprocess.Popen(command, env=self.environ())
        super().start()
        wait_until(self._answers, self.start_within_s, "the API of RabbitMQ")
        return self

    def empty(self) -> "RabbitMq":
        """Bring it to what it was at first: running, with its users, and without sessions and messages."""
        if self._process is None:
            self.start()
        self.resume()
        self._api("DELETE", "vhosts/%2F")
        for kept in (self.directory / "data").glob("*/mqtt_retained_*.dets"):
            kept.unlink()  # what was retained would come back with a virtual host of the same name
        self._api("PUT", "vhosts/%2F")
        for user in (*USERS, "guest"):
            if user != "guest":
                self._api("PUT", f"users/{user}", {"password": PASSWORD, "tags": ""})
            self._api("PUT", f"permissions/%2F/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
        return self

    def restrict(self, user: str, write: str) -> None:
        """Let a user publish only to topics (with `.` for `/`) that a pattern fits, until it is emptied."""
        rights = {"exchange": "amq.topic", "write": write, "read": ".*"}
        self._api("PUT", f"topic-permissions/%2F/{user}", rights)

    def close(self) -> None:
        """End all of it, and delete what it kept."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(WITHIN_S)
        rmtree(self.directory / "data", ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return self._api("GET", "whoami").is_success
        except httpx.TransportError:
            return False

    def _api(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = f"http://127.0.0.1:{self._api_port}/api/{path}"
        answer = HTTP.request(method, url, auth=("guest", "guest"), json=body)
        assert answer.is_success or method == "GET", f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


class Nats(BrokerProcess):
    """A nats-server with JetStream, which its MQTT needs."""

    def __init__(self, directory: Path) -> None:
        self._program = find("nats-server", "nats-server")
        super().__init__(directory)
        facts = {"port": self.port, "nats_port": free_port(), "directory": directory}
        (directory / "nats.conf").write_text(NATS_SETTINGS.format(**facts))

    def command(self) -> Sequence[str | Path]:
        return [self._program, "-c", self.directory / "nats.conf"]
