"""Sentences for people about how a job ended."""

import errno
import os
import signal
from collections.abc import Sequence

ITS_KEEPER_DIED = "its keeper died, so its exit status is not known"
SECRETS_UNKNOWN = "ended, as its keeper had died, which alone could keep its secrets out of its log"
UNSEEN_SAME_BOOT = "it ended unseen: the keeper that watched it had died"
UNSEEN_BOX = "it ended unseen: its box, or the container of its agent, ended with all that ran there"
UNSEEN_UNWRITTEN = (
    "it ended unseen: nothing of its start is on record, since the keeper that started it, or the host, had died"
)
UNSEEN_REBOOT = "it ended unseen: the host was restarted while it ran"

_PROCESSES_TOLD = 5
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES = (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10))


def unseen(boot: str, present: str) -> str:
    """Say why nobody saw the end of a job that was started in a boot of the host; empty where that is not on record."""
    if not boot:
        return UNSEEN_UNWRITTEN
    return UNSEEN_SAME_BOOT if boot == present else UNSEEN_REBOOT


def exited(status: int | None) -> str:
    """Say how a process ended by itself: its exit status or the signal, as `os.waitstatus_to_exitcode` gives them."""
    if status is None:
        return "its exit status is not known"
    if status >= 0:
        return f"exit status {status}"
    try:
        name = f" ({signal.Signals(-status).name})"
    except ValueError:
        name = ""
    return f"killed by signal {-status}{name}"


def not_watched(error: Exception) -> str:
    """Say that a job was ended since nobody could have watched it."""
    return f"ended at once, because it could not be watched: {why(error)}"


def why(error: Exception) -> str:
    """Return what an error says, for people."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)


def after_timeout(timeout_s: float) -> str:
    """Say that a job was ended for running longer than it may."""
    return f"ended after its timeout of {duration(timeout_s)}"


def too_much_log(name: str, log_bytes: int) -> str:
    """Say that a job was ended for writing more than it may; `name` says where."""
    return f"ended because its {name} had become larger than {size(log_bytes)}"


def not_ended(processes: Sequence[int]) -> str:
    """Say which processes of a job could not be ended."""
    told = ", ".join(str(pid) for pid in processes[:_PROCESSES_TOLD])
    more = f" and {len(processes) - _PROCESSES_TOLD} more" if len(processes) > _PROCESSES_TOLD else ""
    return f"what it started could not be ended and may still run: process {told}{more}"


def too_many_processes(found: int, limit: int) -> str:
    """Say that a job was ended for having more processes than it may."""
    return f"ended because it had {found} processes, and may have {limit}"


def too_much_memory(found_bytes: int, limit_bytes: int) -> str:
    """Say that a job was ended for using more memory than it may."""
    return f"ended because its processes together had {_about(found_bytes)} of memory, and may have {size(limit_bytes)}"


def out_of_memory(limit_bytes: int) -> str:
    """Say that the kernel ended a job for needing more memory than it may have."""
    return f"ended because its processes together needed more memory than the {size(limit_bytes)} that it may have"


def out_of_processes(limit: int, status: int | None) -> str:
    """Say that a job has failed, and that it was refused processes."""
    return f"{exited(status)}; it was refused more than the {limit} processes that it may have"


def too_much_disk(found_bytes: int, limit_bytes: int) -> str:
    """Say that a job was ended for taking more space on disk than it may."""
    return f"ended because it had {_about(found_bytes)} on disk, and may have {size(limit_bytes)}"


def too_large_file(limit_bytes: int) -> str:
    """Say that a job ended at a file that was larger than all that it may have on disk."""
    return f"ended because it had more than {size(limit_bytes)} in one file, and may have that on disk"


def log_lost(name: str, error: Exception) -> str:
    """Say that a part of what a job wrote could not be kept; `name` says of what."""
    return f"its {name} is not whole: {why(error)}"


def not_started(program: str, error: Exception) -> str:
    """Say why a program could not be started."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, OSError) and error.filename and os.fsdecode(error.filename) != program:
        return f"could not be started: its directory cannot be used: {why(error)}"
    known = {
        errno.ENOENT: f"there is no {program}, or no interpreter that it names",
        errno.EACCES: f"{program} may not be executed",
        errno.ENOEXEC: f"{program} is no program",
        errno.E2BIG: "its inputs and its environment are larger than the kernel passes on",
        errno.ENOMEM: "the host has no memory left",
        errno.EAGAIN: "the host allows no more processes",
        errno.EMFILE: "the keeper may open no more files (ulimit -n)",
        errno.ENFILE: "the host may open no more files",
    }
    return f"could not be started: {known.get(number or 0) or why(error)}"


def duration(seconds: float) -> str:
    """Return a duration as people write it, in the largest unit that divides it: 5m, 90s, 0.5s."""
    for unit, length_s in _UNITS:
        if seconds >= length_s and seconds % length_s == 0:
            return f"{int(seconds) // length_s}{unit}"
    return f"{seconds:g}s"


def _about(size_bytes: int) -> str:
    """Return a size that was found, with as many digits as help people."""
    unit, unit_bytes = next((pair for pair in _SIZES if size_bytes >= 10 * pair[1]), ("K", 1 << 10))
    return f"{-(-size_bytes // unit_bytes)}{unit}"


def size(size_bytes: int) -> str:
    """Return a size as people write it, in the largest unit that divides it: 64M, 1500 bytes."""
    for unit, unit_bytes in _SIZES:
        if size_bytes >= unit_bytes and size_bytes % unit_bytes == 0:
            return f"{size_bytes // unit_bytes}{unit}"
    return f"{size_bytes} bytes"
