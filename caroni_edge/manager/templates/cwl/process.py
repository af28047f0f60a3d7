"""Reads the process that a step runs: written into the step, or in a file, or a part of one.

A workflow must not run itself, directly or not (CWL v1.2, "Subworkflows").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from caroni_edge.documents.assembly import Assembly, is_directive
from caroni_edge.documents.documents import Document, Problem, Problems, nearest
from caroni_edge.documents.files import NotRead, parts_of
from caroni_edge.manager.templates.cwl.features import PROCESSES, RUNNABLE, STREAMS
from caroni_edge.manager.templates.cwl.graphs import part_of
from caroni_edge.manager.templates.cwl.hints import (
    Hints,
    JobTypeHint,
    Library,
    listing_of,
    read_hints,
    refuse_job_type,
    refuse_keeping,
    refuse_limit,
)
from caroni_edge.manager.templates.cwl.ports import Port, Types, read_ports
from caroni_edge.manager.templates.cwl.reading import Names, Place, check_fields, root
from caroni_edge.manager.templates.cwl.versions import as_read_here, check_head
from caroni_edge.values.json import shown

NESTED_MAX = 8
"""So many workflows may be nested in each other, in one file or in several."""

_TOO_DEEP = f"workflows are nested in each other {NESTED_MAX} deep at most"


@dataclass(frozen=True)
class Process:
    """A process: what a step runs.

    Attributes:
        inputs: By name.
        outputs: By name.
        job_type: Its hint that names a job type.
        workflow: The nested workflow as a `Draft`; None for a process that runs as a job.
        levels: How many workflows are nested in each other there; 0 for a job.
        streams: The files that standard input, output and error of a tool are.
        expression: Of an ExpressionTool, and where it stands.
        library: As `Hints.library`.
        copies: As `Hints.copies`, where it runs as a job.
    """

    inputs: Names[Port]
    outputs: Names[Port]
    job_type: JobTypeHint | None = None
    workflow: Any = None
    levels: int = 0
    streams: Mapping[str, str] = field(default_factory=dict)
    expression: tuple[str, Place] | None = None
    library: Library | None = None
    copies: int | None = None


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
        types: How types are read there.
        around: What is being read, from the outermost on, and what it is called in messages.
        depth: How many workflows are around.
        known: What has been read, shared by all that one template reads.
    """

    assembly: Assembly
    read_workflow: ReadWorkflow
    version: str | None = None
    types: Types = field(default_factory=Types)
    around: Mapping[Where, str] = field(default_factory=dict)
    depth: int = 0
    known: dict[Where, Process | None] = field(default_factory=dict)

    def main(self, document: Document, part: str = "") -> tuple[Place, "Processes"]:
        """Return where the process stands that a document is about, and what reads the processes that it runs.

        Args:
            document: The file.
            part: The `id` of the process that is meant; empty for the one that the file is about.

        Raises:
            Problems: It has none.
        """
        place = root(self.assembly.whole(document))
        try:
            found = part_of(place, part)
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
            found = self.assembly.document(path)
            return self._read_found(run, part_of(root(found), part)) if found else None
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
        inside = replace(self, version=version, types=self.types_of(place, version), depth=self.depth + 1)
        if kind == "Workflow":
            if inside.depth > NESTED_MAX + 1:
                place.error(_TOO_DEEP)
                return None
            return self.read_workflow(place, inside)
        return _read_job(place, kind, inside.types)

    def types_of(self, place: Place, version: str) -> Types:
        """Return how the types of a process are read, by what it says and by what is around it."""
        around = self.types.listing or ("deep_listing" if version == "v1.0" else None)
        return Types(self.types.schemas.with_those_of(place), listing_of(place) or around)


def where(place: Place) -> Where:
    """Return where a process stands."""
    return (place.findings.document.path, *place.keys)


def _read_job(place: Place, kind: object, types: Types) -> Process | None:
    if not isinstance(kind, str) or kind not in PROCESSES:
        _tell_class(place, kind)
        return None
    fields, input_fields, output_fields = PROCESSES[kind]
    check_fields(place, fields)
    hints = read_hints(place)
    refuse_limit(hints)
    refuse_keeping(hints)
    for name, place_of_name in hints.job_type.agents if hints.job_type else ():
        if "$" in name:
            place_of_name.error("an expression belongs to the step: write its job type there")
            break
    inputs = read_ports(place.at("inputs"), "input", input_fields, types)
    outputs = read_ports(place.at("outputs"), "output", output_fields, types)
    if kind == "ExpressionTool":
        return _read_expression(place, hints, inputs, outputs)
    return Process(inputs, outputs, hints.job_type, streams=_streams(place, inputs, outputs), copies=hints.copies)


def _read_expression(place: Place, hints: Hints, inputs: Names[Port], outputs: Names[Port]) -> Process:
    refuse_job_type(hints, "and an ExpressionTool is none: it is worked out by the manager")
    written = place.at("expression")
    if isinstance(written.value, str):
        return Process(inputs, outputs, expression=(written.value, written), library=hints.library)
    if not is_directive(written.value):
        written.error('"expression" is a text that gives an object with the outputs, as in "${return {sum: 3};}"')
    return Process(inputs, outputs, JobTypeHint(place, ""))


def _streams(place: Place, inputs: Names[Port], outputs: Names[Port]) -> dict[str, str]:
    """Return the files that standard input, output and error of a tool are, as far as it names them."""
    found = {}
    for each in STREAMS if place.value["class"] == "CommandLineTool" else ():
        written, port = place.at(each), {p.stream: name for name, p in (*inputs.items(), *outputs.items())}.get(each)
        if isinstance(written.value, str):
            found[each] = written.value
        elif written.value is not None:
            written.error(f'"{each}" is the name of a file, and not {shown(written.value)}')
        elif port is not None:
            found[each] = f"$(inputs.{port}.path)" if each == "stdin" else ""
    return found


def _tell_class(place: Place, kind: object) -> None:
    """Say why a class cannot be run by a step."""
    here = place.at("class")
    if kind is None:
        here.error(f'what a step runs needs a "class": {" or ".join(RUNNABLE)}')
    else:
        near = nearest(kind, RUNNABLE) if isinstance(kind, str) else ""
        here.error(f"a step cannot run the class {shown(kind)}: it runs {' or '.join(RUNNABLE)}{near}")
