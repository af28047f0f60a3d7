"""Reads the process that a step runs: written into the step, or in a file, or a part of one.

A workflow must not run itself, directly or not (CWL v1.2, "Subworkflows").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from caroni_edge.documents.assembly import Assembly, is_directive
from caroni_edge.documents.documents import Document, Findings, Problem, Problems, nearest
from caroni_edge.documents.files import NotRead, parts_of
from caroni_edge.manager.templates.cwl.features import PROCESSES, PROCESSES_NOT_YET, RUNNABLE, Fields
from caroni_edge.manager.templates.cwl.graphs import part_of
from caroni_edge.manager.templates.cwl.hints import JobTypeHint, read_hints, refuse_limit
from caroni_edge.manager.templates.cwl.reading import (
    Names,
    Place,
    check_fields,
    named,
    read_default,
    read_type,
    root,
)
from caroni_edge.manager.templates.cwl.versions import as_read_here, check_head
from caroni_edge.values.json import shown
from caroni_edge.values.types import Type

NESTED_MAX = 8
"""So many workflows may be nested in each other, in one file or in several."""

_TOO_DEEP = f"workflows are nested in each other {NESTED_MAX} deep at most"


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


Where = tuple[object, ...]
"""Where a process stands: its file, and the way to it there."""

ReadWorkflow = Callable[[Place, "Processes"], Process | None]
"""Reads a workflow that a step runs; what it runs itself is read by the `Processes` that is handed on."""


@dataclass
class Processes:
    """Reads processes, each file once.

    Attributes:
        assembly: Reads files, with all that they import.
        read_workflow: Reads nested workflows.
        version: Of CWL, of what names none itself.
        around: What is being read, from the outermost on, and what it is called in messages.
        depth: How many workflows are around.
        known: What has been read, shared by all that one template reads.
    """

    assembly: Assembly
    read_workflow: ReadWorkflow
    version: str | None = None
    around: Mapping[Where, str] = field(default_factory=dict)
    depth: int = 0
    known: dict[Where, Process | None] = field(default_factory=dict)

    def main(self, document: Document) -> tuple[Place, "Processes"]:
        """Return where the process stands that a document is about, and what reads the processes that it runs.

        Raises:
            Problems: It has none.
        """
        whole = self.assembly.documents[document.path] = self.assembly.whole(document)
        place = root(Findings(whole, self.problems))
        try:
            found = part_of(place, "")
        except NotRead as error:
            place.at("$graph").error(f"this file {error}")
            raise Problems(self.problems) from None
        return found, replace(self, around={where(found): document.path.name})

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with all that has been read."""
        return self.assembly.problems

    def read(self, run: Place) -> Process | None:
        """Return what the field `run` of a step names, or note what is wrong with it."""
        process = None
        if isinstance(run.value, dict):
            process = None if is_directive(run.value) else self.read_process(run)
        elif isinstance(run.value, str):
            process = self._read_part(run)
        elif run.value is None:
            run.error('"run" is missing: write what the step runs there, or the name of its file')
        else:
            run.error('"run" is an object, or the name of a file')
        if process is not None and process.levels > NESTED_MAX:
            run.error(_TOO_DEEP)
            return None
        return process

    def _read_part(self, run: Place) -> Process | None:
        """Read what a reference such as `tools/sort.cwl`, `#sort` or `tools.cwl#sort` leads to."""
        here = run.findings.document.file_of(*run.keys)
        try:
            name, part = parts_of(run.value)
            path = self.assembly.files.find(name, here) if name or not part else here
            document = self.assembly.document(path)
            return self._read_found(run, part_of(root(Findings(document, self.problems)), part)) if document else None
        except NotRead as error:
            run.error(f"{shown(run.value)} {error}")
            return None

    def _read_found(self, run: Place, place: Place) -> Process | None:
        there = where(place)
        called = place.findings.document.path.name + (f"#{parts_of(run.value)[1]}" if place.keys else "")
        if there in self.around:
            ring = [*list(self.around.values())[list(self.around).index(there) :], called]
            run.error(f"these run each other: {' -> '.join(ring)}")
            return None
        if self.depth > NESTED_MAX:
            run.error(_TOO_DEEP)
            return None
        if there not in self.known:
            inside = replace(self, around={**self.around, there: called})
            self.known[there] = inside.read_process(place, is_head=True)
        return self.known[there]

    def read_process(self, place: Place, *, is_head: bool = False) -> Process | None:
        """Return the process that stands there, or note what is wrong with it; `is_head`: it heads a file."""
        if not isinstance(place.value, dict):
            place.error("a file that a step runs is an object with a class")
            return None
        version = check_head(place, self.version, is_head=is_head)
        place, kind = as_read_here(place, version), place.value.get("class")
        if kind == "Workflow":
            if self.depth >= NESTED_MAX + 1:
                place.error(_TOO_DEEP)
                return None
            return self.read_workflow(place, replace(self, version=version, depth=self.depth + 1))
        return _read_job(place, kind)


def where(place: Place) -> Where:
    """Return where a process stands."""
    return (place.findings.document.path, *place.keys)


def _read_job(place: Place, kind: object) -> Process | None:
    if not isinstance(kind, str) or kind not in PROCESSES:
        _tell_class(place, kind)
        return None
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
    if kind is None:
        here.error(f'what a step runs needs a "class": {" or ".join(RUNNABLE)}')
    elif isinstance(kind, str) and kind in PROCESSES_NOT_YET:
        here.error(PROCESSES_NOT_YET[kind])
    else:
        near = nearest(kind, RUNNABLE) if isinstance(kind, str) else ""
        here.error(f"a step cannot run the class {shown(kind)}: it runs {' or '.join(RUNNABLE)}{near}")


def _read_ports(place: Place, what: str, fields: Fields) -> Names[Port]:
    written = named(place, "type", what)
    ports: Names[Port] = Names(is_whole=written.is_whole)
    for name, body in written.items():
        check_fields(body, fields)
        kind = read_type(body, f'the {what} "{name}"')
        default = read_default(body, kind, f'the {what} "{name}"') if "default" in fields.read else None
        ports[name] = Port(body, kind, default)
    return ports
