"""`caroni-edge retry`: gives failed steps fresh attempts."""

from typing import Any

import click

from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._filters import YES, act_on_many, filters, one_or_many
from caroni_edge.cli._ids import complete_workflow, find_workflow, part


@click.command(epilog="Example: caroni-edge retry w1")
@click.argument("workflow", required=False, shell_complete=complete_workflow)
@filters
@YES
@asked_api
def retry(api: Api, workflow: str | None, wanted: dict[str, Any], yes: bool) -> None:
    """Give the steps of WORKFLOW that failed or are in doubt fresh attempts; what has completed stays.

    Without WORKFLOW, to all that the options name; how many these are is shown and asked before.
    """
    one_or_many(workflow, wanted, "retry")
    if workflow is None:
        act_on_many(api, "retry", "retried", wanted, yes=yes)
        return
    answer = api.post(f"/api/workflows/{part(find_workflow(api, workflow))}/retry")
    api.show(answer, [f"{answer['id']} is {answer['status']}"])
