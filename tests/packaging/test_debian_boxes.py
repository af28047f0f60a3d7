"""Jobs of each strength under the agent's unit, in a booted Debian: what they reach of the agent."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.machines import Machine, bootstrap
from tests.support import wait_until

pytestmark = pytest.mark.timeout(900)  # the first test builds the package, and a Debian

PAGES = "http://127.0.0.1:8001"
API = f"{PAGES}/api"
STATE = "/var/lib/caroni-edge/agent"
BOXES = {"none": "sandbox: off", "shared": "", "each": "sandbox: {each: true}"}
ATTACKS = {
    "reads the broker's password": "grep -q . /etc/caroni-edge/a1.pw",
    "logs in at the broker": 'mosquitto_pub -h 127.0.0.1 -u a1 -P "$(cat /etc/caroni-edge/a1.pw)" -t caroni/x -m x',
    "reads the web token": f"grep -q . {STATE}/web-token",
    "reads the database": f"head -c 10 {STATE}/state.db",
    "replaces a script": f"""for each in {STATE}/scripts/*; do echo 'echo forged' >> "$each" || exit 1; done""",
    "reads the agent's memory": "head -c 1 /proc/$AGENT/mem",
    "reads the agent's environment": "grep -q . /proc/$AGENT/environ",
    "sees the agent": "grep -q agent[.]yaml /proc/$AGENT/cmdline",
    "signals the agent": "grep -q agent[.]yaml /proc/$AGENT/cmdline && kill -0 $AGENT",
    "speaks to the agent's socket": f"curl --fail --silent --unix-socket {STATE}/api.sock http://agent/healthz",
    "reads a credential": "grep -q . /run/credentials/caroni-edge-agent.service/db",
    "speaks to a keeper": f"ls {STATE}/keeper.sock {STATE}/boxes/*/keeper.sock",
    "gets more rights": "grep -q 'NoNewPrivs:.0' /proc/self/status",
    "has capabilities": "! grep -q 'CapEff:.0000000000000000' /proc/self/status",
    "makes a namespace": "unshare --user true",
    "sees control groups": "ls /sys/fs/cgroup/*",
}
OF_SHARED = {"makes a namespace", "sees control groups"}
OF_NONE = OF_SHARED | {
    "reads the broker's password",
    "logs in at the broker",
    "reads the web token",
    "reads the database",
    "replaces a script",
    "signals the agent",
    "speaks to the agent's socket",
    "speaks to a keeper",
    "reads a credential",
    "sees the agent",
}
"""What of it succeeds; without a box the unit alone keeps jobs from the agent's memory, and from more rights."""


SECRETS = """name: attack-secret
secrets: {DB: {credential: db}, KEY: {file: ../api.key}}
script: |
  [ "$CARONI_SECRET_DB/$CARONI_SECRET_KEY" = from-systemd/from-a-file ] && echo "it has both" >&2
  env | grep ^CARONI_SECRET >&2
  cat /etc/caroni-edge/api.key /run/credentials/*/db >&2 || echo "and cannot read them itself" >&2
"""
"""A job type that gets secrets, and says what it sees of them."""


