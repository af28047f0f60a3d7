"""How much slot-time managers have had, minute by minute, of jobs that have ended."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.storage.rows import Rows


class Minute(NamedTuple):
    """Slot-time in one minute: `minute` counts from 1970."""

    minute: int
    busy_s: float


class MinuteOf(NamedTuple):
    """Slot-time of one manager in one minute."""

    manager: str
    minute: int
    busy_s: float


class ManagerTime(NamedTuple):
    """Slot-time of one manager."""

    manager: str
    busy_s: float


class SlotTimeRows(Rows):
    """Statements about slot-time; what is older than a day goes by itself, as newer minutes are added."""

    ADD = """
        INSERT INTO slot_time (minute, manager, busy_s) VALUES (:minute, :manager, :busy_s)
        ON CONFLICT (minute, manager) DO UPDATE SET busy_s = busy_s + excluded.busy_s"""

    def add(self, minutes: Iterable[MinuteOf]) -> None:
        """Add what jobs of managers have had."""
        self._run_each(self.ADD, (each._asdict() for each in minutes))

    FORGET = "DELETE FROM slot_time WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Delete what a manager had, and return how many rows that were."""
        return self._run(self.FORGET, manager=manager)

    BY_MINUTE = """
        SELECT minute, sum(busy_s) AS busy_s FROM slot_time WHERE minute >= :first AND minute <= :last
        GROUP BY minute ORDER BY minute"""

    def by_minute(self, first: int, last: int) -> list[Minute]:
        """Return the slot-time in each minute that has any, in order."""
        return self._all(Minute, self.BY_MINUTE, first=first, last=last)

    BY_MANAGER = """
        SELECT manager, sum(busy_s) AS busy_s FROM slot_time WHERE minute >= :first AND minute <= :last
        GROUP BY manager"""

    def by_manager(self, first: int, last: int) -> list[ManagerTime]:
        """Return the slot-time of each manager that has had any."""
        return self._all(ManagerTime, self.BY_MANAGER, first=first, last=last)
