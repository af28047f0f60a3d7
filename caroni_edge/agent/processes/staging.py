"""Puts the files of a job's inputs into its directory, where the job reads them by their paths."""

import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import PurePath
from typing import Any

from caroni_edge.agent.keeper import files
from caroni_edge.protocol.messages import Values
from caroni_edge.values.carried import all_of, basename_of, bytes_of, secondary_of, with_files
from caroni_edge.values.types import Type

FILES = "files"
"""The directory of the input files, in that of the job. Each file, with those that belong to it, has one in there."""

_KEPT = ("format",)
"""What a job is told of a file as its value says it; all else is what the file is now."""


def stage(directory: str, types: Mapping[str, Type], inputs: Values) -> Values:
    """Write the files of all inputs, for nobody to change; return the inputs, with a path in each file's value.

    Args:
        directory: The job's, as the job sees it.
        types: Those of the inputs.
        inputs: They fit, and carry their files.

    Raises:
        OSError: A file cannot be written.
    """
    numbers = count()
    top = f"{directory}/{FILES}"
    staged = dict(inputs)
    for name in [each for each in types if each in inputs]:
        staged[name] = with_files(types[name], inputs[name], lambda each: _staged(top, numbers, each))
    return staged


def _staged(top: str, numbers: Iterator[int], value: dict[str, Any]) -> dict[str, Any]:
    folder = f"{top}/{next(numbers)}"
    os.makedirs(folder, mode=0o755)
    for each in all_of(value):
        path = f"{folder}/{basename_of(each)}"
        files.write_new(path, bytes_of(each))
        os.chmod(path, 0o444)
    return _told(folder, value)


def _told(folder: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return what a job is told of a file (CWL v1.2, "File")."""
    basename = basename_of(value)
    path = f"{folder}/{basename}"
    told = {
        "class": "File",
        "path": path,
        "location": PurePath(path).as_uri(),
        "basename": basename,
        "dirname": folder,
        "nameroot": PurePath(basename).stem,
        "nameext": PurePath(basename).suffix,
        "size": os.stat(path).st_size,
        **{key: value[key] for key in _KEPT if key in value},
    }
    if others := secondary_of(value):
        told["secondaryFiles"] = [_told(folder, each) for each in others]
    return told
