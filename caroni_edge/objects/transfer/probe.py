"""How much the broker lets through in one message: a node says something to itself, more each time, and hears it."""

from math import inf

from caroni_edge.protocol.transfers import CHUNK_SIZES

ECHO_WITHIN_S = 5.0
TRIES = 2
"""A size that has not come back after so many tries does not pass."""


class Probe:
    """Tries the sizes of a chunk, the smallest first; the largest that comes back passes.

    Attributes:
        passes: How many bytes of an object may be in one message; 0 while none has come back.
        is_done: All that can be known is known.
    """

    def __init__(self) -> None:
        """Begin without knowing anything."""
        self.passes = 0
        self.is_done = False
        self._tries = 0
        self._due = -inf

    def to_say(self, now: float) -> int | None:
        """Return the size that is to be tried now, None while that can wait; to be called when connected."""
        if self.is_done or now < self._due:
            return None
        if self._tries == TRIES:
            self.is_done, self._due = True, inf
            return None
        self._tries, self._due = self._tries + 1, now + ECHO_WITHIN_S
        return self._size()

    def heard(self, size: int) -> None:
        """So many bytes have come back."""
        if not self.is_done and size == self._size():
            self.passes, self._tries, self._due = size, 0, -inf
            self.is_done = size == CHUNK_SIZES[-1]

    def disconnected(self) -> None:
        """What was said last may be the reason: brokers cut off who says too much at once."""
        self._due = -inf

    def next_due(self) -> float:
        """Return when `to_say` should be called again because of the time alone."""
        return inf if self.is_done else self._due

    def _size(self) -> int:
        return next(size for size in CHUNK_SIZES if size > self.passes)
