"""The command line: one file a command, imported when that command is used.

The file of a command is called like it, and so is its function: `check-config` is `check_config` in `check_config.py`.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from caroni_edge import __version__
from caroni_edge.base.errors import CaroniError
from caroni_edge.cli._output import say, say_json

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "demo": "Show a workflow crossing two agents, on a broker of its own.",
        "init": "Write a commented starter configuration into DIR.",
        "check-config": "Check configuration, template and job type files.",
        "cwl-run": "Run a CWL workflow to its end, and print its outputs as JSON.",
        "manager": "Run a workflow manager, in the foreground.",
        "agent": "Run an agent, in the foreground.",
        "broker": "Run the embedded broker (amqtt) on 127.0.0.1, for trying things out.",
        "broker-config": (
            "Write configuration, ACL, passwords and certificates of a broker for these nodes and people."
        ),
        "run": "Start a workflow from TEMPLATE, show its steps until it has ended, and print its outputs as JSON.",
        "submit": "Start a workflow from TEMPLATE, and print its id.",
        "status": "Show workflows, newest first, or the steps of WORKFLOW in the order of its template.",
        "why": "Say why a workflow or a step waits, runs or has failed.",
        "logs": "Show the log of a step: what its job has written to standard error.",
        "fetch": "Bring the files among the outputs of WORKFLOW, or those of one OUTPUT, into a directory.",
        "schedules": (
            "Show the schedules of a manager: what comes next, what was started last, what was missed and why."
        ),
        "triggers": "Show the triggers of a manager: when each last fired, what it started, and why not.",
        "agents": "Show the agents that the manager has heard of, or AGENT with its job types and what it refuses.",
        "templates": (
            "Show the templates: whether each can be started, its inputs and last run; or TEMPLATE with its last runs."
        ),
        "cancel": "End WORKFLOW: waiting steps never start, running jobs are killed.",
        "retry": "Give the steps of WORKFLOW that failed or are in doubt fresh attempts; what has completed stays.",
        "rerun": "Start another workflow with the inputs of WORKFLOW, or some changed, and print its id.",
        "pause": "Hold the new workflows of TEMPLATE until it is resumed; what runs goes on.",
        "resume": "Let the workflows of TEMPLATE begin that are held, in their order.",
        "delete": "Remove each WORKFLOW, which must have ended, with its steps, attempts and logs.",
        "doctor": "Look for what keeps a node from working: broker, limits, identity, disk, clock, state.",
        "backup": "Copy the state database of a node into FILE, while the node works or is stopped.",
        "forget": "Let a node drop PEER, which will not come back: its rows, its jobs, and what it retained.",
        "drain": "Let an agent take no new work and finish what it has; its next start, or --off, ends that.",
        "completion": "Print what makes SHELL complete commands, ids, steps, templates and agents.",
    }
)
"""Every command with its sentence for `--help`, which needs no command to be imported."""

DEBUG = "CARONI_DEBUG"


class Commands(click.Group):
    """A group that imports a command when it is used, and shows errors as sentences."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command, and return the command; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with what has been typed."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; where there is none, say which one may be meant."""
        if args[0].startswith("-") or ctx.resilient_parsing or self.get_command(ctx, args[0]) is not None:
            return super().resolve_command(ctx, args)
        from caroni_edge.documents.documents import nearest  # noqa: PLC0415

        raise click.UsageError(f'there is no command "{args[0]}"{nearest(args[0], COMMANDS)}', ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; an error becomes a sentence, a hint and an exit status."""
        words = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        as_json = "--json" in words
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": not as_json})
        except click.ClickException as error:
            complain(error.format_message(), "`--help` says how it is used.", as_json=as_json)
            sys.exit(error.exit_code)
        except click.Abort:
            complain("Aborted", "", as_json=as_json)
            sys.exit(1)
        except CaroniError as error:
            complain(str(error), error.advice, as_json=as_json)
            sys.exit(error.exit_status)
        except OSError as error:
            complain(f"{error.filename or 'caroni-edge'}: {error.strerror or error}", "", as_json=as_json)
            sys.exit(1)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            hint = f"This should not happen. {DEBUG}=1 shows where it did; please report it."
            complain(f"caroni-edge: {type(error).__name__}: {error}", hint, as_json=as_json)
            sys.exit(1)


def complain(error: str, hint: str, *, as_json: bool) -> None:
    """Print an error on standard error: its sentence, and below it what to do; or both as JSON."""
    if as_json:
        say_json({"error": error, "hint": hint}, indent=None, err=True)
        return
    for line in error.splitlines():
        say(line, err=True)
    if hint:
        say(f"  {hint}", err=True)


@click.group(cls=Commands, epilog="Example: caroni-edge demo")
@click.version_option(__version__, prog_name="caroni-edge", message="%(prog)s %(version)s")
def main() -> None:
    """Workflows over many hosts with no head node, over MQTT."""
