"""What jobs write to standard output and standard error: pipes to the keeper, which keeps as much as may be in files.

So a log is bounded as it is written, whatever a job does to the file, and secrets are taken out of it before it is on
disk (`masking.py`). A job that writes faster than that waits. One that has written too much is ended, and no longer
read.

The pipe outlives the keeper: a job's end of it is open for reading too, so that it has a reader as long as the job
lives. A job whose keeper has died goes on, and waits when the pipe is full, until the next keeper opens the same pipe
by way of the job's first process (`/proc/PID/fd`). That it is complete is known not by the end of the file but by
the end of all of the job's processes. Secrets are known to the keeper alone that was given them: the next one ends a
job that has some, and does not read what is in its pipes.

A file is made when there is something to keep in it: most jobs write to one of the two at most. Where a job has a user
id of its own, both are made before it starts, since it could put another's file in their place; and what is there
already is looked at then.
"""

import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from selectors import EVENT_READ, BaseSelector

from caroni_edge.agent.keeper import files, reasons
from caroni_edge.agent.keeper.masking import Mask
from caroni_edge.agent.keeper.records import LOG, OUTPUTS, STDERR, STDOUT

PAUSE_S = 0.02
"""A job that writes little by little is read so often at most: each time costs as much as a large piece."""

_PIPE_BYTES = 1 << 16
"""What a pipe holds (pipe(7))."""
_write = os.write
_OUTPUTS_LIMIT_BYTES = 1 << 20
"""Outputs that are larger are not read, and count for nothing."""
_STREAMS = {1: (STDOUT, "standard output"), 2: (STDERR, "standard error")}
"""By descriptor: the name of the file, and what people call it."""


class Stream:
    """One of the two that a job writes to.

    Attributes:
        log: The job's, which this is a part of.
        pipe: Where what it writes comes from; -1 once that is closed.
        is_over: It has written more than is kept.
        mask: Takes secrets out of it; None where there are none.
    """

    __slots__ = (
        "_called",
        "_directory",
        "_file",
        "_kept_bytes",
        "_limit_bytes",
        "_lost",
        "_name",
        "is_over",
        "log",
        "mask",
        "pipe",
    )

    def __init__(self, log: "Log", number: int, pipe: int, directory: str, limit_bytes: int | None) -> None:
        """Read from `pipe`, which is closed by `close`, what is to be kept in the directory of the job."""
        self.log, self.pipe, self._directory = log, pipe, directory
        self._name, self._called = _STREAMS[number]
        self._limit_bytes = limit_bytes
        self._file, self._kept_bytes = -1, 0
        self._lost = ""
        self.is_over = False
        self.mask: Mask | None = None

    def is_there(self) -> bool:
        """Tell whether anything bears the name of the file."""
        return os.path.lexists(f"{self._directory}/{self._name}")

    def open_file(self, flags: int = 0) -> None:
        """Open the file, or make it.

        Raises:
            OSError: It cannot be.
        """
        with files.opened(self._directory) as directory:
            path = f"{directory}/{self._name}"
            self._file = files.open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags)
        self._kept_bytes = os.fstat(self._file).st_size

    def take(self) -> int:
        """Keep a piece of what has come; return how many bytes came: 0 where no more will, -1 where none are there."""
        try:
            data = os.read(self.pipe, _PIPE_BYTES)
        except BlockingIOError:
            return -1
        if data:
            self._keep(data if self.mask is None else self.mask.feed(data))
        return len(data)

    def _keep(self, data: bytes) -> None:
        """Write what nobody has kept yet, as much as may be."""
        if not data:
            return
        try:
            if self._file < 0:
                self.open_file()
            room = len(data) if self._limit_bytes is None else self._limit_bytes - self._kept_bytes
            self.is_over = len(data) > room
            data = data[: max(0, room)]
            while data:
                written = _write(self._file, data)
                self._kept_bytes += written
                data = data[written:]
        except OSError as error:  # no space, for now: the job goes on, and its log says so
            self._lost = reasons.log_lost(self._called, error)

    def problem(self) -> tuple[str, str] | None:
        """Return kind and reason of the end of a job that has written too much, or None."""
        return (LOG, reasons.too_much_log(self._called, self._limit_bytes or 0)) if self.is_over else None

    def close(self) -> str:
        """Keep what is in the pipe, and close it; return what the log is to say of it, for people."""
        if self.pipe >= 0:
            while not self.is_over and self.take() > 0:
                continue
            if self.mask is not None and not self.is_over:
                self._keep(self.mask.end())
            os.close(self.pipe)
            if self._file >= 0:
                os.close(self._file)
            self.pipe = -1
        return self._lost


