"""Slot-time by minutes of the calendar, as pages show it. Dates are for people: a clock may have jumped meanwhile."""

from collections.abc import Iterator

from caroni_edge.agent.store.slottime import Minute

MINUTE_S = 60.0
KEPT_MINUTES = 24 * 60


def minutes(started: float, until: float) -> Iterator[Minute]:
    """Yield how long a slot was held in each minute, of the last day before `until` at most.

    Args:
        started: When a job got its slot, Unix seconds.
        until: When it gave it back, or now.
    """
    since = max(started, until - KEPT_MINUTES * MINUTE_S)
    while since < until:
        minute = int(since // MINUTE_S)
        end = min(until, (minute + 1) * MINUTE_S)
        yield Minute(minute, end - since)
        since = end
