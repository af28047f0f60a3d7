"""Keepers for tests: started as an agent starts them, talked with line by line, and ended with all their jobs."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

from caroni_edge.agent.keeper.job import Job
from caroni_edge.agent.keeper.jobs import Jobs
from caroni_edge.agent.keeper.logs import Stream
from caroni_edge.agent.keeper.processes import began
from caroni_edge.agent.keeper.records import JOBS, RUNNING, Exit, read
from caroni_edge.agent.keeper.trees import MARK, marked
from caroni_edge.agent.processes.homes import keeper_command
from tests.support import POLL_S, WITHIN_S, wait_until

TIMEOUT_S = WITHIN_S


class Keeper:
    """One connection to the keeper of a state directory, which is started if there is none."""

    def __init__(
        self,
        state_dir: Path,
        *,
        idle_s: float = 300.0,
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        """Start or find a keeper; `within` is a program that starts it under limits of its own."""
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        self._argv = [*within, *keeper_command(), str(state_dir), "1.2.3", str(idle_s)]
        self._env = env
        self._ends: dict[str, dict[str, Any]] = {}
        self._said: list[dict[str, Any]] = []
        hello = wait_until(self._try_to_connect, what="a keeper")
        assert hello is not None
        self.hello = hello
        self.pid: int = self.hello["pid"]

    def _try_to_connect(self) -> dict[str, Any] | None:
        """Start a keeper, connect, and return its hello; None when one with little patience has ended in between."""
        with (self.state_dir / "keeper.log").open("ab") as log:
            subprocess.run(
                self._argv,
                env=self._env,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                timeout=TIMEOUT_S,
            )
        try:
            self._socket = connect(self.state_dir)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        self._lines = self._socket.makefile("rb")
        try:
            return self.hear("hello")
        except (AssertionError, ConnectionResetError):
            self.close()
            return None

    @property
    def is_alive(self) -> bool:
        return began(self.pid) > 0

    def kill(self) -> None:
        """End the keeper as a crash does, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        wait_until(lambda: not self.is_alive, what="the keeper's end")

    def close(self) -> None:
        """Be an agent that goes away."""
        self._lines.close()
        self._socket.close()

    def send(self, **request: Any) -> None:
        self.send_raw(json.dumps(request).encode() + b"\n")

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self, event: str, job: str = "") -> dict[str, Any]:
        """Return the next event of a kind; the others before it are passed over."""
        heard = []
        for found in self._events():
            if found["event"] == event and job in {"", found.get("job")}:
                return found
            heard.append(found)
        raise AssertionError(f"the keeper has ended before it said {event}; heard: {heard}")

    def _events(self) -> Iterator[dict[str, Any]]:
        """Yield what it says, the ends of jobs one by one."""
        while self._said or (line := self._lines.readline()):
            if not self._said:
                found: dict[str, Any] = json.loads(line)
                self._said += found["ends"] if found["event"] == "ended" else [found]
            said = self._said.pop(0)
            if said["event"] in {"exited", "unstarted"}:
                self._ends[said["job"]] = said
            yield said

    def hear_of(self, job: str) -> dict[str, Any]:
        """Return the event that says how a job ended, or that it was not started, among all those that came."""
        while job not in self._ends:
            next(self._events())
        return self._ends[job]

    def start(self, job: str, *argv: str, env: Mapping[str, str] | None = None, **limits: Any) -> None:
        """Make the directory of a job, and have it started."""
        (self.state_dir / JOBS / job / "work").mkdir(parents=True, exist_ok=True)
        environment = {"PATH": os.environ["PATH"], MARK: self.mark(job), **(env or {})}
        self.send(do="start", job=job, argv=list(argv), env=environment, **limits)

    def mark(self, job: str) -> str:
        """Return what marks the processes of a job."""
        return f"{self.state_dir}/{JOBS}/{job}/outputs"

    def run(self, job: str, *argv: str, **more: Any) -> dict[str, Any]:
        """Run a job to its end."""
        self.start(job, *argv, **more)
        return self.hear("exited", job)

    def script(self, job: str, text: str, **more: Any) -> dict[str, Any]:
        """Run a shell script to its end."""
        return self.run(job, "/bin/bash", "-c", text, **more)

    def started(self, job: str, text: str, **more: Any) -> int:
        """Start a shell script that says `ready` when it is; return its pid."""
        self.start(job, "/bin/bash", "-c", text, **more)
        pid: int = self.hear("started", job)["pid"]
        wait_until(lambda: "ready" in self.stdout(job), what=f"{job} to be ready")
        return pid

    def running(self) -> list[str]:
        self.send(do="list")
        jobs: list[str] = self.hear("running")["jobs"]
        return jobs

    def stdout(self, job: str) -> str:
        return self.file(job, "stdout")

    def file(self, job: str, name: str) -> str:
        path = self.state_dir / JOBS / job / name
        return path.read_text() if path.exists() else ""

    def exit_of(self, job: str) -> Exit | None:
        """Return what is recorded of a job's end."""
        return read(str(self.state_dir), job).end


