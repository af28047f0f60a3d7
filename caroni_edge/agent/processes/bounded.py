"""Takes the files of one job into a store, as far as its manager has room there."""

import os
from typing import BinaryIO

from caroni_edge.agent.processes.workfiles import NotTaken
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.quota import OverQuota, Quota
from caroni_edge.objects.taking import Taken


class BoundedStore:
    """A `Taker` that says no before it takes anything for which there is no room.

    Attributes:
        need_bytes: So many bytes the job has at least.
    """

    def __init__(self, store: ObjectFiles, quota: Quota, manager: str, need_bytes: int = 0) -> None:
        """Take files of a job of a manager; what was taken of it before is taken again."""
        self._store, self._quota, self._manager = store, quota, manager
        self._bytes, self.need_bytes = 0, need_bytes

    def take(self, source: BinaryIO) -> Taken:
        """Take in what is in a regular file (see `ObjectFiles.take`).

        Raises:
            NotTaken: There will never be room for it.
            NoRoom: There is none now.
        """
        self._count(os.fstat(source.fileno()).st_size)
        return self._store.take(source)

    def keep(self, data: bytes) -> Object:
        """Take in bytes that were made here (see `ObjectFiles.keep`).

        Raises:
            NotTaken: There will never be room for them.
            NoRoom: There is none now.
        """
        self._count(len(data))
        return self._store.keep(data)

    def _count(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        self.need_bytes = max(self.need_bytes, self._bytes)
        short = self._quota.why_not(self._manager, self.need_bytes)
        if short is None:
            return
        if short.is_for_ever:
            raise NotTaken(f"there is no room for it at this agent: {short.why}")
        raise OverQuota(self._manager, short)
