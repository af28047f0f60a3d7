"""What belongs to a job: every process that comes of it, whatever session, parent or environment it has taken since.

Four things tell whose a process is.

- **Its parent.** The keeper is the sub-reaper of all that it starts (PR_SET_CHILD_SUBREAPER, prctl(2)), or process 1 of
  its pid namespace: whoever's parent has ended is the keeper's child from then on. So when the first process of a job
  has ended, what is left of the job are children of the keeper, and their children.
- **Its session**, which is that of the job unless it has begun one of its own.
- **Its marks.** `CARONI_OUTPUTS` in its environment is another one for each job of the host; a program may be started
  with an empty one. The soft limit of file locks (RLIMIT_LOCKS), which limits nothing since Linux 2.4 and which nobody
  changes, is a number that stands for the job: it is there from the first instant on and is passed on by fork and
  exec. By the marks the next keeper finds what belongs to the jobs of one that has died.
- **Its user id**, where each slot has one (`users.py`): of all that a process cannot take off, it says most.

A process that has taken off all of them belongs to one of the jobs that ran when it began, and ends with the first of
those that ends. What belongs to no job at all is ended at once.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from caroni_edge.agent.keeper.proc import (
    Process,
    all_processes,
    descendants,
    own_children,
    read_process,
    user_ids,
)
from caroni_edge.agent.keeper.used import Used

MARK = "CARONI_OUTPUTS"
"""Variable whose value differs for every job of every agent on this host: it marks the processes of a job."""

_RLIMIT_LOCKS = 10
"""getrlimit(2); Python has no name for it."""
_PRIME = (1 << 61) - 1
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20
"""So often the host is looked through for what a job has started while it was being stopped."""
_libc = ctypes.CDLL(None, use_errno=True)


def become_reaper() -> bool:
    """Take in the orphans of all that this process starts from now on; tell whether the kernel can do that."""
    return os.getpid() == 1 or _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


# Marks


def number_of(outputs: str) -> int:
    """Return the number that stands for the job which writes to `outputs`."""
    return int.from_bytes(outputs.encode("utf-8", "surrogateescape"), "big") % _PRIME


@contextmanager
def softly(kind: int, limit: int | None) -> Iterator[None]:
    """Let all that is started meanwhile begin with a soft limit (getrlimit(2)), as far as there may be one so large."""
    before, most = resource.getrlimit(kind)
    if limit is None or (most != resource.RLIM_INFINITY and not 0 <= limit <= most):
        yield
        return
    resource.setrlimit(kind, (limit, most))
    try:
        yield
    finally:
        resource.setrlimit(kind, (before, most))


def marking(outputs: str) -> AbstractContextManager[None]:
    """Mark all that is started meanwhile as of the job that writes to `outputs`."""
    return softly(_RLIMIT_LOCKS, number_of(outputs))


def number_on(pid: int) -> int:
    """Return the number that a process is marked with; 0 where there is none."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            found = file.read().partition(b"Max file locks")[2].split(maxsplit=1)
        return int(found[0])
    except (OSError, ValueError, IndexError):
        return 0


def outputs_on(pid: int) -> str:
    """Return the value of `MARK` in the environment of a process; empty where there is none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return ""
    name = f"{MARK}=".encode()
    return next((os.fsdecode(entry[len(name) :]) for entry in entries if entry.startswith(name)), "")


def marked(outputs: str) -> list[int]:
    """Return the living processes of the job that writes to `outputs`, by their marks; it looks at all of the host.

    Raises:
        OSError: Nobody can look at the host's processes.
    """
    number, own = number_of(outputs), os.getpid()
    return [
        pid
        for pid, process in all_processes().items()
        if pid != own and process.is_alive and (number_on(pid) == number or outputs_on(pid) == outputs)
    ]


def leader(outputs: str) -> int:
    """Return the first process of the job that writes to `outputs`, the leader of its session; 0 when there is none.

    Raises:
        OSError: As `marked`.
    """
    leaders = [process for pid in marked(outputs) if (process := read_process(pid)) and process.session == pid]
    return min(leaders, key=lambda process: process.began).pid if leaders else 0


# The end


def put_down(roots: Iterable[int]) -> None:
    """Kill processes with all that they have started.

    All are stopped before any is killed: who is stopped starts nothing more, and goes on counting where processes are
    limited, so that who multiplies faster than we kill comes to its end.

    Raises:
        OSError: Nobody can look at the host's processes.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        found = [process.pid for process in descendants([*roots, *stopped], all_processes())]
        new = [pid for pid in found if pid not in stopped]
        for pid in new:
            _signal(pid, signal.SIGSTOP)
        stopped.update(new)
        if not new:
            break
    for pid in stopped:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


