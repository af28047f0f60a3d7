"""Control groups, on a tree that is made up of plain files: machines that run tests may have no controllers to give."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import cgroups
from caroni_edge.agent.keeper.cgroups import Groups
from caroni_edge.agent.keeper.records import Start
from tests.support import wait_until

BOUNDED = Start("job12345", "boot", 0.0, memory_bytes=512 << 20, processes=64)


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the group of a unit that systemd has delegated, in which groups can be removed as in a true one."""
    group = tmp_path / "cgroup" / "system.slice" / "agent.service"
    (group / "agent").mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpu io memory pids\n")
    (group / "cgroup.subtree_control").write_text("")
    rmdir = os.rmdir

    def remove(path: str) -> None:
        for name in os.listdir(path):
            os.unlink(f"{path}/{name}")
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", remove)
    monkeypatch.setattr(cgroups, "_is_ours", lambda path: path == str(group))
    return group


def proc(tmp_path: Path, *, path: str = "/system.slice/agent.service/agent", root: str = "/") -> str:
    """Write down what the kernel says of a process in a group."""
    (tmp_path / "cgroup_of_process").mkdir()
    found = tmp_path / "cgroup_of_process"
    (found / "cgroup").write_text(f"1:cpu:/other\n0::{path}\n")
    (found / "mountinfo").write_text(
        "25 30 0:23 / /proc rw,relatime shared:5 - proc proc rw\n"
        f"31 24 0:26 {root} {tmp_path}/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    return str(found)


def test_groups_are_made_beside_the_agents_own(unit: Path, tmp_path: Path) -> None:
    assert Groups.found(proc(tmp_path)).base == str(unit)
    assert (unit / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_part_of_the_tree_may_be_mounted(unit: Path, tmp_path: Path) -> None:
    found = proc(tmp_path, root="/docker/x", path="/docker/x/system.slice/agent.service/agent")
    assert Groups.found(found).base == str(unit)


@pytest.mark.parametrize("path", ["/system.slice/other.service/agent", "/system.slice/agent.service", "/", "/gone/x"])
def test_nothing_is_made_where_nothing_was_delegated(unit: Path, tmp_path: Path, path: str) -> None:
    assert Groups.found(proc(tmp_path, path=path)).base == ""
    assert (unit / "cgroup.subtree_control").read_text() == ""


@pytest.mark.parametrize("controllers", ["", "cpu memory", "pids"])
def test_nothing_is_made_where_controllers_are_missing(unit: Path, tmp_path: Path, controllers: str) -> None:
    (unit / "cgroup.controllers").write_text(controllers)
    assert Groups.found(proc(tmp_path)).base == ""


def test_a_process_that_is_in_no_group_makes_none(tmp_path: Path) -> None:
    assert Groups.found(str(tmp_path)).base == ""
    assert not Groups("").take(BOUNDED, [1])
    assert Groups("").members("job12345") == []


def test_root_takes_only_what_systemd_has_delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: dict[str, bytes] = {}

    def mark(path: str, name: str) -> bytes:
        if name not in marks:
            raise OSError
        return marks[name]

    monkeypatch.setattr(os, "getxattr", mark)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not cgroups._is_ours(str(tmp_path))
    marks["user.delegate"] = b"1"
    assert cgroups._is_ours(str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not cgroups._is_ours(str(tmp_path))
    (tmp_path / "cgroup.subtree_control").touch()
    assert cgroups._is_ours(str(tmp_path))


def test_a_job_with_bounds_gets_a_group(unit: Path) -> None:
    groups = Groups(str(unit))
    assert groups.take(BOUNDED, [4711])
    group = unit / "job-job12345"
    assert {name: (group / name).read_text() for name in os.listdir(group)} == {
        "memory.max": str(512 << 20),
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "pids.max": "64",
        "cgroup.procs": "4711",
    }
    assert groups.has("job12345")
    assert groups.members("job12345") == [4711]
    groups.remove("job12345")
    assert not group.exists()
    groups.remove("job12345")


def test_what_makes_a_box_does_not_count(unit: Path) -> None:
    assert Groups(str(unit)).take(BOUNDED._replace(is_alone=True), [4711])
    assert (unit / "job-job12345" / "pids.max").read_text() == "66"


def test_a_job_without_bounds_gets_none(unit: Path) -> None:
    assert not Groups(str(unit)).take(Start("job12345", "boot", 0.0, disk_bytes=1), [4711])
    assert not Groups(str(unit)).has("job12345")


def test_a_group_that_cannot_be_bounded_is_not_used(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, _: str) -> None:
        raise OSError(22, path)

    monkeypatch.setattr(cgroups, "_write", refuse)
    assert not Groups(str(unit)).take(BOUNDED, [4711])
    assert not Groups(str(unit)).has("job12345")


@pytest.mark.parametrize(
    ("events", "status", "expected"),
    [
        ({}, 1, None),
        ({"memory.events": "oom 1\noom_kill 0\n", "pids.events": "max 0\n"}, 1, None),
        ({"memory.events": "oom_kill 2\n"}, 0, None),
        ({"memory.events": "rubbish"}, 1, None),
        (
            {"memory.events": "low 0\noom_kill 2\n"},
            -9,
            ("memory", "ended because its processes together needed more memory than the 512M that it may have"),
        ),
        (
            {"pids.events": "max 3\n"},
            254,
            ("processes", "exit status 254; it was refused more than the 64 processes that it may have"),
        ),
    ],
)
def test_what_the_kernel_did_is_said(
    unit: Path, events: dict[str, str], status: int, expected: tuple[str, str] | None
) -> None:
    groups = Groups(str(unit))
    groups.take(BOUNDED, [])
    for name, text in events.items():
        (unit / "job-job12345" / name).write_text(text)
    assert groups.problem(BOUNDED, status) == expected


def test_the_most_memory_is_that_of_all_processes(unit: Path) -> None:
    groups = Groups(str(unit))
    groups.take(BOUNDED, [])
    assert groups.peak_bytes("job12345") is None
    (unit / "job-job12345" / "memory.peak").write_text("12345\n")
    assert groups.peak_bytes("job12345") == 12345


@pytest.fixture
def true_group() -> Iterator[Path]:
    """Return a group of the kernel's own tree; it may have no controllers."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    tree = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2" and os.access(mount[1], os.W_OK)), None)
    group = (tree or Path("/nowhere")) / f"caroni-edge-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("nobody lets us make control groups here")
    yield group
    group.rmdir()


def test_all_that_is_in_a_true_group_is_killed_at_once(true_group: Path) -> None:
    groups = Groups(str(true_group))
    (true_group / "job-job12345").mkdir()
    process = subprocess.Popen(["/bin/sh", "-c", "read _; setsid sleep 600 & sleep 600"], stdin=subprocess.PIPE)
    (true_group / "job-job12345" / "cgroup.procs").write_text(str(process.pid))
    assert process.stdin is not None
    with process.stdin as begin:
        begin.write(b"go\n")
    wait_until(lambda: len(groups.members("job12345")) > 1, what="its children")
    groups.kill("job12345")
    assert process.wait() == -signal.SIGKILL
    wait_until(lambda: not groups.members("job12345"), what="an empty group")
    groups.remove("job12345")
    assert not groups.has("job12345")
