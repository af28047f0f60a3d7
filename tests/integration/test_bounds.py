"""What a job may have: processes, memory of all of them together, space on disk. It is ended when it has more."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.keeper import bounds
from caroni_edge.agent.keeper.records import JOBS
from tests.keepers import InProcess, Keeper
from tests.runners import Agent, failure_of

MakeKeeper = Callable[..., Keeper]

FORK = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(int(sys.argv[1])):
    os.fork()
    if os.getsid(0) != os.getpid():
        os.setsid()
print("ready", flush=True)
time.sleep(600)
"""
EACH = """
import os, sys, time
for _ in range(5):
    if os.fork() == 0:
        break
data = bytearray(os.urandom(1)) * (40 << 20)
print("ready", flush=True)
time.sleep(600)
"""
SHARED = """
import os, time
data = bytearray(os.urandom(1)) * (60 << 20)
children = [pid for pid in (os.fork() for _ in range(5)) if pid]
time.sleep(0.5)
if len(children) < 5:
    os._exit(0)
"""
DELETED = """
import os, time
file = os.open("big", os.O_RDWR | os.O_CREAT)
os.unlink("big")
for _ in range(20):
    os.write(file, bytes(1 << 20)); os.fsync(file)
    copy = os.open("big", os.O_RDWR | os.O_CREAT)
    os.unlink("big")
    os.dup2(copy, file + 100 + _)
    file = copy
time.sleep(600)
"""


def python(keeper: Keeper, text: str, *words: str, **limits: Any) -> dict[str, Any]:
    """Run a program to its end."""
    return keeper.run("job12345", sys.executable, "-c", text, *words, **limits)


def test_a_job_has_no_more_processes_than_it_may(keeper: Keeper) -> None:
    end = python(keeper, FORK, "8", processes=50)
    assert end["kind"] == "processes"
    assert end["reason"].startswith("ended because it had ")
    assert end["reason"].endswith(" processes, and may have 50")
    assert end["notes"] == ""


def test_as_many_as_it_may_have_are_let_alone(keeper: Keeper) -> None:
    end = keeper.script("job12345", "for i in $(seq 9); do sleep 0.5 & done; wait", processes=10)
    assert (end["kind"], end["status"]) == ("exited", 0)


def test_the_memory_of_all_processes_counts_together(keeper: Keeper) -> None:
    end = python(keeper, EACH, memory_bytes=150 << 20)
    assert end["kind"] == "memory"
    assert end["reason"].startswith("ended because its processes together had ")
    assert end["reason"].endswith("M of memory, and may have 150M")


def test_memory_that_processes_share_counts_once(keeper: Keeper) -> None:
    assert python(keeper, SHARED, memory_bytes=200 << 20)["status"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "for i in $(seq 50); do head -c 1M /dev/urandom > $i; sync $i; done; sleep 600",
        "mkdir -p a/b/c; cd a/b/c; for i in $(seq 50); do head -c 1M /dev/urandom > .$i; sync .$i; done; sleep 600",
        "trap '' TERM XFSZ; while :; do head -c 1M /dev/urandom >> ../$RANDOM; sync ..; done",
    ],
)
def test_a_job_takes_no_more_space_than_it_may(keeper: Keeper, text: str) -> None:
    end = keeper.script("job12345", text, disk_bytes=10 << 20)
    assert end["kind"] == "disk"
    assert end["reason"].startswith("ended because it had ")
    assert end["reason"].endswith(" on disk, and may have 10M")


def test_space_of_files_without_a_name_counts(keeper: Keeper) -> None:
    assert python(keeper, DELETED, disk_bytes=10 << 20)["kind"] == "disk"


def test_one_file_is_bounded_by_the_kernel(keeper: Keeper) -> None:
    said = "ended because it had more than 10M in one file, and may have that on disk"
    end = keeper.script("job12345", "exec head -c 100M /dev/zero > big", disk_bytes=10 << 20)
    assert (end["kind"], end["reason"]) == ("disk", said)
    assert (keeper.state_dir / JOBS / "job12345" / "work" / "big").stat().st_size <= 10 << 20


def test_space_is_looked_at_once_more_at_the_end(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LOOK_EVERY_S", 1000.0)
    text = "for i in 1 2 3; do head -c 1M /dev/urandom > $i; sync $i; done"
    end = in_process.run("job12345", text, disk_bytes=2 << 20)
    assert (end["kind"], end["status"]) == ("disk", 0)


def test_the_next_keeper_keeps_the_bounds(make_keeper: MakeKeeper, keeper: Keeper) -> None:
    keeper.started("job12345", "echo ready; until [ -e go ]; do sleep 0.01; done; sleep 600 & sleep 600", processes=2)
    keeper.kill()
    second = make_keeper(keeper.state_dir)
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    end = second.hear("exited", "job12345")
    assert (end["kind"], end["reason"]) == ("processes", "ended because it had 3 processes, and may have 2")


@pytest.mark.parametrize("bound", [{"processes": "many"}, {"disk_bytes": [1]}])
def test_a_bound_that_is_none_starts_nothing(keeper: Keeper, bound: dict[str, Any]) -> None:
    keeper.start("job12345", "/bin/true", **bound)
    assert keeper.hear("unknown", "job12345")["do"] == "start"
    assert keeper.running() == []


def test_the_attempt_says_what_was_bounded(agent: Agent, tmp_path: Path) -> None:
    text = "sandbox: {processes: 3, disk: 1G}\nscript: |\n  for i in 1 2 3; do sleep 600 & done; wait\n"
    failed = failure_of(agent.run("job12345", text))
    assert failed.reason == "ended because it had 4 processes, and may have 3"
    text = "sandbox: {disk: 1M}\nscript: |\n  exec head -c 2M /dev/zero > big\n"
    assert failure_of(agent.run("job67890", text)).reason == (
        "ended because it had more than 1M in one file, and may have that on disk"
    )


def test_where_the_kernel_counts_a_job_nobody_looks_at_it(in_process: InProcess, tmp_path: Path) -> None:
    """The group is made up of files, so nothing is bounded here; what the kernel would have done is written there."""
    base = tmp_path / "groups"
    base.mkdir()
    in_process.jobs._groups.base = str(base)
    group = base / "job-job12345"
    text = f"until [ -s {group}/cgroup.procs ]; do sleep 0.01; done; for i in 1 2 3 4; do sleep 0.3 & done; wait"
    text = f"{text}; cat {group}/cgroup.procs; echo max 7 > {group}/pids.events; exit 2"
    end = in_process.run("job12345", text, processes=2, memory_bytes=512 << 20)
    said = "exit status 2; it was refused more than the 2 processes that it may have"
    assert (end["kind"], end["reason"]) == ("processes", said)
    assert (group / "pids.max").read_text() == "2"
    assert (tmp_path / JOBS / "job12345" / "stdout").read_text() == (group / "cgroup.procs").read_text()
