"""Drafts: a workflow as its file says it, before names are looked up and types compared (`wiring.py`)."""

from dataclasses import dataclass
from typing import Any

from caroni_edge.manager.templates.cwl.hints import Library
from caroni_edge.manager.templates.cwl.ports import Port
from caroni_edge.manager.templates.cwl.process import Process
from caroni_edge.manager.templates.cwl.reading import Names, Place
from caroni_edge.manager.templates.fileuse import FileUse
from caroni_edge.manager.templates.plan import Merge, Pick, ScatterMethod
from caroni_edge.values.types import Type


@dataclass(frozen=True)
class DraftLink:
    """What flows to one place, with its sources as they are written.

    Attributes:
        place: Where the input or output stands in the file.
        field: Name of its field that holds the sources.
        sources: None where they could not be read.
        merge: How several values become a list; None for one value as it is.
        pick: Which items of a list are taken.
    """

    place: Place
    field: str
    sources: tuple[str, ...] | None
    merge: Merge | None
    pick: Pick | None


@dataclass(frozen=True)
class DraftInput:
    """An input of a step; `is_clear`: what makes its value, if anything does, could be read."""

    place: Place
    link: DraftLink
    default: Any
    value_from: str | None
    is_clear: bool


@dataclass(frozen=True)
class DraftStep:
    """A step.

    Attributes:
        place: Where it stands.
        process: What it runs; None where that could not be read.
        job_type: Empty where it could not be read, and where a workflow is run.
        agents: Who may take it, with the places.
        parallel: How many instances are begun at a time.
        copies: On how many hosts its files are to lie, by what it says, or what it runs.
        inputs: By name.
        out: The outputs that others may take.
        scatter: The inputs that are scattered over, with their places.
        method: How several such lists go together.
        when: The condition.
        is_scatter_known: What it is scattered over, and how, could be read, and the step has it.
        is_clear: Its expressions could be read: what they do not look at, nothing looks at.
        requirements: CWL's own that it names.
        library: As `Hints.library`.
    """

    place: Place
    process: Process | None
    job_type: str
    agents: tuple[tuple[str, Place], ...]
    parallel: int | None
    inputs: Names[DraftInput]
    out: Names[Place]
    scatter: dict[str, Place]
    method: ScatterMethod
    when: str | None
    is_scatter_known: bool
    is_clear: bool
    requirements: frozenset[str]
    library: Library | None = None
    copies: int | None = None


@dataclass(frozen=True)
class DraftOutput:
    """An output of the workflow."""

    place: Place
    type: Type | None
    link: DraftLink
    files: FileUse | None = None


@dataclass(frozen=True)
class Draft:
    """A workflow as it is written.

    Attributes:
        where: Its file, and the way to it there.
        inputs: By name.
        outputs: By name.
        steps: By name.
        parallel: How many of its jobs are begun at a time.
        copies: On how many hosts its files are to lie.
        keeps_all: Whether all its files are kept until it is deleted.
        requirements: CWL's own that it names.
        library: As `Hints.library`.
    """

    where: tuple[object, ...]
    inputs: Names[Port]
    outputs: Names[DraftOutput]
    steps: Names[DraftStep]
    parallel: int | None
    requirements: frozenset[str]
    library: Library | None = None
    copies: int | None = None
    keeps_all: bool = False
