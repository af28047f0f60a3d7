"""The Debian package in a booted Debian without Python: installed, used, upgraded, hung, downgraded and purged."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from caroni_edge import __version__
from caroni_edge.cli import COMMANDS
from caroni_edge.node.service import CONNECTED
from tests.brokers import find
from tests.packaging.conftest import OLDER_VERSION, ROOT
from tests.packaging.machines import Machine, bootstrap
from tests.support import add_migration, take_migration, wait_until

pytestmark = pytest.mark.timeout(900)  # the first test builds the package, and a Debian

UNITS = ("caroni-edge-manager", "caroni-edge-agent")
PUBLISH = "mosquitto_pub -h 127.0.0.1 -q 1 -t caroni/managers/m1/workflows -m"
PAGES = "http://127.0.0.1:8000"
STATE = "/var/lib/caroni-edge/manager"
STATUS = "caroni-edge status --config /etc/caroni-edge/manager.yaml --json"
WAITING = """name: foojob0
inputs: {message: string}
outputs: {jobout: string}
script: |
  echo run >> /tmp/runs
  while [ ! -e /tmp/go ]; do sleep 0.1; done
  echo "jobout=$CARONI_ENV_message" >> "$CARONI_OUTPUTS"
"""

WHO = """name: foojob0
inputs: {message: string}
outputs: {jobout: string}
script: |
  rights=$(grep -c -e 'CapEff:.*[1-9a-f]' -e 'NoNewPrivs:.*0' /proc/self/status || true)
  echo "jobout=$(id -u) $rights" >> "$CARONI_OUTPUTS"
"""
IDS = range(1879048192, 1879113728)
ALLOWED = "CapabilityBoundingSet=CAP_SETUID CAP_SETGID\\nAmbientCapabilities=CAP_SETUID CAP_SETGID"


@pytest.fixture
def machine(package: Path, older_package: Path, tmp_path: Path) -> Iterator[Machine]:
    """Boot a Debian in which the package lies as /mnt/caroni-edge.deb, and an older one as /mnt/older.deb."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.copy(package, shared / "caroni-edge.deb")
    shutil.copy(older_package, shared / "older.deb")
    booted = Machine(bootstrap(ROOT / "build" / "debian"), shared, tmp_path / "console")
    yield booted
    booted.close()


def ends(machine: Machine, workflow: str) -> Callable[[], bool]:
    """Return what tells whether a workflow has completed."""
    return lambda: json.loads(machine.run(f"{STATUS} {workflow}"))["status"] == "completed"


def connected(machine: Machine, *units: str) -> Callable[[], bool]:
    """Return what tells whether services have reached the broker, as systemd shows it."""

    def look() -> bool:
        said = [machine.run(f"systemctl show --property StatusText --value {unit}").strip() for unit in units]
        return said == [CONNECTED] * len(units)

    return look


def main_pid(machine: Machine, unit: str) -> str:
    """Return the process of a service."""
    return machine.run(f"systemctl show --property MainPID --value {unit}").strip()


def installed(machine: Machine) -> str:
    """Return the version that is installed."""
    return machine.run("dpkg-query --show --showformat '${Version}' caroni-edge")


def change_database(machine: Machine, change: Callable[[Path], None]) -> None:
    """Stop the manager, and change its database."""
    machine.run("systemctl stop caroni-edge-manager")
    database = machine.file("/var/lib/caroni-edge/manager/state.db")
    assert not database.with_name("state.db-wal").exists(), "it was closed"
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "state.db"
        copy.write_bytes(database.read_bytes())
        change(copy)
        database.write_bytes(copy.read_bytes())


def refuses_a_downgrade(machine: Machine) -> None:
    """Show that a node whose database the older program does not know says so, and goes on with the newer one."""
    change_database(machine, add_migration)
    machine.run("dpkg --install /mnt/older.deb")
    assert installed(machine) == OLDER_VERSION
    assert machine.status("systemctl start caroni-edge-manager") != 0
    assert machine.status("systemctl is-failed --quiet caroni-edge-manager") == 0
    said = machine.run("journalctl --output=cat --unit=caroni-edge-manager")
    assert "was written by a newer release of Caroni Edge" in said
    assert "Install that release again" in said
    wait_until(connected(machine, "caroni-edge-agent"), what="the agent to be connected", every_s=0.5)
    change_database(machine, take_migration)  # as the newer program would know it
    machine.run("dpkg --install /mnt/caroni-edge.deb && systemctl start caroni-edge-manager")
    wait_until(connected(machine, *UNITS), what="both services to be connected", every_s=0.5)


