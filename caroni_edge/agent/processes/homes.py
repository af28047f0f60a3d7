"""Where keepers serve, and how each is started: without a box in the state directory, in a box in one of its own.

The directory of a box is `boxes/shared-HASH`, by what the box was made of: as it cannot be changed, other contents are
another box. A keeper of another program that still has jobs, without a box, is left in its directory too: the next one
serves in `boxes/plain-VERSION`.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from caroni_edge import __version__
from caroni_edge.agent.boxes.first import outlive
from caroni_edge.agent.boxes.slotids import NO_SLOT_IDS, SlotIds
from caroni_edge.agent.keeper.files import open_regular, read_regular
from caroni_edge.agent.keeper.records import RUNNING
from caroni_edge.agent.keeper.server import IDLE_S, READY
from caroni_edge.agent.keeper.serving import SOCKET
from caroni_edge.agent.keeper.users import BOXES
from caroni_edge.base import failpoints
from caroni_edge.base.frozen import is_frozen, program

PLAIN, SHARED = "plain-", "shared-"

START_TIMEOUT_S = 30.0
LOG = "keeper.log"
LOG_LIMIT_BYTES = 1 << 20

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", failpoints.VARIABLE)


class NoKeeper(Exception):
    """No keeper can be reached or started; the message says why, for people."""


def keeper_command() -> list[str]:
    """Return the program that is a keeper, without its arguments: Python, or the one binary that holds everything."""
    return [*program(), "keeper"] if is_frozen() else program("caroni_edge.agent.keeper")


def keeper_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a keeper gets of the agent's environment: no secret."""
    return {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith(("LC_", "PYTHON"))}


def connect(directory: Path) -> socket.socket | None:
    """Connect to the keeper that serves in a directory; None where there is none.

    Raises:
        NoKeeper: It cannot be reached.
    """
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The path may be longer than the address of a socket can be.
        opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connecting.connect(f"/proc/self/fd/{opened}/{SOCKET}")
        finally:
            os.close(opened)
    except (FileNotFoundError, ConnectionRefusedError):
        connecting.close()
        return None
    except OSError as error:
        connecting.close()
        raise NoKeeper(f"{directory}/{SOCKET}: {error.strerror}") from None
    return connecting


def end_jobs(state_dir: Path, within_s: float) -> None:
    """End all jobs of an agent that has ended, and their keepers, and wait for it: for those who delete the directory.

    Args:
        state_dir: The agent's.
        within_s: How long to wait for each word of a keeper.

    Raises:
        NoKeeper: One cannot be reached.
        OSError: It does not end within the time.
    """
    for directory in (state_dir, *(state_dir / name for name in names_of(state_dir))):
        connected = connect(directory)
        if connected is not None:
            with connected, connected.makefile("rwb", buffering=0) as said:
                connected.settimeout(within_s)
                said.write(b'{"do": "list"}\n')
                for line in said:
                    event = json.loads(line)
                    if event["event"] == "running":
                        jobs = [*event["jobs"], *event.get("ahead", ())]
                        kills = [{"do": "kill", "job": job, "reason": "its agent is removed"} for job in jobs]
                        said.write(b"".join(json.dumps(each).encode() + b"\n" for each in [*kills, {"do": "stop"}]))
        if problem := outlive(directory):
            raise NoKeeper(problem)


def names_of(state_dir: Path) -> list[str]:
    """Return the names of all places where a keeper serves, or has served, but for the state directory itself."""
    try:
        found = sorted(os.listdir(state_dir / BOXES))
    except OSError:
        return []
    return [f"{BOXES}/{name}" for name in found if name.startswith((PLAIN, SHARED))]


