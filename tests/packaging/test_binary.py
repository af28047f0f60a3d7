"""The program in one file: it needs no Python, nothing of what it has unpacked, and leaves nothing behind."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge import __version__
from caroni_edge.cli import COMMANDS
from tests.brokers import Mosquitto
from tests.e2e.daemons import TOKEN, Daemon, Fleet
from tests.e2e.notes import Notes, start, wait_completed
from tests.keepers import keepers_of
from tests.support import HTTP, wait_until

pytestmark = pytest.mark.timeout(600)  # the first test builds the program

SIZE_MAX_BYTES = 20 << 20


class Bare:
    """Runs the program in an empty directory, where there is no Python, and nothing else either."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.program = str(program)
        self.home, self.temporary = directory / "home", directory / "tmp"
        self.home.mkdir()
        self.temporary.mkdir()
        self.environ = {"PATH": "/nonexistent", "HOME": str(self.home), "TMPDIR": str(self.temporary)}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command."""
        return subprocess.Popen(
            [self.program, *words],
            cwd=self.home,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> str:
        """Run a command that succeeds, and return what it says."""
        process = self.start(*words)
        said, complained = process.communicate(timeout=120)
        assert process.returncode == 0, said + complained
        assert not complained
        return said

    def left(self) -> list[Path]:
        """Return what runs have left."""
        return [*self.home.iterdir(), *self.temporary.iterdir()]


@pytest.fixture
def bare(binary: Path, tmp_path: Path) -> Bare:
    return Bare(binary, tmp_path)


def test_it_is_small_and_says_its_version(binary: Path, bare: Bare) -> None:
    assert binary.stat().st_size <= SIZE_MAX_BYTES
    assert bare.run("--version") == f"caroni-edge {__version__}\n"
    assert bare.left() == []


def test_every_command_starts(bare: Bare) -> None:
    assert all(name in bare.run("--help") for name in COMMANDS)
    for name in COMMANDS:
        assert f"caroni-edge {name}" in bare.run(name, "--help")
    assert bare.left() == []


def test_the_demo_runs_alone_and_leaves_nothing(bare: Bare) -> None:
    assert bare.run("demo").splitlines()[-1].endswith("prepended CARONIROCKSappend")
    wait_until(lambda: not bare.left(), what="nothing to be left")


def test_it_runs_javascript_by_itself_and_leaves_nothing(bare: Bare, tmp_path: Path) -> None:
    tool = tmp_path / "tool.cwl"
    tool.write_text(
        "cwlVersion: v1.2\nclass: ExpressionTool\nrequirements: {InlineJavascriptRequirement: {}}\ninputs: {}\n"
        'outputs: {n: int}\nexpression: "$({n: [1, 2, 3].length})"\n'
    )
    assert json.loads(bare.run("cwl-run", str(tool))) == {"n": 3}
    wait_until(lambda: not bare.left(), what="nothing to be left")


def test_it_has_the_starter_configuration_and_checks_it(bare: Bare) -> None:
    for role in ("manager", "agent"):
        bare.run("init", role, role)
        bare.run("check-config", f"{role}/{role}.yaml")


def test_checksums_and_the_bill_of_materials_are_beside_it(binary: Path) -> None:
    for line in (binary.parent / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((binary.parent / name).read_bytes()).hexdigest() == digest
    bill = json.loads(binary.with_name(f"{binary.name}.cdx.json").read_bytes())
    names = {component["name"] for component in bill["components"]}
    assert {"CPython", "msgspec", "litestar", "paho-mqtt", "libcrypto.so.3"} <= names
    assert names.isdisjoint({"pyinstaller", "pydantic", "faker", "pip"})


@pytest.fixture
def fleet(binary: Path, tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Fleet]:
    """Daemons that are not started yet, of a copy of the binary."""
    fleet = Fleet(tmp_path, mosquitto)
    yield fleet
    fleet.close()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def begun(daemon: Daemon, program: Path, temporary: Path) -> Daemon:
    """Start a daemon of the binary, which unpacks itself in `temporary`."""
    daemon.program, daemon.environ = (str(program),), {"TMPDIR": str(temporary)}
    daemon.start(wait=False)
    wait_until(lambda: "connected to the broker" in daemon.log, what=f"{daemon.name} to be connected")
    return daemon  # nobody has looked at its page, so what serves that is still to be loaded


def children(pid: int) -> list[int]:
    """Return the children of a process of one thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def environment(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_daemons_and_keeper_need_neither_their_folders_nor_their_file(
    binary: Path, tmp_path: Path, fleet: Fleet, notes: Notes
) -> None:
    """Cleaners of /tmp and an upgrade take both away. A job outlives its agent, and ends once."""
    temporary, program = tmp_path / "unpacked", tmp_path / "program"
    temporary.mkdir()
    shutil.copy(binary, program)
    manager = begun(fleet.manager(templates=str(notes.templates), start=False), program, temporary)
    agent = begun(fleet.agent(job_types=str(notes.types), start=False), program, temporary)
    (tmp_path / "other").write_bytes(b"another version")
    (tmp_path / "other").rename(program)
    shutil.rmtree(temporary)
    temporary.mkdir()
    start(manager, "w1")
    wait_until(notes.runs, what="the job to begin")
    keeper = max(keepers_of(agent.state_dir))  # in a box, what has unpacked the program is there too, and waits for it
    assert not {"LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG"} & environment(children(keeper)[0]).keys()
    agent.kill()
    for path, shown in (("/", "w1"), ("/schema", "openapi.json")):
        assert shown in HTTP.get(f"{manager.url}{path}", headers={"Authorization": f"Bearer {TOKEN}"}).text
    shutil.copy(binary, tmp_path / "other")
    (tmp_path / "other").rename(program)
    agent.start()
    assert keeper in keepers_of(agent.state_dir), "the job has it still; there may be one in a box, too"
    notes.go_on()
    wait_completed(manager, 1)
    assert notes.runs() == ["w1/1"]


def test_a_killed_run_ends_whole_and_the_next_one_takes_away_what_it_left(bare: Bare) -> None:
    process = bare.start("broker", "--port", "0")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("mqtt://")
    (folder,) = bare.temporary.iterdir()
    assert list(folder.iterdir()) == []
    process.kill()
    process.communicate()  # to the end of its output: the process that has served is gone as well
    bare.run("--help")
    assert bare.left() == [folder], "it might be of one that is about to begin"
    os.utime(folder, (time.time() - 3600,) * 2)
    bare.run("--help")
    assert bare.left() == []


def test_no_python_is_needed(binary: Path) -> None:
    """It is linked with the C library alone."""
    listed = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout
    names = {line.split()[0].split("/")[-1].split(".so")[0] for line in listed.splitlines()}
    assert names <= {"linux-vdso", "libdl", "libz", "libpthread", "libc", "ld-linux-x86-64", "ld-linux-aarch64"}
