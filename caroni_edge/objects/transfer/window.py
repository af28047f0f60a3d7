"""How much is asked for at a time: the round trip of a place, and the window of an asker."""

from math import inf

FIRST_CHUNKS, MAX_CHUNKS = 2.0, 64.0
GROWS_WITHIN_S, SHRINKS_BEYOND_S = 0.150, 0.300
"""Within so much of the least round trip the window grows; beyond so much, what is sent stands in a queue."""
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
    """How many chunks may be on their way to this node, of all objects together.

    It doubles with each round trip until it was too large for the first time, then grows by one.
    """

    def __init__(self) -> None:
        """Begin small."""
        self._chunks = FIRST_CHUNKS
        self._is_starting = True
        self._shrunk_at = -inf

    @property
    def chunks(self) -> int:
        """How many may be on their way."""
        return int(self._chunks)

    def came(self, took_s: float, trip: RoundTrip, now: float) -> None:
        """A chunk that was asked for once has come after so long."""
        if took_s <= trip.least_s + GROWS_WITHIN_S:
            self._chunks = min(MAX_CHUNKS, self._chunks + (1.0 if self._is_starting else 1.0 / self._chunks))
        elif took_s > trip.least_s + SHRINKS_BEYOND_S:
            self.shrink(took_s, now)

    def shrink(self, over_s: float, now: float) -> None:
        """Too much was on its way; what has left before cannot say that a second time.

        Args:
            over_s: How long what is on its way now may still say so.
            now: Seconds on the monotonic clock.
        """
        if now >= self._shrunk_at + over_s:
            self._chunks = max(1.0, self._chunks / 2)
            self._is_starting, self._shrunk_at = False, now

    def restart(self) -> None:
        """The connection is another one."""
        self._chunks, self._is_starting, self._shrunk_at = FIRST_CHUNKS, True, -inf
