"""The processes of the host, as the kernel shows them below /proc (proc(5)): nothing is decided or changed here."""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ENDED = frozenset("ZX")
_READ_BYTES = 1 << 14


class Process(NamedTuple):
    """A process of the host.

    Attributes:
        pid: Its number.
        name: Of its program, 15 characters at most.
        state: One letter (proc(5)); `Z` has ended, and nobody has waited for it.
        parent: Number of its parent.
        session: Number of its session, which is that of the session's first process.
        began: In ticks since the boot.
        threads: How many it has.
        memory_bytes: Its resident memory, with what it shares.
    """

    pid: int
    name: str
    state: str
    parent: int
    session: int
    began: int
    threads: int
    memory_bytes: int

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.state not in _ENDED


def read_proc(path: str) -> bytes:
    """Return what is in a file below /proc; Python's `open` would ask more of it than it takes to read it.

    Raises:
        OSError: It cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = b""
        while more := os.read(file, _READ_BYTES):
            found += more
        return found
    finally:
        os.close(file)


def read_process(pid: int) -> Process | None:
    """Return what the kernel says of a process; None when there is none.

    Raises:
        OSError: Nobody can say.
    """
    try:
        before, _, after = read_proc(f"/proc/{pid}/stat").rpartition(b")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = after.split()
    name = before.partition(b"(")[2].decode(errors="replace")
    numbers = (int(fields[1]), int(fields[3]), int(fields[19]), int(fields[17]), int(fields[21]) * _PAGE_BYTES)
    return Process(pid, name, fields[0].decode(), *numbers)


def all_processes() -> dict[int, Process]:
    """Look at all processes of the host.

    Raises:
        OSError: Nobody can look.
    """
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            process = read_process(int(name))
        except OSError:  # not ours to see
            continue
        if process is not None:
            found[process.pid] = process
    return found


def descendants(roots: Iterable[int], processes: Mapping[int, Process]) -> list[Process]:
    """Return those processes of `roots` that live, and all that live of their children, and theirs."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, left = {}, list(roots)
    while left:
        pid = left.pop()
        if pid in processes and pid not in found:
            found[pid] = processes[pid]
            left.extend(children.get(pid, ()))
    return [process for process in found.values() if process.is_alive]


def own_children() -> list[int]:
    """Return the children of this process, which has one thread; those too that have ended."""
    own = os.getpid()
    try:
        return [int(child) for child in read_proc(f"/proc/{own}/task/{own}/children").split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [process.pid for process in all_processes().values() if process.parent == own]


def user_ids(pid: str) -> set[int]:
    """Return the user ids that a process has; none when there is no such process."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return next(({int(word) for word in line.split()[1:]} for line in file if line.startswith("Uid:")), set())
    except OSError:
        return set()