class Home:
    """A place where a keeper serves, without a box.

    Attributes:
        name: Of its directory in the state directory; empty for the state directory itself.
        directory: That directory.
        state_dir: The agent's; absolute.
        is_boxed: Whether its keeper is in a box.
    """

    is_boxed = False

    def __init__(self, state_dir: Path, name: str = "") -> None:
        """Name a place; nothing is made."""
        self.state_dir, self.name = state_dir, name
        self.directory = state_dir / name

    def has_jobs(self) -> bool:
        """Tell whether jobs are on the list of its keeper."""
        try:
            return any((self.directory / RUNNING).iterdir())
        except FileNotFoundError:
            return False
        except OSError:  # a keeper will say what is wrong
            return True

    def start(self) -> None:
        """Start a keeper; return when it can be reached, or another one is there.

        Raises:
            NoKeeper: It cannot be started.
        """
        arguments = [str(self.state_dir), __version__, *([str(IDLE_S), self.name] if self.name else [])]
        try:
            self._make()
            with _log(self.state_dir) as said:
                begin = said.tell()
                process = _popen([*keeper_command(), *arguments], said)
            status = process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _give_up(process)
        except OSError as error:
            raise NoKeeper(f"the keeper could not be started: {error}") from None
        if status:
            raise NoKeeper(f"the keeper could not be started: {_words(self.state_dir, begin, status)}")

    def _make(self) -> None:
        """Make the directory, which is the agent's alone, as is the one that it lies in."""
        for directory in (self.state_dir, self.directory.parent, self.directory):
            directory.mkdir(mode=0o700, exist_ok=True)

    def outlive(self) -> None:
        """Wait until nothing runs any more that the last keeper has started in its box.

        Raises:
            NoKeeper: Something does, for too long.
        """

    def remove(self) -> None:
        """Delete the directory of a place where no keeper will serve any more."""
        if self.name:
            shutil.rmtree(self.directory, ignore_errors=True)


class BoxedHome(Home):
    """A place whose keeper is process 1 of a box."""

    is_boxed = True

    def __init__(self, state_dir: Path, name: str, box: Sequence[str] = (), ids: SlotIds = NO_SLOT_IDS) -> None:
        """Name a place.

        Args:
            state_dir: The agent's; absolute.
            name: Of its directory.
            box: The command in front of what runs in the box; empty where there is to be no new one.
            ids: The user ids that slots have in it.
        """
        super().__init__(state_dir, name)
        self._box, self._ids = box, ids
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a keeper in its box (see `Home`)."""
        self.outlive()
        if self._process is not None:
            self._process.poll()  # it is over; nobody else waits for it
        state = os.open(self.state_dir, os.O_PATH | os.O_DIRECTORY)
        heard, ready = os.pipe()
        try:
            self._make()
            arguments = [str(self.state_dir), __version__, str(IDLE_S), self.name, str(state), str(ready)]
            arguments += [str(each) for each in self._ids.range]
            with _log(self.state_dir) as said:
                begin = said.tell()
                argv = [*self._ids.within(list(self._box)), *keeper_command(), *arguments]
                self._process = _popen(argv, said, state, ready, *self._ids.descriptors)
        except OSError as error:
            os.close(heard)
            raise NoKeeper(f"the keeper could not be started in its box: {error}") from None
        finally:
            os.close(state)
            os.close(ready)
        with os.fdopen(heard, "rb") as told:
            if told.read(len(READY)) == READY:
                return
        try:
            status = self._process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _give_up(self._process)
        if status:
            words = _words(self.state_dir, begin, status)
            raise NoKeeper(f"the keeper could not be started in its box: {words}")

    def outlive(self) -> None:
        """Wait until process 1 of the last box here is gone (see `Home`)."""
        if problem := outlive(self.directory):
            raise NoKeeper(problem)


def _popen(argv: Sequence[str], said: BinaryIO, *descriptors: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env=keeper_environment(os.environ),
        start_new_session=True,
        pass_fds=descriptors,
    )


def _log(state_dir: Path) -> BinaryIO:
    said = os.fdopen(open_regular(str(state_dir / LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab")
    if said.tell() > LOG_LIMIT_BYTES:
        said.truncate(0)
    return said


def _words(state_dir: Path, begin: int, status: int) -> str:
    """Return the last line that a keeper has said."""
    said = read_regular(str(state_dir / LOG), 2 * LOG_LIMIT_BYTES)[begin:].decode(errors="replace")
    return said.strip().rpartition("\n")[2] or f"exit status {status}"


def _give_up(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    raise NoKeeper(f"the keeper did not start within {START_TIMEOUT_S:g} s")
