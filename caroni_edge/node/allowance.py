"""How much of what is old may be deleted now: a clock may jump by years, and must not take everything with it."""

from caroni_edge.base.memory import Journal, Memory
from caroni_edge.base.moment import Moment

LOOK_EVERY_S = 60.0
SHARE_A_DAY = 0.05
"""Age removes at most so much of the finished work a day."""
DAY_S = 86400.0


class Allowance(Memory):
    """How much may be deleted: it grows with the monotonic clock, and what is deleted is taken from it."""

    def __init__(self, journal: Journal) -> None:
        """Begin with none, so that nothing is deleted just after a start."""
        super().__init__(journal)
        self._looked_at: float | None = None
        self._left = 0.0

    def is_due(self, now: float) -> bool:
        """Tell whether it is time to look for what is old."""
        if self._looked_at is None:
            self._looked_at = now
        return now >= self.next_due()

    def next_due(self) -> float:
        """Return when to look for what is old; infinity before the first question."""
        return float("inf") if self._looked_at is None else self._looked_at + LOOK_EVERY_S

    def grow(self, at: Moment, total: int) -> int:
        """Add what the time since the last look allows; return how many of `total` may be deleted now."""
        since_s = at.now - (self._looked_at if self._looked_at is not None else at.now)
        self._looked_at = at.now
        a_day = SHARE_A_DAY * total
        self._left = min(self._left + a_day * since_s / DAY_S, max(a_day, 1.0))
        return int(self._left)

    def use(self, count: int) -> None:
        """Take what has been deleted from the allowance."""
        self._left -= count
