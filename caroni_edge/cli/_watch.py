"""Showing something as it changes: in place on a terminal, elsewhere each state once."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from caroni_edge.base.text import on_one_line
from caroni_edge.cli._output import Shown, is_terminal, say

LOOK_EVERY_S = 1.0


class Seen(NamedTuple):
    """What was seen at one look: an answer, its lines for people, and whether nothing more will change."""

    answer: Any
    lines: list[str]
    is_last: bool


Look = Callable[[bool], Seen]
"""Looks; asked to be still, it leaves out of the lines what changes by itself as time passes."""
Pause = Callable[[float], Any]


def watch(look: Look, pause: Pause = time.sleep, *, in_place: bool = True, err: bool = False) -> Any:
    """Show what is seen until it is the last, and return that answer.

    Args:
        look: Looks once.
        pause: Waits for so many seconds.
        in_place: On a terminal it is drawn anew in its place; otherwise each line is said when it is new.
        err: On standard error.
    """
    return _in_place(look, pause, err=err) if in_place and is_terminal(err=err) else _as_lines(look, pause, err=err)


def _as_lines(look: Look, pause: Pause, *, err: bool) -> Any:
    before: list[str] = []
    while True:
        seen = look(True)
        for line in seen.lines:
            if line not in before:
                say(line, err=err)
        before = seen.lines
        if seen.is_last:
            return seen.answer
        pause(LOOK_EVERY_S)


def _in_place(look: Look, pause: Pause, *, err: bool) -> Any:
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Live(console=Console(stderr=err), auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            seen = look(False)
            safe = [line if isinstance(line, Shown) else on_one_line(line) for line in seen.lines]
            live.update(Text.from_ansi("\n".join(safe)), refresh=True)
            if seen.is_last:
                return seen.answer
            pause(LOOK_EVERY_S)
