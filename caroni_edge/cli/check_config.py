"""`caroni-edge check-config`: every error of configuration, template and job type files."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

import click
from msgspec import Struct, to_builtins

from caroni_edge.cli._output import say, say_json
from caroni_edge.cli._summary import Summary, lines_of, summary_of
from caroni_edge.config import AGENT_KEYS, MANAGER_KEYS, AgentConfig, Key, ManagerConfig, load_agent, load_manager
from caroni_edge.config.kinds import CREDENTIALS
from caroni_edge.documents.documents import Problem, Problems, in_order, load
from caroni_edge.documents.files import Files
from caroni_edge.javascript.syntax import Reader


@dataclass(frozen=True)
class Checked:
    """One file that was checked, and what is wrong with it.

    Attributes:
        file: As it was named.
        kind: What it was read as; empty when that could not be told.
        problems: Errors and warnings, of the files that it leads to as well.
        plan: What a workflow without mistakes becomes.
    """

    file: Path
    kind: str
    problems: tuple[Problem, ...]
    plan: Struct | None = None

    @property
    def ok(self) -> bool:
        """Whether the file can be used: nothing is wrong with it but warnings."""
        return all(problem.warning for problem in self.problems)


def _manager(path: Path) -> Iterable[Problem]:
    from caroni_edge.manager.templates.library import load_templates  # noqa: PLC0415
    from caroni_edge.manager.triggers.checking import automation_mistakes  # noqa: PLC0415

    config = load_manager(path, os.environ)
    templates = load_templates(config.templates, None, config.roots)
    warnings = [problem for template in templates.loaded.values() for problem in template.warnings]
    warnings += automation_mistakes(config, [*templates.loaded, *templates.errors])
    return [*warnings, *(problem for problems in templates.errors.values() for problem in problems)]


def _agent(path: Path) -> Iterable[Problem]:
    from caroni_edge.agent.fitness import why_not_here  # noqa: PLC0415
    from caroni_edge.agent.jobtypes import load_job_types  # noqa: PLC0415

    config = load_agent(path, os.environ)
    job_types = load_job_types(config.job_types).only(
        lambda each: why_not_here(each, config, os.environ.get(CREDENTIALS), able=None)
    )
    return [problem for problems in job_types.errors.values() for problem in problems]


def _template(path: Path, files: Files, reader: Reader | None = None) -> Checked:
    from caroni_edge.manager.templates.library import check_file  # noqa: PLC0415

    found = check_file(path, files, reader)
    return Checked(path, "template", found.problems, found.plan)


def _job_type(path: Path) -> Iterable[Problem]:
    from caroni_edge.agent.jobtypes import load_job_type  # noqa: PLC0415

    load_job_type(path)
    return ()


CHECKS: Final[Mapping[str, Callable[[Path], Iterable[Problem]]]] = {
    "manager": _manager,
    "agent": _agent,
    "template": lambda path: check(path, "template").problems,
    "job-type": _job_type,
}


def _sections(keys: Iterable[Key]) -> frozenset[str]:
    return frozenset(key.name.partition(".")[0] for key in keys)


TELLTALES: Final = {
    "template": frozenset({"class", "$graph"}),
    "manager": frozenset({"templates"}),
    "agent": frozenset({"job_types"}),
}
"""Keys that only one kind of file has, looked at first."""

KEYS: Final = {
    "manager": _sections(MANAGER_KEYS),
    "agent": _sections(AGENT_KEYS),
    "template": frozenset({"cwlVersion", "inputs", "outputs", "steps", "requirements", "hints", "doc", "$namespaces"}),
    "job-type": frozenset(
        {
            *("name", "inputs", "outputs", "script", "command", "interpreter", "environment", "limits", "repeat"),
            *("needs", "parallel", "sandbox", "secrets"),
        }
    ),
}
"""What each kind of file may hold, where the telltale is missing: most in common wins."""


@click.command(epilog="Example: caroni-edge check-config manager.yaml templates/*.cwl")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(list(CHECKS)), help="Read every FILE as this, whatever it looks like.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--cwl", "with_plan", is_flag=True, help="Print the plan that each workflow becomes, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def check_config(files: tuple[Path, ...], kind: str | None, strict: bool, with_plan: bool, as_json: bool) -> None:
    """Check configuration, template and job type files.

    A manager's configuration is checked with its templates, an agent's with its job types. A folder stands for all CWL
    files below it, which may lead to each other; how many can be used, and why the others cannot, is said at the end.
    """
    roots = _roots(files, kind)
    answers = [_strictly(each) if strict else each for path in files for each in _check_all(path, kind, roots)]
    has_folder = any(path.is_dir() for path in files)
    summary = summary_of([each.problems for each in answers if each.kind == "template"]) if has_folder else None
    if as_json:
        say_json(_as_json(answers, summary, with_plan))
    else:
        for answer in answers:
            _print(answer, with_plan)
        for line in lines_of(summary) if summary else ():
            say(line, err=with_plan)
    if not all(answer.ok for answer in answers):
        sys.exit(2)


def check(path: Path, kind: str | None = None, roots: tuple[Path, ...] = ()) -> Checked:
    """Check a file as `kind`, or as the kind of file that its keys tell.

    Args:
        path: The file.
        kind: What it is; None: what it looks like.
        roots: The folders that a template may lead to, beside its own.
    """
    try:
        kind = kind or kind_of(path, load(path).value)
        if kind == "template":
            return _template(path, Files((path.parent, *roots)))
        return Checked(path, kind, in_order(CHECKS[kind](path)))
    except Problems as error:
        return Checked(path, kind or "", error.problems)


def _check_all(path: Path, kind: str | None, roots: tuple[Path, ...]) -> Iterator[Checked]:
    """Check a file, or all CWL files of a folder."""
    if not path.is_dir():
        yield check(path, kind, roots)
        return
    files = Files((path, *roots))
    found = sorted(_cwl_files(path))
    if not found:
        yield Checked(path, "template", (Problem(str(path), "there are no CWL files in this folder"),))
    with Reader() as reader:
        for each in found:
            yield _template(each, files, reader)


def _cwl_files(folder: Path) -> Iterator[Path]:
    """Return the CWL files of a folder and of those below it: not hidden ones, and not through links to folders."""
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if name.endswith(".cwl") and not name.startswith("."))


def _roots(files: Iterable[Path], kind: str | None) -> tuple[Path, ...]:
    """Return the folders that the manager's configurations among the files name."""
    found: list[Path] = []
    for path in files if kind is None else ():
        try:
            config = load_node(path) if path.suffix in (".yaml", ".yml") else None
        except Problems:  # told when the file is checked
            continue
        found += [config.templates, *config.roots] if isinstance(config, ManagerConfig) else []
    return tuple(found)


