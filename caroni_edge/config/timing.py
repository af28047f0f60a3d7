"""When a schedule is due: its slots, by cron with a time zone or by a steady pace. Only here is cronsim used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = 5


@dataclass(frozen=True)
class Every:
    """Slots at a steady pace, counted from 1970-01-01T00:00Z.

    Attributes:
        seconds: From one slot to the next.
    """

    seconds: int

    def __str__(self) -> str:
        return f"every {self.seconds} s"

    def after(self, date: float) -> Iterator[int]:
        """Yield the slots after a date, the first ones first."""
        slot = int(date // self.seconds) * self.seconds
        while True:
            slot += self.seconds
            yield slot

    def until(self, date: float) -> Iterator[int]:
        """Yield the slots up to a date, the last ones first."""
        slot = int(date // self.seconds) * self.seconds
        while slot >= 0:
            yield slot
            slot -= self.seconds


@dataclass(frozen=True)
class Cron:
    """Slots by the five fields of cron, in a time zone.

    When clocks go forward, what would be in the hour that is left out comes right after it; when they go back, what has
    a fixed time comes once. So no slot comes twice, and none is left out.

    Attributes:
        text: The fields.
        zone: Name of the time zone.
    """

    text: str
    zone: str

    def __str__(self) -> str:
        return f"{self.text} {self.zone}"

    def after(self, date: float) -> Iterator[int]:
        """Yield the slots after a date, the first ones first."""
        yield from self._slots(int(date // 1), reverse=False)

    def until(self, date: float) -> Iterator[int]:
        """Yield the slots up to a date, the last ones first."""
        yield from self._slots(int(date // 1) + 1, reverse=True)

    def _slots(self, date: int, *, reverse: bool) -> Iterator[int]:
        begin = datetime.fromtimestamp(date, UTC).astimezone(ZoneInfo(self.zone))
        for found in CronSim(self.text, begin, reverse=reverse):
            yield int(found.timestamp())


Timing = Every | Cron


def read_cron(text: str, zone: str) -> Cron:
    """Make the timing of cron's fields.

    Raises:
        ValueError: They are none; the message is for people.
    """
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError(
            f'expected five fields (minute, hour, day of month, month, day of week), as "30 2 * * *": {text}'
        )
    try:
        CronSim(text, datetime.fromtimestamp(0, UTC))
    except CronSimError as error:
        said = str(error)
        raise ValueError(f'"{text}": {said[:1].lower()}{said[1:]}') from None
    return Cron(" ".join(fields), zone)


def read_zone(text: str) -> str:
    """Make sure that there is a time zone of this name.

    Raises:
        ValueError: There is none; the message is for people.
    """
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {text[:60]} here: write one as Europe/Prague, or UTC") from None
    return text
