"""`caroni-edge pause`: holds the new workflows of a template."""

import click

from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._ids import complete_template, part


@click.command(epilog="Example: caroni-edge pause alarm")
@click.argument("template", shell_complete=complete_template)
@manager_api
def pause(api: Api, template: str) -> None:
    """Hold the new workflows of TEMPLATE until it is resumed; what runs goes on.

    They are taken, by whatever they are started, and begin in their order when it is resumed.
    """
    answer = api.post(f"/api/templates/{part(template)}/pause")
    held = f"{answer['held']} workflow{' is' if answer['held'] == 1 else 's are'}"
    api.show(answer, [f"{template} is paused; {held} held"])
