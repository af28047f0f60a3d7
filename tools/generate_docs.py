"""Writes the documents that are made from the code, or checks that they are what the code says.

python -m tools.generate_docs --write      (make docs)
python -m tools.generate_docs --check      (part of make check)
"""

import argparse
import ast
import difflib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click

import caroni_edge.agent.lifecycle
import caroni_edge.manager.lifecycle
from caroni_edge import cli
from caroni_edge.base.states import mermaid
from caroni_edge.protocol.schema import json_schema
from tools import asyncapi, cwl_table, files_reference
from tools.examples import exemplified

DOCS = Path(__file__).parents[1] / "docs"
MADE = "Made from the code by `make docs`; do not edit."
MADE_BELOW = "<!-- Below: made from the code by `make docs`; do not edit. -->\n"
TRACE = re.compile(
    r"^(<!-- (tests/golden/\w+\.txt), put here by `make docs` -->\n```text\n).*?^```$", re.MULTILINE | re.DOTALL
)
HELP_WIDTH = 100
LINES_SHOWN_MAX = 20


def schema() -> str:
    """Return the JSON Schema of the messages, with an example of each."""
    spec = json_schema()
    spec["$defs"] = exemplified(spec["$defs"])
    return json.dumps(spec, indent=2, ensure_ascii=False) + "\n"


def asyncapi_document() -> str:
    """Return the AsyncAPI document."""
    return f"# {MADE}\n{asyncapi.document()}"


def states() -> str:
    """Return a page with a diagram of every state table."""
    roles = {"Workflow manager": caroni_edge.manager.lifecycle, "Agent": caroni_edge.agent.lifecycle}
    lines = [
        f"<!-- {MADE} -->",
        "# States",
        "",
        "The arrows are events. One that comes from outside and has no arrow changes nothing and is logged; one that a",
        "node decides on itself always has an arrow, or it is an error (`caroni_edge/base/states.py`).",
    ]
    for role, module in roles.items():
        lines += ["", f"## {role}"]
        for name, table in tables(module):
            states, events = type(next(iter(table))), type(next(event for row in table.values() for event in row))
            lines += ["", f"### {role}: {name.lower()}", "", "```mermaid", mermaid(table), "```"]
            lines += ["", *members(states, "state"), "", *members(events, "event")]
    return "\n".join(lines) + "\n"


def members(kind: type[Enum], word: str) -> Iterator[str]:
    """Yield a table of the members of an enumeration, with what is written below each of them in the code."""
    yield f"| {word} | {inspect.getdoc(kind)} |"
    yield "|---|---|"
    (written,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(written, ast.ClassDef)
    for member, text in pairwise((*written.body, ast.Pass())):
        match member, text:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(said))):
                yield f"| `{kind[name].value}` | {' '.join(said.split())} |"
            case ast.Assign(), _:
                raise SystemExit(f"{kind.__name__}: say below line {member.lineno} of the class what it means")


def tables(module: ModuleType) -> Iterator[tuple[str, Mapping[Any, Mapping[Any, Any]]]]:
    """Yield the state tables of a lifecycle: public mappings whose keys are states."""
    for name, value in vars(module).items():
        if (
            name.isupper()
            and not name.startswith("_")
            and isinstance(value, Mapping)
            and isinstance(next(iter(value)), Enum)
        ):
            yield name, value


def commands() -> str:
    """Return a page with the help of every command."""
    lines = [f"<!-- {MADE} -->", "# The command line"]
    group = cli.main
    with click.Context(group, info_name="caroni-edge", terminal_width=HELP_WIDTH, max_content_width=HELP_WIDTH) as top:
        lines += ["", "```text", group.get_help(top), "```"]
        for name in group.list_commands(top):
            command = group.get_command(top, name)
            if command is not None:
                lines += ["", f"## caroni-edge {name}", "", "```text", help_of(command, name, top), "```"]
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n"


def help_of(command: click.Command, name: str, top: click.Context) -> str:
    """Return what `--help` of a command prints."""
    with click.Context(command, parent=top, info_name=name, terminal_width=HELP_WIDTH) as context:
        return command.get_help(context)


def written_and(name: str, made: str) -> str:
    """Return a page: what is written there, and below it what is made."""
    written, _, _ = (DOCS / name).read_text(encoding="utf-8").partition(MADE_BELOW)
    return f"{written}{MADE_BELOW}\n{made}"


def protocol() -> str:
    """Return the page about the protocol: what is written there, with the golden traces that it shows."""
    written = (DOCS / "protocol.md").read_text(encoding="utf-8")
    return TRACE.sub(lambda found: f"{found[1]}{(DOCS.parent / found[2]).read_text(encoding='utf-8')}```", written)


DOCUMENTS: dict[str, Callable[[], str]] = {
    "reference/messages.schema.json": schema,
    "reference/asyncapi.yaml": asyncapi_document,
    "reference/states.md": states,
    "reference/cli.md": commands,
    "reference/manager.yaml.md": lambda: f"<!-- {MADE} -->\n{files_reference.node_file('manager')}",
    "reference/agent.yaml.md": lambda: f"<!-- {MADE} -->\n{files_reference.node_file('agent')}",
    "reference/jobtype.yaml.md": lambda: written_and("reference/jobtype.yaml.md", files_reference.job_type_file()),
    "cwl.md": lambda: written_and("cwl.md", cwl_table.tables()),
    "protocol.md": protocol,
}


def main() -> int:
    """Write or check all documents; return the exit status."""
    parser = argparse.ArgumentParser(description="The documents in docs/ that are made from the code.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write them")
    what.add_argument("--check", action="store_true", help="fail when one differs from the code")
    write = parser.parse_args().write
    differing = [name for name, make in DOCUMENTS.items() if differs(DOCS / name, make(), write=write)]
    if differing and not write:
        print(
            f"{', '.join(differing)}: not what the code says. Run `make docs` and commit the result.", file=sys.stderr
        )
        return 1
    return 0


def differs(path: Path, text: str, *, write: bool) -> bool:
    """Compare a document with what the code says now; write it, or show the difference."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before == text:
        return False
    if write:
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(DOCS.parent)}")
    else:
        lines = difflib.unified_diff(before.splitlines(), text.splitlines(), path.name, "the code", lineterm="", n=1)
        for line, _ in zip(lines, range(LINES_SHOWN_MAX), strict=False):
            print(line, file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main())
