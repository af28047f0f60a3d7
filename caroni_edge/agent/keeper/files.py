"""Files in a job's reach, opened so that nothing which the job has put in their place can hold us up or mislead us.

A job may replace its files, and its directory, by pipes, devices, directories or links, and take away our right to use
them. So a directory is opened once, never through a symbolic link, and its files are named through that descriptor
(proc(5), `/proc/self/fd`): whatever takes its place afterwards, these are the files of the directory that was opened. A
file is opened without following a link and without waiting for the other end of a pipe, and must be a regular one.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import BinaryIO

EXHAUSTED = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EIO, errno.EROFS}
)
"""The host, not the job, is why something fails: it has no space, descriptors, processes or memory left, for now."""

_OURS = stat.S_IRUSR | stat.S_IWUSR
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unusable(OSError):
    """A file is no regular one, or too large."""

    def __init__(self, number: int, what: str) -> None:
        """Say what it is."""
        super().__init__(number, f"it {what}")
        self.what = what


@contextmanager
def opened(path: str) -> Iterator[str]:
    """Open a directory, in which its owner may do anything from now on; yield a path to that very directory.

    Raises:
        FileNotFoundError: There is none.
        NotADirectoryError: Something else is in its place, such as a symbolic link.
        OSError: It cannot be opened.
    """
    directory = os.open(path, _DIRECTORY)
    try:
        name = f"/proc/self/fd/{directory}"
        if os.fstat(directory).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(name, stat.S_IRWXU)
        yield name
    finally:
        os.close(directory)


@contextmanager
def opened_or_made(path: str) -> Iterator[str]:
    """Do the same as `opened`, and make the directory anew where a job has deleted it or put something in its place.

    Raises:
        OSError: It cannot be made.
    """
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(opened(path))
        except (FileNotFoundError, NotADirectoryError):
            put_aside(path, only_if=lambda mode: not stat.S_ISDIR(mode))
            with suppress(FileExistsError):
                os.mkdir(path, stat.S_IRWXU)
            directory = stack.enter_context(opened(path))
        yield directory


def open_regular(path: str, flags: int) -> int:
    """Open a regular file, for us to read and write whatever its mode, or make one; return its descriptor.

    Raises:
        OSError: It is none, or cannot be opened.
    """
    try:
        file = os.open(path, flags | _SAFE, _OURS)
    except PermissionError:
        _permit(path)
        file = os.open(path, flags | _SAFE, _OURS)
    try:
        _check(file)
    except OSError:
        os.close(file)
        raise
    return file


def _permit(path: str) -> None:
    """Take back the right to use a file that a job has taken away."""
    file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(file)
        os.chmod(f"/proc/self/fd/{file}", _OURS)
    finally:
        os.close(file)


def _check(file: int) -> None:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise Unusable(errno.EINVAL, "is not a regular file any more")


def read_regular(path: str, limit_bytes: int) -> bytes:
    """Return what is in a regular file.

    Raises:
        OSError: It is none, cannot be read, or is larger than `limit_bytes`.
    """
    file = open_regular(path, os.O_RDONLY)
    try:
        size_bytes = os.fstat(file).st_size
        if size_bytes > limit_bytes:
            raise Unusable(errno.EFBIG, f"has {size_bytes} bytes, and no more than {limit_bytes} are read")
        return os.read(file, size_bytes)
    finally:
        os.close(file)


@contextmanager
def open_within(directory: str, path: str) -> Iterator[BinaryIO]:
    """Open a regular file somewhere below a directory for reading, through no symbolic link.

    Args:
        directory: As `opened` yields it.
        path: Relative to that, and without `..`.

    Raises:
        OSError: There is none, it is none, or it cannot be opened.
    """
    *folders, name = path.split("/")
    with ExitStack() as stack:
        for folder in folders:
            directory = stack.enter_context(opened(f"{directory}/{folder}"))
        with os.fdopen(open_regular(f"{directory}/{name}", os.O_RDONLY), "rb") as file:
            yield file


def list_within(directory: str, path: str, most: int) -> list[tuple[str, os.stat_result]]:
    """Return what lies in a directory somewhere below another one, by name: its name, and what it is (lstat(2)).

    Args:
        directory: As `opened` yields it.
        path: Relative to that, and without `..`; `.` for itself.
        most: No more entries are returned, nor looked at.

    Raises:
        OSError: There is none, or it cannot be opened.
    """
    with ExitStack() as stack:
        for folder in [] if path == "." else path.split("/"):
            directory = stack.enter_context(opened(f"{directory}/{folder}"))
        with os.scandir(directory) as entries:
            names = sorted(each.name for each in islice(entries, most))
        return [(name, os.lstat(f"{directory}/{name}")) for name in names]


def size_of(path: str) -> int:
    """Return the size of a file, 0 where there is none that can be looked at; nothing is opened."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def is_larger(path: str, limit_bytes: int, *, trim: bool = False) -> bool:
    """Tell whether a regular file is larger than it may be; `trim` cuts off the excess.

    Raises:
        OSError: It is none, or cannot be opened.
    """
    file = open_regular(path, os.O_WRONLY if trim else os.O_RDONLY)
    try:
        found = os.fstat(file).st_size > limit_bytes
        if found and trim:
            os.ftruncate(file, limit_bytes)
    finally:
        os.close(file)
    return found


def replace(path: str, data: bytes) -> None:
    """Write a small file as a whole, in the place of whatever was there.

    Raises:
        OSError: It cannot be written.
    """
    new = beside(path)
    try:
        write_new(new, data)
        put_aside(path, only_if=stat.S_ISDIR)
        os.rename(new, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(new)
        raise


def write_new(path: str, data: bytes) -> None:
    """Write a small file where there is nothing yet, in a directory that no job has had in its reach.

    Raises:
        OSError: It cannot be written.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, _OURS)
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)


def put_aside(path: str, only_if: Callable[[int], bool] = lambda _: True) -> None:
    """Make room at a path: what is there is deleted, a directory gets another name beside it.

    Args:
        path: Where there may be nothing at all.
        only_if: Given its mode (see `stat`), tells whether it is to go.

    Raises:
        OSError: It cannot be moved.
    """
    try:
        mode = os.lstat(path).st_mode
        if not only_if(mode):
            return
        if stat.S_ISDIR(mode):
            os.rename(path, beside(path))
        else:
            os.unlink(path)
    except FileNotFoundError:
        return


def beside(path: str) -> str:
    """Return a path in the same directory that nobody has chosen before."""
    return f"{path}.{os.urandom(8).hex()}"
