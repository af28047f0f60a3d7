"""A daemon as process 1 of a container."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import wait_until

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from caroni_edge.base.process1 import be_child_of_process_1
be_child_of_process_1()
"""
ORPHANS = (
    PROGRAM
    + """
assert os.getpid() != 1
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05)
        os._exit(0)
    os.wait()
numbers = lambda: {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
while numbers() != {1, os.getpid()}:
    time.sleep(0.01)
sys.exit(7)
"""
)
SIGNALS = (
    PROGRAM
    + """
def end(number, _):
    sys.exit(number)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, end)
Path(sys.argv[1]).touch()
while True:
    time.sleep(1)
"""
)


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("nobody lets us make a namespace of process ids here")


def test_orphans_are_waited_for_and_the_exit_status_is_the_daemons() -> None:
    assert subprocess.run([*UNSHARE, sys.executable, "-c", ORPHANS], check=False, timeout=100).returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path: Path, number: int) -> None:
    ready = tmp_path / "ready"
    with subprocess.Popen([*UNSHARE, sys.executable, "-c", SIGNALS, str(ready)]) as process:
        wait_until(ready.exists, what="the daemon to be ready")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), number)
        assert process.wait(60) == number


def test_a_daemon_that_is_killed_ends_process_1(tmp_path: Path) -> None:
    text = PROGRAM + "os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([*UNSHARE, sys.executable, "-c", text], check=False, timeout=100).returncode == 137


def test_nothing_changes_where_it_is_another_process() -> None:
    text = PROGRAM + "print(os.getppid())"
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert int(done.stdout) == os.getpid()
