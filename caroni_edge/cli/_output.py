"""What commands print. Much of it was written by somebody else: none of it may command the terminal or forge a line."""

import json
import os
import sys
from typing import Any

import click

from caroni_edge.base.text import on_lines, on_one_line

_BEYOND_16_BITS = 0xFFFF


class Shown(str):
    """A line that is printed as it stands: what others wrote in it is escaped already, and it may have colours."""

    __slots__ = ()


def say(line: str = "", *, err: bool = False) -> None:
    """Print a line, on standard error if asked for."""
    click.echo(line if isinstance(line, Shown) else on_one_line(line), err=err)


def painted(text: str, colour: str | None) -> Shown:
    """Return a text in a colour, where standard output is a terminal that shows any and NO_COLOR does not forbid it."""
    text = on_one_line(text)
    return Shown(click.style(text, fg=colour) if colour and has_colours() else text)


def has_colours() -> bool:
    """Tell whether people who look at standard output see colours (no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say_json(value: Any, indent: int | None = 2, *, err: bool = False) -> None:
    """Print a value as JSON, on one line where `indent` is None; on standard error if asked for."""
    click.echo(shown_json(value, indent), err=err)


def say_text(text: str, *, raw: bool = False, err: bool = False) -> None:
    """Print a text of several lines, or a piece of one; `raw` as it is, which click would not do by itself."""
    click.echo(text if raw else on_lines(text), nl=False, color=True, err=err)


def shown_json(value: Any, indent: int | None = 2) -> str:
    """Return a value as JSON for people and programs: what no terminal should get is escaped within its texts."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def is_terminal(*, err: bool = False) -> bool:
    """Tell whether standard output is a terminal, or standard error if asked for."""
    return (sys.stderr if err else sys.stdout).isatty()


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > _BEYOND_16_BITS else f"\\u{ord(char):04x}"
