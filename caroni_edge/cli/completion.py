"""`caroni-edge completion`: what makes a shell complete commands, ids, steps, templates and agents."""

import click
from click.shell_completion import get_completion_class

from caroni_edge.cli._output import say_text

PROGRAM, VARIABLE = "caroni-edge", "_CARONI_EDGE_COMPLETE"


@click.command(epilog="Example: caroni-edge completion bash > ~/.local/share/bash-completion/completions/caroni-edge")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, ids, steps, templates and agents.

    Ids come from the manager that the command would ask: by its options, the environment or a context.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    say_text(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source(), raw=True)
