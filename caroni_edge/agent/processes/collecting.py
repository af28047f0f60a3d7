"""Takes the files that a job names as its outputs: each becomes a value that carries what is in the file."""

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from caroni_edge.agent.keeper.files import EXHAUSTED, Unusable, open_within, opened
from caroni_edge.agent.keeper.records import WORK
from caroni_edge.objects.disk import NoRoom, ObjectFiles, TooLarge
from caroni_edge.objects.objects import SIZE_MAX_BYTES, Object
from caroni_edge.values.carried import (
    FILE_MAX_BYTES,
    SECONDARY_MAX,
    NotCarried,
    all_of,
    basename_of,
    bytes_of,
    file_value,
    object_value,
    path_of,
    with_files,
)
from caroni_edge.values.json import shown, why_not_json
from caroni_edge.values.types import Type

FILES_MAX = 10_000
"""So many files a job may give."""


class NotTaken(ValueError):
    """A file that a job names cannot be taken; the message says why, for people."""


class NeedsStore(Exception):
    """A file of a job is too large to travel inside a value: where it is to be taken, time and a store are needed."""


class Collector:
    """Takes the files of one job's outputs: small ones into their values, others into a store.

    A job may name any path, and may have put anything there. So only what lies inside its working directory is taken:
    where a path really leads is found out first, and it is then opened step by step, through no link.

    Attributes:
        objects: What lies in the store now.
    """

    def __init__(self, directory: str, limit_bytes: int, store: ObjectFiles | None) -> None:
        """Take files from the directory of a job, which has ended.

        Args:
            directory: The job's.
            limit_bytes: Small files have no more bytes in all.
            store: Takes large ones; None where there is no time for that.
        """
        self._work, self._store = f"{directory}/{WORK}", store
        self._left_bytes, self._files_left = limit_bytes, FILES_MAX
        self.objects: list[Object] = []

    def taken(self, kind: Type, value: Any) -> Any:
        """Return an output with a File value in the place of each path, or object with a path, that stands for a file.

        Raises:
            NotTaken: A file is not there, or cannot be read.
            NotCarried: A file is too large, or is named in a way that cannot be.
            NeedsStore: A file belongs into a store, and there is none.
            NoRoom: The disk has no room for it.
        """
        if why := why_not_json(value):
            raise NotCarried(why)
        return with_files(kind, value, self._file)

    def _file(self, named: Any) -> Any:
        if isinstance(named, str):
            named = {"class": "File", "path": named}
        if not isinstance(named, dict) or named.get("class") != "File":
            return named  # it has not the type, and that will be said
        self._files_left -= 1
        if self._files_left < 0:
            raise NotCarried(f"a job gives {FILES_MAX} files at most")
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
            value["secondaryFiles"] = [self._file(each) for each in others]
            all_of(value)
        return value

    def _small(self, basename: str, data: bytes) -> dict[str, Any]:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise NotCarried("the files of the outputs have too many bytes together")
        return file_value(basename, data)

    def _taken(self, named: dict[str, Any], path: str) -> dict[str, Any]:
        work = os.path.realpath(self._work)
        inside = os.path.relpath(os.path.realpath(f"{work}/{path}" if not path.startswith("/") else path), work)
        if inside == ".." or inside.startswith("../"):
            raise NotTaken(f"the file {shown(path)} is not in the working directory of the job")
        try:
            with opened(self._work) as directory, open_within(directory, inside) as file:
                data = file.read(FILE_MAX_BYTES + 1)
                basename = basename_of(named)
                return self._small(basename, data) if len(data) <= FILE_MAX_BYTES else self._large(basename, file, path)
        except TooLarge:
            raise NotCarried(f"the file {shown(path)} has more than {SIZE_MAX_BYTES} bytes") from None
        except FileNotFoundError:
            raise NotTaken(f"there is no file {shown(path)} in the working directory of the job") from None
        except Unusable as error:
            raise NotTaken(f"the file {shown(path)}: it {error.what}") from None
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise NoRoom(f"the file {shown(path)} cannot be taken: {error.strerror}") from None
            raise NotTaken(f"the file {shown(path)} cannot be read: {error.strerror}") from None

    def _large(self, basename: str, file: BinaryIO, path: str) -> dict[str, Any]:
        if self._store is None:
            raise NeedsStore
        try:
            taken = self._store.take(file)
        except FileNotFoundError as error:  # not the file, which is open
            raise NotTaken(f"the file {shown(path)} cannot be stored: {error.strerror}") from None
        self.objects.append(taken.object)
        return object_value(basename, taken.object, taken.sha1)


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
