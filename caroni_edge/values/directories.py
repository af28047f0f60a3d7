"""Directories that are objects: the list of their files, each of which is an object too.

Such a list is canonical JSON, `[path, executable, size, name]` for each file, by path. A folder without anything in it
has an entry too: its path ends with a slash, and it names nothing.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.objects.objects import SIZE_MAX_BYTES, Object, parse_id, sha256_of
from caroni_edge.values.json import canonical, shown

FILES_MAX = 10_000
"""So many files and folders a directory has at most, and so many a job may give."""
DEPTH_MAX = 32
"""So many folders may be inside each other."""
NAME_MAX_BYTES = 255
"""No file system has longer names."""
PATH_MAX_BYTES = 2048
"""So long a path inside a directory may be, so that no host has too little room for what is before it."""
LISTING_MAX_BYTES = 8 << 20
"""No larger list is read."""


class NoDirectory(ValueError):
    """A list is not that of a directory; the message says why, for people."""


class Entry(NamedTuple):
    """A file in a directory, or a folder with nothing in it.

    Attributes:
        path: Inside the directory; that of a folder ends with a slash.
        executable: Whether the file may be run.
        object: What is in it; None for a folder.
    """

    path: str
    executable: bool = False
    object: Object | None = None


def why_no_name(name: object) -> str | None:
    """Return why no file can have a name, as words behind it; None when one can."""
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or not name.isprintable():
        return "is no name of a file"
    return f"has more than {NAME_MAX_BYTES} bytes" if len(name.encode()) > NAME_MAX_BYTES else None


def written(entries: Iterable[Entry]) -> bytes:
    """Return the list of a directory, which `read` takes.

    Raises:
        NoDirectory: It is larger than any may be.
    """
    rows = [
        [each.path, each.executable, each.object.size if each.object else 0, each.object.id if each.object else ""]
        for each in sorted(entries)
    ]
    data = canonical(rows).encode()
    if len(data) > LISTING_MAX_BYTES:
        raise NoDirectory(f"the list of its files has more than {LISTING_MAX_BYTES >> 20} MiB")
    return data


def read(data: bytes) -> tuple[Entry, ...]:
    """Return what a list names. Whoever follows it stays inside the directory, and nothing is named twice.

    Raises:
        NoDirectory: It is none.
    """
    if len(data) > LISTING_MAX_BYTES:
        raise NoDirectory(f"the list of its files has more than {LISTING_MAX_BYTES >> 20} MiB")
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        raise NoDirectory("it is no list of files") from None
    if not isinstance(rows, list):
        raise NoDirectory("it is no list of files")
    if len(rows) > FILES_MAX:
        raise NoDirectory(f"it has {len(rows)} files, and {FILES_MAX} are allowed")
    entries = tuple(_entry(row) for row in rows)
    _check_together(entries)
    if written(entries) != data:
        raise NoDirectory("the list of its files is not in the one form that it has")
    return entries


def files_of(entries: Iterable[Entry]) -> tuple[Object, ...]:
    """Return the objects that a list names, each once."""
    return tuple(sorted({each.object for each in entries if each.object is not None}))


def _entry(row: object) -> Entry:
    match row:
        case [str(path), bool(executable), int(size), str(name)] if not isinstance(size, bool):
            pass
        case _:
            raise NoDirectory(f"one of its files is {shown(row)}, and not [path, executable, size, name]")
    _check_path(path.removesuffix("/"))
    if path.endswith("/"):
        if executable or size or name:
            raise NoDirectory(f"the folder {shown(path)} has what only a file can have")
        return Entry(path)
    found = parse_id(name)
    if found is None or not 0 <= size <= SIZE_MAX_BYTES:
        raise NoDirectory(f"the file {shown(path)} has no size and hash that a file can have")
    return Entry(path, executable, Object(sha256_of(found), size))


def _check_path(path: str) -> None:
    if len(path.encode("utf-8", "surrogatepass")) > PATH_MAX_BYTES:
        raise NoDirectory(f"the path {shown(path)} has more than {PATH_MAX_BYTES} bytes")
    names = path.split("/")
    if len(names) > DEPTH_MAX:
        raise NoDirectory(f"{shown(path)} lies in more than {DEPTH_MAX} folders")
    for name in names:
        if why := why_no_name(name):
            raise NoDirectory(f"the name {shown(name)} in it {why}")


def _check_together(entries: tuple[Entry, ...]) -> None:
    """Raise where two entries cannot be there at once, or all together are too large."""
    leaves = {each.path.removesuffix("/") for each in entries}
    if len(leaves) < len(entries):
        raise NoDirectory("it names a file twice")
    for path in leaves:
        folder = path
        while folder := folder.rpartition("/")[0]:
            if folder in leaves:
                raise NoDirectory(f"{shown(folder)} is a file in it, or an empty folder, and has files")
    sizes = {each.object for each in entries if each.object}
    if len({each.sha256 for each in sizes}) < len(sizes):
        raise NoDirectory("it gives one file two sizes")
    if sum(each.object.size for each in entries if each.object) > SIZE_MAX_BYTES:
        raise NoDirectory(f"its files have more than {SIZE_MAX_BYTES} bytes together")
