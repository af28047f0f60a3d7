"""`caroni-edge resume`: lets the workflows of a template begin that were held."""

import click

from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._ids import complete_template, part


@click.command(epilog="Example: caroni-edge resume alarm")
@click.argument("template", shell_complete=complete_template)
@manager_api
def resume(api: Api, template: str) -> None:
    """Let the workflows of TEMPLATE begin that are held, in their order."""
    answer = api.post(f"/api/templates/{part(template)}/resume")
    left = f"; {answer['held']} that were held begin now" if answer["held"] else ""
    api.show(answer, [f"{template} is resumed{left}"])
