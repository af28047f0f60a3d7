"""Control groups (cgroups(7), version 2) for jobs with bounds: the kernel counts all of a job together, at any moment.

They are used where systemd has delegated a tree to the agent's unit and started it in a group of its own below
(`Delegate=yes`, `DelegateSubgroup=`): what gives controllers to its groups cannot hold processes itself, so the jobs'
groups lie beside the agent's. Everywhere else the keeper looks (`bounds.py`). A job without a bound gets no group: to
move a process into one holds the keeper up for longer than all else that it does for a job.
"""

import os
from collections.abc import Iterable
from contextlib import suppress

from caroni_edge.agent.keeper import reasons
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.records import MEMORY, PROCESSES, Start

CONTROLLERS = frozenset({"memory", "pids"})

_TYPE = "cgroup2"
_SUBTREE = "cgroup.subtree_control"
_DELEGATED = ("user.delegate", "trusted.delegate")
"""How systemd marks what it has delegated."""

Problem = tuple[str, str]


class Groups:
    """The groups of the jobs of one keeper.

    Attributes:
        base: The directory that they lie in; empty where there can be none.
    """

    def __init__(self, base: str) -> None:
        """Make groups in a directory, or none."""
        self.base = base

    @classmethod
    def found(cls, proc: str = "/proc/self") -> "Groups":
        """Return those that this process may make, with what bounds them switched on.

        Args:
            proc: What the kernel says of this process.
        """
        try:
            base = os.path.dirname(_own_group(proc))
            if not base or not _is_ours(base):
                return cls("")
            if not _words(f"{base}/cgroup.controllers") >= CONTROLLERS:
                return cls("")
            if not _words(f"{base}/{_SUBTREE}") >= CONTROLLERS:
                _write(f"{base}/{_SUBTREE}", " ".join(f"+{name}" for name in sorted(CONTROLLERS)))
        except OSError as error:
            note(f"control groups cannot be used: {error}")
            return cls("")
        return cls(base)

    def take(self, start: Start, pids: Iterable[int]) -> bool:
        """Put the first processes of a job into a group with its bounds; tell whether they are in one."""
        if not self.base or (start.memory_bytes is None and start.processes is None):
            return False
        group = self._of(start.job)
        try:
            os.mkdir(group, 0o700)
            if start.memory_bytes is not None:
                _write(f"{group}/memory.max", str(start.memory_bytes))
                _write(f"{group}/memory.oom.group", "1")
                with suppress(OSError):  # a kernel that does not count it
                    _write(f"{group}/memory.swap.max", "0")
            if start.processes is not None:
                _write(f"{group}/pids.max", str(start.processes_in_all))
            for pid in pids:
                with suppress(ProcessLookupError):
                    _write(f"{group}/cgroup.procs", str(pid))
        except OSError as error:
            note(f"{start.job}: it gets no control group: {error}")
            self.remove(start.job)
            return False
        return True

    def has(self, job: str) -> bool:
        """Tell whether a job is in a group, as one may be that a keeper before us has started."""
        return bool(self.base) and os.path.isdir(self._of(job))

    def members(self, job: str) -> list[int]:
        """Return the processes that are in the group of a job."""
        if not self.base:
            return []
        with suppress(OSError):
            return [int(pid) for pid in _words(f"{self._of(job)}/cgroup.procs")]
        return []

    def kill(self, job: str) -> None:
        """Kill all that is in the group of a job at once, whatever it starts meanwhile."""
        with suppress(OSError):
            _write(f"{self._of(job)}/cgroup.kill", "1")

    def problem(self, start: Start, status: int | None) -> Problem | None:
        """Return kind and reason of the end of a job that failed at its bounds, or None; `status` is how it ended."""
        if not self.has(start.job) or status == 0:
            return None
        if start.memory_bytes is not None and self._count(start.job, "memory.events", "oom_kill"):
            return MEMORY, reasons.out_of_memory(start.memory_bytes)
        if start.processes is not None and self._count(start.job, "pids.events", "max"):
            return PROCESSES, reasons.out_of_processes(start.processes, status)
        return None

    def peak_bytes(self, job: str) -> int | None:
        """Return the most memory that all processes of a job had together; None where it is not known."""
        with suppress(OSError, ValueError):
            return int(_read(f"{self._of(job)}/memory.peak")) if self.base else None
        return None

    def remove(self, job: str) -> None:
        """Remove the group of a job, which is empty."""
        if self.base:
            with suppress(FileNotFoundError):
                try:
                    os.rmdir(self._of(job))
                except OSError as error:
                    note(f"{job}: its control group stays: {error}")

    def _of(self, job: str) -> str:
        return f"{self.base}/job-{job}"

    def _count(self, job: str, file: str, event: str) -> int:
        """Return how often something has happened in a group."""
        with suppress(OSError, ValueError):
            for line in _read(f"{self._of(job)}/{file}").splitlines():
                name, _, count = line.partition(" ")
                if name == event:
                    return int(count)
        return 0


def _own_group(proc: str) -> str:
    """Return the directory of the group that this process is in; empty where it is not known."""
    own = next((line[3:] for line in _read(f"{proc}/cgroup").splitlines() if line.startswith("0::")), "")
    for line in _read(f"{proc}/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        if after.split()[0] == _TYPE and (own == root or own.startswith(root.rstrip("/") + "/")):
            return mounted + own[len(root.rstrip("/")) :]
    return ""


def _is_ours(group: str) -> bool:
    """Tell whether a group was delegated to us: root may write to all, and would disturb whoever cares for them."""
    if os.geteuid() != 0:
        return os.access(f"{group}/{_SUBTREE}", os.W_OK)
    return any(_attribute(group, name) == b"1" for name in _DELEGATED)


def _attribute(path: str, name: str) -> bytes:
    try:
        return os.getxattr(path, name)
    except OSError:
        return b""


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _words(path: str) -> set[str]:
    return set(_read(path).split())


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
