"""`caroni-edge init`: a starter configuration, with its examples."""

import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import click

from caroni_edge.base.errors import UsageError

STARTER = {"manager": ("manager.yaml", "templates"), "agent": ("agent.yaml", "jobtypes")}
"""What each role gets of the package's examples: files and directories."""


@click.command(epilog="Example: caroni-edge init agent ~/my-agent")
@click.argument("role", type=click.Choice(list(STARTER)))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def init(role: Literal["manager", "agent"], directory: Path) -> None:
    """Write a commented starter configuration into DIR.

    A manager gets workflow templates beside it, an agent gets job types. Nothing is ever overwritten.
    """
    files = dict(starter_files(role))
    if there := [directory / name for name in files if (directory / name).exists()]:
        raise UsageError(
            str(there[0]),
            "this file is there already, and nothing was written",
            "Choose another directory, or move the file away.",
        )
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
        click.echo(f"wrote {path}")
    config = shlex.quote(str(directory / f"{role}.yaml"))
    click.echo(f"\nSet `id` and `broker.url` in {config}, then:")
    click.echo(f"  caroni-edge check-config {config}")
    click.echo(f"  caroni-edge {role} --config {config}")


def starter_files(role: Literal["manager", "agent"]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of a starter configuration."""
    root = resources.files("caroni_edge") / "starter"
    for name in STARTER[role]:
        yield from _walk(root / name, name)


def _walk(node: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    if node.is_file():
        yield name, node.read_bytes()
        return
    for child in sorted(node.iterdir(), key=lambda child: child.name):
        yield from _walk(child, f"{name}/{child.name}")