class Trees:
    """Tells which processes are left of the jobs of one keeper, and takes in the orphans among them.

    Attributes:
        is_reaper: All children of this process are of its jobs, and all orphans of its jobs are its children.
    """

    def __init__(self, *, is_reaper: bool) -> None:
        """Begin without a job."""
        self.is_reaper = is_reaper
        self._leaders: dict[int, tuple[str, int]] = {}
        self._numbers: dict[int, str] = {}
        self._users: dict[int, str] = {}
        self._owners: dict[int, frozenset[str]] = {}
        self._used: dict[str, Used] = {}

    def add(self, job: str, pid: int, began: int, user: int = 0) -> None:
        """Take note of a job whose first process is our child.

        Args:
            job: Its path of outputs.
            pid: Of that process.
            began: When that began.
            user: The user id that no other job has; 0: it has none.
        """
        self._leaders[pid] = job, began
        self._numbers[number_of(job)] = job
        if user:
            self._users[user] = job

    def remove(self, job: str, pid: int) -> Used:
        """Forget a job whose first process is about to be waited for; return what its orphans have used."""
        self._leaders.pop(pid, None)
        self._numbers.pop(number_of(job), None)
        self._users = {user: other for user, other in self._users.items() if other != job}
        return self._used.pop(job, Used())

    def rest_of(self, job: str, *, is_child: bool) -> list[int]:
        """Return what lives of a job whose first process has ended.

        Raises:
            OSError: Nobody can look.
        """
        if not (self.is_reaper and is_child):
            return marked(job)
        return [pid for pid, owners in self.orphans().items() if job in owners]

    def roots_of(self, job: str, leader: int) -> list[int]:
        """Return the processes of which all others come that a running job has.

        Raises:
            OSError: Nobody can look.
        """
        return [leader, *(pid for pid, owners in self.orphans().items() if owners == {job})]

    def orphans(self) -> dict[int, frozenset[str]]:
        """Wait for the orphans that have ended; return those that live, each with the jobs that it may belong to.

        Raises:
            OSError: Nobody can look.
        """
        living: list[int] = []
        while self.is_reaper:
            found = [pid for pid in own_children() if pid not in self._leaders]
            living = [pid for pid in found if not self._is_over(pid)]
            if living or not found:  # else what has just ended may have left us children of its own
                break
        self._owners = {pid: self._owners.get(pid) or self._owners_of(pid) for pid in living}
        return self._owners

    def end_rest_of(self, job: str, left: Iterable[int], *, is_child: bool) -> None:
        """Kill what lives of a job whose first process has ended.

        Who forks on and ends at once is gone before all of the host is looked through. As our child it is found, and
        killed while it forks, when it is looked for time and again.

        Args:
            job: Its path of outputs.
            left: What was found of it.
            is_child: Whether its first process was our child.

        Raises:
            OSError: Nobody can look.
        """
        put_down(left)
        seen: set[int] = set()
        for _ in range(_ROUNDS if self.is_reaper and is_child else 0):
            new = {pid for pid, owners in self.orphans().items() if job in owners} - seen
            if not new:
                break
            for pid in new:
                _signal(pid, signal.SIGKILL)
            seen |= new

    def end_strays(self) -> None:
        """Kill the orphans that belong to no job that is here: they outlived its end, or have hidden whose they are.

        Raises:
            OSError: Nobody can look.
        """
        jobs = {job for job, _ in self._leaders.values()}
        if strays := [pid for pid, owners in self.orphans().items() if not owners & jobs]:
            put_down(strays)

    def _owners_of(self, pid: int) -> frozenset[str]:
        process = read_process(pid)
        if process is None:
            return frozenset()
        if self._users:
            return frozenset(self._users[user] for user in user_ids(str(pid)) if user in self._users)
        if process.session in self._leaders:
            return frozenset({self._leaders[process.session][0]})
        jobs = {job for job, _ in self._leaders.values()}
        if (job := self._numbers.get(number_on(pid)) or outputs_on(pid)) in jobs:
            return frozenset({job})
        return frozenset(job for job, began in self._leaders.values() if began <= process.began)

    def _is_over(self, pid: int) -> bool:
        """Wait for an orphan if it has ended; tell whether it had."""
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        process = read_process(pid)  # it is there until it is waited for
        owner = self._owner_of(process) if process is not None else ""
        _, _, used = os.wait4(pid, 0)
        self._used[owner] = self._used.get(owner, Used()).and_by(used)
        return True

    def _owner_of(self, process: Process) -> str:
        """Return the job that an orphan has most likely come of: one that has ended bears no marks any more.

        Of several it is the last that began before it, as the first process in a box of its own begins with its job.
        """
        owners = self._owners.get(process.pid) or self._owners_of(process.pid)
        begins = {job: began for job, began in self._leaders.values() if job in owners}
        return max(begins, key=begins.__getitem__, default="")
