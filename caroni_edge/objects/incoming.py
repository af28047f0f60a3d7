"""Bytes that somebody sends piece by piece, and that become an object when all are there."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from caroni_edge.objects.objects import Object
from caroni_edge.objects.taking import Taken


class Incoming:
    """A file that grows, hashed as it is written. One thread at a time uses it.

    Attributes:
        path: Where it is, until `drop`.
        size: How many bytes have come.
    """

    def __init__(self, path: Path) -> None:
        """Begin an empty file.

        Raises:
            OSError: It cannot be written.
        """
        self.path, self.size = path, 0
        self._sha256, self._sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, piece: bytes) -> None:
        """Add some bytes.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._sha256.update(piece)
        self._sha1.update(piece)
        self.size += len(piece)
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]

    def finish(self) -> Taken:
        """Wait until the disk has all of it; return what it is.

        Raises:
            OSError: The disk fails.
        """
        os.fsync(self._file)
        return Taken(Object(self._sha256.hexdigest(), self.size), self._sha1.hexdigest())

    def drop(self) -> None:
        """Delete the file: it was taken into the store, or nobody wants it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
