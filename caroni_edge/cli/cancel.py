"""`caroni-edge cancel`: ends a workflow."""

import click

from caroni_edge.cli._api_client import Api, manager_api, whole_workflow


@click.command(epilog="Example: caroni-edge cancel w1")
@click.argument("workflow")
@manager_api
def cancel(api: Api, workflow: str) -> None:
    """End WORKFLOW: waiting steps never start, running jobs are killed."""
    answer = api.post(f"/api/workflows/{whole_workflow(workflow)}/cancel")
    api.show(answer, [f"{workflow} is {answer['status']}"])
