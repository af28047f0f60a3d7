"""`caroni-edge retry`: gives failed steps fresh attempts."""

import click

from caroni_edge.cli._api_client import Api, manager_api, whole_workflow


@click.command(epilog="Example: caroni-edge retry w1")
@click.argument("workflow")
@manager_api
def retry(api: Api, workflow: str) -> None:
    """Give the steps of WORKFLOW that failed or are in doubt fresh attempts; what has completed stays."""
    answer = api.post(f"/api/workflows/{whole_workflow(workflow)}/retry")
    api.show(answer, [f"{workflow} is {answer['status']}"])
