"""What commands print. Much of it was written by somebody else: none of it may command the terminal or forge a line."""

import json
import sys
from typing import Any

import click

from caroni_edge.base.text import on_lines, on_one_line

_BEYOND_16_BITS = 0xFFFF


def say(line: str = "", *, err: bool = False) -> None:
    """Print a line, on standard error if asked for."""
    click.echo(on_one_line(line), err=err)


def say_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON, on one line where `indent` is None."""
    click.echo(shown_json(value, indent))


def say_text(text: str, *, raw: bool = False) -> None:
    """Print a text of several lines, or a piece of one; `raw` as it is, which click would not do by itself."""
    click.echo(text if raw else on_lines(text), nl=False, color=True)


def shown_json(value: Any, indent: int | None = 2) -> str:
    """Return a value as JSON for people and programs: what no terminal should get is escaped within its texts."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > _BEYOND_16_BITS else f"\\u{ord(char):04x}"
