"""How fast the owner of a host lets bytes of objects flow."""

from math import inf

DAY_S = 24 * 3600
BURST_S = 0.25
"""What was not used is good for so long: a link that lay idle is not flooded."""


class Flow:
    """What the owner lets flow, by all ways together.

    Attributes:
        up: Lets bytes leave.
        down: Lets bytes come.
        gave_bytes: So many have left straight to other nodes since the process started.
    """

    def __init__(self, up: float | None = None, down: float | None = None) -> None:
        """Begin with so many bytes a second; None: as many as do."""
        self.up, self.down = Bucket(up), Bucket(down)
        self.gave_bytes = 0


class Bucket:
    """Lets so many bytes a second through, on the average of a moment.

    What is let through may overdraw it, so that a chunk larger than the bucket passes too; the next one waits longer.
    """

    def __init__(self, rate: float | None = None) -> None:
        """Begin full.

        Args:
            rate: Bytes a second; None lets everything through.
        """
        self.rate = rate
        self._left = 0.0 if rate is None else rate * BURST_S
        self._at = -inf

    def wait_s(self, now: float) -> float:
        """Return in how many seconds something may pass; 0: now."""
        if self.rate is None:
            return 0.0
        self._fill(self.rate, now)
        # Less than a byte is nothing: so short a wait would end before the clock moves.
        return -self._left / self.rate if self._left <= -1.0 else 0.0

    def take(self, size_bytes: int, now: float) -> None:
        """So many bytes pass."""
        if self.rate is not None:
            self._fill(self.rate, now)
            self._left -= size_bytes

    def _fill(self, rate: float, now: float) -> None:
        if now > self._at:
            self._left = min(rate * BURST_S, self._left + rate * min(now - self._at, DAY_S))
            self._at = now
