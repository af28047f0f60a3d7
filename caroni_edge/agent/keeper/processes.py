"""A job's first process: started in a session of its own, limited, and found again.

Memory is limited by RLIMIT_AS, the address space of each process: the one limit that works without control groups,
which need rights that an agent may not have. A program then sees its allocation fail, and can say so. It counts what is
mapped and not what is used, and each process of a job has the limit for itself. It is set from outside right after the
start, since `posix_spawn` cannot; a child that the job made in that moment gets it too.

A job is asked to end by a signal to its process group, which is what `setsid` made of it. What it has put into another
one (`setsid`, a shell's `set -m`) is not asked: it is killed when the first process has ended (`trees.py`).
"""

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.acting import acting_as, take_new_keyrings
from caroni_edge.agent.keeper.proc import read_proc, read_process
from caroni_edge.agent.keeper.records import WORK
from caroni_edge.agent.keeper.trees import marking, softly

_DEFAULT = [number for number in signal.valid_signals() if number not in {signal.SIGKILL, signal.SIGSTOP}]

_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""How many files a job may open: as many as this process could before `use_more_files`."""


OPENED = 3
"""By the descriptors from this one on a program reads the files that it was started with."""


class Limits(NamedTuple):
    """Limits that the kernel enforces for each process; None: no limit, or the keeper's own nice value."""

    memory_bytes: int | None = None
    file_bytes: int | None = None
    nice: int | None = None


def spawn(
    argv: list[str],
    env: dict[str, str],
    directory: str,
    outputs: str,
    ends: Sequence[int],
    file_bytes: int | None = None,
    opens: Sequence[str] = (),
    user: int = 0,
) -> int:
    """Start a program in a session of its own; return its pid.

    Texts are passed as UTF-8, whatever the locale. The working directory of this process is another one afterwards.

    Args:
        argv: The program and its arguments.
        env: All of its environment.
        directory: The job's: it works in `WORK` there.
        outputs: What marks the job (see `trees.py`).
        ends: Its standard output and standard error.
        file_bytes: How large a file that it writes may become, from the first instant on.
        opens: Files that it reads by the descriptors from `OPENED` on.
        user: Whose process it is to be; 0: ours.

    Raises:
        OSError, ValueError, TypeError: It cannot be started.
    """
    encoded = [_encoded(word) for word in argv]
    environment = {_encoded(name): _encoded(value) for name, value in env.items()}
    with files.opened(f"{directory}/{WORK}") as work:
        os.chdir(work)
    with (
        marking(outputs),
        softly(resource.RLIMIT_NOFILE, _FILES),
        softly(resource.RLIMIT_FSIZE, file_bytes),
        acting_as(user, real=user),
    ):
        if user:
            take_new_keyrings()
        return os.posix_spawn(
            encoded[0],
            encoded,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                *((os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends, 1)),
                *(
                    (os.POSIX_SPAWN_OPEN, number, _encoded(path), os.O_RDONLY, 0)
                    for number, path in enumerate(opens, OPENED)
                ),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULT,
        )


def use_more_files() -> None:
    """Let this process open as many files as it may: it has several open for each job."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def limit(pid: int, limits: Limits) -> None:
    """Limit a process that has just been started, and what it has started since.

    Raises:
        OSError: The kernel refuses.
    """
    if limits.nice is not None:
        _set_nice(pid, limits.nice)
    for kind, most in ((resource.RLIMIT_AS, limits.memory_bytes), (resource.RLIMIT_FSIZE, limits.file_bytes)):
        if most is not None:
            for each in with_children(pid):
                _limit_one(each, kind, most)


def _limit_one(pid: int, kind: int, most: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, kind, (most, most))


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process group of a job; no other gets its number before `pid` has been waited for."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def within(pid: int) -> int:
    """Return the first process in a box, which has a session of its own, by that of bubblewrap outside it.

    Bubblewrap itself would end at a signal, and the box with it: a job could not clear up.
    """
    return next((child for child in with_children(pid) if child != pid), pid)


def began(pid: int) -> int:
    """Return when a living process began, in ticks since the boot; 0 when there is none.

    Raises:
        OSError: Nobody can say.
    """
    process = read_process(pid)
    return process.began if process is not None and process.is_alive else 0


def open_process(pid: int, ticks: int) -> int | None:
    """Return a pidfd of the very process that began then, if it lives.

    Raises:
        OSError: It lives, but cannot be watched.
    """
    if not (pid and ticks):
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if began(pid) == ticks:
            return pidfd
    except OSError:
        os.close(pidfd)
        raise
    os.close(pidfd)
    return None


def _set_nice(pid: int, nice: int) -> None:
    """Make a session polite; with autogroups (sched(7)), the kernel looks at the nice value of the session only."""
    try:
        os.setpriority(os.PRIO_PGRP, pid, nice)
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
    except (ProcessLookupError, FileNotFoundError, BlockingIOError):
        return


def with_children(pid: int) -> Iterator[int]:
    """Yield a process that has just been started, then what it has started by then.

    What it starts after whatever is done to it has that already.
    """
    yield pid
    with suppress(OSError):
        yield from [int(child) for child in read_proc(f"/proc/{pid}/task/{pid}/children").split()]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