def connect(state_dir: Path) -> socket.socket:
    """Connect to the keeper of a state directory, as long as its path may be."""
    directory = os.open(state_dir, os.O_PATH)
    try:
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(TIMEOUT_S)
        connected.connect(f"/proc/self/fd/{directory}/keeper.sock")
    finally:
        os.close(directory)
    return connected


ORDINARY = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all") if os.geteuid() == 0 else ()
)
"""Starts a program that uses no file whose mode forbids that, even where tests run as root."""


@contextmanager
def keepers() -> Iterator[Callable[..., Keeper]]:
    """Start keepers; in the end they and all their jobs are ended."""
    made: list[Keeper] = []

    def make(state_dir: Path, **options: Any) -> Keeper:
        keeper = Keeper(state_dir, **options)
        made.append(keeper)
        return keeper

    try:
        yield make
    finally:
        for keeper in made:
            keeper.close()
        end_all({keeper.state_dir for keeper in made})


def end_all(state_dirs: set[Path]) -> None:
    """End the keepers of state directories, and what runs there."""
    for state_dir in state_dirs:
        for pid in keepers_of(state_dir):
            _kill(pid)
            wait_until(lambda pid=pid: not began(pid), what=f"the end of keeper {pid}")  # type: ignore[misc]
        running = state_dir / RUNNING
        for job in running.iterdir() if running.exists() else ():
            for pid in marked(f"{state_dir}/{JOBS}/{job.name}/outputs"):
                _kill(pid)


def keepers_of(state_dir: Path) -> list[int]:
    """Return the processes that serve a state directory as keepers."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if (
            not {b"caroni_edge.agent.keeper", b"keeper"}.isdisjoint(words)
            and os.fsencode(state_dir) in words
            and os.path.basename(words[0]) != b"bwrap"  # it waits outside the box, and names the keeper too
            and began(int(entry.name))
        ):
            found.append(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; one that nobody has waited for yet does not."""
    return began(pid) > 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@dataclass
class InProcess:
    """The jobs of a keeper within the test, whose pauses the test can change."""

    jobs: Jobs
    selector: DefaultSelector
    events: list[dict[str, Any]]

    def run(self, job: str, text: str, meanwhile: Callable[[], object] | None = None, **more: Any) -> dict[str, Any]:
        """Run a shell script to its end, and do something again and again meanwhile."""
        self.jobs.start({"job": job, "argv": ["/bin/bash", "-c", text], "env": {"PATH": os.environ["PATH"]}, **more})
        while self.jobs.names():
            due_in_s = max(0.0, self.jobs.next_due() - time.monotonic())
            for key, _ in self.selector.select(POLL_S if meanwhile else due_in_s):
                if isinstance(key.data, Stream):
                    self.jobs.on_output(key.data)
                    continue
                assert isinstance(key.data, Job)
                self.jobs.on_exit(key.data)
            if meanwhile:
                meanwhile()
            self.jobs.settle()
        return self.events[-1]
