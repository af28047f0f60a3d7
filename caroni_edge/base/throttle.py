"""Keeps a log from growing by what strangers send: of records of one kind only so many are said at a time."""

import logging
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

WINDOW_S = 10.0
SAID_MAX = 50
"""So many records of one kind are said within `WINDOW_S`."""


@dataclass(slots=True)
class _Window:
    began: float
    count: int = 0
    last: logging.LogRecord | None = None


class Throttle:
    """Counts the records of each kind. A kind is a line of the program, so there are not many.

    The last record of those that are left out is said at the end of their window, when the next record of any kind
    comes; its fact `like_it` tells how many there were.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._windows: dict[Hashable, _Window] = {}

    def pass_on(self, record: logging.LogRecord, now: float) -> Iterator[logging.LogRecord]:
        """Yield what is to be said now that there is this record.

        Args:
            record: What is there to be said.
            now: Seconds on the monotonic clock.
        """
        yield from self._over(now)
        if _is_own_work(record):
            yield record
            return
        kind = (record.pathname, record.lineno, record.levelno)
        window = self._windows.setdefault(kind, _Window(now))
        window.count += 1
        if window.count > SAID_MAX:
            window.last = record
            return
        if window.count == SAID_MAX:
            record.like_it = f"are counted only, for {WINDOW_S:g} s"
        yield record

    def _over(self, now: float) -> Iterator[logging.LogRecord]:
        for kind, window in [*self._windows.items()]:
            if now >= window.began + WINDOW_S:
                del self._windows[kind]
                if window.last is not None:
                    window.last.like_it = f"{window.count - SAID_MAX - 1} more were left out"
                    yield window.last


def _is_own_work(record: logging.LogRecord) -> bool:
    """Tell whether a record is about a workflow that the node works on: those are as many as the work, and all said."""
    return record.levelno < logging.WARNING and getattr(record, "workflow", None) is not None
