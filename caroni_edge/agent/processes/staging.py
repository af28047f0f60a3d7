"""Puts the files and directories of a job's inputs into its directory, where the job reads them by their paths."""

import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import PurePath
from typing import Any, NamedTuple

from caroni_edge.agent.keeper import files
from caroni_edge.objects.disk import Damaged, ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import Values
from caroni_edge.values import directories
from caroni_edge.values.carried import (
    basename_of,
    bytes_of,
    called,
    is_directory,
    object_of,
    secondary_of,
    tree_of,
    with_files,
)
from caroni_edge.values.large import filled, large_in, read_large
from caroni_edge.values.types import Type

FILES = "files"
"""The directory of the input files, in that of the job. Each file, with those that belong to it, has one in there."""

_KEPT = ("format",)
"""What a job is told of a file as its value says it; all else is what the file is now."""
_FOLDER_MODE = 0o755


class NotStaged(ValueError):
    """An input is not what was said of it; the message says which and why, for people."""


class Lender(NamedTuple):
    """Who has the objects that a job is to read.

    Attributes:
        store: Has them.
        link: The job can surely not change what it reads, so that it gets the stored file itself.
    """

    store: ObjectFiles
    link: bool = False

    def lend(self, found: Object, path: str, *, executable: bool = False) -> None:
        """Put an object at a path for the job to read.

        Raises:
            OSError: It cannot be written.
            Damaged: It is.
            NoRoom: The disk has no room for it.
        """
        self.store.lend(found, path, link=self.link, executable=executable)

    def lend_directory(self, found: Object, path: str) -> None:
        """Put a directory, whose list is an object, at a path for the job to read.

        Raises:
            OSError: It cannot be written.
            Damaged: One of its files is, or the list.
            OnlyInBucket: The list lies there, or files.
            NoRoom: The disk has no room for it.
        """
        try:
            entries = directories.read(self.store.read(found))
        except directories.NoDirectory:
            raise Damaged(found.id) from None
        self.store.need(each.object.id for each in entries if each.object is not None)
        os.mkdir(path, mode=_FOLDER_MODE)
        for each in entries:
            folder = os.path.dirname(f"{path}/{each.path}")
            os.makedirs(folder, mode=_FOLDER_MODE, exist_ok=True)
            if each.object is not None:
                self.lend(each.object, f"{path}/{each.path}", executable=each.executable)


def stage(directory: str, types: Mapping[str, Type], inputs: Values, lender: Lender) -> Values:
    """Write the files of all inputs, for nobody to change; return the inputs, with a path in each file's value.

    Args:
        directory: The job's, as the job sees it.
        types: Those of the inputs.
        inputs: They fit, and carry their files, or name objects that lie here; values may be such objects too.
        lender: Has these objects.

    Raises:
        OSError: A file cannot be written.
        Damaged: An object is.
        NoRoom: The disk has no room for one.
        NotStaged: What was said to be a value is none that fits.
    """
    numbers = count()
    top = f"{directory}/{FILES}"
    staged = _with_values(types, inputs, lender)
    for name in [each for each in types if each in inputs]:
        staged[name] = with_files(types[name], staged[name], lambda _, each: _staged(top, numbers, lender, each))
    return staged


def _with_values(types: Mapping[str, Type], inputs: Values, lender: Lender) -> Values:
    """Return inputs with the values themselves in the places of those that are objects."""
    staged = dict(inputs)
    for name, value in inputs.items():
        read: dict[str, Any] = {}
        for each in large_in(value):
            found = object_of(each)
            try:
                read[each["location"]] = read_large(lender.store.read(found)) if found is not None else None
            except ValueError as problem:
                raise NotStaged(f"input {name}: {called('', each)}: {problem}") from None
        if read:
            staged[name] = filled(value, read)
            if words := types[name].mismatch(staged[name]):
                raise NotStaged(f"input {name}: {words}")
    return staged


def _staged(top: str, numbers: Iterator[int], lender: Lender, value: dict[str, Any]) -> dict[str, Any]:
    folder = f"{top}/{next(numbers)}"
    os.makedirs(folder, mode=_FOLDER_MODE)
    for inside, each in tree_of(value):
        path, found = f"{folder}/{inside}", object_of(each)
        if is_directory(each):
            if found is None:
                os.mkdir(path, mode=_FOLDER_MODE)
            else:
                lender.lend_directory(found, path)
        elif found is not None:
            lender.lend(found, path)
        else:
            files.write_new(path, bytes_of(each))
            os.chmod(path, 0o444)
    return _told(folder, value)


def _told(folder: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return what a job is told of a file or a directory (CWL v1.2, "File", "Directory")."""
    basename = basename_of(value)
    path = f"{folder}/{basename}"
    told = {"class": value["class"], "path": path, "location": PurePath(path).as_uri(), "basename": basename}
    told["dirname"] = folder
    if is_directory(value):
        return told
    told |= {
        "nameroot": PurePath(basename).stem,
        "nameext": PurePath(basename).suffix,
        "size": os.stat(path).st_size,
        **{key: value[key] for key in _KEPT if key in value},
    }
    if others := secondary_of(value):
        told["secondaryFiles"] = [_told(folder, each) for each in others]
    return told
