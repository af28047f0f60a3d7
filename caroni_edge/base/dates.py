"""Dates as people and programs read them: RFC 3339, UTC."""

from datetime import UTC, datetime
from typing import overload


@overload
def rfc3339(date: float) -> str: ...
@overload
def rfc3339(date: None) -> None: ...
@overload
def rfc3339(date: float | None) -> str | None: ...


def rfc3339(date: float | None) -> str | None:
    """Return a date as `2026-01-31T12:00:00.000Z`.

    Args:
        date: Unix seconds; None stays None.
    """
    if date is None:
        return None
    return datetime.fromtimestamp(date, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
