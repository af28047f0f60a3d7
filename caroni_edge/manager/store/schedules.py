"""How far the slots of schedules are decided, and which of them have started a workflow or wait to."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class ScheduleRow(NamedTuple):
    """How far a schedule has come.

    Attributes:
        timing: When it is due, as text: with another one it is another schedule.
        seen: The date up to which its slots are decided.
        missed: How many slots have started nothing.
        missed_slot: The last of them; None for none.
        missed_why: Why.
    """

    schedule: str
    timing: str
    seen: float
    missed: int
    missed_slot: int | None
    missed_why: str | None


class SlotRow(NamedTuple):
    """A slot that has started a workflow, or waits to.

    Attributes:
        slot: When it was due.
        waiting: It waits until the workflow of the one before has ended.
    """

    schedule: str
    slot: int
    waiting: bool


class ScheduleRows(Rows):
    """Statements about schedules and their slots."""

    GET = f"SELECT {columns(ScheduleRow)} FROM schedules WHERE schedule = :schedule"

    def get(self, schedule: str) -> ScheduleRow | None:
        """Return how far a schedule has come; None for a new one."""
        return self._one(ScheduleRow, self.GET, schedule=schedule)

    ALL = f"SELECT {columns(ScheduleRow)} FROM schedules ORDER BY schedule"

    def all(self) -> list[ScheduleRow]:
        """Return how far all schedules have come."""
        return self._all(ScheduleRow, self.ALL)

    BEGIN = """
        INSERT INTO schedules (schedule, timing, seen) VALUES (:schedule, :timing, :date)
        ON CONFLICT (schedule) DO UPDATE SET timing = excluded.timing, seen = excluded.seen"""

    def begin(self, schedule: str, timing: str, date: float) -> None:
        """Begin a schedule, or one with another time."""
        self._run(self.BEGIN, schedule=schedule, timing=timing, date=date)

    SET_SEEN = "UPDATE schedules SET seen = :date WHERE schedule = :schedule"

    def set_seen(self, schedule: str, date: float) -> None:
        """Note up to when the slots of a schedule are decided."""
        self._run(self.SET_SEEN, schedule=schedule, date=date)

    MISS = """
        UPDATE schedules SET missed = missed + :slots, missed_slot = :slot, missed_why = :why
        WHERE schedule = :schedule"""

    def miss(self, schedule: str, slots: int, slot: int, why: str) -> None:
        """Count slots that start nothing; `slot` is the last of them."""
        self._run(self.MISS, schedule=schedule, slots=slots, slot=slot, why=why)

    # Slots

    HAS = "SELECT 1 FROM slots WHERE schedule = :schedule AND slot = :slot"

    def has(self, schedule: str, slot: int) -> bool:
        """Tell whether a slot has started a workflow, or waits to."""
        return self._one(int, self.HAS, schedule=schedule, slot=slot) is not None

    ADD = """
        INSERT INTO slots (schedule, slot, waiting) VALUES (:schedule, :slot, :waiting)
        ON CONFLICT (schedule, slot) DO UPDATE SET waiting = excluded.waiting"""

    def add(self, schedule: str, slot: int, *, waiting: bool) -> None:
        """Note that a slot has started its workflow, or waits to."""
        self._run(self.ADD, schedule=schedule, slot=slot, waiting=waiting)

    DROP = "DELETE FROM slots WHERE schedule = :schedule AND slot = :slot"

    def drop(self, schedule: str, slot: int) -> None:
        """Note that a slot that was waiting starts nothing."""
        self._run(self.DROP, schedule=schedule, slot=slot)

    TRIM = """
        DELETE FROM slots WHERE schedule = :schedule AND slot IN (
            SELECT slot FROM slots WHERE schedule = :schedule ORDER BY slot LIMIT max(0, ifnull(
            (SELECT rows FROM row_counts WHERE what = 'slots' AND name = :schedule), 0) - :kept))"""

    def trim(self, schedule: str, kept: int) -> None:
        """Forget the oldest slots of a schedule, so that `kept` stay."""
        self._run(self.TRIM, schedule=schedule, kept=kept)

    # By the primary key SQLite would go through all that have started a workflow.
    FIRST_WAITING = """
        SELECT slot FROM slots INDEXED BY slots_waiting WHERE schedule = :schedule AND waiting ORDER BY slot LIMIT 1"""

    def first_waiting(self, schedule: str) -> int | None:
        """Return the slot of a schedule that has waited longest."""
        return self._one(int, self.FIRST_WAITING, schedule=schedule)

    COUNT_WAITING = """
        SELECT count(*) FROM
        (SELECT 1 FROM slots INDEXED BY slots_waiting WHERE schedule = :schedule AND waiting LIMIT :limit)"""

    def count_waiting(self, schedule: str, limit: int) -> int:
        """Count the slots of a schedule that wait; at most `limit`."""
        return self._only(int, self.COUNT_WAITING, schedule=schedule, limit=limit)

    LAST = f"SELECT {columns(SlotRow)} FROM slots WHERE schedule = :schedule ORDER BY slot DESC LIMIT :limit"

    def last(self, schedule: str, limit: int) -> list[SlotRow]:
        """Return the last slots of a schedule, the newest first."""
        return self._all(SlotRow, self.LAST, schedule=schedule, limit=limit)

    FORGET = "DELETE FROM schedules WHERE schedule = :schedule"
    FORGET_SLOTS = "DELETE FROM slots WHERE schedule = :schedule"

    def forget(self, schedule: str) -> None:
        """Forget all of a schedule."""
        self._run(self.FORGET, schedule=schedule)
        self._run(self.FORGET_SLOTS, schedule=schedule)
