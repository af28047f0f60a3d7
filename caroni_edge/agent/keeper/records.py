"""What is on disk about a job: that it was started, by which process, and how it ended.

The files of a job are in `jobs/JOB/` of the agent's state directory. An empty file `running/JOB` is there for as long
as the job runs, so that a new keeper need not look at every job there ever was.

What is synced, and what is not. A start record stops a second start by being there (O_EXCL), whoever asks. A dying
keeper or agent cannot take it away, only a power cut can. But the agent has committed `running` to its database, which
is synced, before it asks for the start; after a boot a job that is `running` there and has no start record has failed,
and nobody starts it. So the start record is not synced: two fsync calls a job cost more than all else that the keeper
does (0.6 ms on a virtual disk, 10 ms and more on a flash card). An exit record is not synced either while an agent is
connected: the agent takes the end into its database at once. Where none is, the end and the outputs are synced, because
nobody else knows them. An exit record that was not synced and is from before a boot counts for nothing: its outputs may
be cut off.
"""

import errno
import functools
import json
import os
import stat
from typing import Any, NamedTuple, TypeVar

JOBS = "jobs"
RUNNING = "running"

START = "start"
EXIT = "exit"
WORK = "work"
STDOUT = "stdout"
STDERR = "stderr"
OUTPUTS = "outputs"

_EXIT_DRAFT = "exit.new"
_SYNCED_WITH_AN_EXIT = (OUTPUTS, STDOUT, STDERR)

UNSEEN = "unseen"
SPAWN = "spawn"
EXITED = "exited"
KILLED = "killed"
TIMEOUT = "timeout"
LOG = "log"


class Start(NamedTuple):
    """A job was started, or is about to be.

    Attributes:
        job: Its name.
        boot: The boot of the host in which that was.
        date: Unix seconds.
        deadline: When it must end, on the monotonic clock of that boot.
        timeout_s: The same as a duration.
        log_bytes: How large standard output and standard error may become, each.
        about: What the agent wants to know again; the keeper does not look at it.
        never: Why the job shall never be started, instead of all this.
        pid: Of its process; 0 until that is known.
        ticks: When its process began, in the kernel's ticks since the boot; tells two processes of one pid apart.
    """

    job: str
    boot: str
    date: float
    deadline: float | None = None
    timeout_s: float | None = None
    log_bytes: int | None = None
    about: dict[str, Any] = {}  # noqa: RUF012 - never changed
    never: str = ""
    pid: int = 0
    ticks: int = 0


class Exit(NamedTuple):
    """How a job ended.

    Attributes:
        job: Its name.
        boot: The boot of the host in which that was.
        date: Unix seconds.
        kind: What ended it: EXITED (by itself), KILLED, TIMEOUT, LOG, SPAWN (it could not be started) or UNSEEN.
        status: Exit status of its process; negative for a signal; None where it is not known.
        reason: For people; empty where the status says all.
        started: When it was started, Unix seconds; None where its process surely never began.
        is_synced: It survives a power cut, and its outputs too.
    """

    job: str
    boot: str
    date: float
    kind: str
    status: int | None = None
    reason: str = ""
    started: float | None = None
    is_synced: bool = False


Record = TypeVar("Record", Start, Exit)


@functools.cache
def boot_id() -> str:
    """Return the name of the present boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def directory_of(state_dir: str, job: str) -> str:
    """Return the directory of a job's files."""
    return f"{state_dir}/{JOBS}/{job}"


def claim(state_dir: str, start: Start) -> int:
    """Take the one right to start a job; return its record, open to be told the process.

    Raises:
        FileExistsError: It has been taken: the job was started before, or shall never be.
        OSError: The record cannot be written.
    """
    path = f"{directory_of(state_dir, start.job)}/{START}"
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _append(record, start._asdict())
        if not start.never:
            _remember_running(state_dir, start.job)
    except OSError:
        # Nothing has been started by it, so another may try.
        os.close(record)
        os.unlink(path)
        raise
    return record


def note_process(record: int, pid: int, ticks: int) -> None:
    """Add to a start record which process it is."""
    _append(record, {"pid": pid, "ticks": ticks})


def write_exit(state_dir: str, end: Exit) -> None:
    """Write how a job ended, whole or not at all.

    Raises:
        OSError: It cannot be written now.
    """
    directory = directory_of(state_dir, end.job)
    draft = f"{directory}/{_EXIT_DRAFT}"
    record = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _append(record, end._asdict())
        if end.is_synced:
            os.fsync(record)
    finally:
        os.close(record)
    if end.is_synced:
        for name in _SYNCED_WITH_AN_EXIT:
            _sync(f"{directory}/{name}")
    os.rename(draft, f"{directory}/{EXIT}")
    if end.is_synced:
        _sync(directory)
        _sync(os.path.dirname(directory))
    forget_running(state_dir, end.job)


def _remember_running(state_dir: str, job: str) -> None:
    try:
        os.mknod(f"{state_dir}/{RUNNING}/{job}", 0o600 | stat.S_IFREG)
    except FileExistsError:
        return


def forget_running(state_dir: str, job: str) -> None:
    """Take a job out of the list of those that run."""
    try:
        os.unlink(f"{state_dir}/{RUNNING}/{job}")
    except FileNotFoundError:
        return


def read_start(state_dir: str, job: str) -> Start | None:
    """Return the record of a job's start; None when there is none.

    A record that was cut off by a power cut still says that the job was started.

    Raises:
        OSError: It cannot be read.
    """
    try:
        facts = _read(f"{directory_of(state_dir, job)}/{START}")
    except FileNotFoundError:
        return None
    return _record(Start, {"job": job, "boot": "", "date": 0.0, **facts})


def read_exit(state_dir: str, job: str) -> Exit | None:
    """Return the record of a job's end; None when there is none that counts.

    Raises:
        OSError: It cannot be read.
    """
    try:
        facts = _read(f"{directory_of(state_dir, job)}/{EXIT}")
    except FileNotFoundError:
        return None
    if not {"job", "boot", "date", "kind"} <= facts.keys():
        return None
    end = _record(Exit, facts)
    return end if end.is_synced or end.boot == boot_id() else None


def _append(record: int, facts: dict[str, Any]) -> None:
    line = json.dumps(facts).encode() + b"\n"
    if os.write(record, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(path: str) -> dict[str, Any]:
    """Return the facts of all whole lines of a record."""
    facts: dict[str, Any] = {}
    with open(path, "rb") as file:
        for line in file:
            try:
                more = json.loads(line)
            except ValueError:
                break
            if isinstance(more, dict):
                facts.update(more)
    return facts


def _record(kind: type[Record], facts: dict[str, Any]) -> Record:
    return kind(**{name: facts[name] for name in kind._fields if name in facts})


def _sync(path: str) -> None:
    """Bring a file or a directory to the disk, if it is there. A job may have put a pipe in its place."""
    try:
        record = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(record)
    except OSError:
        return
    finally:
        os.close(record)
