"""Reads the process that a step runs: written into the step or in a file, with a job type or a workflow of its own.

A workflow must not run itself, directly or not (CWL v1.2, "Subworkflows").
"""

import os.path
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caroni_edge.documents.documents import Findings, Problem, Problems, load, nearest
from caroni_edge.manager.templates.cwl.features import DIRECTIVES, PROCESSES, PROCESSES_NOT_YET, RUNNABLE, Fields
from caroni_edge.manager.templates.cwl.hints import JobTypeHint, read_hints, refuse_limit
from caroni_edge.manager.templates.cwl.reading import (
    IDENTIFIER,
    Names,
    Place,
    check_fields,
    check_head,
    check_version,
    named,
    read_default,
    read_type,
    root,
)
from caroni_edge.values.json import shown
from caroni_edge.values.types import Type

NESTED_MAX = 8
"""So many workflows may be nested in each other, in one file or in several."""
KEYS_MAX = 3 * NESTED_MAX
"""A workflow in a workflow stands three keys further down: `steps`, the name, `run`."""

_TOO_DEEP = f"workflows are nested in each other {NESTED_MAX} deep at most"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class Port:
    """An input or an output of a process; the type is None where it could not be read."""

    place: Place
    type: Type | None
    default: Any = None


@dataclass(frozen=True)
class Process:
    """A process: what a step runs.

    Attributes:
        inputs: By name.
        outputs: By name.
        job_type: Its hint that names a job type.
        workflow: The nested workflow as a `Draft`; None for a process that runs as a job.
        levels: How many workflows are nested in each other there; 0 for a job.
    """

    inputs: Names[Port]
    outputs: Names[Port]
    job_type: JobTypeHint | None = None
    workflow: Any = None
    levels: int = 0


ReadWorkflow = Callable[[Place, "Processes"], Process | None]
"""Reads a workflow that a step runs; what it runs itself is read by the `Processes` that is handed on."""


@dataclass
class Processes:
    """Reads processes, each file once.

    Attributes:
        directory: Where files are named from, and which they cannot leave.
        problems: Where the problems of the files go.
        read_workflow: Reads nested workflows.
        around: The files that are being read, from the outermost on.
        files: What has been read, shared by all that one template reads.
    """

    directory: Path
    problems: list[Problem]
    read_workflow: ReadWorkflow
    around: tuple[Path, ...] = ()
    files: dict[Path, Process | None] = field(default_factory=dict)

    def read(self, run: Place) -> Process | None:
        """Return what the field `run` of a step names, or note what is wrong with it."""
        process = None
        if isinstance(run.value, dict):
            process = self._read_process(run)
        elif isinstance(run.value, str):
            process = self._read_file(run)
        elif run.value is None:
            run.error('"run" is missing: write what the step runs there, or the name of its file')
        else:
            run.error('"run" is an object, or the name of a file')
        if process is not None and process.levels > NESTED_MAX:
            run.error(_TOO_DEEP)
            return None
        return process

    def _read_file(self, run: Place) -> Process | None:
        name = os.path.normpath(run.value)
        if (why := _why_not_a_file(run.value, name)) is not None:
            run.error(f"{shown(run.value)} {why}")
            return None
        path = self.directory / name
        if path in self.around:
            ring = [*self.around[self.around.index(path) :], path]
            run.error(f"these files run each other: {' -> '.join(each.name for each in ring)}")
            return None
        if len(self.around) > NESTED_MAX:
            run.error(_TOO_DEEP)
            return None
        if not os.path.isfile(path):  # False where Path.is_file would raise
            run.error(f"there is no file {path}")
            return None
        if path not in self.files:
            self.files[path] = self._load(path)
        return self.files[path]

    def _load(self, path: Path) -> Process | None:
        try:
            document = load(path)
        except Problems as problems:
            self.problems += problems.problems
            return None
        inside = replace(self, directory=path.parent, around=(*self.around, path))
        return inside.read_document(root(Findings(document, self.problems)))

    def read_document(self, place: Place) -> Process | None:
        """Return the process that a file holds, or note what is wrong with it."""
        if not isinstance(place.value, dict):
            place.error("a file that a step runs is an object with a class")
            return None
        check_head(place)
        return self._read_process(place)

    def _read_process(self, place: Place) -> Process | None:
        kind = place.value.get("class")
        if kind == "Workflow":
            if len(place.keys) > KEYS_MAX:
                place.error(_TOO_DEEP)
                return None
            return self.read_workflow(place, self)
        return _read_job(place, kind)


def _why_not_a_file(written: str, name: str) -> str | None:
    """Return why a reference cannot be followed, or None."""
    if _SCHEME.match(written):
        return "is not read over the network: name a file beside this one"
    if "#" in written:
        return "names a part of a file, which is not served yet: give the process a file of its own"
    if os.path.isabs(name) or Path(name).parts[:1] == (os.pardir,):
        return "lies outside of the directory of this file: put it beside this one, or below"
    return None


def _read_job(place: Place, kind: object) -> Process | None:
    if not isinstance(kind, str) or kind not in PROCESSES:
        _tell_class(place, kind)
        return None
    if place.keys:
        check_version(place)
    fields, input_fields, output_fields = PROCESSES[kind]
    check_fields(place, fields)
    hints = read_hints(place)
    refuse_limit(hints)
    for name, _ in hints.job_type.agents if hints.job_type else ():
        if "$" in name:
            hints.job_type.place.at("agent").error("an expression belongs to the step: write its job type there")  # type: ignore[union-attr]
            break
    inputs = _read_ports(place.at("inputs"), "input", input_fields)
    return Process(inputs, _read_ports(place.at("outputs"), "output", output_fields), hints.job_type)


def _tell_class(place: Place, kind: object) -> None:
    """Say why a class cannot be run by a step."""
    here = place.at("class")
    directive = next((key for key in DIRECTIVES if key in place.value), None)
    if directive is not None:
        place.at(directive).error(f'"{directive}" is not served yet: name a file by "run"')
    elif kind is None:
        here.error(f'what a step runs needs a "class": {" or ".join(RUNNABLE)}')
    elif isinstance(kind, str) and kind in PROCESSES_NOT_YET:
        here.error(PROCESSES_NOT_YET[kind])
    else:
        near = nearest(kind, RUNNABLE) if isinstance(kind, str) else ""
        here.error(f"a step cannot run the class {shown(kind)}: it runs {' or '.join(RUNNABLE)}{near}")


def _read_ports(place: Place, what: str, fields: Fields) -> Names[Port]:
    written = named(place, "type", what, IDENTIFIER)
    ports: Names[Port] = Names(is_whole=written.is_whole)
    for name, body in written.items():
        check_fields(body, fields)
        kind = read_type(body, f'the {what} "{name}"')
        default = read_default(body, kind, f'the {what} "{name}"') if "default" in fields.read else None
        ports[name] = Port(body, kind, default)
    return ports
