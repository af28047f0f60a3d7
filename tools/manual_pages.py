"""Writes the manual pages, made from the command line itself: ``python tools/manual_pages.py DIRECTORY``."""

import gzip
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from caroni_edge import __version__
from caroni_edge.cli import COMMANDS, main

PROGRAM = "caroni-edge"


def write_pages(directory: Path) -> None:
    """Write the page of the program, and one of each command."""
    context = click.Context(main, info_name=PROGRAM)
    write(directory, context, main, [f"{PROGRAM}-{name}" for name in COMMANDS])
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        write(directory, click.Context(command, info_name=name, parent=context), command, [PROGRAM])


def write(directory: Path, context: click.Context, command: click.Command, others: list[str]) -> None:
    """Write one page, compressed as Debian wants it; the same program gives the same bytes."""
    name = context.command_path.replace(" ", "-")
    text = page(name, context, command, others).encode()
    with (directory / f"{name}.1.gz").open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text)


def page(name: str, context: click.Context, command: click.Command, others: list[str]) -> str:
    """Return a page in roff."""
    date = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    says, _, more = (command.help or "").partition("\n\n")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{name.upper()}" 1 "{date:%Y-%m-%d}" "Caroni Edge {__version__}" "Caroni Edge"',
        *(".SH NAME", f"{roff(name)} \\- {roff(' '.join(says.split()).rstrip('.'))}"),
        *(".SH SYNOPSIS", f".B {roff(context.command_path)}", roff(usage)),
    ]
    if more.strip():
        lines += [".SH DESCRIPTION", *(roff(line.strip()) or ".PP" for line in more.replace("\b", "").splitlines())]
    records = [each.get_help_record(context) for each in command.get_params(context)]
    lines.append(".SH OPTIONS")
    for options, words in (each for each in records if each is not None):
        lines += [".TP", f".B {roff(options)}", roff(" ".join(words.split()))]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for each, sentence in COMMANDS.items():
            lines += [".TP", f".B {roff(each)}", roff(sentence)]
    if command.epilog:
        lines += [".SH EXAMPLE", roff(command.epilog.removeprefix("Example: "))]
    lines += [
        ".SH EXIT STATUS",
        roff("0: done. 1: the work failed. 2: usage or configuration. 3: nobody answered in time."),
    ]
    lines += [".SH SEE ALSO", ", ".join(f".BR {roff(each)} (1)" for each in others[:1])]
    lines += [f".BR {roff(each)} (1)" for each in others[1:]]
    return "\n".join(lines) + "\n"


def roff(text: str) -> str:
    """Return text as roff shows it."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
