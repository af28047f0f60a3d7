"""The manager's templates: CWL workflows in a directory, compiled into plans."""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from caroni_edge.documents.assembly import Assembly
from caroni_edge.documents.documents import Document, Problem, Problems, in_order, load, parse
from caroni_edge.documents.files import Files
from caroni_edge.javascript.interpreter import NOT_SERVED, is_installed
from caroni_edge.javascript.syntax import Reader
from caroni_edge.manager.templates.cwl.expressions import FoundScript
from caroni_edge.manager.templates.cwl.features import JAVASCRIPT
from caroni_edge.manager.templates.cwl.requirements import check_requirements
from caroni_edge.manager.templates.cwl.wiring import Wiring
from caroni_edge.manager.templates.cwl.workflow import is_workflow, read_file, read_workflow
from caroni_edge.manager.templates.plan import Plan, plan_hash
from caroni_edge.values.json import shown

SUFFIXES = (".cwl", ".yaml", ".yml")

_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,80}\Z")


@dataclass(frozen=True)
class Template:
    """A template that workflows can be started from.

    Attributes:
        name: Name of the file, without its suffix.
        path: The file.
        plan: The file, compiled.
        hash: Of the plan; the same for equal plans.
        warnings: Parts of the file that have no effect here.
        text: The file as it is.
    """

    name: str
    path: Path
    plan: Plan
    hash: str
    warnings: tuple[Problem, ...]
    text: str


@dataclass(frozen=True)
class Templates:
    """The templates of a directory, as they were when it was read.

    Attributes:
        loaded: The templates by name, sorted.
        errors: Why the templates (or files) of these names could not be taken; a name in both has its earlier version.
    """

    loaded: Mapping[str, Template]
    errors: Mapping[str, tuple[Problem, ...]]

    def get(self, name: str) -> Template | None:
        """Return a template, or None."""
        return self.loaded.get(name)

    def names(self) -> list[str]:
        """Return the names of what is loaded."""
        return list(self.loaded)


@dataclass(frozen=True)
class Checked:
    """What there is to say of a file.

    Attributes:
        problems: Errors and warnings, by file and line.
        plan: Of a workflow that has no mistakes, even where it needs what is not served yet.
    """

    problems: tuple[Problem, ...]
    plan: Plan | None = None


def load_template(path: Path, roots: Sequence[Path] = (), part: str = "") -> Template:
    """Read and compile a template.

    Args:
        path: The file.
        roots: The folders that it may lead to, beside its own.
        part: The `id` of the workflow there that is meant; empty for the one that the file is about.

    Raises:
        Problems: All that is wrong with the file, and with those that its steps run.
    """
    with Reader() as reader:
        return _compile(load(path), Files((path.parent, *roots)), reader, part)


def load_templates(directory: Path, before: Templates | None = None, roots: Sequence[Path] = ()) -> Templates:
    """Read all templates of a directory; a broken one is left out.

    Args:
        directory: Files in it that are no workflows are there for `run`.
        before: What was loaded until now: a broken template keeps the version that it has there.
        roots: Further folders that templates may lead to.

    Raises:
        Problems: The directory itself cannot be read.
    """
    loaded: dict[str, Template] = {}
    errors: dict[str, list[Problem]] = {}
    documents: dict[str, list[Document]] = {}
    files = Files((directory, *roots))
    for path in _files(directory):
        try:
            document = load(path)
        except Problems as problems:
            errors.setdefault(path.stem, []).extend(problems.problems)
        else:
            if is_workflow(document):
                documents.setdefault(path.stem, []).append(document)
            files.known[path] = document
    with Reader() as reader:
        for name, each in documents.items():
            try:
                loaded[name] = _compile_only(each, files, reader)
            except Problems as problems:
                errors.setdefault(name, []).extend(problems.problems)
    kept = {name: earlier for name in errors if before and (earlier := before.get(name))}
    return Templates(dict(sorted({**kept, **loaded}.items())), {name: in_order(each) for name, each in errors.items()})


def parse_template(text: str, path: Path, roots: Sequence[Path] = ()) -> Template:
    """Compile a text as if it stood in the file at `path`.

    Args:
        text: All of it.
        path: The file.
        roots: The folders that it may lead to, beside its own.

    Raises:
        Problems: All that is wrong with it, and with the files that its steps run.
    """
    document = parse(text, path)
    if not is_workflow(document):
        raise Problems([Problem(document.where(), "a template is a workflow: it says class: Workflow")])
    with Reader() as reader:
        return _compile(document, Files((path.parent, *roots)), reader)


def check_file(path: Path, files: Files | None = None, reader: Reader | None = None) -> Checked:
    """Return all that is to be said of a template, or of a file that steps run.

    Args:
        path: The file.
        files: What it may lead to: by default what is in its own folder.
        reader: Reads JavaScript, for several files.
    """
    try:
        with nullcontext(reader) if reader else Reader() as script_reader:
            return _checked(load(path), files or Files((path.parent,)), script_reader)
    except Problems as problems:
        return Checked(problems.problems)


def _checked(document: Document, files: Files, reader: Reader) -> Checked:
    if is_workflow(document) or not isinstance(document.value, dict):
        plan, problems = _read(document, files, reader)
        is_a_plan = not any(each.needs == "" and not each.warning for each in problems)
        return Checked(problems, plan if is_a_plan else None)
    assembly = Assembly(files.anew())
    _check_scripts(read_file(document, assembly), reader)
    return Checked(in_order(assembly.problems))


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))
    except OSError as error:
        raise Problems([Problem(str(directory), f"cannot be read: {error.strerror or error}")]) from None


def _compile_only(documents: list[Document], files: Files, reader: Reader) -> Template:
    """Compile the one file that has a name."""
    if len(documents) == 1:
        return _compile(documents[0], files, reader)
    names = " and ".join(document.path.name for document in documents)
    what = f"{names} would be one template: rename all but one"
    raise Problems(Problem(document.where(), what) for document in documents)


def _compile(document: Document, files: Files, reader: Reader, part: str = "") -> Template:
    plan, problems = _read(document, files, reader, part)
    if any(not problem.warning for problem in problems):
        raise Problems(problems)
    return Template(plan.template, document.path, plan, plan_hash(plan), problems, document.text)


def _read(document: Document, files: Files, reader: Reader, part: str = "") -> tuple[Plan, tuple[Problem, ...]]:
    """Return the plan of a workflow, and what is said of it; with errors among that the plan is not to be run."""
    assembly = Assembly(files.anew())
    name = document.path.stem
    if not _NAME.match(name):
        what = f'"{name}" cannot name a template: name the file with 1 to 80 letters, digits, _ . and -'
        assembly.problems.append(Problem(document.where(), what))
    draft = read_workflow(document, assembly, part)
    check_requirements(draft)
    wiring = Wiring(draft)
    plan = wiring.plan(name)
    _check_scripts(wiring.scripts, reader)
    return plan, in_order(assembly.problems)


def _check_scripts(scripts: Sequence[FoundScript], reader: Reader) -> None:
    """Note what is wrong with JavaScript, as far as that can be told without running it."""
    if not is_installed():
        for each in scripts:
            each.place.lacks_once(JAVASCRIPT, f"{shown(each.text)}: {NOT_SERVED}")
    elif scripts:
        for each, mistake in zip(scripts, reader.mistakes([each.body for each in scripts]), strict=True):
            if mistake is not None:
                each.place.error(f"{shown(each.text)}: {mistake}")
