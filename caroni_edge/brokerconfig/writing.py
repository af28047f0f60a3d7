"""Files that appear whole, and are their owner's alone."""

import os
from pathlib import Path

from caroni_edge.base.errors import UsageError
from caroni_edge.base.private import DIRECTORY_MODE, FILE_MODE


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, for their owner alone.

    Raises:
        UsageError: The system does not let us.
    """
    try:
        for directory in [*reversed(path.parents), path]:
            if not directory.is_dir():
                directory.mkdir(DIRECTORY_MODE)
    except OSError as error:
        raise unwritable(path, error) from None


def write(path: Path, data: bytes) -> bool:
    """Write a file as a whole or not at all; tell whether that has changed anything.

    Raises:
        UsageError: The system does not let us.
    """
    make_directory(path.parent)
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        new = begun(path)
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError as error:
        raise unwritable(path, error) from None
    return True


def begun(path: Path) -> Path:
    """Return what a file is called until all of it is written; a run that was broken off may leave it."""
    return path.with_name(f".{path.name}.new")


def unwritable(path: Path, error: OSError) -> UsageError:
    """Return the error for what the system does not let us write."""
    return UsageError(str(path), f"this cannot be written: {error.strerror or error}", "Choose another --out.")
