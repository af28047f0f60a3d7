"""`caroni-edge delete`: removes workflows that have ended."""

from typing import Any

import click

from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._filters import YES, act_on_many, filters, one_or_many
from caroni_edge.cli._ids import complete_workflow, find_workflow, part


@click.command(epilog="Example: caroni-edge delete w1 w2")
@click.argument("workflows", nargs=-1, metavar="[WORKFLOW]...", shell_complete=complete_workflow)
@filters
@YES
@manager_api
def delete(api: Api, workflows: tuple[str, ...], wanted: dict[str, Any], yes: bool) -> None:
    """Remove each WORKFLOW, which must have ended, with its steps, attempts and logs.

    Without WORKFLOW, all that the options name; how many these are is shown and asked before.
    """
    one_or_many(workflows[0] if workflows else None, wanted, "delete")
    if not workflows:
        act_on_many(api, "delete", "deleted", wanted, yes=yes)
        return
    found = dict.fromkeys(find_workflow(api, workflow) for workflow in workflows)
    for each in found:
        answer = api.delete(f"/api/workflows/{part(each)}")
        api.show(answer, [f"{each} is deleted"])
