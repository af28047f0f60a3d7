"""Dates as people and programs read them: RFC 3339, UTC."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import overload

FIRST, LAST = -62135596800.0, 253402300799.0
"""The first day of the year 1, and the last second of the year 9999."""


@overload
def rfc3339(date: float) -> str: ...
@overload
def rfc3339(date: None) -> None: ...
@overload
def rfc3339(date: float | None) -> str | None: ...


def rfc3339(date: float | None) -> str | None:
    """Return a date as `2026-01-31T12:00:00.000Z`.

    Args:
        date: Unix seconds; None stays None, and what no calendar holds is its first or last day.
    """
    return None if date is None else _text(date)


@lru_cache(maxsize=8)  # all that happens in a batch has one date
def _text(date: float) -> str:
    return (
        datetime.fromtimestamp(min(max(date, FIRST), LAST), UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
