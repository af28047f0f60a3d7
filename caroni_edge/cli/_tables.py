"""Tables and times, as commands show them to people."""

import shutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import click

from caroni_edge.base.ages import age, duration, lasting
from caroni_edge.base.text import on_one_line
from caroni_edge.cli._output import Shown, is_terminal, painted

COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "completed": "green",
        "online": "green",
        "ready": "green",
        "running": "cyan",
        "initializing": "cyan",
        "stalled": "yellow",
        "held": "yellow",
        "paused": "yellow",
        "failed": "red",
        "broken": "red",
        "offline": "red",
        "cancelled": "bright_black",
    }
)
"""By the first word of a state."""
STATES: Final = ("STATUS", "STATE")
LAST_COLUMN_MIN = 20

UTC = click.option("--utc", is_flag=True, help="Show times as dates in UTC, not as ages.")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return lines in which columns stand below each other; None is shown as `-`.

    On a terminal states have their colours, and what has no room at the end of a line is cut off.
    """
    cells = [list(head), *([on_one_line("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if is_terminal():
        room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(room, LAST_COLUMN_MIN))
        for row in cells:
            row[-1] = row[-1] if len(row[-1]) <= widths[-1] else f"{row[-1][: widths[-1] - 1]}…"
    coloured = [name in STATES for name in cells[0]]
    return [Shown("  ".join(map(_cell, row, widths, coloured)).rstrip()) for row in cells]


def state(text: str) -> Shown:
    """Return a state in its colour."""
    return painted(text, COLOURS.get(text.partition(" ")[0]))


def when(stamp: str | None, *, utc: bool) -> str:
    """Return a moment (RFC 3339) as an age, or as it is; `-` for none."""
    if stamp is None:
        return "-"
    return stamp if utc else age(stamp)


def took(began: str | None, duration_s: float | None) -> str:
    """Return how long something took, or has lasted that goes on; `-` for what has not begun."""
    if duration_s is not None:
        return duration(duration_s)
    return "-" if began is None else lasting(began)


def _cell(text: str, width: int, is_state: bool) -> str:
    padding = " " * (width - len(text))
    return f"{state(text) if is_state else text}{padding}"
