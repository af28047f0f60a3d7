"""`caroni-edge backup`: the state database of a node is copied while the node works."""

from pathlib import Path

import click

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._files import FILE
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli.check_config import load_node


@click.command(
    epilog="Example: caroni-edge backup --config /etc/caroni-edge/manager.yaml /var/backups/m1-$(date +%F).db"
)
@click.argument("to", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--config", required=True, type=FILE, help="The configuration of the node.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def backup(to: Path, config: Path, as_json: bool) -> None:
    """Copy the state database of a node into FILE, while the node works or is stopped.

    The copy is the state after one of the node's commits, and is looked through before it gets its name. Run it as the
    node's user or as root. docs/operations.md says how a copy is put back, and what follows.
    """
    from caroni_edge.node.startup import DATABASE  # noqa: PLC0415
    from caroni_edge.storage.database import copy_database  # noqa: PLC0415

    path = load_node(config).state_dir / DATABASE
    if not path.exists():
        raise UsageError(str(path), "there is no state database yet", "The first start of the node makes it.")
    if to.exists():
        raise UsageError(str(to), "this file is there already", "Choose another name: nothing is overwritten.")
    copied_bytes = copy_database(path, to)
    if as_json:
        say_json({"file": str(to), "bytes": copied_bytes})
    else:
        say(f"copied {path} to {to}: {copied_bytes} bytes")
