"""What is to be there after a power cut."""

import os


def sync(path: str | os.PathLike[str]) -> None:
    """Wait until the disk has what is in a file, or which names a directory holds (fsync(2)).

    Raises:
        OSError: It is not there, or the disk does not take it.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