def _strictly(answer: Checked) -> Checked:
    return replace(answer, problems=tuple(replace(each, warning=False) for each in answer.problems))


def node_role(path: Path) -> Literal["manager", "agent"]:
    """Tell whether a configuration is a manager's or an agent's.

    Raises:
        Problems: It is neither, or cannot be read.
    """
    match kind_of(path, load(path).value):
        case "manager":
            return "manager"
        case "agent":
            return "agent"
        case other:
            raise Problems([Problem(str(path), f"this is a {other}, not the configuration of a manager or an agent")])


def load_node(path: Path) -> ManagerConfig | AgentConfig:
    """Load the configuration of a node, whichever it is.

    Raises:
        Problems: All that is wrong with it.
    """
    return load_manager(path, os.environ) if node_role(path) == "manager" else load_agent(path, os.environ)


def kind_of(path: Path, value: object) -> str:
    """Return which kind of file this is meant to be, by the keys that it has.

    Raises:
        Problems: It could be anything.
    """
    keys = value.keys() if isinstance(value, dict) else frozenset[str]()
    for kind, telltale in TELLTALES.items():
        if telltale & keys:
            return kind
    common = {kind: len(known & keys) for kind, known in KEYS.items()}
    best = [kind for kind, count in common.items() if count and count == max(common.values())]
    named = [kind for kind in best if kind in path.stem]
    for kinds in (best, named):
        if len(kinds) == 1:
            return kinds[0]
    raise Problems([Problem(str(path), f"cannot tell what this file is: say --kind {'|'.join(best or CHECKS)}")])


def _print(answer: Checked, with_plan: bool) -> None:
    for problem in answer.problems:
        say(str(problem), err=with_plan)
    if with_plan and answer.plan is not None:
        say_json(to_builtins(answer.plan))
    elif answer.ok:
        say(f"{answer.file}: ok ({answer.kind})", err=with_plan)


def _as_json(answers: list[Checked], summary: Summary | None, with_plan: bool) -> dict[str, object]:
    files = [_file_as_json(each, with_plan) for each in answers]
    return {"ok": all(answer.ok for answer in answers), "files": files} | ({"summary": summary} if summary else {})


def _file_as_json(answer: Checked, with_plan: bool) -> dict[str, object]:
    plan = {"plan": to_builtins(answer.plan)} if with_plan and answer.plan is not None else {}
    problems = [{key: each for key, each in asdict(problem).items() if each != ""} for problem in answer.problems]
    return {"file": str(answer.file), "kind": answer.kind or None, "ok": answer.ok, "problems": problems, **plan}
