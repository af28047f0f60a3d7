"""Takes the files and directories that a job names as its outputs: each becomes a value that has what is in there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from caroni_edge.agent.keeper.files import EXHAUSTED, Unusable, open_within, opened
from caroni_edge.agent.keeper.records import WORK
from caroni_edge.agent.processes.workfiles import TOO_MANY, Folder, Found, NotTaken, leads_to
from caroni_edge.objects.disk import NoRoom, Taker
from caroni_edge.objects.objects import SIZE_MAX_BYTES, Directory, Object
from caroni_edge.objects.taking import TooLarge
from caroni_edge.values.carried import (
    FILE_MAX_BYTES,
    SECONDARY_MAX,
    NotCarried,
    all_of,
    basename_of,
    bytes_of,
    directory_value,
    file_value,
    is_directory,
    object_value,
    path_of,
    tree_of,
    with_files,
)
from caroni_edge.values.directories import FILES_MAX, Entry, NoDirectory, files_of, written
from caroni_edge.values.files import DIRECTORY, FILE_NAMES, FileType
from caroni_edge.values.json import canonical, shown, why_not_json
from caroni_edge.values.types import Type

SMALL_FILES_MAX = 100
"""No directory with more files travels inside a value: they would have no room there."""
SMALL_DEPTH_MAX = 8
"""Nor does one with more folders inside each other."""

_FILE = FileType("File")


class NeedsStore(Exception):
    """A file of a job is too large to travel inside a value: where it is to be taken, time and a store are needed."""


class Collector:
    """Takes the files of one job's outputs: small ones into their values, others into a store.

    Attributes:
        objects: What lies in the store now, and is named by the outputs.
        directories: Those of them that are directories, with their files.
    """

    def __init__(self, directory: str, limit_bytes: int, store: Taker | None) -> None:
        """Take files from the directory of a job, which has ended.

        Args:
            directory: The job's.
            limit_bytes: Small files have no more bytes in all.
            store: Takes large ones; None where there is no time for that.
        """
        self._work, self._store = f"{directory}/{WORK}", store
        self._left_bytes, self._files_left = limit_bytes, FILES_MAX
        self.objects: list[Object] = []
        self.directories: list[Directory] = []

    def taken(self, kind: Type, value: Any) -> Any:
        """Return an output with a value of its own in the place of each path, or object with a path, of a file.

        Raises:
            NotTaken: A file is not there, or cannot be read.
            NotCarried: A file is too large, or is named in a way that cannot be.
            NeedsStore: A file belongs into a store, and there is none.
            NoRoom: The disk has no room for it.
        """
        if why := why_not_json(value):
            raise NotCarried(why)
        return with_files(kind, value, self._named)

    def _named(self, kind: FileType, named: Any) -> Any:
        if isinstance(named, str):
            named = {"class": kind.name, "path": named}
        if not isinstance(named, dict) or named.get("class") not in FILE_NAMES:
            return named  # it has not the type, and that will be said
        return self._directory(named) if is_directory(named) else self._file(named)

    def _file(self, named: dict[str, Any]) -> dict[str, Any]:
        self._count(1)
        path = _path(named)
        if path is None:
            value = self._small(basename_of(named), bytes_of(named))
        else:
            named = {"basename": os.path.basename(path), **named}
            value = self._taken(named, path)
        if isinstance(named.get("format"), str):
            value["format"] = named["format"]
        if others := named.get("secondaryFiles"):
            if not isinstance(others, list) or len(others) > SECONDARY_MAX:
                raise NotCarried(f'"secondaryFiles" is a list of {SECONDARY_MAX} files at most')
            value["secondaryFiles"] = [self._named(_FILE, each) for each in others]
            all_of(value)
        return value

    def _count(self, files: int) -> None:
        self._files_left -= files
        if self._files_left < 0:
            raise NotCarried(TOO_MANY)

    def _small(self, basename: str, data: bytes) -> dict[str, Any]:
        self._use(len(data))
        return file_value(basename, data)

    def _use(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise NotCarried("the files of the outputs have too many bytes together")

    def _taken(self, named: dict[str, Any], path: str) -> dict[str, Any]:
        called = f"the file {shown(path)}"
        at = leads_to(os.path.realpath(self._work), path, called)
        with _told(called), opened(self._work) as work, open_within(work, at) as file:
            data = file.read(FILE_MAX_BYTES + 1)
            basename = basename_of(named)
            if len(data) <= FILE_MAX_BYTES:
                return self._small(basename, data)
            if self._store is None:
                raise NeedsStore
            found, sha1 = self._stored(file, called)
            self.objects.append(found)
            return object_value(basename, found, sha1)

    def _stored(self, file: BinaryIO, called: str) -> tuple[Object, str]:
        assert self._store is not None
        try:
            taken = self._store.take(file)
        except FileNotFoundError as error:  # not the file, which is open
            raise NotTaken(f"{called} cannot be stored: {error.strerror}") from None
        return taken.object, taken.sha1

    # Directories

    def _directory(self, named: dict[str, Any]) -> dict[str, Any]:
        path = _path(named)
        if path is None:
            listing = named.get("listing")
            if not isinstance(listing, list):
                raise NotCarried(f'a {DIRECTORY} has a "path", or a "listing" of what is in it')
            self._count(1)
            value = {"class": DIRECTORY, "listing": [self._named(_FILE, each) for each in listing]}
            value["basename"] = basename_of(named)
            tree_of(value)
            return value
        work, called = os.path.realpath(self._work), f"the directory {shown(path)}"
        at = leads_to(work, path, called)
        basename = os.path.basename(os.path.normpath(path))
        basename = basename_of({"basename": WORK if basename in ("", ".", "..") else basename, **named})
        with _told(called), opened(self._work) as directory:
            found: list[Found] = []
            for each in Folder(work, directory, at, called).files():
                found.append(each)
                if self._store is None and not _may_be_small(found):
                    raise NeedsStore
            self._count(len(found))
            return self._literal(basename, directory, found) or self._object(basename, directory, found, called)

    def _literal(self, basename: str, work: str, found: list[Found]) -> dict[str, Any] | None:
        """Return the value of a directory that has all that is in it; None where it is too large for that."""
        if not _may_be_small(found):
            return None
        value: dict[str, Any] = {"class": DIRECTORY, "basename": basename, "listing": []}
        folders = {"": value["listing"]}
        for each in found:
            folder, _, name = each.path.rpartition("/")
            listing = _listing(folders, folder)
            if name:
                with open_within(work, each.at) as file:
                    listing.append(file_value(name, file.read(FILE_MAX_BYTES + 1)))
        if len(canonical(value).encode()) > FILE_MAX_BYTES:
            return None
        self._use(sum(each.size for each in found))
        return value

    def _object(self, basename: str, work: str, found: list[Found], called: str) -> dict[str, Any]:
        if self._store is None:
            raise NeedsStore
        entries = []
        for each in found:
            if each.path.endswith("/"):
                entries.append(Entry(each.path))
                continue
            with open_within(work, each.at) as file:
                taken, _ = self._stored(file, f"{called}: the file {shown(each.path)}")
            entries.append(Entry(each.path, each.executable, taken))
        try:
            listing = self._store.keep(written(entries))
        except NoDirectory as problem:
            raise NotCarried(f"{called}: {problem}") from None
        self.objects.append(listing)
        self.directories.append(Directory(listing, files_of(entries)))
        return directory_value(basename, listing)


def _may_be_small(found: list[Found]) -> bool:
    """Tell whether a directory may be such that it travels inside a value, where nobody says what may be run."""
    return (
        len(found) <= SMALL_FILES_MAX
        and sum(each.size for each in found) <= FILE_MAX_BYTES
        and not any(each.executable or each.path.count("/") > SMALL_DEPTH_MAX for each in found)
    )


def _listing(folders: dict[str, list[Any]], path: str) -> list[Any]:
    """Return the list of what is in a folder, which is made with those around it where it is not there."""
    if path not in folders:
        around, _, name = path.rpartition("/")
        folders[path] = []
        _listing(folders, around).append({"class": DIRECTORY, "basename": name, "listing": folders[path]})
    return folders[path]


@contextmanager
def _told(called: str) -> Iterator[None]:
    """Say of what cannot be taken what it is, and why not."""
    try:
        yield
    except TooLarge:
        raise NotCarried(f"{called} has more than {SIZE_MAX_BYTES} bytes") from None
    except FileNotFoundError:
        what = called.removeprefix("the ")
        raise NotTaken(f"there is no {what} in the working directory of the job") from None
    except Unusable as error:
        raise NotTaken(f"{called}: it {error.what}") from None
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise NoRoom(f"{called} cannot be taken: {error.strerror}") from None
        raise NotTaken(f"{called} cannot be read: {error.strerror}") from None


def _path(named: Mapping[str, Any]) -> str | None:
    """Return the path that a job names; None where it gives the contents instead.

    Raises:
        NotCarried: It names a file in another way.
    """
    path, location = named.get("path"), named.get("location")
    if path is None and isinstance(location, str) and not location.startswith("data:"):
        path = path_of(location)
        if path is None:
            raise NotCarried(f"a job gives a file by its path, and not as {shown(location)}")
    if path is not None and (not isinstance(path, str) or not path or "\0" in path):
        raise NotCarried(f"a job gives a file by its path, and not as {shown(path)}")
    return path
