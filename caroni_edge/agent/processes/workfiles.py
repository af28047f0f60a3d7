"""What lies in the working directory of a job that has ended: where paths lead, and what is in directories.

A job may name any path, and may have put anything there. So only what lies inside its working directory counts: where
a path really leads is found out first, and it is then opened step by step, through no link.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from caroni_edge.agent.keeper.files import list_within
from caroni_edge.objects.objects import SIZE_MAX_BYTES
from caroni_edge.values.carried import NotCarried
from caroni_edge.values.directories import DEPTH_MAX, FILES_MAX, PATH_MAX_BYTES, why_no_name
from caroni_edge.values.json import shown

TOO_MANY = f"a job gives {FILES_MAX} files at most"


class NotTaken(ValueError):
    """A file that a job names cannot be taken; the message says why, for people."""


class Found(NamedTuple):
    """What was found in a directory.

    Attributes:
        path: In there; that of a folder without anything in it ends with a slash.
        at: Where it lies in the working directory, which no link leads to.
        size: Of a file, in bytes.
        executable: Whether the file may be run.
    """

    path: str
    at: str
    size: int = 0
    executable: bool = False


def leads_to(work: str, path: str, called: str) -> str:
    """Return where a path leads, relative to the working directory.

    Args:
        work: The working directory, absolute and without links.
        path: As the job says it.
        called: How it is named to people.

    Raises:
        NotTaken: It leads out of there.
    """
    inside = os.path.relpath(os.path.realpath(path if path.startswith("/") else f"{work}/{path}"), work)
    if inside == ".." or inside.startswith("../"):
        raise NotTaken(f"{called} is not in the working directory of the job")
    return inside


class Folder:
    """A directory that a job gives."""

    def __init__(self, work: str, opened: str, at: str, called: str) -> None:
        """Look into a directory.

        Args:
            work: The working directory of the job, absolute and without links.
            opened: The same, as `caroni_edge.agent.keeper.files.opened` has opened it.
            at: Where the directory lies in there, which no link leads to.
            called: How the directory is named to people.
        """
        self._work, self._opened, self._at, self._called = work, opened, at, called
        self._left, self._left_bytes = FILES_MAX, SIZE_MAX_BYTES

    def files(self) -> Iterator[Found]:
        """Yield what is in it; links count as what they lead to.

        Raises:
            NotTaken: Something else than files and folders is in there, or a link leads out of the working directory.
            NotCarried: It is too large, too deep, or has names that no file can have elsewhere.
            OSError: It cannot be read.
        """
        yield from self._below("", self._at, ())

    def _below(self, folder: str, at: str, around: tuple[str, ...]) -> Iterator[Found]:
        if any(_holds(at, each) for each in around):
            raise NotTaken(f"{self._called} has a link that leads back to where it lies, {shown(folder)}")
        if len(around) >= DEPTH_MAX:
            raise NotCarried(f"{self._called} has more than {DEPTH_MAX} folders inside each other")
        entries = list_within(self._opened, at, FILES_MAX + 1)
        if not entries and folder:
            yield self._counted(Found(folder, at))
        for name, listed in entries:
            path = f"{folder}{name}"
            self._check(path, name)
            real, about = self._end_of(path, os.path.normpath(f"{at}/{name}"), listed)
            if stat.S_ISDIR(about.st_mode):
                yield from self._below(f"{path}/", real, (*around, at))
            elif stat.S_ISREG(about.st_mode):
                yield self._counted(Found(path, real, about.st_size, bool(about.st_mode & stat.S_IXUSR)))
            else:
                raise NotTaken(f"{self._called} has {shown(path)} in it, which is no regular file")

    def _end_of(self, path: str, at: str, about: os.stat_result) -> tuple[str, os.stat_result]:
        """Return where a link leads, and what is there; of anything else, itself."""
        if not stat.S_ISLNK(about.st_mode):
            return at, about
        real = leads_to(self._work, at, f"{self._called} has a link, {shown(path)}, that")
        with suppress(FileNotFoundError):
            about = os.lstat(f"{self._opened}/{real}")
        if stat.S_ISLNK(about.st_mode):
            raise NotTaken(f"{self._called} has a link, {shown(path)}, that leads nowhere")
        return real, about

    def _check(self, path: str, name: str) -> None:
        if why := why_no_name(name):
            raise NotCarried(f"{self._called} has a file in it whose name {shown(name)} {why}")
        if len(path.encode()) > PATH_MAX_BYTES:
            raise NotCarried(f"{self._called} has a path of more than {PATH_MAX_BYTES} bytes in it")

    def _counted(self, found: Found) -> Found:
        self._left, self._left_bytes = self._left - 1, self._left_bytes - found.size
        if self._left < 0:
            raise NotCarried(f"{self._called} has too many files: {TOO_MANY}")
        if self._left_bytes < 0:
            raise NotCarried(f"{self._called} has more than {SIZE_MAX_BYTES} bytes")
        return found


def _holds(outer: str, inner: str) -> bool:
    """Tell whether a folder is another one, or has it somewhere inside."""
    return outer in (".", inner) or inner.startswith(f"{outer}/")
