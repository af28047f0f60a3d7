"""Takes the files that a job names as its outputs: each becomes a value that carries what is in the file."""

import os
from collections.abc import Mapping
from typing import Any

from caroni_edge.agent.keeper.files import Unusable, open_within, opened
from caroni_edge.agent.keeper.records import WORK
from caroni_edge.values.carried import (
    FILE_MAX_BYTES,
    SECONDARY_MAX,
    NotCarried,
    all_of,
    basename_of,
    bytes_of,
    file_value,
    path_of,
    with_files,
)
from caroni_edge.values.json import shown, why_not_json
from caroni_edge.values.types import Type


class NotTaken(ValueError):
    """A file that a job names cannot be taken; the message says why, for people."""


class Collector:
    """Takes the files of one job's outputs.

    A job may name any path, and may have put anything there. So only what lies inside its working directory is taken:
    where a path really leads is found out first, and it is then opened step by step, through no link.
    """

    def __init__(self, directory: str, limit_bytes: int) -> None:
        """Take files from the directory of a job, which has ended, and no more bytes than this in all."""
        self._work = f"{directory}/{WORK}"
        self._left_bytes = limit_bytes

    def taken(self, kind: Type, value: Any) -> Any:
        """Return an output with a File value in the place of each path, or object with a path, that stands for a file.

        Raises:
            NotTaken: A file is not there, or cannot be read.
            NotCarried: A file is too large to travel inside a value, or is named in a way that cannot be.
        """
        if why := why_not_json(value):
            raise NotCarried(why)
        return with_files(kind, value, self._file)

    def _file(self, named: Any) -> Any:
        if isinstance(named, str):
            named = {"class": "File", "path": named}
        if not isinstance(named, dict) or named.get("class") != "File":
            return named  # it has not the type, and that will be said
        path = _path(named)
        if path is None:
            data = bytes_of(named)
        else:
            data = self._read(path)
            named = {"basename": os.path.basename(path), **named}
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise NotCarried("the files of the outputs have too many bytes together")
        value = file_value(basename_of(named), data)
        if isinstance(named.get("format"), str):
            value["format"] = named["format"]
        if others := named.get("secondaryFiles"):
            if not isinstance(others, list) or len(others) > SECONDARY_MAX:
                raise NotCarried(f'"secondaryFiles" is a list of {SECONDARY_MAX} files at most')
            value["secondaryFiles"] = [self._file(each) for each in others]
            all_of(value)
        return value

    def _read(self, path: str) -> bytes:
        work = os.path.realpath(self._work)
        inside = os.path.relpath(os.path.realpath(f"{work}/{path}" if not path.startswith("/") else path), work)
        if inside == ".." or inside.startswith("../"):
            raise NotTaken(f"the file {shown(path)} is not in the working directory of the job")
        try:
            with opened(self._work) as directory, open_within(directory, inside) as file:
                size_bytes = os.fstat(file.fileno()).st_size
                if size_bytes > FILE_MAX_BYTES:
                    raise NotCarried(
                        f"the file {shown(path)} has {size_bytes} bytes, and files over {FILE_MAX_BYTES >> 10} KiB are "
                        "not served yet; pass a URL or a path that both hosts know, as a string"
                    )
                return file.read(size_bytes)
        except FileNotFoundError:
            raise NotTaken(f"there is no file {shown(path)} in the working directory of the job") from None
        except Unusable as error:
            raise NotTaken(f"the file {shown(path)}: it {error.what}") from None
        except OSError as error:
            raise NotTaken(f"the file {shown(path)} cannot be read: {error.strerror}") from None


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