def test_it_is_installed_used_upgraded_hung_downgraded_and_purged(machine: Machine) -> None:
    assert machine.status("command -v python3") != 0
    machine.run("dpkg --install /mnt/older.deb")
    assert installed(machine) == OLDER_VERSION
    assert machine.status("systemctl is-active --quiet 'caroni-edge-*'") != 0
    machine.run(f"systemctl enable --now {' '.join(UNITS)}")
    wait_until(connected(machine, *UNITS), what="both services to be connected", every_s=0.5)

    machine.run(f"""{PUBLISH} '{{"template":"test_simple","inputs":{{"message":"caronirocks"}},"id":"w1"}}'""")
    wait_until(lambda: machine.status(f"{STATUS} w1") == 0, what="the workflow to begin", every_s=0.5)
    wait_until(ends(machine, "w1"), what="the workflow to complete", every_s=0.5)
    assert json.loads(machine.run(f"{STATUS} w1"))["outputs"] == {"result": "prepended CARONIROCKSappend"}

    assert "CARONIROCKS" not in machine.run(f"curl --silent {PAGES}/runs/w1")
    log_in = f'--data username=admin --data-urlencode "password=$(cat {STATE}/web-password)" {PAGES}/login'
    machine.run(f"curl --fail --silent --cookie-jar /tmp/cookies {log_in}")
    page = machine.run(f"curl --fail --silent --cookie /tmp/cookies {PAGES}/runs/w1")
    assert "completed" in page
    assert "prepended CARONIROCKSappend" in page

    assert "step completed" in machine.run("journalctl --output=cat CARONI_WORKFLOW=w1 CARONI_NODE=managers/m1")

    # A job goes on while its agent is started again, and while the package is upgraded. It runs once.
    machine.run(f"cat > /etc/caroni-edge/jobtypes/foojob0.yaml <<'END'\n{WAITING}END")
    machine.run("systemctl reload caroni-edge-agent")
    machine.run(f"""{PUBLISH} '{{"template":"test_simple","inputs":{{"message":"two"}},"id":"w2"}}'""")
    wait_until(lambda: machine.status("test -e /tmp/runs") == 0, what="the job to begin", every_s=0.2)
    before = main_pid(machine, "caroni-edge-agent")
    machine.run("systemctl restart caroni-edge-agent")
    machine.run("dpkg --force-confold --install /mnt/caroni-edge.deb")
    assert installed(machine) == __version__
    assert main_pid(machine, "caroni-edge-agent") != before
    machine.run("touch /tmp/go")
    wait_until(ends(machine, "w2"), what="the workflow to complete", every_s=0.5)
    assert machine.run("cat /tmp/runs") == "run\n"

    # A daemon that hangs is started anew.
    drop_in = "/etc/systemd/system/caroni-edge-manager.service.d"
    machine.run(f"mkdir {drop_in} && printf '[Service]\\nWatchdogSec=3\\nTimeoutAbortSec=1\\n' > {drop_in}/test.conf")
    machine.run("systemctl daemon-reload && systemctl restart caroni-edge-manager")
    hung = main_pid(machine, "caroni-edge-manager")
    machine.run(f"kill -STOP {hung}")
    wait_until(lambda: main_pid(machine, "caroni-edge-manager") not in {hung, "0"}, what="a new one", every_s=0.5)
    wait_until(connected(machine, "caroni-edge-manager"), what="the new one to be connected", every_s=0.5)

    refuses_a_downgrade(machine)
    assert ends(machine, "w2")()

    machine.run("dpkg --remove caroni-edge")
    assert machine.status("pgrep -u caroni-agent,caroni-manager") != 0
    assert "state.db" in machine.run("ls /var/lib/caroni-edge/manager /etc/caroni-edge/manager.yaml")
    machine.run("dpkg --purge caroni-edge")
    assert machine.run("find / -xdev -path /proc -prune -o -name '*caroni*' -print") == ""
    assert machine.status("getent passwd caroni-agent caroni-manager") != 0


def test_lintian_has_nothing_to_say(package: Path) -> None:
    words = ["--fail-on", "error,warning", "--allow-root", str(package)]
    done = subprocess.run([find("lintian", "lintian"), *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_command_has_a_manual_page_and_shells_complete(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout
    for name in COMMANDS:
        assert f"/man1/caroni-edge-{name}.1.gz" in listed
    for place in ("bash-completion/completions", "zsh/vendor-completions", "fish/vendor_completions.d"):
        assert place in listed


def test_slots_have_user_ids_by_two_lines_of_the_unit(machine: Machine) -> None:
    ids = f"{IDS[0]}-{IDS[-1]}"
    machine.run("dpkg --install /mnt/caroni-edge.deb")
    machine.run(f"usermod --add-subuids {ids} --add-subgids {ids} caroni-agent")
    drop_in = "/etc/systemd/system/caroni-edge-agent.service.d"
    machine.run(f"mkdir {drop_in} && printf '[Service]\\n{ALLOWED}\\n' > {drop_in}/ids.conf && systemctl daemon-reload")
    machine.run(f"cat > /etc/caroni-edge/jobtypes/foojob0.yaml <<'END'\n{WHO}END")
    machine.run(f"systemctl enable --now {' '.join(UNITS)}")
    wait_until(connected(machine, *UNITS), what="both services to be connected", every_s=0.5)

    machine.run(f"""{PUBLISH} '{{"template":"test_simple","inputs":{{"message":"x"}},"id":"w1"}}'""")
    wait_until(lambda: machine.status(f"{STATUS} w1") == 0, what="the workflow to begin", every_s=0.5)
    wait_until(ends(machine, "w1"), what="the workflow to complete", every_s=0.5)
    result = json.loads(machine.run(f"{STATUS} w1"))["outputs"]["result"]
    user, rights = result.removeprefix("prepended ").removesuffix("append").split()
    assert int(user) in IDS
    assert rights == "0"
    agent = main_pid(machine, "caroni-edge-agent")
    kept = machine.run(f"grep -h Cap[PE] /proc/{agent}/task/*/status | cut -f 2 | sort -u").split()
    assert kept == ["0000000000000000"], "what the unit gives it for the ids, it has given up"
