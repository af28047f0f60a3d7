"""Brokers that run on what `caroni-edge broker-config` has written, and logins with what they were handed."""

import os
import signal
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from caroni_edge.cli import main
from tests.brokers import Mosquitto, OtherListener
from tests.other_brokers import RabbitMq
from tests.support import free_port

WATCHER = "watcher"
"""Beside the nodes and people: may say and hear all."""


class Made:
    """A directory that the command has written."""

    def __init__(self, directory: Path, broker: str, install_dir: Path | None = None) -> None:
        self.directory, self._broker = directory, broker
        self.install_dir = install_dir or directory / "broker"

    def run(self, *arguments: str) -> None:
        """Say the command, once more with `arguments`."""
        result = CliRunner().invoke(main, ["broker-config", self._broker, "--out", str(self.directory), *arguments])
        assert result.exit_code == 0, result.output

    def folder(self, name: str) -> Path:
        """Return what a login was handed."""
        return next(path for path in self.directory.glob(f"*/{name}") if path.is_dir())

    def login(self, name: str) -> dict[str, Any]:
        """Return how a client of tests logs in."""
        folder = self.folder(name)
        password = folder / f"{name}.password"
        found = {"username": name, "password": password.read_text().strip() if password.exists() else "none"}
        files = {"ca_file": folder / "ca.pem", "cert_file": folder / f"{name}.pem", "key_file": folder / f"{name}.key"}
        there = {key: path for key, path in files.items() if path.exists()}
        return {**found, **there, "tls": "ca_file" in there}

    def broker_section(self, name: str) -> dict[str, Any]:
        """Return what `broker` of a node's configuration is to say, for a file that lies elsewhere."""
        folder = self.folder(name)
        section: dict[str, Any] = yaml.safe_load((folder / "broker.yaml").read_text())["broker"]
        return {key: str(folder / value) if key.endswith("_file") else value for key, value in section.items()}


class MadeMosquitto(Mosquitto):
    """A mosquitto as on Debian, where the directory of the command is its /etc/mosquitto.

    Attributes:
        people: The listener for people.
        made: Its files.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__(directory)
        self.people = OtherListener(self.host, free_port())
        self.made = Made(directory / "out", "mosquitto")
        ports = ("--port", str(self.port), "--people-port", str(self.people.port), "--host", self.host)
        self.made.run(*arguments, *ports, "--install-dir", str(self.made.install_dir))
        lines = ["user root"] if os.geteuid() == 0 else []
        lines += [
            "log_dest stderr",
            f"persistence_location {directory}/",
            f"include_dir {self.made.install_dir}/conf.d",
        ]
        (directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def reload(self) -> None:
        """Let it read logins and ACL anew."""
        self._send(signal.SIGHUP)


class MadeRabbitMq(RabbitMq):
    """A RabbitMQ on the files of the command."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__(directory)
        self.made = Made(directory / "out", "rabbitmq")
        options = ("--port", str(self.port), "--host", self.host, "--install-dir", str(self.made.install_dir))
        self.made.run(*arguments, *options)
        (directory / "rabbitmq.conf").write_text("")
        (directory / "plugins").write_text("[rabbitmq_mqtt].\n")

    def environ(self) -> dict[str, str]:
        return {**super().environ(), "RABBITMQ_CONFIG_FILES": f"{self.made.install_dir}/conf.d/*.conf"}

    def _answers(self) -> bool:
        return True  # there is none
