"""What is on disk about a job: that it was started, by which process, and how it ended.

The files of a job are in `jobs/JOB/` of the agent's state directory. Its `record` has a line for the start, one for the
process and one for the end, each a JSON object. A second name of it, `running/JOB` in the keeper's own directory, is
there for as long as the job runs, so that a new keeper need not look at every job there ever was.

What is synced, and what is not. A record stops a second start by being there (O_EXCL), whoever asks. A dying keeper or
agent cannot take it away, only a power cut can. But the agent has committed `running` to its database, which is synced,
before it asks for the start; after a boot a job that is `running` there and has no record has failed, and nobody starts
it. So the start is not synced: two fsync calls a job cost more than all else that the keeper does (0.6 ms on a virtual
disk, 10 ms and more on a flash card). An end is not synced either while an agent is connected, which takes it into its
database at once. Where none is, the end and the outputs are synced, because nobody else knows them. An end that was not
synced and is from before a boot counts for nothing: its outputs may be cut off. So does a line that was cut itself.

A job can reach its record. What is read of it is of the types that belong there, or does not count, and concerns that
job alone; a record that was replaced or deleted is made anew when the job ends.
"""

import errno
import functools
import json
import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

from caroni_edge.agent.keeper import files

JOBS = "jobs"
RUNNING = "running"

RECORD = "record"
WORK = "work"
STDOUT = "stdout"
STDERR = "stderr"
OUTPUTS = "outputs"

_SYNCED_WITH_AN_END = (OUTPUTS, STDOUT, STDERR)
_LIMIT_BYTES = 16 << 20
"""A record holds what a start order holds, which is no larger."""
_PID_MAX = 1 << 22
_NUMBER_MAX = 1 << 53
_USER_MAX = (1 << 32) - 1

_OF_A_BOX = 2

UNSEEN = "unseen"
SPAWN = "spawn"
EXITED = "exited"
KILLED = "killed"
TIMEOUT = "timeout"
LOG = "log"
PROCESSES = "processes"
MEMORY = "memory"
DISK = "disk"


class Start(NamedTuple):
    """The record of a start: it is about to be made, was made, or (`never`) must not be.

    Attributes:
        job: Its name.
        boot: The boot of the host in which that was.
        date: Unix seconds.
        deadline: When it must end, on the monotonic clock of that boot.
        timeout_s: The same as a duration.
        log_bytes: How large standard output and standard error may become, each.
        memory_bytes: How much memory its processes may have together.
        processes: How many there may be of them.
        disk_bytes: How much space its directory may take.
        about: What the agent wants to know again; the keeper does not look at it.
        never: Why the job shall never be started, instead of all this.
        pid: Of its process; 0 until that is known.
        ticks: When its process began, in the kernel's ticks since the boot; tells two processes of one pid apart.
        is_alone: It is in a box of its own; its process is bubblewrap's, outside of that.
        user: The user id of its processes; 0: that of the keeper.
        has_secrets: Its keeper alone knows what must not come into its log.
        space: The namespace in which `pid` is its number (pid_namespaces(7)); empty where an older keeper wrote it.
    """

    job: str
    boot: str
    date: float
    deadline: float | None = None
    timeout_s: float | None = None
    log_bytes: int | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    disk_bytes: int | None = None
    about: dict[str, Any] = {}  # noqa: RUF012 - never changed
    never: str = ""
    pid: int = 0
    ticks: int = 0
    space: str = ""
    is_alone: bool = False
    user: int = 0
    has_secrets: bool = False

    @property
    def processes_in_all(self) -> int | None:
        """How many processes there may be, with the two by which bubblewrap makes a box of its own."""
        return None if self.processes is None else self.processes + (_OF_A_BOX if self.is_alone else 0)


class Exit(NamedTuple):
    """The record of an end; a field is only added, since an older keeper may have written it.

    Attributes:
        job: Its name.
        boot: The boot of the host in which that was.
        date: Unix seconds.
        kind: What ended it: EXITED (by itself), KILLED, TIMEOUT, SPAWN (it could not be started), UNSEEN, or what it
            had too much of: LOG, PROCESSES, MEMORY, DISK.
        status: Exit status of its process; negative for a signal; None where it is not known.
        reason: For people; empty where the status says all.
        started: When it was started, Unix seconds; None where its process surely never began.
        is_synced: It survives a power cut, and its outputs too.
        no_room: It could not be started for want of something that the host may have again soon.
        cpu_s: Processor time of its processes, as far as each was waited for; None where it is not known.
        memory_bytes: The most memory that one of them had; None where it is not known.
        notes: What else the job's log is to say of it, line by line.
        is_masked: A secret was taken out of what its outputs are read from.
        disk_bytes: What its directory takes, of which the agent cannot see all; None: the agent can.
    """

    job: str
    boot: str
    date: float
    kind: str
    status: int | None = None
    reason: str = ""
    started: float | None = None
    is_synced: bool = False
    no_room: bool = False
    cpu_s: float | None = None
    memory_bytes: int | None = None
    notes: str = ""
    disk_bytes: int | None = None
    is_masked: bool = False


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


@functools.cache
def pid_space() -> str:
    """Return the name of the namespace of our process ids, which is another one in each box and each container."""
    return os.readlink("/proc/self/ns/pid")


def directory_of(state_dir: str, job: str) -> str:
    """Return the directory of a job's files."""
    return f"{state_dir}/{JOBS}/{job}"


