"""Decides by the clock which workflows are started: a slot of a schedule starts one, or is counted as missed."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice, takewhile
from math import inf
from types import MappingProxyType
from typing import Final

from caroni_edge.base.dates import rfc3339
from caroni_edge.base.moment import Moment
from caroni_edge.config.automation import Schedule
from caroni_edge.manager.context import Context
from caroni_edge.manager.store.schedules import ScheduleRow
from caroni_edge.manager.triggers.triggers import BY_SCHEDULE, Refused, Triggers
from caroni_edge.node.parts import Part
from caroni_edge.protocol.triggers import Trigger

log = logging.getLogger(__name__)

ON_TIME_S = 60.0
"""A slot that is found so late is not missed: a node may be busy, or restart."""
LOOK_EVERY_S = 30.0
"""The clock may jump, so it is looked at so often."""
ROUNDING_S = 0.001
BACK_S = 60.0
"""A clock that goes back by more has jumped: schedules go on from the time that it shows now."""
LOOKED_AT_MAX = 1000
"""So many missed slots are looked at, the newest; those before them are not counted."""
CATCH_UP_MAX = 100
WAITING_MAX = 100
SLOTS_KEPT = 10_000

_CATCHES: Final = {"none": 0, "last": 1, "all": CATCH_UP_MAX}


def cause_of(schedule: str) -> str:
    """Return the `cause` of the workflows that a schedule starts."""
    return f"{BY_SCHEDULE}{schedule}"


def slot_id(schedule: str, slot: int) -> str:
    """Return the id of the workflow of a slot."""
    return f"{schedule}-{datetime.fromtimestamp(slot, UTC):%Y%m%dt%H%M%Sz}"


class Schedules(Part):
    """Starts the workflows of slots, in the transaction that notes up to when the slots are decided."""

    def __init__(self, context: Context, triggers: Triggers) -> None:
        """Start workflows by `triggers`."""
        super().__init__(context.journal)
        self._context, self._triggers, self._store = context, triggers, context.store
        self._due = -inf
        self._is_reloaded = True
        self._by_cause: Mapping[str, Schedule] = MappingProxyType({})

    def reload(self) -> None:
        """There may be other schedules now."""
        self._due, self._is_reloaded = -inf, True

    def settle(self, at: Moment) -> None:
        """Start what waited for the one before, and after it what is due."""
        if self._is_reloaded:
            self._is_reloaded = False
            self._forget_others()
            self._by_cause = MappingProxyType({cause_of(each.name): each for each in self._context.settings.schedules})
            self._context.ended_causes.update(self._by_cause)  # what ended before is not known any more
        if self._context.ended_causes:
            self._start_waiting(at)
        if at.now >= self._due:
            self._due = inf
            for schedule in self._context.settings.schedules:
                self._decide(schedule, at)
                until_next_s = next(schedule.timing.after(at.date), inf) - at.date
                self._due = min(self._due, at.now + min(max(until_next_s, ROUNDING_S), LOOK_EVERY_S))

    def next_due(self) -> float:
        """Return when the next slot is due, or the clock is to be looked at; at once after an end in this batch."""
        return -inf if any(each in self._by_cause for each in self._context.ended_causes) else self._due

    def _forget_others(self) -> None:
        names = [schedule.name for schedule in self._context.settings.schedules]
        for row in self._store.schedules.all():
            if row.schedule not in names:
                self._store.schedules.forget(row.schedule)

    def _decide(self, schedule: Schedule, at: Moment) -> None:
        """Decide on the slots up to now that are not decided yet."""
        row = self._known(schedule, at)
        undecided = takewhile(lambda slot: slot > row.seen, schedule.timing.until(at.date))
        slots = [slot for slot in islice(undecided, LOOKED_AT_MAX) if not self._store.schedules.has(row.schedule, slot)]
        if not slots:
            return
        missed = [slot for slot in slots if at.date - slot > ON_TIME_S]
        caught_up = missed[: _CATCHES[schedule.catch_up]]
        if left := len(missed) - len(caught_up):
            why = f"the manager did not run then, or its clock went ahead, and catch_up is {schedule.catch_up}"
            self._miss(schedule, missed[len(caught_up)], why, slots=left)
        on_time = slots[: len(slots) - len(missed)]
        for slot in sorted([*caught_up, *on_time]):
            self._take(schedule, slot, at)
        self._store.schedules.set_seen(schedule.name, at.date)

    def _known(self, schedule: Schedule, at: Moment) -> ScheduleRow:
        """Return how far a schedule has come; one that is new, or has another time, begins now."""
        rows, name, timing = self._store.schedules, schedule.name, str(schedule.timing)
        row = rows.get(name)
        if row is None or row.timing != timing:
            rows.begin(name, timing, at.date)
            log.info("schedule %s begins: %s", name, timing, extra={"action": "schedule_begun", "schedule": name})
        elif at.date < row.seen - BACK_S:
            rows.set_seen(name, at.date)
            said = "the clock has gone back from %s: schedule %s goes on from now; what has started starts no more"
            log.warning(said, rfc3339(row.seen), name, extra={"action": "clock_back", "schedule": name})
        else:
            return row
        found = rows.get(name)
        assert found is not None
        return found

    def _take(self, schedule: Schedule, slot: int, at: Moment) -> None:
        """Start the workflow of a slot, unless one before it has not ended."""
        if schedule.overlap != "allow" and self._is_running(schedule.name):
            if schedule.overlap == "skip":
                self._miss(schedule, slot, "a workflow of the schedule had not ended, and overlap is skip")
            else:
                self._wait(schedule, slot)
            return
        self._start(schedule, slot, at)

    def _is_running(self, schedule: str) -> bool:
        return self._store.workflows.count_unended(cause_of(schedule)) > 0

    def _wait(self, schedule: Schedule, slot: int) -> None:
        if self._store.schedules.count_waiting(schedule.name, WAITING_MAX) >= WAITING_MAX:
            self._miss(schedule, slot, f"{WAITING_MAX} slots wait already")
            return
        self._store.schedules.add(schedule.name, slot, waiting=True)

    def _start_waiting(self, at: Moment) -> None:
        """Start the first slot that waits of each schedule of which a workflow has ended, and none runs."""
        ended = sorted(self._context.ended_causes)
        self._context.ended_causes.clear()
        for schedule in (self._by_cause[cause] for cause in ended if cause in self._by_cause):
            while not self._is_running(schedule.name):
                slot = self._store.schedules.first_waiting(schedule.name)
                if slot is None:
                    break
                self._store.schedules.drop(schedule.name, slot)
                self._start(schedule, slot, at)

    def _start(self, schedule: Schedule, slot: int, at: Moment) -> None:
        workflow = slot_id(schedule.name, slot)
        trigger = Trigger(
            template=schedule.template, inputs=dict(schedule.inputs), id=workflow, priority=schedule.priority
        )
        try:
            self._triggers.start(trigger, at, cause=cause_of(schedule.name))
        except Refused as refusal:
            self._miss(schedule, slot, refusal.reason)
            self._context.events.rejected(workflow, f"schedule {schedule.name}: {refusal.reason}", "", None, at.date)
            return
        self._store.schedules.add(schedule.name, slot, waiting=False)
        self._store.schedules.trim(schedule.name, SLOTS_KEPT)

    def _miss(self, schedule: Schedule, slot: int, why: str, *, slots: int = 1) -> None:
        self._store.schedules.miss(schedule.name, slots, slot, why)
        facts = {"action": "slot_missed", "schedule": schedule.name}
        log.warning("schedule %s: %d missed, last %s: %s", schedule.name, slots, rfc3339(slot), why, extra=facts)
