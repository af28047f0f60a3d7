"""The example playbook, run on this machine into a directory, with a `systemctl` that only notes what it is asked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from caroni_edge import cli
from tests.brokers import find
from tests.packaging.conftest import ROOT

PLAYBOOK = ROOT / "packaging" / "ansible"
SYSTEMCTL = """\
#!/bin/sh
case "$*" in
*show*) echo LoadState=loaded; echo ActiveState=active ;;
*) echo "$*" >> "{asked}" ;;
esac
"""
PROGRAM = f'#!/bin/sh\nexec "{sys.executable}" -m caroni_edge "$@"\n'


class Site:
    """What an operator has: playbook, inventory, a login and a job type; and one host, which is this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.etc, self._asked = directory / "site", directory / "etc", directory / "asked"
        shutil.copytree(PLAYBOOK, self.directory)
        words = [
            "broker-config",
            "mosquitto",
            "--manager",
            "m1",
            "--agent",
            "edge01",
            "--host",
            "broker.example",
            "--tls",
        ]
        made = CliRunner().invoke(cli.main, [*words, "--out", str(self.directory / "broker")])
        assert made.exit_code == 0, made.output
        self.job_types = self.directory / "jobtypes"
        self.job_types.mkdir()
        shutil.copy(ROOT / "config" / "jobtypes" / "foojob0.yaml", self.job_types)
        self.etc.mkdir()
        facts = {"broker_url": "mqtts://broker.example", "agent_id": "{{ inventory_hostname_short }}"}
        here = {"ansible_connection": "local", "ansible_become": False}
        inventory = {"agents": {"hosts": {"edge01.example": here}, "vars": facts}}
        (self.directory / "inventory.yaml").write_text(json.dumps(inventory))
        self._bin = directory / "bin"
        self._bin.mkdir()
        programs = {"systemctl": SYSTEMCTL.format(asked=self._asked), "caroni-edge": PROGRAM}
        for name, text in programs.items():
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the playbook."""
        self._asked.write_text("")
        environ = {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "tmp"),
            "LC_ALL": "C.UTF-8",
        }
        command = [
            find("ansible-playbook", "ansible-core"),
            "-i",
            "inventory.yaml",
            "agents.yaml",
            "-e",
            f"etc={self.etc}",
        ]
        return subprocess.run(
            [*command, *words], check=False, cwd=self.directory, env=environ, capture_output=True, text=True
        )

    def configure(self) -> tuple[int, list[str]]:
        """Configure the host; return how much has changed there, and what the services were told."""
        done = self.run("--tags", "configure")
        assert done.returncode == 0, done.stdout + done.stderr
        (changed,) = re.findall(r"changed=(\d+)", done.stdout)
        return int(changed), self.asked()

    def asked(self) -> list[str]:
        """Return what the services were told in the last run."""
        return [line for line in self._asked.read_text().splitlines() if line != "daemon-reload"]


def test_a_host_is_configured_and_then_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    broken = site.job_types / "broken.yaml"
    broken.write_text("name: broken\n")
    done = site.run("--tags", "configure")
    assert done.returncode != 0
    assert "nothing to run" in done.stdout
    assert not (site.etc / "site" / "broken.yaml").exists()
    assert not (site.etc / "agent.yaml").exists()

    broken.unlink()
    assert site.configure()[1] == ["restart caroni-edge-agent"]
    assert sorted(path.name for path in site.etc.iterdir()) == ["agent.yaml", "broker-password", "ca.pem", "site"]
    assert (site.etc / "broker-password").stat().st_mode & 0o777 == 0o600
    assert "id: edge01\n" in (site.etc / "agent.yaml").read_text()

    shutil.copy(ROOT / "config" / "jobtypes" / "foojob1.yaml", site.job_types)
    assert site.configure() == (2, ["reload caroni-edge-agent"])
    assert site.configure() == (0, [])


def test_the_inventory_has_fifty_hosts(tmp_path: Path) -> None:
    site = Site(tmp_path)
    shutil.copy(PLAYBOOK / "inventory.yaml", site.directory)
    assert "hosts (50)" in site.run("--list-hosts").stdout
