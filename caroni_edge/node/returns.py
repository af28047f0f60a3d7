"""What is to come back from a bucket: in its order, and as far as the disk has room; what finds none is put off."""

import logging
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from threading import Condition
from time import monotonic
from typing import NamedTuple

from caroni_edge.objects.disk import NoRoom
from caroni_edge.objects.objects import Object

log = logging.getLogger(__name__)

ROOM_AGAIN_S = 10.0


class Return(NamedTuple):
    """An object that is to come back, and its place in the order of all."""

    turn: int
    object: Object


class Returns:
    """Gives each object its turn; any thread may use it.

    What finds no room holds up no other one, and is tried again before all that was ordered later.
    """

    def __init__(self, free_bytes: Callable[[], int], again_s: float = ROOM_AGAIN_S) -> None:
        """Begin with none.

        Args:
            free_bytes: Returns how many bytes the disk has room for.
            again_s: After so long what was put off is tried again.
        """
        self._free_bytes, self._again_s = free_bytes, again_s
        self._changed = Condition()
        self._turns, self._is_closed = 0, False
        self._waiting: list[Return] = []
        self._put_off: list[Return] = []
        self._again_at = inf
        self._lacking: set[Return] = set()  # what had no room when it was last tried
        self._reserved: dict[Return, int] = {}

    def add(self, found: Object) -> None:
        """Let an object come back, behind all others."""
        with self._changed:
            self._turns += 1
            heappush(self._waiting, Return(self._turns, found))
            self._changed.notify()

    def next(self) -> Return | None:
        """Wait for an object whose turn it is; None at the end."""
        with self._changed:
            while not self._is_closed:
                now = monotonic()
                if now >= self._again_at:
                    for each in self._put_off:
                        heappush(self._waiting, each)
                    self._put_off, self._again_at = [], inf
                if self._waiting:
                    return heappop(self._waiting)
                self._changed.wait(self._again_at - now if self._put_off else None)
        return None

    def reserve(self, it: Return, left_bytes: int) -> None:
        """See that there is room for what is missing of an object.

        Before its first byte that is beside what all others lack that have begun: two that have half of it each would
        wait for each other.

        Raises:
            NoRoom: There is none.
        """
        with self._changed:
            others = 0 if it in self._reserved else sum(self._reserved.values())
            if self._free_bytes() < left_bytes + others:
                raise NoRoom("there is no room on the disk for what is to come back from the bucket")
            self._reserved[it] = left_bytes
            goes_on = self._lacking == {it}
            self._lacking.discard(it)
        if goes_on:
            log.info("there is room for what comes back from the bucket", extra={"action": "room_for_files"})

    def put_off(self, it: Return, why: NoRoom) -> None:
        """Let others come, since there is no room for this one."""
        with self._changed:
            self._reserved.pop(it, None)
            self._put_off.append(it)
            self._again_at = min(self._again_at, monotonic() + self._again_s)
            is_first = not self._lacking
            self._lacking.add(it)
        if is_first:
            log.warning("%s", why, extra={"action": "no_room_for_files"})

    def end(self, it: Return) -> None:
        """An object has come, or does not: it needs no more room."""
        with self._changed:
            self._reserved.pop(it, None)

    def close(self) -> None:
        """Let nothing begin any more, and nobody wait."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
