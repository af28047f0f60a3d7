"""The part files: bytes of objects that are on their way here, and which of them survive a crash.

Of each object there are two files, below a folder for its manager: `<hex>.part` with the bytes, and `<hex>.map` with a
bit for each block that is safe. The map is replaced only after the bytes are synced: it never promises too much.
"""

import errno
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from stat import S_IWUSR

from caroni_edge.base.durable import sync
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.pieces import GRAIN

READ_BYTES = 1 << 20
OPEN_MAX = 64
"""So many part files are open at a time."""


class PartFiles:
    """The part files of one node. Methods raise `OSError` where the disk is full or fails.

    One thread writes and closes; another one may save, hash, finish and remove meanwhile.
    """

    def __init__(self, directory: Path) -> None:
        """Use a directory, which is made when it is needed."""
        self._directory = directory
        self._open: dict[FetchId, int] = {}

    def saved(self, fetch: FetchId) -> bytes:
        """Return the blocks of an object that are safe: a bit for each; none where there is nothing to be read."""
        try:
            blocks = self._path(fetch, "map").read_bytes()
        except OSError:
            return b""  # what cannot be read promises nothing
        return blocks if self._path(fetch, "part").exists() else b""

    def write(self, fetch: FetchId, offset: int, content: bytes) -> None:
        """Write some bytes."""
        written = os.pwrite(self._file(fetch), content, offset)
        if written != len(content):
            raise OSError(f"{written} of {len(content)} bytes were written")

    def save(self, fetch: FetchId, blocks: bytes) -> None:
        """Make safe what was written, and then that these blocks are."""
        part, path = self._path(fetch, "part"), self._path(fetch, "map")
        sync(part)
        new = path.with_suffix(".new")
        new.write_bytes(blocks)
        sync(new)
        new.replace(path)

    def hash(self, fetch: FetchId, offset: int, length: int) -> bytes:
        """Return the SHA-256 of some bytes; of fewer, where the file ends before."""
        if not length:
            return sha256().digest()
        with self._path(fetch, "part").open("rb") as file:
            return hash_of(file.fileno(), offset, length)

    def finish(self, fetch: FetchId) -> Path:
        """All bytes are there and right: return the file, to be synced and given its place before `remove`.

        Its map stays until then: a crash before that costs what came last, and not all.
        """
        path = self._path(fetch, "part")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # an object of no bytes was never written
        return path

    def remove(self, fetch: FetchId) -> None:
        """Delete what is here of an object."""
        for kind in ("map", "part"):
            self._path(fetch, kind).unlink(missing_ok=True)

    def keep_only(self, fetches: Collection[FetchId]) -> None:
        """Delete what nobody wants any more, and what the last process gave to the store, but did not live to forget.

        That lies there under its own name too, as the same file: to write to it would change what others get.
        """
        wanted = {f"{fetch.manager}/{fetch.sha256}" for fetch in fetches}
        for path in sorted(self._directory.glob("*/*")):
            part = path.with_suffix(".part")
            is_taken = part.exists() and not part.stat().st_mode & S_IWUSR
            if is_taken or f"{path.parent.name}/{path.stem}" not in wanted:
                path.unlink(missing_ok=True)
        for folder in sorted(self._directory.glob("*")):
            if not any(folder.iterdir()):
                shutil.rmtree(folder)

    def close(self) -> None:
        """Close all files."""
        for fetch in list(self._open):
            self.close_one(fetch)

    def close_one(self, fetch: FetchId) -> None:
        """Nothing more is written for an object."""
        if (opened := self._open.pop(fetch, None)) is not None:
            with suppress(OSError):  # what counts was synced, and said so
                os.close(opened)

    def _file(self, fetch: FetchId) -> int:
        if fetch not in self._open:
            if len(self._open) >= OPEN_MAX:
                self.close_one(next(iter(self._open)))
            path = self._path(fetch, "part")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open[fetch] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._open[fetch]

    def _path(self, fetch: FetchId, kind: str) -> Path:
        return self._directory / fetch.manager / f"{fetch.sha256}.{kind}"


def hash_of(file: int, offset: int, length: int) -> bytes:
    """Return the SHA-256 of some bytes of an open file."""
    digest, end = sha256(), offset + length
    while offset < end and (piece := os.pread(file, min(READ_BYTES, end - offset), offset)):
        digest.update(piece)
        offset += len(piece)
    return digest.digest()


def block_list(path: Path, name: str) -> bytes:
    """Return the block list of an object.

    It is made anew after each start, and not kept beside the object. 1 GB takes 1.3 s of a processor (AMD EPYC, with
    the instructions for SHA), and its way to the asker at 100 Mbit/s 80 s. For that damage is found before any of it is
    given, and there is no file that must be collected, counted, and doubted.

    Args:
        path: Where it lies.
        name: Its SHA-256 in hex.

    Raises:
        OSError: It is not there, cannot be read, or is damaged: a list of other bytes would be kept, and believed.
    """
    whole, segments, size = sha256(), [], 0
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            if size % GRAIN.segment == 0:
                segments.append(sha256())
            segments[-1].update(piece)
            whole.update(piece)
            size += len(piece)
    if whole.hexdigest() != name:
        raise OSError(errno.EIO, "it is damaged")
    return b"".join(segment.digest() for segment in segments)
