"""Reads a CWL workflow into a draft, whose names are not yet tied to each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caroni_edge.documents import Document, Findings, Problems
from caroni_edge.jsontext import shown
from caroni_edge.manager.cwl.features import STEP, STEP_INPUT, STEP_OUTPUT, WORKFLOW, WORKFLOW_INPUT, WORKFLOW_OUTPUT
from caroni_edge.manager.cwl.hints import job_type_of, refuse_job_types
from caroni_edge.manager.cwl.process import Port, Process, Processes
from caroni_edge.manager.cwl.reading import (
    IDENTIFIER,
    Place,
    check_fields,
    check_head,
    named,
    read_default,
    read_type,
    root,
)
from caroni_edge.values import Type


@dataclass(frozen=True)
class DraftInput:
    """An input of a step, with its source as it is written."""

    place: Place
    source: str | None
    default: Any


@dataclass(frozen=True)
class DraftStep:
    """A step.

    Attributes:
        place: Where it stands.
        process: What it runs; None where that could not be read.
        job_type: Empty where it could not be read.
        inputs: By name.
        is_whole: All of its inputs could be read, so that what is missing is missing.
        out: The outputs that others may take.
    """

    place: Place
    process: Process | None
    job_type: str | None
    inputs: dict[str, DraftInput]
    is_whole: bool
    out: dict[str, Place]

    def gives(self, output: str) -> Type | None:
        """Return the type of an output, if it is known."""
        port = self.process.outputs.get(output) if self.process else None
        return port.type if port else None


@dataclass(frozen=True)
class DraftOutput:
    """An output of the workflow, with its source as it is written."""

    place: Place
    type: Type | None
    source: str | None


@dataclass(frozen=True)
class Draft:
    """A workflow as it is written."""

    inputs: dict[str, Port]
    outputs: dict[str, DraftOutput]
    steps: dict[str, DraftStep]


def is_workflow(document: Document) -> bool:
    """Tell whether a document is meant as a workflow, so that what is wrong with it must be told.

    Files for `run` are none. What names a version of CWL, and a class that CWL does not have, was meant as one.
    """
    value = document.value
    if not isinstance(value, dict):
        return False
    kind = value.get("class")
    is_for_run = kind in ("Operation", "CommandLineTool", "ExpressionTool")
    return kind == "Workflow" or "$graph" in value or ("cwlVersion" in value and not is_for_run)


def read_workflow(findings: Findings, directory: Path) -> Draft:
    """Read a workflow, and note all that is wrong with each of its parts.

    Args:
        findings: Of the document; the problems of files that its steps run go there too.
        directory: Where these files are.

    Raises:
        Problems: It is no workflow at all.
    """
    place = root(findings)
    _check_class(place)
    check_head(place)
    check_fields(place, WORKFLOW)
    refuse_job_types(place)
    processes = Processes(directory, findings.problems)
    steps = {name: _read_step(body, name, processes) for name, body in named(place.at("steps"), "", "step").items()}
    return Draft(_read_inputs(place.at("inputs")), _read_outputs(place.at("outputs")), steps)


def _check_class(place: Place) -> None:
    if not isinstance(place.value, dict):
        place.error("a template is an object with class: Workflow")
    elif "$graph" in place.value:
        place.at("$graph").error('"$graph", several processes in one file, is not served yet: give each its own file')
    elif place.value.get("class") is None:
        place.error('"class" is missing: write class: Workflow')
    elif place.value["class"] != "Workflow":
        place.at("class").error(f"{shown(place.value['class'])} is no class of a template: that is Workflow")
    else:
        return
    raise Problems(place.findings.problems)


def _read_inputs(place: Place) -> dict[str, Port]:
    inputs: dict[str, Port] = {}
    for name, body in named(place, "type", "input").items():
        check_fields(body, WORKFLOW_INPUT)
        kind = read_type(body, f'the input "{name}"')
        inputs[name] = Port(body, kind, read_default(body, kind, f'the input "{name}"'))
    return inputs


def _read_outputs(place: Place) -> dict[str, DraftOutput]:
    outputs: dict[str, DraftOutput] = {}
    for name, body in named(place, "type", "output").items():
        check_fields(body, WORKFLOW_OUTPUT)
        source = _read_source(body.at("outputSource"))
        if body.value.get("outputSource") is None:
            body.error(f'the output "{name}" needs an "outputSource": an output of a step, as in step/output')
        outputs[name] = DraftOutput(body, read_type(body, f'the output "{name}"'), source)
    return outputs


def _read_step(place: Place, name: str, processes: Processes) -> DraftStep:
    check_fields(place, STEP)
    process = processes.read(place.at("run"))
    job_type = job_type_of(place)
    if job_type is None and process is not None:
        job_type = process.job_type
    if process is not None and job_type is None:
        place.error(f'the step "{name}" names no job type: write hints: {{caroni:JobType: {{name: …}}}}')
    written = place.at("in")
    inputs = {each: _read_step_input(body) for each, body in named(written, "source", "step input", IDENTIFIER).items()}
    is_whole = isinstance(written.value, dict | list) and len(inputs) == len(written.value)
    return DraftStep(place, process, job_type, inputs, is_whole, _read_out(place.at("out")))


def _read_step_input(place: Place) -> DraftInput:
    check_fields(place, STEP_INPUT)
    return DraftInput(place, _read_source(place.at("source")), place.value.get("default"))


def _read_source(place: Place) -> str | None:
    if isinstance(place.value, list):
        place.error("several sources (MultipleInputFeatureRequirement) are not served yet: name one, without brackets")
    elif isinstance(place.value, str):
        return place.value
    elif place.value is not None:
        place.error("a source is the name of an input, or step/output")
    return None


def _read_out(place: Place) -> dict[str, Place]:
    """Return the outputs of a step that others may take."""
    if not isinstance(place.value, list):
        place.error('"out" is the list of the outputs that the workflow takes, as in out: [result]')
        return {}
    out: dict[str, Place] = {}
    for item in place.items():
        name = item.value
        if isinstance(name, dict):
            check_fields(item, STEP_OUTPUT)
            name = name.get("id")
        if not isinstance(name, str):
            item.error('each of "out" is a name, or an object with "id"')
        elif name in out:
            item.error(f'the output "{name}" is there twice')
        else:
            out[name] = item
    return out
