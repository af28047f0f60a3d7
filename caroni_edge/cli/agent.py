"""`caroni-edge agent`: the agent daemon."""

import gc
import os
import sys
from pathlib import Path

import click

from caroni_edge.base.process1 import be_child_of_process_1
from caroni_edge.cli._files import FILE


@click.command(epilog="Example: caroni-edge agent --config /etc/caroni-edge/agent.yaml")
@click.option("--config", required=True, type=FILE, help="The agent's configuration.")
def agent(config: Path) -> None:
    """Run an agent, in the foreground.

    SIGTERM stops it cleanly: jobs that run go on, and are found again when it is back. SIGHUP re-reads the job types
    and what else may change.
    """
    be_child_of_process_1()
    gc.disable()  # until it has started (`Daemon.run`)
    from caroni_edge.agent.daemon import AgentDaemon  # noqa: PLC0415

    sys.exit(AgentDaemon(config, os.environ).run())
