"""Hours of the day, as somebody writes them: `22:00-06:00`."""

import re
from time import localtime
from typing import NamedTuple

DAY_S = 24 * 3600
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Hours(NamedTuple):
    """The hours of a day in which something may be done, as minutes since midnight; both the same means: always.

    Attributes:
        begin: The first minute.
        end: The first minute after; less than `begin` when midnight is between.
    """

    begin: int = 0
    end: int = 0

    @property
    def begins(self) -> str:
        """When they begin, as it is written."""
        return "{:02}:{:02}".format(*divmod(self.begin, 60))

    @property
    def ends(self) -> str:
        """When they end, likewise."""
        return "{:02}:{:02}".format(*divmod(self.end, 60))

    def wait_s(self, second_of_day: float) -> float:
        """Return in how many seconds it may be done; 0: now.

        Args:
            second_of_day: Seconds since midnight on the owner's clock.
        """
        if self.begin == self.end:
            return 0.0
        since_begin_s = (second_of_day - self.begin * 60) % DAY_S
        return 0.0 if since_begin_s < (self.end - self.begin) * 60 % DAY_S else DAY_S - since_begin_s


ALWAYS = Hours()


def parse_hours(text: str) -> Hours:
    """Return the hours that somebody has written.

    Raises:
        ValueError: They are none.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} are no hours: write them as 22:00-06:00, from 00:00 to 23:59")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    return Hours(begin_hour * 60 + begin_minute, end_hour * 60 + end_minute)


def second_of_day() -> float:
    """Return how many seconds the host's clock has counted since midnight."""
    now = localtime()
    return (now.tm_hour * 60 + now.tm_min) * 60 + now.tm_sec
