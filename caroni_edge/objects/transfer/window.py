"""How much is asked for at a time: the round trip of a place, and the window of an asker."""

from math import inf

from caroni_edge.protocol.transfers import ASKED_CHUNKS_MAX, CHUNK_MAX, CHUNK_MIN, CHUNK_SIZES

FIRST_BYTES, MAX_BYTES = 2 * CHUNK_MIN, ASKED_CHUNKS_MAX * CHUNK_MAX
GROWTH = 8
"""With each round trip the window grows by one part in so many, when it was too large once."""
CHUNKS_MIN = 4
"""So many chunks are in the window, if they can be that small: on a slow line a large one is a queue by itself."""
STARTS_WITHIN_S, GROWS_WITHIN_S, SHRINKS_BEYOND_S = 0.060, 0.150, 0.300
"""Within so much of the least round trip the window doubles, if it was never too large; within so much it grows; beyond
so much, what is sent stands in a queue."""
STARTS_SHARE = 4
"""On a long line it doubles within one part in so many of the least round trip."""
TIMEOUT_UNKNOWN_S, TIMEOUT_MIN_S, TIMEOUT_MAX_S = 4.0, 1.0, 300.0
PATIENCE_MAX = 8.0
"""The timeout doubles with each round that brings nothing, up to so many times."""


class RoundTrip:
    """How long a place takes to answer.

    Attributes:
        least_s: The shortest time that was seen on this connection.
        smoothed_s: A moving average; 0 until something has come.
    """

    def __init__(self) -> None:
        """Begin without having seen any."""
        self.least_s = inf
        self.smoothed_s = 0.0
        self._patience = 1.0

    @property
    def is_known(self) -> bool:
        """Whether something has come."""
        return self.smoothed_s > 0.0

    def measured(self, took_s: float) -> None:
        """What was asked for once has come after so long."""
        self.least_s = min(self.least_s, took_s)
        self.smoothed_s = self.smoothed_s + (took_s - self.smoothed_s) / 8 if self.smoothed_s else took_s
        self._patience = 1.0

    def missed(self) -> None:
        """What was asked for has not come in time; perhaps the time was too short."""
        self._patience = min(2 * self._patience, PATIENCE_MAX)

    def timeout_s(self) -> float:
        """Return after how long what has not come is asked for again."""
        timeout_s = max(2 * self.smoothed_s, TIMEOUT_MIN_S) if self.smoothed_s else TIMEOUT_UNKNOWN_S
        return min(timeout_s * self._patience, TIMEOUT_MAX_S)


class Window:
    """How much may be on its way to this node, of all objects together.

    It doubles with each round trip until it was too large for the first time, then grows by an eighth.
    """

    def __init__(self) -> None:
        """Begin small."""
        self._bytes = float(FIRST_BYTES)
        self._is_starting = True
        self._shrunk_at = -inf

    @property
    def bytes(self) -> int:
        """How much may be on its way."""
        return int(self._bytes)

    @property
    def chunk(self) -> int:
        """How many bytes one Data should carry at most."""
        return max((size for size in CHUNK_SIZES if size <= self._bytes / CHUNKS_MIN), default=CHUNK_MIN)

    def came(self, length: int, took_s: float, trip: RoundTrip, now: float) -> None:
        """So many bytes that were asked for once have come after so long."""
        if took_s > trip.least_s + max(STARTS_WITHIN_S, trip.least_s / STARTS_SHARE):
            self._is_starting = False
        if took_s <= trip.least_s + GROWS_WITHIN_S:
            grown = length if self._is_starting else length / GROWTH
            self._bytes = min(MAX_BYTES, self._bytes + grown)
        elif took_s > trip.least_s + SHRINKS_BEYOND_S:
            self.shrink(took_s, now)

    def shrink(self, over_s: float, now: float) -> None:
        """Too much was on its way; what has left before cannot say that a second time.

        Args:
            over_s: How long what is on its way now may still say so.
            now: Seconds on the monotonic clock.
        """
        if now >= self._shrunk_at + over_s:
            self._bytes = max(float(CHUNK_MIN), self._bytes / 2)
            self._is_starting, self._shrunk_at = False, now

    def restart(self) -> None:
        """The connection is another one."""
        self._bytes, self._is_starting, self._shrunk_at = float(FIRST_BYTES), True, -inf