@pytest.fixture
def machine(package: Path, tmp_path: Path) -> Iterator[Machine]:
    """Boot a Debian in which an agent with a login of its own serves."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.copy(package, shared / "caroni-edge.deb")
    booted = Machine(bootstrap(ROOT / "build" / "debian"), shared, tmp_path / "console")
    install(booted)
    yield booted
    booted.close()


def install(machine: Machine) -> None:
    """Install the package beside a broker with logins, and start the agent."""
    listener = "listener 1883 127.0.0.1\\nallow_anonymous false\\npassword_file /etc/mosquitto/passwd\\n"
    machine.run(
        "dpkg --install /mnt/caroni-edge.deb && cd /etc/caroni-edge"
        " && echo secret > a1.pw && chgrp caroni-agent a1.pw && chmod 640 a1.pw"
        " && mosquitto_passwd -b -c /etc/mosquitto/passwd a1 secret && chown mosquitto /etc/mosquitto/passwd"
        f" && printf '{listener}' > /etc/mosquitto/conf.d/logins.conf && systemctl restart mosquitto"
        " && sed -i 's/^  #username: a1/  username: a1/' agent.yaml"
        " && sed -i 's/^  #password_file: broker.*/  password_file: a1.pw/' agent.yaml"
        " && echo from-systemd > db.key && chmod 600 db.key && echo from-a-file > api.key && chgrp caroni-agent api.key"
        " && chmod 640 api.key && mkdir -p /etc/systemd/system/caroni-edge-agent.service.d"
        " && printf '[Service]\\nLoadCredential=db:/etc/caroni-edge/db.key\\n'"
        " > /etc/systemd/system/caroni-edge-agent.service.d/db.conf && systemctl daemon-reload"
        " && systemctl start caroni-edge-agent"
    )
    pid = machine.run("systemctl show --property MainPID --value caroni-edge-agent").strip()
    machine.run(f"cat > /etc/caroni-edge/jobtypes/attack-secret.yaml <<'END'\n{SECRETS}END")
    for name, box in BOXES.items():
        machine.run(f"cat > /etc/caroni-edge/jobtypes/attack-{name}.yaml <<'END'\n{job_type(name, box, pid)}END")
    machine.run("systemctl reload caroni-edge-agent")
    wait_until(lambda: "attack-none" in ask(machine, "job-types"), what="the job types to be read", every_s=0.2)
    ready = f"curl --fail --silent {PAGES}/readyz"
    wait_until(lambda: machine.status(ready) == 0, what="the agent to be ready", every_s=0.2)


def job_type(name: str, box: str, agent: str) -> str:
    """Return the file of a job type that says of each attack whether it succeeds."""
    lines = [f'({text}) >/dev/null 2>&1 && echo "{what}" || :' for what, text in ATTACKS.items()]
    script = "".join(f"  {line}\n" for line in lines)
    return f"name: attack-{name}\n{box}\nenvironment: {{AGENT: '{agent}'}}\nscript: |\n{script}"


def ask(machine: Machine, path: str, *, more: str = "") -> str:
    """Return what the agent's API answers."""
    words = f'curl --silent -H "Authorization: Bearer $(cat {STATE}/web-token)" {more} {API}/{path}'
    return machine.run(words)


def tried(machine: Machine, name: str) -> dict[str, Any]:
    """Run a job, and return it when it has ended."""
    body = "-H 'Content-Type: application/json' --data '{\"inputs\": {}}'"
    job = json.loads(ask(machine, f"job-types/attack-{name}/try", more=body))["id"]

    def ended() -> Any:
        found = json.loads(ask(machine, f"jobs/{job}"))
        return found if found["ended"] else None

    found: dict[str, Any] = wait_until(ended, what="the job to end", every_s=0.2)
    return found


@pytest.mark.parametrize(("name", "expected"), [("none", OF_NONE), ("shared", OF_SHARED), ("each", set())])
def test_a_job_reaches_what_its_box_leaves(machine: Machine, name: str, expected: set[str]) -> None:
    found = tried(machine, name)
    assert (found["status"], found["box"]) == ("completed", name), found["log"]
    assert {line for line in found["log"].splitlines() if line in ATTACKS} == expected
    check_secrets(machine)


def check_secrets(machine: Machine) -> None:
    """Hold that a job gets a file and a credential of systemd as its secrets, in a box that hides both."""
    found = tried(machine, "secret")
    assert (found["status"], found["box"]) == ("completed", "each"), found["log"]
    lines = {"it has both", "CARONI_SECRET_DB=***", "CARONI_SECRET_KEY=***", "and cannot read them itself"}
    assert lines <= {*found["log"].splitlines()}
    assert "from-" not in found["log"]
