"""Says of every feature of CWL v1.2 what it is here, for docs/cwl.md: by reading workflows that have it."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from caroni_edge.documents.assembly import IMPORTS_MAX, Assembly
from caroni_edge.documents.documents import Document, Problem, Problems
from caroni_edge.documents.files import BYTES_MAX, FILES_MAX, Files
from caroni_edge.javascript.helper import ANSWER_MAX_CHARS, CPU_S, MEMORY_BYTES
from caroni_edge.javascript.texts import LIMIT_CHARACTERS
from caroni_edge.manager.templates.cwl import features
from caroni_edge.manager.templates.cwl.extent import STEPS_MAX
from caroni_edge.manager.templates.cwl.features import Fields
from caroni_edge.manager.templates.cwl.process import NESTED_MAX
from caroni_edge.manager.templates.cwl.wiring import Wiring
from caroni_edge.manager.templates.cwl.workflow import read_workflow
from caroni_edge.manager.templates.expressions import SCRIPT_LIMIT_CHARACTERS
from caroni_edge.manager.workflows.loading import EXPRESSION_MAX_BYTES
from caroni_edge.manager.workflows.scatter import INSTANCES_MAX
from caroni_edge.protocol.fields import NAME_MAX_CHARS
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.large import LARGE_MAX_BYTES
from caroni_edge.values.types import SCALAR_NAMES

Keys = tuple[str | int, ...]

PLAIN: Mapping[str, Any] = {
    "cwlVersion": "v1.2",
    "class": "Workflow",
    "inputs": {"a": {"type": "Any"}},
    "outputs": {"r": {"type": "Any?", "outputSource": "one/y"}},
    "steps": {
        "one": {
            "in": {"x": {"source": "a"}},
            "out": [{"id": "y"}],
            "run": {
                "class": "Operation",
                "inputs": {"x": {"type": "Any"}},
                "outputs": {"y": {"type": "Any"}},
                "hints": {"caroni:JobType": {"name": "work"}},
            },
        }
    },
}
"""A workflow of which nothing is to be said."""

STEP: Keys = ("steps", "one")
STEP_INPUT: Keys = (*STEP, "in", "x")
RUN: Keys = (*STEP, "run")

OBJECTS: tuple[tuple[str, Fields, Keys], ...] = (
    ("Workflow", features.WORKFLOW, ()),
    ("An input of a workflow", features.WORKFLOW_INPUT, ("inputs", "a")),
    ("An output of a workflow", features.WORKFLOW_OUTPUT, ("outputs", "r")),
    ("WorkflowStep", features.STEP, STEP),
    ("An input of a step", features.STEP_INPUT, STEP_INPUT),
    ("An output of a step", features.STEP_OUTPUT, (*STEP, "out", 0)),
    ("Operation, as what a step runs", features.OPERATION, RUN),
    ("An input of an Operation", features.OPERATION_INPUT, (*RUN, "inputs", "x")),
    ("An output of an Operation", features.OPERATION_OUTPUT, (*RUN, "outputs", "y")),
    ("CommandLineTool, as what a step runs", features.TOOL, RUN),
    ("An input of a CommandLineTool", features.TOOL_INPUT, (*RUN, "inputs", "x")),
    ("An output of a CommandLineTool", features.TOOL_OUTPUT, (*RUN, "outputs", "y")),
    ("ExpressionTool, as what a step runs", features.EXPRESSION_TOOL, RUN),
)
"""The objects that have fields, and where they stand in the plain workflow."""

OF_TOOLS = (features.TOOL, features.TOOL_INPUT, features.TOOL_OUTPUT)
"""Those that belong to a CommandLineTool."""

REMARKS: Mapping[str, str] = {
    "cwlVersion": "needed at the head of a file",
    "run": f"{', '.join(features.RUNNABLE)}: written there, or in a file within the roots",
    "default": "null is none",
    "linkMerge": ", ".join(features.LINK_MERGES),
    "pickValue": ", ".join(features.PICK_VALUES),
    "scatterMethod": ", ".join(features.SCATTER_METHODS),
    "when": "an expression that gives true or false",
    "valueFrom": "a text with expressions in it, or one alone",
    "expression": "one that gives an object with the outputs",
    "type": "see [types](#types)",
    "requirements": "see [requirements](#requirements-and-hints)",
    "hints": "see [hints](#requirements-and-hints)",
    "$namespaces": "used for the names of hints",
    "secondaryFiles": "of a file: by patterns; of an input they must be there",
    "loadContents": "the text of a file of up to 64 KiB, for expressions",
    "loadListing": "what is in a directory, for expressions; of one over 16 KiB names and sizes",
}
"""What there is to say of what is served, or of documentation."""

PASSED: Mapping[str, str] = {
    "InlineJavascriptRequirement": "expressions may be JavaScript, and see its `expressionLib`",
    "SchemaDefRequirement": "its types have names, as in `types.yml#mine`",
    "LoadListingRequirement": "kept, for files",
}
"""What there is to say of requirements that ask for nothing by themselves."""

OWN_HINTS = (
    ("caroni:JobType: {name, agent}", STEP, {"name": "work", "agent": "a7"}),
    ("caroni:Limit: {parallel}", STEP, {"parallel": 20}),
    ("caroni:Files: {copies}", STEP, {"copies": 2}),
    ("caroni:Files: {keep}", (), {"keep": "all"}),
)

TYPES: tuple[object, ...] = (
    *SCALAR_NAMES,
    "Any",
    "string?",
    "string[]",
    "string[][]",
    ["null", "int", "string"],
    {"type": "array", "items": "string"},
    {"type": "enum", "symbols": ["a", "b"]},
    {"type": "record", "fields": {"a": "string"}},
    "File",
    "Directory",
    "stdin",
    "stdout",
    "stderr",
    "types.yaml#mine",
    {"$import": "types.yaml"},
    {"type": "array", "items": "string", "inputBinding": {}},
    {"type": "record", "fields": {"a": {"type": "string", "secondaryFiles": ".idx"}}},
)

_TOOL: Mapping[str, Any] = {"cwlVersion": "v1.2", **PLAIN["steps"]["one"]["run"]}
_EXPRESSION_TOOL: Mapping[str, Any] = {
    "class": "ExpressionTool",
    "inputs": {"x": {"type": "Any"}},
    "outputs": {"y": {"type": "Any"}},
    "expression": "$(inputs)",
}
BESIDE: Mapping[str, Any] = {
    "tools/tool.cwl": _TOOL,
    "tools.cwl": {"cwlVersion": "v1.2", "$graph": [{**_TOOL, "id": "part"}]},
    "types.yaml": {"type": "enum", "symbols": ["a", "b"]},
    "tools/fields.yaml": {"label": "a label"},
}
"""Files that there are."""

FILES: tuple[tuple[str, Keys, object], ...] = (
    ("`run: tools/tool.cwl`, `../tool.cwl`, within the roots", (*RUN,), "tools/tool.cwl"),
    ("`run: ../tool.cwl`, outside of the roots", (*RUN,), "../tool.cwl"),
    ("`run: http://example.org/tool.cwl`", (*RUN,), "http://example.org/tool.cwl"),
    ("`run: tools.cwl#part`, `#part`, of a `$graph`", (*RUN,), "tools.cwl#part"),
    ("`$import` in the place of any value", RUN, {"$import": "tools/tool.cwl"}),
    ("`$include` in the place of a text", (*STEP, "label"), {"$include": "tools.cwl"}),
    ("`$mixin`: fields that are added", (*STEP, "$mixin"), "tools/fields.yaml"),
    ("`cwlVersion: v1.0`", ("cwlVersion",), "v1.0"),
    ("`cwlVersion: v1.1`", ("cwlVersion",), "v1.1"),
    ("`cwlVersion: draft-3`", ("cwlVersion",), "draft-3"),
    ("`class: ExpressionTool`, run by a step", RUN, _EXPRESSION_TOOL),
    ("`class: Operation` as a template", ("class",), "Operation"),
    ("an extension, as in `acme:colour: red`", ("acme:colour",), "red"),
)

EXPRESSIONS: tuple[tuple[str, str], ...] = (
    ("valueFrom", "$(inputs.x)"),
    ("valueFrom", "$(inputs.x.name)"),
    ("valueFrom", '$(inputs.x["any name"])'),
    ("valueFrom", "$(inputs.x[0])"),
    ("valueFrom", "$(inputs.x.length)"),
    ("valueFrom", "$(inputs)"),
    ("valueFrom", "$(self)"),
    ("valueFrom", "$(null)"),
    ("valueFrom", "a text with $(inputs.x) in it"),
    ("valueFrom", "a text without any"),
    ("valueFrom", "\\$(inputs.x) stays as it is"),
    ("valueFrom", "$(inputs.x + 1)"),
    ("valueFrom", "${return inputs.x;}"),
    ("valueFrom", "$(runtime.cores)"),
    ("when", "$(inputs.x)"),
    ("when", "$(inputs.x.is_high)"),
    ("when", "$(inputs.x > 3)"),
    ("when", "$(self)"),
    ("when", "not $(inputs.x)"),
    ("agent", "$(inputs.x)"),
    ("agent", "ship-$(inputs.x)"),
)

SCRIPTS: tuple[tuple[str, str], ...] = (
    ("valueFrom", "$(inputs.x + 1)"),
    ("valueFrom", "a text with $(inputs.x + 1) in it"),
    ("valueFrom", "${return inputs.x;}"),
    ("valueFrom", "$(runtime.cores)"),
    ("when", "$(inputs.x > 3)"),
    ("agent", "$('ship-' + inputs.x)"),
)
"""Expressions where JavaScript is run."""

PLACES: Mapping[str, Keys] = {
    "valueFrom": (*STEP_INPUT, "valueFrom"),
    "when": (*STEP, "when"),
    "agent": (*STEP, "hints", "caroni:JobType", "agent"),
}
"""Where expressions stand."""

BOUNDS = (
    ("steps of a template, those of a workflow counted for each step that runs it", STEPS_MAX),
    ("workflows in each other", NESTED_MAX),
    ("files that a template leads to", FILES_MAX),
    ("bytes that these have together", BYTES_MAX),
    ("files that import each other, one inside the other", IMPORTS_MAX),
    ("instances of a scattered step", INSTANCES_MAX),
    ("characters of a step's path, with its numbers", NAME_MAX_CHARS),
    ("characters of an expression", LIMIT_CHARACTERS),
    ("characters of one that may be JavaScript", SCRIPT_LIMIT_CHARACTERS),
    ("bytes of memory that JavaScript may take", MEMORY_BYTES),
    ("seconds of processor time that one script may take", CPU_S),
    ("characters of JSON that one may give", ANSWER_MAX_CHARS),
    ("bytes of JSON of a job's inputs, and of its outputs", VALUES_LIMIT_BYTES),
    ("bytes of one of them, where it is a large value", LARGE_MAX_BYTES),
    ("bytes of large values into which an expression looks", EXPRESSION_MAX_BYTES),
)


def tables() -> str:
    """Return the tables of docs/cwl.md: each feature of CWL, and what is done with it."""
    lines: list[str] = []
    for title, fields, keys in OBJECTS:
        lines += [f"## {title}", "", *_table(("field", "here", ""), _fields(fields, keys)), ""]
    lines += ["## Requirements and hints", "", *_table(("class", "requirements", "hints"), _requirements()), ""]
    lines += ["## Types", "", *_table(("type", "here", ""), map(_type, TYPES)), ""]
    lines += ["## Expressions", "", *_table(("where", "written", "here", ""), map(_expression, EXPRESSIONS)), ""]
    lines += ["With `InlineJavascriptRequirement: {}` among the requirements:", ""]
    lines += [*_table(("where", "written", "here", ""), map(_script, SCRIPTS)), ""]
    lines += ["## Files and versions", "", *_table(("written", "here", ""), map(_file, FILES)), ""]
    lines += ["## Bounds", "", *_table(("of", "at most"), ((what, f"{most:,}") for what, most in BOUNDS))]
    return "\n".join(lines) + "\n"


def said(
    keys: Keys, value: object, kind: str = "Operation", requirements: Mapping[str, Any] | None = None
) -> list[Problem]:
    """Return what is said of the plain workflow, once it has a value in a place.

    Args:
        keys: The place.
        value: What is there then.
        kind: The class of what the step runs.
        requirements: Of the workflow.
    """
    document = deepcopy(dict(PLAIN))
    document |= {"requirements": requirements} if requirements else {}
    document["steps"]["one"]["run"]["class"] = kind
    if keys:
        _at(document, keys[:-1])[keys[-1]] = value
    assembly = Assembly(Files((Path(),), {Path(name): Document(Path(name), each) for name, each in BESIDE.items()}))
    try:
        Wiring(read_workflow(Document(Path("flow.cwl"), document), assembly)).plan("flow")
    except Problems as problems:
        return list(problems.problems)
    return assembly.problems


def _at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value.setdefault(key, {}) if isinstance(value, dict) else value[key]
    return value


def _fields(fields: Fields, keys: Keys) -> Iterator[tuple[str, ...]]:
    kind = "CommandLineTool" if fields in OF_TOOLS else "Operation"
    for name in fields.known:
        remark = REMARKS.get(name, "")
        if name in fields.read:
            yield _code(name), "served", remark
        elif name in fields.notes:
            yield _code(name), "documentation", remark
        elif name in fields.kept:
            yield _code(name), "kept", remark
        else:
            yield _code(name), *_verdict(said((*keys, name), {}, kind))


def _requirements() -> Iterator[tuple[str, ...]]:
    for name, place, body in OWN_HINTS:
        keys = (*place, "hints", name.partition(": ")[0])
        yield _code(name), *[" ".join(_verdict(said(keys, body))).strip()] * 2
    for name, needed in features.SERVED_REQUIREMENTS.items():
        yield _code(name), f"served; where it is missing and {needed}, a warning", "served"
    for name, where in PASSED.items():
        yield _code(name), f"served: {where}", "served"
    for name in (*features.REQUIREMENTS, "acme:Colour"):
        both = (said((*STEP, field, name), {}) for field in ("requirements", "hints"))
        yield _code(name), *(": ".join(_verdict(problems)) for problems in both)


def _type(spec: object) -> tuple[str, ...]:
    return _code(_yaml(spec)), *_verdict(said(("inputs", "b"), {"type": spec}))


def _expression(case: tuple[str, str]) -> tuple[str, ...]:
    field, text = case
    return _code(field), _code(text), *_verdict(said(PLACES[field], text))


def _script(case: tuple[str, str]) -> tuple[str, ...]:
    field, text = case
    needed: dict[str, Any] = {each: {} for each in ("InlineJavascriptRequirement", "StepInputExpressionRequirement")}
    return _code(field), _code(text), *_verdict(said(PLACES[field], text, requirements=needed))


def _file(case: tuple[str, Keys, object]) -> tuple[str, ...]:
    written, keys, value = case
    return written, *_verdict(said(keys, value))


def _verdict(problems: list[Problem]) -> tuple[str, str]:
    """Return what is done with a feature (served, warning, refused), and what is said of it."""
    words = "; ".join(_escaped(each.what) for each in problems)
    if not problems:
        return "served", ""
    return ("warning" if all(each.warning for each in problems) else "refused"), words


def _yaml(value: object) -> str:
    """Return a value on one line, as people write it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_yaml(each)}" for key, each in value.items()) + "}"
    return f"[{', '.join(map(_yaml, value))}]" if isinstance(value, list) else str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(head), "|" + "---|" * len(head), *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _escaped(text: str) -> str:
    """Return a text with the characters escaped that Markdown would take for markup."""
    for letter in "\\|<>*_[]":
        text = text.replace(letter, f"\\{letter}")
    return text
