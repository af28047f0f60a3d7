"""Puts the files of a job's inputs into its directory, where the job reads them by their paths."""

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import PurePath
from typing import Any

from caroni_edge.agent.keeper import files
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import Values
from caroni_edge.values.carried import all_of, basename_of, bytes_of, object_of, secondary_of, with_files
from caroni_edge.values.types import Type

FILES = "files"
"""The directory of the input files, in that of the job. Each file, with those that belong to it, has one in there."""

_KEPT = ("format",)
"""What a job is told of a file as its value says it; all else is what the file is now."""


Lend = Callable[[Object, str], None]
"""Puts an object at a path for a job to read."""


def stage(directory: str, types: Mapping[str, Type], inputs: Values, lend: Lend) -> Values:
    """Write the files of all inputs, for nobody to change; return the inputs, with a path in each file's value.

    Args:
        directory: The job's, as the job sees it.
        types: Those of the inputs.
        inputs: They fit, and carry their files, or name objects that lie here.
        lend: Puts an object where a job reads it.

    Raises:
        OSError: A file cannot be written.
        Damaged: An object is.
        NoRoom: The disk has no room for one.
    """
    numbers = count()
    top = f"{directory}/{FILES}"
    staged = dict(inputs)
    for name in [each for each in types if each in inputs]:
        staged[name] = with_files(types[name], inputs[name], lambda each: _staged(top, numbers, lend, each))
    return staged


def _staged(top: str, numbers: Iterator[int], lend: Lend, value: dict[str, Any]) -> dict[str, Any]:
    folder = f"{top}/{next(numbers)}"
    os.makedirs(folder, mode=0o755)
    for each in all_of(value):
        path = f"{folder}/{basename_of(each)}"
        if (found := object_of(each)) is not None:
            lend(found, path)
        else:
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
