"""Logs of real jobs, short and long, as `caroni-edge logs` shows them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemons import CONFIG, Daemon, Fleet
from tests.support import wait_until

LINES = 40_000
LINE = "line {:06d} of the log that this job writes, until it has written all of it\n"
WHOLE = "".join(LINE.format(nth) for nth in range(LINES))
SCRIPT = f"""
import sys
for nth in range({LINES}):
    sys.stderr.write({LINE!r}.format(nth))
sys.exit(3)
"""


def logs(manager: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caroni_edge", "logs", *words, "--config", str(manager.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def manager(fleet: Fleet, tmp_path: Path) -> Daemon:
    """Let a job fail that has written 3 MB."""
    (tmp_path / "types").mkdir()
    for name in ("foojob1", "foojob2"):
        (tmp_path / "types" / f"{name}.yaml").write_bytes((CONFIG / "jobtypes" / f"{name}.yaml").read_bytes())
    script = SCRIPT.replace("\n", "\n  ")
    (tmp_path / "types" / "foojob0.yaml").write_text(
        "name: foojob0\ninputs: {message: string}\noutputs: {jobout: string}\n"
        f"interpreter: [{sys.executable}]\nscript: |\n  {script}\n"
    )
    manager = fleet.manager(attempts=1)
    fleet.agent(job_types=str(tmp_path / "types"))
    fleet.trigger({"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"})
    wait_until(lambda: fleet.of("w1", "caroni.workflow.failed"), what="the workflow to fail")
    return manager


def test_of_a_long_log_the_end_is_shown_and_all_of_it_comes_when_asked_for(manager: Daemon) -> None:
    ends = [logs(manager, "w1/upper"), logs(manager, "w1", "--failed")]
    for end in ends:
        assert (end.returncode, WHOLE.endswith(end.stdout)) == (0, True)
        assert 60_000 < len(end.stdout) <= 64 * 1024
        left_out = len(WHOLE) - len(end.stdout)
        assert f"w1/upper: {left_out} bytes before this are left out; --all shows them" in end.stderr
    assert "==> w1/upper" in ends[1].stderr
    last = logs(manager, "w1/upper", "--tail", "2")
    assert last.stdout == LINE.format(LINES - 2) + LINE.format(LINES - 1)
    assert logs(manager, "w1/upper", "--head", "2").stdout == LINE.format(0) + LINE.format(1)
    whole = logs(manager, "w1/upper", "--all")
    assert whole.stdout == WHOLE
    assert whole.stderr == ""
    assert logs(manager, "w1/upper", "--all", "--tail", "1").returncode == 2
    assert logs(manager, "w1").returncode == 2
