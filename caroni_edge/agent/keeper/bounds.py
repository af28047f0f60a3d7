"""How much all processes of a job may have together, by looking at them: it works everywhere, but after the fact.

The kernel bounds a process or a user (setrlimit(2)), and all of a job only where control groups are there for us
(`cgroups.py`). So the keeper looks, every tenth of a second or as often as a fiftieth of its time allows, and ends
at once what has more than it may: who fills the host is not asked to clear up. What one process may have, the
kernel bounds as well: its address space by `limits.memory`, a file that it writes by `sandbox.disk`.
"""

import signal
import time
from collections.abc import Iterable, Iterator
from math import inf

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.disk import deleted_bytes, taken_bytes
from caroni_edge.agent.keeper.job import Job
from caroni_edge.agent.keeper.proc import Process, all_processes, descendants
from caroni_edge.agent.keeper.records import DISK, MEMORY, PROCESSES, Start, directory_of
from caroni_edge.agent.keeper.trees import Trees

LOOK_EVERY_S = 0.1
_LOOK_SHARE = 50
"""Looking takes one part of so many of the keeper's time at most."""
_TOO_LARGE = {-signal.SIGXFSZ, 128 + signal.SIGXFSZ}
"""How a process ends, and a shell that has waited for it, whose file has become too large."""

Problem = tuple[str, str]


class Bounds:
    """Looks at the jobs that have bounds.

    Attributes:
        due: When to look, on the monotonic clock.
    """

    def __init__(self, state_dir: str, trees: Trees) -> None:
        """Begin without a job.

        Args:
            state_dir: The agent's, as the keeper reaches it.
            trees: Says which processes belong to each job.
        """
        self._state_dir, self._trees = state_dir, trees
        self.due = inf

    def add(self, start: Start) -> None:
        """Look at a job from now on, if it has bounds."""
        if self.due == inf and _is_bounded(start):
            self.due = time.monotonic() + LOOK_EVERY_S

    def over(self, jobs: Iterable[Job], now: float) -> Iterator[tuple[Job, Problem]]:
        """Look, and yield each job that has more than it may, with kind and reason of its end.

        Args:
            jobs: All that run.
            now: On the monotonic clock.

        Raises:
            OSError: Nobody can look.
        """
        bounded = [job for job in jobs if _is_bounded(job.start)]
        self.due = inf
        if not bounded:
            return
        try:
            yield from self._look(bounded)
        finally:
            self.due = time.monotonic() + max(LOOK_EVERY_S, _LOOK_SHARE * (time.monotonic() - now))

    def _look(self, jobs: list[Job]) -> Iterator[tuple[Job, Problem]]:
        processes = all_processes()
        for job in jobs:
            own = descendants(self._trees.roots_of(job.outputs, job.start.pid), processes)
            held = None if job.is_grouped else _held_problem(job.start, own)
            if problem := held or self.disk_problem(job, own):
                yield job, problem

    def disk_problem(self, job: Job, own: Iterable[Process] = ()) -> Problem | None:
        """Return kind and reason of the end of a job that has too much on disk, or None.

        Args:
            job: The job.
            own: Its processes: what they have deleted and still use counts too.
        """
        limit_bytes = job.start.disk_bytes
        if limit_bytes is None:
            return None
        try:
            with files.opened(directory_of(self._state_dir, job.start.job)) as directory:
                taken = taken_bytes(directory)
        except OSError:  # it has taken it away
            taken = 0
        if taken <= limit_bytes:
            taken += deleted_bytes(process.pid for process in own)
        return (DISK, reasons.too_much_disk(taken, limit_bytes)) if taken > limit_bytes else None


def _is_bounded(start: Start) -> bool:
    return any(bound is not None for bound in (start.processes, start.memory_bytes, start.disk_bytes))


def _held_problem(start: Start, own: list[Process]) -> Problem | None:
    threads = sum(process.threads for process in own)
    most = start.processes_in_all
    if start.processes is not None and most is not None and threads > most:
        return PROCESSES, reasons.too_many_processes(threads - most + start.processes, start.processes)
    if start.memory_bytes is None or sum(process.memory_bytes for process in own) <= start.memory_bytes:
        return None
    # What processes share counts once, which the kernel has to look for: so only where it may be too much.
    memory_bytes = sum(_own_memory_bytes(process) for process in own)
    if memory_bytes > start.memory_bytes:
        return MEMORY, reasons.too_much_memory(memory_bytes, start.memory_bytes)
    return None


def _own_memory_bytes(process: Process) -> int:
    """Return the memory of a process, of what it shares its part."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            found = file.read().partition(b"\nPss:")[2].split(maxsplit=1)
        return int(found[0]) << 10
    except (OSError, ValueError, IndexError):
        return process.memory_bytes


def too_large_file(start: Start, status: int | None) -> Problem | None:
    """Return kind and reason of the end of a job by a file that was larger than its bound, or None."""
    if start.disk_bytes is None or status not in _TOO_LARGE:
        return None
    return DISK, reasons.too_large_file(start.disk_bytes)
