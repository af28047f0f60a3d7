"""The files of objects, for the data connection: what takes long is done in a thread of its own."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import id_of
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.partfiles import PartFiles, block_list

log = logging.getLogger(__name__)

FILES_MAX = 16
"""So many objects are kept open for those who ask for them."""
T = TypeVar("T")


class ObjectDisk:
    """Reads what is given, and has the part files of what comes.

    Attributes:
        parts: The part files. What they sync, hash, finish or remove belongs into `do`.
    """

    def __init__(self, parts: Path, files: ObjectFiles) -> None:
        """Use a directory for part files.

        Args:
            parts: The directory.
            files: The objects that are given.
        """
        self.parts = PartFiles(parts)
        self._objects = files
        self._files: dict[str, int] = {}
        self._removing: dict[FetchId, Callable[[bytes], None] | None] = {}
        self._todo: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def run(self) -> None:
        """Do one thing after the other, until `stop`; this is the body of the thread."""
        while (work := self._todo.get()) is not None:
            work()

    def do(self, work: Callable[[], T], then: Callable[[T | OSError], None]) -> None:
        """Let the thread do something; `then` is called there with what it gives, or why it failed."""

        def body() -> None:
            try:
                result: T | OSError = work()
            except OSError as error:
                result = error
            then(result)

        self._todo.put(body)

    def stop(self) -> None:
        """End the thread after what is to be done already."""
        self._todo.put(None)

    def begin(self, fetch: FetchId, then: Callable[[bytes], None]) -> None:
        """Call `then` with the blocks of an object that are safe: when all of it is gone, if it is being removed."""
        if fetch in self._removing:
            self._removing[fetch] = then
        else:
            then(self.parts.saved(fetch))

    def left(self, fetch: FetchId) -> bytes:
        """Return the blocks of an object that are safe after a failure: somebody may have deleted its files."""
        self.parts.close_one(fetch)
        return self.parts.saved(fetch)

    def remove(self, fetch: FetchId, put: Callable[[Callable[[], None]], None]) -> None:
        """Delete what is here of an object, after what is still to be done with it; no `begin` of before counts.

        Args:
            fetch: What is deleted.
            put: Lets something be done in the thread that calls this.
        """
        self.parts.close_one(fetch)
        if fetch not in self._removing:
            self.do(partial(self.parts.remove, fetch), lambda result: put(partial(self._removed, fetch, result)))
        self._removing[fetch] = None

    def _removed(self, fetch: FetchId, result: OSError | None) -> None:
        if result is not None:
            ids = {"action": "part_kept", "manager": fetch.manager, "object": fetch.sha256}
            log.warning("what has come of an object cannot be deleted: %s", result, extra=ids)
        if (then := self._removing.pop(fetch)) is not None:
            self.begin(fetch, then)

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Return some bytes of an object.

        Raises:
            OSError: It is not there, or cannot be read.
        """
        if sha256 not in self._files:
            while len(self._files) >= FILES_MAX:
                os.close(self._files.pop(next(iter(self._files))))
            self._files[sha256] = os.open(self._objects.path(id_of(sha256)), os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._files[sha256], length, offset)

    def make_list(self, sha256: str) -> bytes:
        """Return the block list of an object.

        Raises:
            OSError: It is not there, cannot be read, or is damaged: a list of other bytes would be kept, and believed.
        """
        return block_list(Path(self._objects.path(id_of(sha256))), sha256)

    def close(self) -> None:
        """Close what is open."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        self.parts.close()
