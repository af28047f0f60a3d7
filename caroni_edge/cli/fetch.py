"""`caroni-edge fetch`: brings the files and directories that a workflow has given."""

from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import click

from caroni_edge.base.errors import CaroniError, UsageError
from caroni_edge.cli._api_client import Api, manager_api
from caroni_edge.cli._bringing import Bringer, Brought
from caroni_edge.cli._ids import complete_workflow, find_workflow, part
from caroni_edge.cli._output import say, say_json
from caroni_edge.cli._starting import duration_option


class NoFiles(CaroniError):
    """{workflow}: {what}."""

    hint = "`caroni-edge status {workflow} --outputs` shows what there is."


@click.command(epilog="Example: caroni-edge fetch last thumb -o results")
@click.argument("workflow", shell_complete=complete_workflow)
@click.argument("output", required=False)
@click.option(
    "-o",
    "--output-dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the files go; it is made if need be.  [default: here]",
)
@click.option("--timeout", "timeout_s", callback=duration_option, metavar="DURATION", help="Give up after so long.")
@manager_api
def fetch(api: Api, /, workflow: str, output: str | None, directory: Path, timeout_s: float | None) -> None:
    """Bring the files among the outputs of WORKFLOW, or those of one OUTPUT, into a directory.

    OUTPUT is the name of one, or STEP/NAME for that of a step. What lies at an agent comes from there, over the
    broker; it must be connected then. A file that is there already is left as it is; what broke off goes on. Of
    directories comes all that is in them.
    """
    workflow = find_workflow(api, workflow)
    give_up_at = inf if timeout_s is None else monotonic() + timeout_s
    bringer = Bringer(api, directory, give_up_at)
    found = list(_files(_values(api, workflow, output)))
    if not found:
        raise NoFiles("", workflow=workflow, what="there are no files among these outputs")
    brought: list[Brought] = []
    for name, value in found:
        brought.append(bringer.bring(name, value))
        if not api.as_json:
            say(str(brought[-1].path))
    if api.as_json:
        say_json([{**each._asdict(), "path": str(each.path)} for each in brought])


def _values(api: Api, workflow: str, output: str | None) -> Mapping[str, Any]:
    """Return the outputs that are asked for, by their names."""
    from caroni_edge.documents.documents import nearest  # noqa: PLC0415

    step, slash, name = (output or "").rpartition("/")
    run = api.get(f"/api/workflows/{part(workflow)}", limit=1)
    if slash:
        steps = api.get(f"/api/workflows/{part(workflow)}/steps", limit=1000)["steps"]
        if step not in steps:
            raise UsageError(output or "", f"{workflow} has no step {step}{nearest(step, steps)}")
        status, outputs = steps[step]["status"], steps[step]["outputs"]
    else:
        status, outputs = run["status"], run["outputs"]
    if outputs is None:
        raise NoFiles(
            "", workflow=workflow, what=f"it is {status}, and has no outputs{' yet' if not run['ended'] else ''}"
        )
    if output is None:
        return dict(outputs)
    if name not in outputs:
        raise UsageError(output, f"there is no output {name}{nearest(name, outputs)}")
    return {name: outputs[name]}


def _files(outputs: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files and directories in outputs, each with the name of the output and all that belongs to it."""
    for name, value in outputs.items():
        todo = [value]
        while todo:
            match todo.pop(0):
                case {"class": "File"} as file:
                    yield name, file
                    todo += file.get("secondaryFiles") or []
                case {"class": "Directory"} as directory:
                    yield name, directory
                case dict() as fields:
                    todo += fields.values()
                case list() as items:
                    todo = [*items, *todo]