def claim(state_dir: str, start: Start, home: str = "") -> int:
    """Take the right to start a job, which is given once; return its open record, for `note_process`.

    Args:
        state_dir: The agent's.
        start: What is recorded.
        home: The keeper's directory; empty: the state directory.

    Raises:
        FileExistsError: It has been taken: the job was started before, or shall never be.
        OSError: It cannot be recorded.
    """
    with files.opened(directory_of(state_dir, start.job)) as directory:
        path = f"{directory}/{RECORD}"
        record = files.open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            _append(record, {"start": start._asdict()})
            if not start.never:
                _remember_running(path, f"{home or state_dir}/{RUNNING}/{start.job}")
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


def write_end(state_dir: str, start: Start, end: Exit, home: str = "") -> None:
    """Add to a record how the job ended; where the job has taken its record away, or its directory, make it anew.

    Raises:
        OSError: It cannot be written.
    """
    path = directory_of(state_dir, end.job)
    with files.opened_or_made(path) as directory:
        record = _open_again(f"{directory}/{RECORD}", start)
        try:
            _append(record, {"end": end._asdict()}, before=b"\n")
            if end.is_synced:
                os.fsync(record)
        finally:
            os.close(record)
        if end.is_synced:
            for name in _SYNCED_WITH_AN_END:
                _sync(f"{directory}/{name}")
            _sync(f"{directory}/.")
            _sync(os.path.dirname(path))
    forget_running(home or state_dir, end.job)


def _open_again(path: str, start: Start) -> int:
    """Return the open record of a job, or of one that it has replaced a new one."""
    try:
        return files.open_regular(path, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        if error.errno in files.EXHAUSTED:
            raise
    files.replace(path, b"")
    record = files.open_regular(path, os.O_WRONLY | os.O_APPEND)
    try:
        _append(record, {"start": start._asdict()})
    except OSError:
        os.close(record)
        raise
    return record


def forget_running(home: str, job: str) -> None:
    """Take a job out of a keeper's list of those that run.

    Raises:
        OSError: It stays there.
    """
    files.put_aside(f"{home}/{RUNNING}/{job}", only_if=lambda mode: not stat.S_ISDIR(mode))


def read(state_dir: str, job: str) -> Records:
    """Read the record of a job.

    A record of which a power cut has left nothing still says that the job was started.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with files.opened(directory_of(state_dir, job)) as directory:
            return _records(job, files.read_regular(f"{directory}/{RECORD}", _LIMIT_BYTES))
    except FileNotFoundError:
        return Records(None, None)


def read_running(state_dir: str, job: str, home: str = "") -> Records:
    """Read the record of a job by its second name, out of the job's directory; it may say nothing (see `claim`).

    Raises:
        OSError: It cannot be read.
    """
    found = _records(job, files.read_regular(f"{home or state_dir}/{RUNNING}/{job}", _LIMIT_BYTES))
    return found if found.start is not None and found.start.boot else read(state_dir, job)


def exit_of(facts: dict[str, Any]) -> Exit:
    """Return an end from its JSON; fields of a later release are ignored."""
    return Exit(**{name: facts[name] for name in Exit._fields if name in facts})


def _records(job: str, data: bytes) -> Records:
    """Return what a record says of the job; the last line of each kind counts."""
    found: dict[str, dict[str, Any]] = {}
    for line in data.splitlines():
        found.update(_facts(line))
    about_start = {**_sound(Start, found.get("start", {})), **_sound(Start, found.get("process", {}))}
    start = Start(**{"boot": "", "date": 0.0, **about_start, "job": job})
    about_end = _sound(Exit, found.get("end", {}))
    if not {"boot", "date", "kind"} <= about_end.keys():
        return Records(start, None)
    end = Exit(**{**about_end, "job": job})
    return Records(start, end if end.is_synced or end.boot == boot_id() else None)


def _sound(kind: type[Start | Exit], facts: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that have the types that belong there."""
    return {name: facts[name] for name in kind._fields if name in facts and _SOUND[name](facts[name])}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _NUMBER_MAX  # which NaN and infinity are not


def _is_whole(value: object, upto: int = _NUMBER_MAX) -> bool:
    return isinstance(value, int) and 0 <= value < upto


_SOUND: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("job", "boot", "space", "never", "kind", "reason", "notes"), lambda value: isinstance(value, str)),
    **dict.fromkeys(
        ("date", "started", "deadline", "timeout_s", "cpu_s"), lambda value: value is None or _is_number(value)
    ),
    "date": _is_number,
    **dict.fromkeys(
        ("log_bytes", "memory_bytes", "processes", "disk_bytes"), lambda value: value is None or _is_whole(value)
    ),
    "status": lambda value: value is None or (_is_number(value) and isinstance(value, int)),
    "about": lambda value: isinstance(value, dict),
    "pid": lambda value: _is_whole(value, _PID_MAX),
    "ticks": _is_whole,
    "user": lambda value: _is_whole(value, _USER_MAX),
    **dict.fromkeys(
        ("is_synced", "no_room", "is_alone", "has_secrets", "is_masked"), lambda value: isinstance(value, bool)
    ),
}


def _remember_running(record: str, running: str) -> None:
    try:
        os.link(record, running, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError:  # not every file system has second names
        os.mknod(running, 0o600 | stat.S_IFREG)


def _append(record: int, facts: dict[str, Any], before: bytes = b"") -> None:
    """Add a whole line or nothing; `before` comes first, and ends a line that a power cut may have left unfinished."""
    line = before + json.dumps(facts).encode() + b"\n"
    if (written := os.write(record, line)) < len(line):
        os.ftruncate(record, os.fstat(record).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _facts(line: bytes) -> dict[str, dict[str, Any]]:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
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
