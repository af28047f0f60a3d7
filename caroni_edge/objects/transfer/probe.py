"""How much the broker lets through in one message: a node says something to itself, more each time, and hears it.

A size is tried when there is use for it: on a slow line nobody asks for large chunks, and there a large probe would
hold up all else.
"""

from math import inf

from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_MIN, CHUNK_SIZES

ECHO_WITHIN_S = 5.0
TRIES = 2
"""A size that has not come back after so many tries does not pass."""
AGAIN_S = 600.0
"""It is tried again after so long: the echoes may have been lost."""


class Probe:
    """Tries the sizes of a chunk, the smallest first, as far as they are wanted; the largest that comes back passes.

    Attributes:
        passes: How many bytes of an object may be in one message; 0 while none has come back.
        limit: More than so many do not pass; what lies between `passes` and that was not tried yet.
    """

    def __init__(self) -> None:
        """Begin without knowing anything."""
        self.passes, self.limit = 0, CHUNK_MAX
        self._tries = self._cuts = 0
        self._due = self._again_at = -inf

    @property
    def is_begun(self) -> bool:
        """Whether it is known if anything passes."""
        return bool(self.passes) or not self.limit

    def to_say(self, wanted: int, now: float) -> int | None:
        """Return the size that is to be tried now, None while that can wait; to be called when connected.

        Args:
            wanted: For chunks of so many bytes there is use.
            now: Seconds on the monotonic clock.
        """
        if now < self.next_due(wanted):
            return None
        if self.passes >= self.limit:
            self.limit, self._cuts = CHUNK_MAX, 0
        if self._tries == TRIES:
            self.limit = self.passes
            self._tries, self._due, self._again_at = 0, -inf, now + AGAIN_S
            return None
        self._tries, self._due = self._tries + 1, now + ECHO_WITHIN_S
        return self._size()

    def heard(self, size: int) -> None:
        """So many bytes have come back."""
        if self._tries and size == self._size():
            self.passes = size
            self._tries, self._cuts, self._due = 0, 0, -inf

    def disconnected(self) -> None:
        """The connection has ended: brokers cut off who says too much at once, and lines break, too."""
        if self._tries:
            self._cuts, self._due = self._cuts + 1, -inf
        elif self._cuts < TRIES:
            self._again_at = -inf  # perhaps nothing came back because the line was broken already

    def next_due(self, wanted: int) -> float:
        """Return when `to_say` should be called again because of the time alone."""
        if self.passes >= max(wanted, CHUNK_MIN):
            return inf
        return self._due if self.passes < self.limit else self._again_at

    def _size(self) -> int:
        return next(size for size in CHUNK_SIZES if size > self.passes)
