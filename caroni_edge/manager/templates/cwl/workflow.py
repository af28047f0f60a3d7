"""Reads a CWL workflow (CWL v1.2, "Workflow", "WorkflowStep") into a draft."""

from dataclasses import replace
from typing import Any

from caroni_edge.documents.assembly import Assembly, is_directive
from caroni_edge.documents.documents import Document, Problems, meant, nearest
from caroni_edge.documents.files import local_name
from caroni_edge.manager.templates.cwl.drafts import Draft, DraftInput, DraftLink, DraftOutput, DraftStep
from caroni_edge.manager.templates.cwl.expressions import FoundScript, Scope, check_tool
from caroni_edge.manager.templates.cwl.features import (
    JOB_TYPES,
    LINK_MERGES,
    PICK_VALUES,
    SCATTER_METHODS,
    STEP,
    STEP_INPUT,
    STEP_OUTPUT,
    TOOLS,
    WORKFLOW,
    WORKFLOW_INPUT,
    WORKFLOW_OUTPUT,
)
from caroni_edge.manager.templates.cwl.graphs import is_graph_of_workflow
from caroni_edge.manager.templates.cwl.hints import Hints, read_hints, refuse_job_type, refuse_keeping
from caroni_edge.manager.templates.cwl.ports import Port, Types, read_port, read_ports
from caroni_edge.manager.templates.cwl.process import Process, Processes, where
from caroni_edge.manager.templates.cwl.reading import Names, Place, check_fields, named
from caroni_edge.manager.templates.cwl.toolflow import flow_around
from caroni_edge.manager.templates.cwl.versions import as_read_here, check_head
from caroni_edge.manager.templates.plan import Merge, Pick, ScatterMethod
from caroni_edge.values.json import shown


def is_workflow(document: Document) -> bool:
    """Tell whether a document is meant as a workflow, so that its mistakes are to be told.

    A file with another class, which steps may `run`, is not. Without such a class it is one if its name ends in
    `.cwl`, or if it has a `cwlVersion`.
    """
    value = document.value
    is_cwl = document.path.suffix == ".cwl"
    if not isinstance(value, dict):
        return is_cwl
    if "$graph" in value:
        return not isinstance(value["$graph"], list) or is_graph_of_workflow(value)
    kind = value.get("class")
    is_for_run = kind in ("Operation", "CommandLineTool", "ExpressionTool")
    return kind == "Workflow" or ((is_cwl or "cwlVersion" in value) and not is_for_run)


def read_workflow(document: Document, assembly: Assembly, part: str = "") -> Draft:
    """Read a workflow, and note all that is wrong with each of its parts.

    Args:
        document: Its file.
        assembly: Reads it whole, and the files that its steps run; their problems go there too.
        part: The `id` of the workflow there that is meant; empty for the one that the file is about.

    Returns:
        The workflow; of an ExpressionTool, one around it.

    Raises:
        Problems: It is no workflow at all.
    """
    place, processes = Processes(assembly, _read_nested).main(document, part)
    if isinstance(place.value, dict) and place.value.get("class") == "ExpressionTool":
        return _read_tool(place, processes)
    _check_class(place)
    version = check_head(place, None, is_head=True)
    place = as_read_here(place, version)
    return _read_draft(place, replace(processes, version=version, types=processes.types_of(place, version)))


def _read_tool(place: Place, processes: Processes) -> Draft:
    process = processes.read_process(place, is_head=True)
    if process is None or process.expression is None:
        raise Problems(place.findings.problems)
    return flow_around(place, process)


def read_file(document: Document, assembly: Assembly) -> list[FoundScript]:
    """Read a file that steps run, note what is wrong with it, and return the JavaScript in it."""
    scripts: list[FoundScript] = []
    place, processes = Processes(assembly, _read_nested).main(document)
    process = processes.read_process(place, is_head=True)
    if process is not None and process.expression is not None:
        check_tool(process.expression, Scope(process.inputs, scripts, javascript=True))
    return scripts


def _read_nested(place: Place, processes: Processes) -> Process:
    """Read a workflow that a step runs."""
    draft = _read_draft(place, processes)
    outputs = Names(
        ((name, Port(output.place, output.type, None, output.files)) for name, output in draft.outputs.items()),
        is_whole=draft.outputs.is_whole,
    )
    levels = 1 + max((step.process.levels for step in draft.steps.values() if step.process), default=0)
    return Process(draft.inputs, outputs, workflow=draft, levels=levels)


