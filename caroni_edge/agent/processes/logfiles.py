"""The log of a job as files in its directory: standard error, and what belongs behind it once the job has ended.

Then standard output follows where it is not the outputs, and lines of our own. Nothing is ever put before what was
there, so that who reads the log piece by piece, by offsets, sees one text.
"""

import json
import os
from collections.abc import Iterator, Sequence

from caroni_edge.agent.keeper import files
from caroni_edge.agent.keeper.records import STDERR, STDOUT, directory_of
from caroni_edge.agent.processes.outcome import STDERR_LIMIT_BYTES
from caroni_edge.base.text import encoded, tail

TAIL = "log.tail"

_STDOUT_BEGINS = b"--- standard output:\n"
_TAIL_LIMIT_BYTES = 1 << 20


def finish(directory: str, notes: Sequence[str], *, with_stdout: bool) -> None:
    """Write down what follows standard error in the log of a job that has ended.

    Args:
        directory: The job's.
        notes: Lines of our own.
        with_stdout: Standard output is part of the log.

    Raises:
        OSError: It cannot be written.
    """
    with_stdout = with_stdout and _size(f"{directory}/{STDOUT}") > 0
    if with_stdout or notes:
        rest = {"stdout": with_stdout, "notes": list(notes)}
        files.replace(f"{directory}/{TAIL}", json.dumps(rest).encode())


def size(directory: str, *, has_ended: bool) -> int:
    """Return how many bytes a log has."""
    parts = _parts(directory, has_ended=has_ended)
    return sum(len(part) if isinstance(part, bytes) else _size(part) for part in parts)


def chunk(directory: str, offset: int, limit: int, *, has_ended: bool) -> tuple[bytes, bool]:
    """Return at most `limit` bytes of a log from `offset`, and whether these are its last for ever."""
    data, before = b"", 0
    for part in _parts(directory, has_ended=has_ended):
        size_bytes = len(part) if isinstance(part, bytes) else _size(part)
        start = offset + len(data) - before
        if len(data) < limit and start < size_bytes:
            count = min(limit - len(data), size_bytes - start)
            more = part[start : start + count] if isinstance(part, bytes) else _read(part, start, count)
            data += more
            if len(more) < count:
                return data, False
        before += size_bytes
    return data, has_ended and offset + len(data) >= before


def stderr_tail(directory: str) -> str:
    """Return the end of a job's standard error, for people."""
    path = f"{directory}/{STDERR}"
    # One byte more shows that the beginning is cut.
    size_bytes = STDERR_LIMIT_BYTES + 1
    return tail(_read(path, max(0, _size(path) - size_bytes), size_bytes), STDERR_LIMIT_BYTES)


def _parts(directory: str, *, has_ended: bool) -> Iterator[str | bytes]:
    """Yield the parts of a log in their order: paths of files, and bytes of our own."""
    yield f"{directory}/{STDERR}"
    if not has_ended:
        return
    try:
        rest = json.loads(files.read_regular(f"{directory}/{TAIL}", _TAIL_LIMIT_BYTES))
    except (OSError, ValueError, RecursionError):
        return
    match rest:  # which is in the job's reach
        case {"stdout": bool(with_stdout), "notes": list(notes)}:
            if with_stdout:
                yield _STDOUT_BEGINS
                yield f"{directory}/{STDOUT}"
            yield encoded("".join(f"caroni-edge: {note}\n" for note in notes))


def _size(path: str) -> int:
    """Return the size of a file that can be read, 0 where there is none."""
    try:
        file = files.open_regular(path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _read(path: str, offset: int, limit: int) -> bytes:
    try:
        file = files.open_regular(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.pread(file, limit, offset)
    finally:
        os.close(file)


def size_of(state_dir: str, job: str, *, has_ended: bool) -> int:
    """Return how long the log of a job is now; 0 where there is none."""
    try:
        with files.opened(directory_of(state_dir, job)) as directory:
            return size(directory, has_ended=has_ended)
    except OSError:  # it is gone, or the job has put something else in its place
        return 0


def chunk_of(state_dir: str, job: str, offset: int, limit: int, *, has_ended: bool) -> tuple[bytes, bool]:
    """Return a piece of the log of a job, and whether these are its last bytes for ever."""
    try:
        with files.opened(directory_of(state_dir, job)) as directory:
            return chunk(directory, offset, limit, has_ended=has_ended)
    except OSError:  # it is gone, or the job has put something else in its place
        return b"", has_ended
