"""`caroni-edge cwl-run`: one workflow, with a manager and an agent of its own, as `cwl-runner` commands do it."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import url2pathname

import click

from caroni_edge import __version__
from caroni_edge.cli._output import say, say_json
from caroni_edge.documents.documents import Problem, Problems, load

UNSUPPORTED = 33
"""What `cwl-runner` commands exit with where a document needs what they do not serve."""


@click.command(epilog="Example: caroni-edge cwl-run flow.cwl inputs.yaml --job-types jobtypes")
@click.argument("file", metavar="FILE[#PART]")
@click.argument("job", metavar="[JOB]", required=False)
@click.option("--job-types", type=click.Path(path_type=Path), help="Folder of the job types that its steps name.")
@click.option("--root", "roots", multiple=True, type=click.Path(path_type=Path), help="Further folder of CWL files.")
@click.option("--outdir", type=click.Path(path_type=Path), help="Folder that the files of outputs are written to.")
@click.option("--quiet", is_flag=True, help="Leave out warnings.")
@click.version_option(__version__, prog_name="caroni-edge")
def cwl_run(
    file: str, job: str | None, job_types: Path | None, roots: tuple[Path, ...], outdir: Path | None, quiet: bool
) -> None:
    """Run a CWL workflow to its end, and print its outputs as JSON.

    A manager and an agent run in this process, without a broker. JOB is a file with the inputs, as YAML or JSON; files
    that it names by paths, up to 16 KiB each, are taken along; those at http and https addresses, of any size, are
    fetched for the jobs that take them. Exit status: 0 done, 1 the workflow failed, 2 something
    is wrong with FILE or JOB, 33 it needs what is not served yet.
    """
    from caroni_edge.agent.jobtypes import JobTypes, load_job_types  # noqa: PLC0415
    from caroni_edge.cli._cwl_files import hosts_of, taken_along, written  # noqa: PLC0415
    from caroni_edge.embedded import Embedded  # noqa: PLC0415
    from caroni_edge.manager.lifecycle import WorkflowState  # noqa: PLC0415
    from caroni_edge.manager.templates.library import Template, Templates, load_template  # noqa: PLC0415
    from caroni_edge.protocol.triggers import Trigger  # noqa: PLC0415

    name, _, part = file.partition("#")
    try:
        template: Template = replace(load_template(_path(name), roots, part), name="run")
        given = _inputs(_path(job)) if job is not None else {}
        folder, uses = _path(job or "").parent, {each.name: each.files for each in template.plan.inputs}
        inputs = {name: taken_along(value, folder, uses.get(name)) for name, value in given.items()}
        types = load_job_types(job_types) if job_types is not None else JobTypes({}, {})
    except Problems as error:
        _refuse(error.problems)
    for problem in () if quiet else template.warnings:
        say(str(problem), err=True)
    _check_job_types(template.plan.job_types - types.loaded.keys(), types.errors)
    known = {each.name for each in template.plan.inputs}
    for other in inputs.keys() - known if not quiet else ():
        say(f'{job}: warning: the workflow has no input "{other}"', err=True)
    trigger = Trigger(template="run", inputs={key: value for key, value in inputs.items() if key in known}, id="run")
    defaults = [each.default for each in template.plan.inputs]
    with Embedded(Templates({"run": template}, {}), types, hosts_of([trigger.inputs, defaults])) as nodes:
        ended = nodes.run(trigger)
    if ended.status is not WorkflowState.COMPLETED:
        say(f"the workflow is {ended.status}: {ended.reason or 'no reason is known'}", err=True)
        sys.exit(1)
    outputs = _decoded(ended.outputs)
    say_json(outputs if outdir is None else written(outputs, outdir))


def _path(written: str) -> Path:
    """Return the file that a path or a `file:` URI names."""
    return Path(url2pathname(written.removeprefix("file:"))) if written.startswith("file:///") else Path(written)


def _inputs(path: Path) -> dict[str, Any]:
    """Return what a file of inputs says.

    Raises:
        Problems: It is none.
    """
    document = load(path)
    if not isinstance(document.value, dict | None):
        raise Problems([Problem(document.where(), "a file of inputs is an object: names and values")])
    return {key: value for key, value in (document.value or {}).items() if ":" not in key and not key.startswith("$")}


def _check_job_types(missing: frozenset[str], errors: Any) -> None:
    """End where steps name job types that are not there."""
    for name in sorted(missing):
        for problem in errors.get(name, ()):
            say(str(problem), err=True)
        say(f"no job type is called {name}: --job-types names the folder that has it", err=True)
    if missing:
        sys.exit(2)


def _refuse(problems: tuple[Problem, ...]) -> NoReturn:
    for problem in problems:
        say(str(problem), err=True)
    errors = [problem for problem in problems if not problem.warning]
    sys.exit(UNSUPPORTED if errors and all(problem.needs for problem in errors) else 2)


def _decoded(outputs: str | None) -> Any:
    from caroni_edge.values.json import from_text  # noqa: PLC0415

    return from_text(outputs) if outputs is not None else {}
