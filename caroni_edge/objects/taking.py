"""What a file is as an object: read once from its beginning, hashed, and copied meanwhile where that is asked for."""

import fcntl
import hashlib
from typing import BinaryIO, NamedTuple

from caroni_edge.objects.objects import SIZE_MAX_BYTES, Object

PIECE_BYTES = 1 << 20

_CLONE = 0x40049409
"""FICLONE of ioctl_ficlone(2): both files share their blocks until one of them is written to."""


class Taken(NamedTuple):
    """What was taken in.

    Attributes:
        object: The object that it is.
        sha1: SHA-1 of the bytes, in hexadecimal digits: what CWL knows files by.
    """

    object: Object
    sha1: str


class TooLarge(Exception):
    """A file has more bytes than an object may have."""


def taken_of(source: BinaryIO, copy: BinaryIO | None = None) -> Taken:
    """Return what a file is as an object, from its beginning, and copy it meanwhile, if that is asked for.

    Raises:
        TooLarge: It has more bytes than an object may have.
    """
    sha256, sha1, size = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    source.seek(0)
    while piece := source.read(PIECE_BYTES):
        size += len(piece)
        if size > SIZE_MAX_BYTES:
            raise TooLarge
        sha256.update(piece)
        sha1.update(piece)
        if copy is not None:
            copy.write(piece)
    if copy is not None:
        copy.flush()
    return Taken(Object(sha256.hexdigest(), size), sha1.hexdigest())


def object_in(source: BinaryIO) -> Object | None:
    """Return what a file is as an object; None where it has more bytes than one may have."""
    try:
        return taken_of(source).object
    except TooLarge:
        return None


def cloned(source: BinaryIO, file: BinaryIO) -> bool:
    """Let an empty file share the blocks of another one; return whether the file system can."""
    try:
        fcntl.ioctl(file.fileno(), _CLONE, source.fileno())
    except OSError:
        return False
    return True
