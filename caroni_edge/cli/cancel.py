"""`caroni-edge cancel`: ends a workflow, or many."""

from typing import Any

import click

from caroni_edge.cli._api_client import Api, asked_api
from caroni_edge.cli._filters import YES, act_on_many, filters, one_or_many
from caroni_edge.cli._ids import complete_workflow, find_workflow, part


@click.command(epilog="Example: caroni-edge cancel --template alarm --status stalled")
@click.argument("workflow", required=False, shell_complete=complete_workflow)
@filters
@YES
@asked_api
def cancel(api: Api, workflow: str | None, wanted: dict[str, Any], yes: bool) -> None:
    """End WORKFLOW: waiting steps never start, running jobs are killed.

    Without WORKFLOW, all that the options name; how many these are is shown and asked before.
    """
    one_or_many(workflow, wanted, "cancel")
    if workflow is None:
        act_on_many(api, "cancel", "cancelled", wanted, yes=yes)
        return
    answer = api.post(f"/api/workflows/{part(find_workflow(api, workflow))}/cancel")
    api.show(answer, [f"{answer['id']} is {answer['status']}"])
