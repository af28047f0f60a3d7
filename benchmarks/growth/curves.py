"""Curves: what one more unit costs at each size, how that is measured, and how it is drawn."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.work import Work, work_of


class Subject:
    """Something of a certain size that can do one more unit of work, again and again.

    Attributes:
        conn: The database that it works on.
        units: So many units one `work` does.
    """

    conn: sqlite3.Connection
    units = 1

    def prepare(self) -> None:
        """Make ready for the next unit; this is not measured."""

    def work(self) -> float | None:
        """Do a unit, or several; return the processor time of what counts, None where all of it does."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what it holds."""


@dataclass(frozen=True)
class Axis:
    """Along what something grows.

    Attributes:
        name: A word.
        title: What grows.
        unit: What is measured.
        sizes: How large the whole is.
        make: Makes it, in an empty directory.
        rounds: So often each is measured.
        each: Units in a round.
        is_counted: Whether what SQLite and Python do is counted too; that takes long where a unit is much.
    """

    name: str
    title: str
    unit: str
    sizes: Sequence[int]
    make: Callable[[Path, int], Subject]
    rounds: int = 40
    each: int = 2
    is_counted: bool = True


@dataclass(frozen=True)
class Point:
    """What a unit costs.

    Attributes:
        size: How large the whole is.
        ms: Processor time: the least mean of a round, since what else the machine does can only add to it.
        work: What was counted in one.
    """

    size: int
    ms: float
    work: Work | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"ms": self.ms, **(vars(self.work) if self.work else {})}


def measure(axis: Axis, directory: Path, sizes: Sequence[int], note: Callable[[str], None]) -> list[Point]:
    """Measure a unit at each size; the sizes have their turns in each round, so that what disturbs hits all alike."""
    subjects: dict[int, Subject] = {}
    least = dict.fromkeys(sizes, float("inf"))
    try:
        for size in sizes:
            place = directory / f"{axis.name}-{size}"
            place.mkdir()
            begun = time.monotonic()
            subjects[size] = axis.make(place, size)
            note(f"{axis.name} {size}: made in {time.monotonic() - begun:.0f} s")
            _round(subjects[size], 1 if axis.each > 1 else 0)
        for _ in range(axis.rounds):
            for size in sizes:
                least[size] = min(least[size], _round(subjects[size], axis.each))
        points = []
        for size, subject in subjects.items():
            work = None
            if axis.is_counted:
                subject.prepare()
                work = work_of(subject.conn, subject.work)
            points.append(Point(size, round(1000 * least[size], 3), work))
            note(f"{axis.name} {size}: {points[-1].ms} ms, {points[-1].work}")
        return points
    finally:
        for subject in subjects.values():
            subject.close()


def _round(subject: Subject, count: int) -> float:
    """Return the mean processor time of a unit, in seconds."""
    used_s = 0.0
    for _ in range(count):
        subject.prepare()
        begun = time.process_time()
        own_s = subject.work()
        used_s += time.process_time() - begun if own_s is None else own_s
    return used_s / max(1, count) / subject.units


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 230, 46, 14, 34, 40
STYLE = """
    text { font: 11px sans-serif; fill: #57606a } .title { font-weight: 600; fill: #24292f }
    .grid { stroke: #d0d7de; stroke-width: 1 } .curve { fill: none; stroke: #0969da; stroke-width: 2 }
    .point { fill: #0969da } .paper { fill: #ffffff }
    @media (prefers-color-scheme: dark) { text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
    .curve { stroke: #4493f8 } .point { fill: #4493f8 } .paper { fill: #0d1117 } }"""


def drawn(axis: Axis, points: Sequence[Point]) -> str:
    """Draw a curve as SVG: sizes on a logarithmic axis, milliseconds from 0 on."""
    low, high = log10(max(1, points[0].size)), log10(points[-1].size)
    top_ms = _above(max(point.ms for point in points))

    def x(size: int) -> float:
        share = (log10(max(1, size)) - low) / (high - low) if high > low else 0.5
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(ms: float) -> float:
        return round(HEIGHT - BOTTOM - ms / top_ms * (HEIGHT - TOP - BOTTOM), 1)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(axis.unit)}, by {escape(axis.title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="18">{escape(axis.unit)}, ms</text>',
    ]
    for nth in range(5):
        ms = top_ms * nth / 4
        lines.append(f'<path class="grid" d="M{LEFT} {y(ms)}H{WIDTH - RIGHT}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y(ms) + 4}" text-anchor="end">{ms:g}</text>')
    for point in points:
        lines.append(
            f'<text x="{x(point.size)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(point.size)}</text>'
        )
    lines.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(axis.title)}</text>')
    path = " ".join(f"{x(point.size)},{y(point.ms)}" for point in points)
    lines.append(f'<polyline class="curve" points="{path}"/>')
    lines += [f'<circle class="point" cx="{x(point.size)}" cy="{y(point.ms)}" r="3"/>' for point in points]
    return "\n".join([*lines, "</svg>", ""])


def _above(most: float) -> float:
    """Return a round number above."""
    unit = 10.0 ** int(log10(most) // 1)
    return next(unit * times for times in (1.2, 2, 3, 4, 6, 8, 12) if unit * times >= most)


def _short(size: int) -> str:
    """Return a number as an axis shows it."""
    for unit, sign in ((1_000_000, " M"), (1000, " k")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{sign}"
    return f"{size}"
