"""However the demo ends, it leaves nothing: no job, no keeper, no process, no file."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from caroni_edge.demo.stage import Stage, hold_port
from tests.keepers import keepers_of
from tests.support import HTTP, wait_until

WITHIN_S = 100.0
LONG = """name: foojob1
inputs: {message: string}
outputs: {jobout: string}
script: |
  echo begun
  sleep 600
"""


def started(directory: Path) -> list[int]:
    """Return the processes that work in a directory, by what they were started with."""
    named = str(directory)
    found = psutil.process_iter(["pid", "cmdline", "environ"])
    return [each.pid for each in found if named in str([each.info["cmdline"], each.info["environ"]])]


def test_jobs_and_keepers_end_with_the_stage() -> None:
    with Stage(fixed_ports=False) as stage:
        directory = stage.directory
        (directory / "a2" / "foojob1.yaml").write_text(LONG)
        stage.players[2].process.send_signal(signal.SIGHUP)
        order = {"template": "test_simple", "inputs": {"message": "x"}, "id": "w1"}
        headers = {"Authorization": f"Bearer {stage.token}"}
        edited = f"{stage.players[2].url}/api/job-types/foojob1"
        wait_until(
            lambda: "sleep 600" in HTTP.get(edited, headers=headers).json()["job_type"]["script"],
            WITHIN_S,
            "the job type to be read anew",
        )
        HTTP.post(f"{stage.manager.url}/api/workflows", json=order, headers=headers).raise_for_status()
        jobs = directory / "state" / "a2" / "jobs"
        wait_until(lambda: list(jobs.glob("*/stdout")), WITHIN_S, "the job to begin")
        assert keepers_of(directory / "state" / "a2")
    assert not started(directory)
    assert not directory.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_demo_once_and_whole(number: signal.Signals, tmp_path: Path) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    demo = subprocess.Popen([sys.executable, "-m", "caroni_edge", "demo"], env=environ, stdout=subprocess.DEVNULL)
    wait_until(lambda: list(tmp_path.glob("*/state/a1")), WITHIN_S, "an agent to start")
    demo.send_signal(number)
    demo.send_signal(number)
    demo.send_signal(number)
    assert demo.wait(WITHIN_S) == 0
    assert list(tmp_path.iterdir()) == []
    assert not started(tmp_path)


def test_a_port_that_is_held_is_for_who_listens_there_alone() -> None:
    with hold_port(0) as held, socket.socket() as other:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
            hold_port(port)
