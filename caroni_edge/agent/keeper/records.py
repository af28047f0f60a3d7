"""What is on disk about a job: that it was started, by which process, and how it ended.

The files of a job are in `jobs/JOB/` of the agent's state directory. Its `record` has a line for the start, one for the
process and one for the end, each a JSON object. A second name of it, `running/JOB`, is there for as long as the job
runs, so that a new keeper need not look at every job there ever was.

What is synced, and what is not. A record stops a second start by being there (O_EXCL), whoever asks. A dying keeper or
agent cannot take it away, only a power cut can. But the agent has committed `running` to its database, which is synced,
before it asks for the start; after a boot a job that is `running` there and has no record has failed, and nobody starts
it. So the start is not synced: two fsync calls a job cost more than all else that the keeper does (0.6 ms on a virtual
disk, 10 ms and more on a flash card). An end is not synced either while an agent is connected, which takes it into its
database at once. Where none is, the end and the outputs are synced, because nobody else knows them. An end that was not
synced and is from before a boot counts for nothing: its outputs may be cut off. So does a line that was cut itself.
"""

import errno
import functools
import json
import os
import stat
from typing import Any, NamedTuple

JOBS = "jobs"
RUNNING = "running"

RECORD = "record"
WORK = "work"
STDOUT = "stdout"
STDERR = "stderr"
OUTPUTS = "outputs"

_SYNCED_WITH_AN_END = (OUTPUTS, STDOUT, STDERR)

UNSEEN = "unseen"
SPAWN = "spawn"
EXITED = "exited"
KILLED = "killed"
TIMEOUT = "timeout"
LOG = "log"


class Start(NamedTuple):
    """The record of a start: it is about to be made, was made, or (`never`) must not be.

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
    """The record of an end; a field is only added, since an older keeper may have written it.

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


class Records(NamedTuple):
    """The record of a job.

    Attributes:
        start: None where it was never started.
        end: None where it has not ended, or its end does not count.
    """

    start: Start | None
    end: Exit | None


@functools.cache
def boot_id() -> str:
    """Return the name of the present boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def directory_of(state_dir: str, job: str) -> str:
    """Return the directory of a job's files."""
    return f"{state_dir}/{JOBS}/{job}"


def claim(state_dir: str, start: Start) -> int:
    """Take the right to start a job, which is given once; return its open record, for `note_process`.

    Raises:
        FileExistsError: It has been taken: the job was started before, or shall never be.
        OSError: It cannot be recorded.
    """
    path = _path(state_dir, start.job)
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _append(record, {"start": start._asdict()})
        if not start.never:
            _remember_running(path, f"{state_dir}/{RUNNING}/{start.job}")
    except OSError:
        # Nothing has been started by it, so another may try.
        os.close(record)
        os.unlink(path)
        raise
    return record


def note_process(record: int, pid: int, ticks: int) -> None:
    """Add to a record which process was started.

    Raises:
        OSError: It cannot be written.
    """
    _append(record, {"process": {"pid": pid, "ticks": ticks}})


def write_end(state_dir: str, end: Exit) -> None:
    """Add to a record how the job ended.

    Raises:
        FileNotFoundError: Nobody wants it any more.
        OSError: It cannot be written now.
    """
    record = os.open(_path(state_dir, end.job), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        _append(record, {"end": end._asdict()}, before=b"\n")
        if end.is_synced:
            os.fsync(record)
    finally:
        os.close(record)
    if end.is_synced:
        directory = directory_of(state_dir, end.job)
        for name in _SYNCED_WITH_AN_END:
            _sync(f"{directory}/{name}")
        _sync(directory)
        _sync(os.path.dirname(directory))
    forget_running(state_dir, end.job)


def forget_running(state_dir: str, job: str) -> None:
    """Take a job out of the list of those that run."""
    try:
        os.unlink(f"{state_dir}/{RUNNING}/{job}")
    except FileNotFoundError:
        return


def read(state_dir: str, job: str) -> Records:
    """Read the record of a job.

    A record of which a power cut has left nothing still says that the job was started.

    Raises:
        OSError: It cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    try:
        with open(_path(state_dir, job), "rb") as file:
            for line in file:
                found.update(_facts(line))
    except FileNotFoundError:
        return Records(None, None)
    about_start = {"job": job, "boot": "", "date": 0.0, **found.get("start", {}), **found.get("process", {})}
    start = Start(**{name: about_start[name] for name in Start._fields if name in about_start})
    about_end = found.get("end", {})
    if not {"job", "boot", "date", "kind"} <= about_end.keys():
        return Records(start, None)
    end = exit_of(about_end)
    return Records(start, end if end.is_synced or end.boot == boot_id() else None)


def exit_of(facts: dict[str, Any]) -> Exit:
    """Return an end from its JSON; fields of a later release are ignored."""
    return Exit(**{name: facts[name] for name in Exit._fields if name in facts})


def _path(state_dir: str, job: str) -> str:
    return f"{state_dir}/{JOBS}/{job}/{RECORD}"


def _remember_running(record: str, running: str) -> None:
    try:
        os.link(record, running)
    except FileExistsError:
        return
    except OSError:  # not every file system has second names
        os.mknod(running, 0o600 | stat.S_IFREG)


def _append(record: int, facts: dict[str, Any], before: bytes = b"") -> None:
    """Add a whole line or nothing; `before` comes first, and ends a line that a power cut may have left unfinished."""
    line = before + json.dumps(facts).encode() + b"\n"
    size_bytes = os.fstat(record).st_size
    if os.write(record, line) < len(line):
        os.ftruncate(record, size_bytes)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _facts(line: bytes) -> dict[str, dict[str, Any]]:
    try:
        facts = json.loads(line)
    except ValueError:
        return {}
    return {name: value for name, value in facts.items() if isinstance(value, dict)} if isinstance(facts, dict) else {}


def _sync(path: str) -> None:
    """Sync a file or a directory, as far as possible: it may be missing, and a job may have put a pipe in its place."""
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