def _read_draft(place: Place, processes: Processes) -> Draft:
    check_fields(place, WORKFLOW)
    hints = read_hints(place)
    refuse_job_type(hints, "and not to the workflow")
    around = _around(place)
    inputs = read_ports(place.at("inputs"), "input", WORKFLOW_INPUT, processes.types)
    outputs = _read_outputs(place.at("outputs"), around, processes.types)
    written = named(place.at("steps"), "", "step")
    steps = Names(
        ((name, _read_step(body, name, processes, around)) for name, body in written.items()), is_whole=written.is_whole
    )
    parallel = hints.limit[0] if hints.limit else None
    return Draft(
        where(place),
        inputs,
        outputs,
        steps,
        parallel,
        hints.requirements,
        hints.library,
        hints.copies,
        hints.keeps is not None,
    )


def _around(place: Place) -> str:
    """Return what stands before the names of a workflow where they are written whole, as in `#main/step/output`."""
    name = place.value.get("id")
    return f"{local_name(name)}/" if isinstance(name, str) else ""


def _check_class(place: Place) -> None:
    if not isinstance(place.value, dict):
        place.error("a template is an object with class: Workflow")
    elif place.value.get("class") is None:
        place.error('"class" is missing: write class: Workflow')
    elif place.value["class"] != "Workflow":
        kind = place.value["class"]
        words = f"{shown(kind)} is no class of a template: that is Workflow"
        needs = {"CommandLineTool": TOOLS, "Operation": JOB_TYPES}.get(str(kind))
        if needs is None:
            place.at("class").error(words)
        else:
            place.at("class").lacks(needs, words)
    else:
        return
    raise Problems(place.findings.problems)


def _read_outputs(place: Place, around: str, types: Types) -> Names[DraftOutput]:
    written = named(place, "type", "output")
    outputs: Names[DraftOutput] = Names(is_whole=written.is_whole)
    for name, body in written.items():
        check_fields(body, WORKFLOW_OUTPUT)
        if body.value.get("outputSource") is None:
            body.warning(f'the output "{name}" has no "outputSource", as in step/output: it is null, if it may be')
        link = _read_link(body, "outputSource", around)
        port = read_port(body, f'the output "{name}"', WORKFLOW_OUTPUT, types)
        outputs[name] = DraftOutput(body, port.type, link, port.files)
    return outputs


def _read_step(place: Place, name: str, processes: Processes, around: str) -> DraftStep:
    check_fields(place, STEP)
    process = processes.read(place.at("run"))
    hints = read_hints(place)
    refuse_keeping(hints)
    job_type, agents = _job_type(place, name, process, hints)
    written = named(place.at("in"), "source", "step input")
    inputs = Names(
        ((each, _read_step_input(body, around)) for each, body in written.items()), is_whole=written.is_whole
    )
    when = _read_when(place.at("when"))
    scatter = _read_scatter(place.at("scatter"))
    method = _read_method(place, scatter)
    return DraftStep(
        place=place,
        process=process,
        job_type=job_type,
        agents=agents,
        parallel=hints.limit[0] if hints.limit else None,
        inputs=inputs,
        out=_read_out(place.at("out")),
        scatter=scatter or {},
        method=method or "dotproduct",
        when=when,
        is_scatter_known=scatter is not None and method is not None and scatter.keys() <= inputs.keys(),
        is_clear=(when is not None or place.value.get("when") is None)
        and all(each.is_clear for each in inputs.values()),
        requirements=hints.requirements,
        library=hints.library,
        copies=process.copies if hints.copies is None and process is not None else hints.copies,
    )


def _job_type(
    place: Place, name: str, process: Process | None, hints: Hints
) -> tuple[str, tuple[tuple[str, Place], ...]]:
    """Return the job type of a step, and who may take it; what the step says wins over what it runs."""
    if process is not None and (process.workflow is not None or process.expression is not None):
        what = "a workflow" if process.expression is None else "an ExpressionTool"
        refuse_job_type(hints, f"and not to a step that runs {what}")
        return "", ()
    said = [each for each in (hints.job_type, process and process.job_type) if each]
    job_type = next((each.name for each in said if each.name is not None), None)
    if process is not None and job_type is None:
        words = f'the step "{name}" names no job type: write hints: {{caroni:JobType: {{name: …}}}}'
        place.lacks(JOB_TYPES, words)
    return job_type or "", next((each.agents for each in said if each.agents), ())


