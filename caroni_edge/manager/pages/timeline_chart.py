"""A timeline as a chart: where the bar of each attempt begins and ends, on an axis with dates people can read."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from caroni_edge.manager.pages.timeline import Span, TimelineStep

LEAST = 0.2
"""So broad is a bar at least, in per cent of the axis."""
MARKS_MAX = 6
OPEN = ("pending", "queued", "running")
"""The states of an attempt that goes on."""

_STEPS_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800)


class Bar(NamedTuple):
    """An attempt, in per cent of the axis: from `x` to `begun` it waited at its agent, from there to `end` it ran."""

    span: Span
    x: float
    begun: float | None
    end: float
    duration_s: float | None


class Row(NamedTuple):
    """A step and its attempts."""

    step: TimelineStep
    bars: list[Bar]


class Mark(NamedTuple):
    """A place on the axis, in per cent: so long after its beginning."""

    x: float
    after_s: float


class Chart(NamedTuple):
    """The attempts of some steps.

    Attributes:
        began: Where the axis begins; None while nothing was placed.
        length_s: Of the axis.
    """

    began: str | None
    length_s: float
    marks: list[Mark]
    rows: list[Row]


def chart(steps: Sequence[TimelineStep], now: datetime, whole: tuple[str, str | None] | None = None) -> Chart:
    """Draw the attempts of steps; what goes on ends `now`, at the right end.

    Args:
        steps: With their attempts.
        now: The date now.
        whole: Beginning and end (None for now) of what the axis is to show; without it, it shows these attempts.
    """
    spans = [span for step in steps for span in step["spans"]]
    if not spans:
        return Chart(None, 0.0, [], [Row(step, []) for step in steps])
    began = min([*(span["placed"] for span in spans), *(whole or ())[:1]], key=_at)
    ends = [_end(span, now) for span in spans] + ([_at(whole[1]) if whole[1] else now.timestamp()] if whole else [])
    first = _at(began)
    length_s = max(max(ends) - first, _STEPS_S[0])

    def place(date_s: float) -> float:
        return round(100 * min(1.0, max(0.0, (date_s - first) / length_s)), 2)

    def bar(span: Span) -> Bar:
        x, end = place(_at(span["placed"])), place(_end(span, now))
        begun = place(_at(span["started"])) if span["started"] else None
        took_s = _at(span["ended"]) - _at(span["started"]) if span["started"] and span["ended"] else None
        return Bar(span, x, begun, max(end, x + LEAST), took_s)

    rows = [Row(step, [bar(span) for span in step["spans"]]) for step in steps]
    return Chart(began, length_s, _marks(length_s), rows)


def _marks(length_s: float) -> list[Mark]:
    apart = next((each for each in _STEPS_S if length_s / each <= MARKS_MAX), length_s)
    return [Mark(round(100 * nth * apart / length_s, 2), nth * apart) for nth in range(int(length_s / apart) + 1)]


def _end(span: Span, now: datetime) -> float:
    if span["ended"] is None and span["status"] in OPEN:
        return now.timestamp()
    return _at(span["ended"] or span["started"] or span["placed"])


def _at(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
