"""`caroni-edge manager`: the workflow manager daemon."""

import gc
import os
import sys
from pathlib import Path

import click

from caroni_edge.cli._files import FILE


@click.command(epilog="Example: caroni-edge manager --config /etc/caroni-edge/manager.yaml")
@click.option("--config", required=True, type=FILE, help="The manager's configuration.")
def manager(config: Path) -> None:
    """Run a workflow manager, in the foreground.

    SIGTERM stops it cleanly; SIGHUP re-reads the templates and what else may change.
    """
    gc.disable()  # until it has started (`Daemon.run`)
    from caroni_edge.manager.daemon import ManagerDaemon  # noqa: PLC0415

    sys.exit(ManagerDaemon(config, os.environ).run())