class Log:
    """The two streams of a job.

    Attributes:
        streams: Standard output and standard error, as far as they are read.
        ends: The job's ends of both, to be closed when it has them.
        secrets: What must not be on disk.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.streams: list[Stream] = []
        self.ends: list[int] = []
        self.secrets: tuple[str, ...] = ()

    @classmethod
    def opened(cls, directory: str, limit_bytes: int | None, user: int = 0, secrets: Iterable[str] = ()) -> "Log":
        """Make the pipes of a job that is to be started.

        Args:
            directory: The job's.
            limit_bytes: How large each file may become.
            user: Who is to be able to open the job's ends again (`/dev/stderr`); 0: we.
            secrets: What must not be on disk.

        Raises:
            OSError: They cannot be made.
        """
        log = cls()
        log.secrets = tuple(secrets)
        try:
            for number in _STREAMS:
                pipe, end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                stream = Stream(log, number, pipe, directory, limit_bytes)
                stream.mask = Mask(log.secrets) if log.secrets else None
                log.streams.append(stream)
                try:
                    log.ends.append(os.open(f"/proc/self/fd/{end}", os.O_RDWR | os.O_CLOEXEC))
                    if user or stream.is_there():
                        stream.open_file(os.O_TRUNC)
                    if user:
                        os.fchown(end, user, user)
                finally:
                    os.close(end)
        except OSError:
            log.close()
            raise
        return log

    @classmethod
    def found(cls, pid: int, directory: str, limit_bytes: int | None) -> "Log":
        """Open the pipes of a job that was started by a keeper that has died; of what it has closed, none.

        Args:
            pid: Its first process.
            directory: The job's.
            limit_bytes: How large each file may become.
        """
        log = cls()
        for number in _STREAMS:
            with suppress(OSError):
                pipe = _open_pipe(f"/proc/{pid}/fd/{number}")
                log.streams.append(Stream(log, number, pipe, directory, limit_bytes))
        return log

    def close_ends(self) -> None:
        """Close the job's ends of the pipes, which it has by now."""
        while self.ends:
            os.close(self.ends.pop())

    def close(self) -> list[str]:
        """Keep what is in the pipes, and close all; return what the log is to say of it, for people."""
        self.close_ends()
        return [said for stream in self.streams if (said := stream.close())]

    def problem(self) -> tuple[str, str] | None:
        """Return kind and reason of the end of a job that has written too much, or None."""
        return next((problem for stream in self.streams if (problem := stream.problem())), None)

    def mask_outputs(self, directory: str) -> bool:
        """Take secrets out of what a job has given; return whether there were any, on standard output or in its file.

        Args:
            directory: The job's, which has ended.
        """
        if not self.secrets:
            return False
        stdout = self.streams[0].mask
        is_masked = stdout is not None and stdout.has_found
        try:
            with files.opened(directory) as opened:
                path = f"{opened}/{OUTPUTS}"
                mask = Mask(self.secrets)
                text = mask.feed(files.read_regular(path, _OUTPUTS_LIMIT_BYTES)) + mask.end()
                if mask.has_found:
                    files.put_aside(path)
                    files.replace(path, text)
        except OSError:  # what cannot be read gives nothing, and what cannot be written is gone
            return is_masked
        return is_masked or mask.has_found


def file_problem(directory: str, limit_bytes: int | None, *, trim: bool = False) -> tuple[str, str] | None:
    """Return kind and reason of the end of a job whose files of what it wrote are larger than they may be, or None.

    It has opened them itself; `trim` cuts off the excess.
    """
    problem = None
    if limit_bytes is None:
        return problem
    with suppress(OSError), files.opened(directory) as opened:  # the job may have taken it away
        for name, called in _STREAMS.values():
            with suppress(OSError):  # nothing was written, or that is gone, and what it wrote is no log any more
                if files.is_larger(f"{opened}/{name}", limit_bytes, trim=trim):
                    problem = LOG, reasons.too_much_log(called, limit_bytes)
    return problem


def _open_pipe(path: str) -> int:
    """Open the read end of a pipe without waiting, whatever a job has put there.

    Raises:
        OSError: It is none.
    """
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(found).st_mode):
            raise files.Unusable(0, "is not a pipe")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)


class Logs:
    """Reads the streams of all jobs as they come."""

    def __init__(self, selector: BaseSelector) -> None:
        """Let `selector` get each stream that is to be read, as the data of its pipe."""
        self._selector = selector
        self._paused: dict[Stream, float] = {}

    @property
    def due(self) -> float:
        """When `settle` must be called, on the monotonic clock."""
        return next(iter(self._paused.values()), inf)

    def add(self, log: Log) -> None:
        """Begin to read.

        Raises:
            OSError: It cannot be watched.
        """
        for stream in log.streams:
            self._selector.register(stream.pipe, EVENT_READ, stream)

    def on_output(self, stream: Stream) -> None:
        """Keep what has come, and read on when it is time for it."""
        if stream.pipe < 0:  # closed by what happened at the same moment
            return
        taken = stream.take()
        if taken == _PIPE_BYTES and not stream.is_over:
            return
        self._selector.unregister(stream.pipe)
        if taken and not stream.is_over:
            self._paused[stream] = time.monotonic() + PAUSE_S

    def settle(self, now: float) -> None:
        """Read on what had to wait."""
        for stream in self._ready(now):
            del self._paused[stream]
            self._selector.register(stream.pipe, EVENT_READ, stream)

    def _ready(self, now: float) -> list[Stream]:
        return [stream for stream, due in self._paused.items() if due <= now]

    def close(self, log: Log) -> list[str]:
        """Read to the end what is left, and close it; return what the log is to say of it, for people."""
        for stream in log.streams:
            if self._paused.pop(stream, None) is None:
                with suppress(KeyError, ValueError):  # it was never read, or is no longer
                    self._selector.unregister(stream.pipe)
        return log.close()
