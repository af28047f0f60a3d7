"""How fast, and when, the owner of a host lets bytes of objects flow."""

import re
from math import inf
from typing import NamedTuple

from caroni_edge.base.errors import UsageError

DAY_S = 24 * 3600
BURST_S = 0.25
"""What was not used is good for so long: a link that lay idle is not flooded."""
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


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


class Hours(NamedTuple):
    """The hours of a day in which bytes may flow, as minutes since midnight; both the same means: always.

    Attributes:
        begin: The first minute.
        end: The first minute after; less than `begin` when midnight is between.
    """

    begin: int = 0
    end: int = 0

    def wait_s(self, second_of_day: float) -> float:
        """Return in how many seconds bytes may flow; 0: now.

        Args:
            second_of_day: Seconds since midnight on the owner's clock.
        """
        if self.begin == self.end:
            return 0.0
        since_begin_s = (second_of_day - self.begin * 60) % DAY_S
        return 0.0 if since_begin_s < (self.end - self.begin) * 60 % DAY_S else DAY_S - since_begin_s


def parse_hours(text: str, where: str = "") -> Hours:
    """Return the hours that somebody has written, as in `22:00-06:00`.

    Raises:
        UsageError: They are none.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise UsageError(where, f"{text!r} are no hours", "Write them as 22:00-06:00, from 00:00 to 23:59.")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    return Hours(begin_hour * 60 + begin_minute, end_hour * 60 + end_minute)
