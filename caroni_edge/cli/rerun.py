"""`caroni-edge rerun`: starts another workflow like one that is there."""

import click

from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._brokers import check_segment
from caroni_edge.cli._ids import complete_workflow, find_workflow, part
from caroni_edge.cli._starting import inputs_of


@click.command(epilog="Example: caroni-edge rerun last -i message=bye")
@click.argument("workflow", shell_complete=complete_workflow)
@click.option("-i", "--input", "pairs", multiple=True, metavar="NAME=TEXT", help="An input that differs; NAME:=JSON.")
@click.option("--id", "new_id", metavar="ID", help="Id of the new workflow; the same one never starts it twice.")
@manager_api
def rerun(api: Api, workflow: str, pairs: tuple[str, ...], new_id: str | None) -> None:
    """Start another workflow with the inputs of WORKFLOW, or some changed, and print its id.

    Its template is taken as it is now. An input that is given as NAME:=null gets its default.
    """
    if new_id is not None:
        check_segment("--id", new_id)
    inputs = inputs_of(pairs)
    answer = api.post(f"/api/workflows/{part(find_workflow(api, workflow))}/rerun", {"inputs": inputs, "id": new_id})
    api.show(answer, [answer["id"]])
