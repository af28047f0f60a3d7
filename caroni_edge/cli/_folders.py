"""Directories that are given as inputs: what is in them is uploaded, and then the list of it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG, S_IXUSR
from typing import TYPE_CHECKING, Any

from caroni_edge.base.errors import UsageError

if TYPE_CHECKING:
    from caroni_edge.objects.objects import Object
    from caroni_edge.values.directories import Entry


Uploads = dict["Object", Path | bytes]
"""What is to be at the manager before a workflow that names it is started, in this order: files, and lists of some."""


def folder_value(path: Path, uploads: Uploads) -> dict[str, Any]:
    """Return the value of a directory.

    Args:
        path: The directory. Links in it count as what they lead to.
        uploads: Gets its files, and behind them their list.

    Raises:
        UsageError: Something in it cannot be read, or cannot be in a directory of a workflow.
    """
    from caroni_edge.objects.objects import Object  # noqa: PLC0415
    from caroni_edge.values.carried import NotCarried, basename_of, directory_value  # noqa: PLC0415
    from caroni_edge.values.directories import NoDirectory, read, written  # noqa: PLC0415

    where = f"--file {path}"
    try:
        listing = written(_entries(path, uploads))
        read(listing)
    except NoDirectory as problem:
        raise UsageError(where, str(problem)) from None
    except OSError as error:
        raise UsageError(where, f"{error.filename or path} cannot be read: {error.strerror}") from None
    found = Object(hashlib.sha256(listing).hexdigest(), len(listing))
    uploads[found] = listing
    value = directory_value(path.resolve().name, found)
    try:
        basename_of(value)
    except NotCarried as problem:
        raise UsageError(where, str(problem)) from None
    return value


def _entries(top: Path, uploads: Uploads) -> "Iterator[Entry]":
    from caroni_edge.objects.taking import TooLarge, taken_of  # noqa: PLC0415
    from caroni_edge.values.directories import DEPTH_MAX, FILES_MAX, Entry, NoDirectory  # noqa: PLC0415

    todo, count = [(top, "")], 0
    while todo:
        folder, inside = todo.pop()
        names = sorted(os.listdir(folder))
        if not names and inside:
            yield Entry(inside)
        if inside.count("/") > DEPTH_MAX:  # a link may lead back
            raise NoDirectory(f"{inside} lies in more than {DEPTH_MAX} folders")
        for name in names:
            count += 1
            if count > FILES_MAX:
                raise NoDirectory(f"it has more than {FILES_MAX} files and folders")
            path = folder / name
            mode = path.stat().st_mode
            if S_ISDIR(mode):
                todo.append((path, f"{inside}{name}/"))
            elif S_ISREG(mode):
                try:
                    with path.open("rb") as file:
                        found = taken_of(file).object
                except TooLarge:
                    raise NoDirectory(f"{inside}{name} is larger than a file may be") from None
                uploads[found] = path
                yield Entry(f"{inside}{name}", bool(mode & S_IXUSR), found)
            else:
                raise NoDirectory(f"{inside}{name} is no regular file")