def _read_step_input(place: Place, around: str) -> DraftInput:
    check_fields(place, STEP_INPUT)
    value_from = place.at("valueFrom")
    if value_from.value is not None and not isinstance(value_from.value, str):
        value_from.error('"valueFrom" is a text, in which references as $(inputs.name) and $(self) stand for values')
    text = value_from.value if isinstance(value_from.value, str) else None
    is_clear = text is not None or value_from.value is None
    return DraftInput(place, _read_link(place, "source", around), place.value.get("default"), text, is_clear)


def _read_link(place: Place, field: str, around: str) -> DraftLink:
    written, here = place.value.get(field), place.at(field)
    sources: tuple[str, ...] | None = ()
    if isinstance(written, str):
        sources = (_source(written, around),)
    elif isinstance(written, list) and all(isinstance(each, str) for each in written):
        sources = tuple(_source(each, around) for each in written)
    elif written is not None:
        here.error("a source is the name of an input, or step/output, or a list of such")
        sources = None
    merge: Merge | None = _word(place.at("linkMerge"), LINK_MERGES)
    pick: Pick | None = _word(place.at("pickValue"), PICK_VALUES)
    for word, name in ((merge, "linkMerge"), (pick, "pickValue")):
        if word is None and place.value.get(name) is not None:
            sources = None
    if merge is None and isinstance(written, list) and len(written) != 1:
        merge = "merge_nested"
    return DraftLink(place, field, sources, merge, pick)


def _source(written: str, around: str) -> str:
    """Return a source as `input` or `step/output`; `around`: what may stand before it behind a `#`."""
    _, hash_sign, name = written.partition("#")
    return name.removeprefix(around) if hash_sign else written


def _word(place: Place, words: tuple[str, ...]) -> Any:
    """Return the value of a field that is one of a few words, or the one that is meant, or None."""
    if place.value is None or place.value in words:
        return place.value
    near = nearest(place.value, words) if isinstance(place.value, str) else ""
    place.error(f'"{place.keys[-1]}" is {" or ".join(words)}, and not {shown(place.value)}{near}')
    return meant(place.value, words) if near else None


def _read_scatter(place: Place) -> dict[str, Place] | None:
    """Return the inputs that are scattered over, or None where they could not all be read."""
    if place.value is None:
        return {}
    if place.value == []:
        place.error('"scatter" names nothing: name an input of the step, or leave it out')
    found: dict[str, Place] = {}
    written = list(place.items()) if isinstance(place.value, list) else [place]
    for each in written:
        if not isinstance(each.value, str):
            each.error('"scatter" is the name of an input of the step, or a list of such')
        elif (name := local_name(each.value)) in found:
            each.error(f'the input "{name}" is scattered over twice')
        else:
            found[name] = each
    return found if found and len(found) == len(written) else None


def _read_method(place: Place, scatter: dict[str, Place] | None) -> ScatterMethod | None:
    """Return how several lists go together, or None where that could not be read."""
    written = place.at("scatterMethod")
    if written.value is None:
        if len(scatter or ()) < 2:
            return "dotproduct"
        place.at("scatter").error(
            f'several inputs are scattered over: add "scatterMethod", {" or ".join(SCATTER_METHODS)}'
        )
        return None
    method: ScatterMethod | None = _word(written, SCATTER_METHODS)
    if method is not None and place.value.get("scatter") is None:
        written.warning('"scatterMethod" is left aside: the step has no "scatter"')
    return method


def _read_when(place: Place) -> str | None:
    if place.value is None:
        return None
    if not isinstance(place.value, str) or "$" not in place.value:
        place.error('"when" is a reference to an input that is true or false, as in $(inputs.name)')
        return None
    return place.value


def _read_out(place: Place) -> Names[Place]:
    """Return the outputs of a step that others may take."""
    if not isinstance(place.value, list):
        place.error('"out" is the list of the outputs that the workflow takes, as in out: [result]')
        return Names(is_whole=False)
    out: Names[Place] = Names()
    for item in place.items():
        name = item.value
        if isinstance(name, dict):
            check_fields(item, STEP_OUTPUT)
            name = name.get("id")
        if is_directive(item.value):
            continue
        name = local_name(name) if isinstance(name, str) else name
        if not isinstance(name, str):
            item.error('each of "out" is a name, or an object with "id"')
        elif name in out:
            item.error(f'the output "{name}" is there twice')
        else:
            out[name] = item
    out.is_whole = len(out) == len(place.value)
    return out
