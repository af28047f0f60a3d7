"""Types of templates: those with names, files, and what may flow where though not all of it fits."""

from pathlib import Path
from textwrap import dedent

import pytest

from caroni_edge.documents.assembly import Assembly
from caroni_edge.documents.documents import Problem, Problems, load
from caroni_edge.documents.files import Files
from caroni_edge.manager.templates.cwl.wiring import Wiring
from caroni_edge.manager.templates.cwl.workflow import read_workflow
from caroni_edge.manager.templates.fileuse import FileUse, SecondaryFile
from caroni_edge.manager.templates.library import load_template
from caroni_edge.manager.templates.plan import Plan

HEAD = "cwlVersion: VERSION\nclass: Workflow\n"


def read(directory: Path, text: str, version: str = "v1.2") -> tuple[Plan, list[Problem]]:
    """Return the plan of a workflow, even where it needs what is not served, and what is said of it."""
    path = directory / "flow.cwl"
    path.write_text((HEAD + text).replace("VERSION", version))
    assembly = Assembly(Files((directory,)))
    try:
        plan = Wiring(read_workflow(load(path), assembly)).plan("flow")
    except Problems:
        raise AssertionError(assembly.problems) from None
    return plan, assembly.problems


def words(problems: list[Problem]) -> list[str]:
    return [f"{each.where.rpartition(':')[2]}: {each.what}" for each in problems]


NAMED = """\
requirements:
- class: SchemaDefRequirement
  types:
  - {$import: types.yml}
  - {name: pair, type: record, fields: [{name: left, type: colour}, {name: right, type: 'types.yml#colour[]?'}]}
inputs: {a: 'types.yml#colour', b: '#pair', c: 'pair[]', d: {type: {type: array, items: colour}}}
outputs: {}
steps: {}
"""
COLOUR = {"type": "enum", "symbols": ["red", "blue"]}


def test_types_have_names(tmp_path: Path) -> None:
    (tmp_path / "types.yml").write_text("- {name: colour, type: enum, symbols: [red, blue], label: a colour}\n")
    plan, problems = read(tmp_path, NAMED)
    assert problems == []
    right = ["null", {"type": "array", "items": COLOUR}]
    pair = {"type": "record", "fields": [{"name": "left", "type": COLOUR}, {"name": "right", "type": right}]}
    listed = [{"type": "array", "items": each} for each in (pair, COLOUR)]
    assert [each.type for each in plan.inputs] == [COLOUR, pair, *listed]


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ("[{name: a, type: array, items: a}]", 'the type "a" holds itself'),
        ("[{name: a, type: array, items: b}, {name: b, type: record, fields: {x: a}}]", 'the type "a" holds itself'),
        ("3", '"types" of SchemaDefRequirement is a list of types with names'),
        ("[{name: b, type: string}]", '"a" is no type'),
    ],
)
def test_names_of_types_that_lead_nowhere_are_told(tmp_path: Path, types: str, said: str) -> None:
    text = f"requirements: {{SchemaDefRequirement: {{types: {types}}}}}\ninputs: {{x: a}}\noutputs: {{}}\nsteps: {{}}\n"
    assert any(said in each for each in words(read(tmp_path, text)[1]))


def test_named_types_cannot_grow_without_end(tmp_path: Path) -> None:
    names = [f"{{name: n{at}, type: record, fields: {{x: n{at + 1}, y: n{at + 1}}}}}" for at in range(14)]
    types = ", ".join([*names, "{name: n14, type: enum, symbols: [a]}"])
    text = (
        f"requirements: {{SchemaDefRequirement: {{types: [{types}]}}}}\ninputs: {{x: n0}}\noutputs: {{}}\nsteps: {{}}\n"
    )
    (said,) = words(read(tmp_path, text)[1])
    assert said == '4: the input "x": this type becomes too large once its names are written out'


FILES = """\
inputs:
  reads: {type: 'File[]', secondaryFiles: [.bai, '^.idx?', {pattern: .x, required: false}], format: 'edam:1'}
  folder: {type: Directory, loadListing: shallow_listing}
  plain: File
outputs: {log: {type: 'File?', outputSource: one/log, streamable: true}}
steps:
  one:
    in: {image: {source: plain, loadContents: true}, all: reads}
    out: [log]
    run:
      class: CommandLineTool
      hints: {caroni:JobType: {name: work}}
      inputs: {image: {type: stdin}, all: {type: 'File[]', secondaryFiles: .bai}, dir: 'Directory?'}
      outputs: {log: {type: stdout, streamable: true}}
      stdout: log.txt
"""


def test_what_is_said_of_files_is_in_the_plan(tmp_path: Path) -> None:
    plan, problems = read(tmp_path, FILES)
    assert [(each.where.rpartition(":")[2], each.needs) for each in problems if not each.warning] == []
    secondary = (SecondaryFile(".bai"), SecondaryFile("^.idx", False), SecondaryFile(".x", False))
    assert [each.files for each in plan.inputs] == [
        FileUse(secondary, format=("edam:1",)),
        FileUse(load_listing="shallow_listing"),
        None,
    ]
    assert plan.outputs[0].files == FileUse(streamable=True)
    (step,) = plan.steps
    assert [(each.name, each.type, each.files) for each in step.inputs] == [
        ("image", "File", FileUse(load_contents=True)),
        ("all", "File[]", FileUse((SecondaryFile(".bai"),))),
    ]
    assert step.output_files == {"log": FileUse(streamable=True)}
    assert step.streams == {"stdin": "$(inputs.image.path)", "stdout": "log.txt"}


def test_what_records_say_of_files_is_in_the_plan(tmp_path: Path) -> None:
    fields = "[{name: bam, type: File, secondaryFiles: [.bai], format: 'edam:1'}, {name: n, type: int}]"
    inner = f"{{type: record, name: '#pair', fields: {fields}}}"
    text = f"""\
        requirements: {{SchemaDefRequirement: {{types: [{inner}]}}}}
        inputs:
          one: {{type: pair}}
          all: {{type: [\"null\", {{type: array, items: pair}}], loadListing: no_listing}}
          deep: {{type: {{type: record, fields: {{inner: pair, log: \"File?\"}}}}}}
        outputs: {{}}
        steps: {{}}
        """
    plan, _ = read(tmp_path, dedent(text))
    of_fields = {"bam": FileUse((SecondaryFile(".bai"),), format=("edam:1",))}
    assert [each.files for each in plan.inputs] == [
        FileUse(fields=of_fields),
        FileUse(load_listing="no_listing", fields=of_fields),
        FileUse(fields={"inner": FileUse(fields=of_fields)}),
    ]


def test_a_v1_0_directory_is_listed_deep(tmp_path: Path) -> None:
    plan, _ = read(tmp_path, FILES, "v1.0")
    assert [each.files and each.files.load_listing for each in plan.inputs] == [
        "deep_listing",
        "shallow_listing",
        "deep_listing",
    ]


FLOW = """\
inputs: {a: INPUT}
outputs: {}
steps:
  one:
    in: {x: a, EXTRA}
    MORE
    out: []
    run: {class: Operation, inputs: {x: string, n: 'int?'}, outputs: {}, hints: {caroni:JobType: {name: work}}}
"""


def flow(directory: Path, kind: str, extra: str = "", more: str = "label: x") -> list[Problem]:
    text = FLOW.replace("INPUT", kind).replace("EXTRA", extra).replace("MORE", more)
    return [each for each in read(directory, text)[1] if "CWL programs want" not in each.what]


@pytest.mark.parametrize(
    ("kind", "extra", "more", "said"),
    [
        (
            "string?",
            "",
            "label: x",
            'takes "x" as string, but "a" gives string?, which may be null: give a default, or',
        ),
        ("[int, string]", "", "label: x", 'takes "x" as string, but "a" gives int | string, of which some may not fit'),
        ("'string[]?'", "", "scatter: x", 'is scattered over "x", which may be no list: it is string[]?'),
        (
            "[string, 'string[]']",
            "",
            "scatter: x",
            'is scattered over "x", which may be no list: it is string | string[]',
        ),
        ("'string?[]'", "", "scatter: x", 'takes "x" as string, but each item is string?, which may be null'),
        (
            "{type: {type: array, items: [string, int]}}",
            "",
            "scatter: x",
            "each item is string | int, of which",
        ),
        ("string", "nn: a", "label: x", 'runs has no input "nn" (did you mean "n"?): it is left aside'),
    ],
)
def test_what_may_go_wrong_is_a_warning(tmp_path: Path, kind: str, extra: str, more: str, said: str) -> None:
    (problem,) = flow(tmp_path, kind, extra, more)
    assert problem.warning
    assert said in problem.what
    assert load_template(tmp_path / "flow.cwl").plan.steps


@pytest.mark.parametrize(
    ("kind", "more"),
    [("int", "label: x"), ("'string[]'", "label: x"), ("'int?'", "label: x"), ("string", "scatter: x")],
)
def test_what_cannot_go_right_is_an_error(tmp_path: Path, kind: str, more: str) -> None:
    (problem,) = flow(tmp_path, kind, "", more)
    assert not problem.warning


def test_a_default_that_does_not_fit_is_a_warning(tmp_path: Path) -> None:
    """It is taken only where nothing else is given."""
    text = "inputs: {a: {type: int, default: x}}\noutputs: {}\nsteps: {}\n"
    said = words(read(tmp_path, text)[1])
    assert said == ['3: the default of the input "a" does not fit: expected int, got "x"; what takes it fails']
    (problem,) = flow(tmp_path, "string", "n: {default: x}")
    assert problem.warning
    assert 'the default of "n" in the step "one" does not fit: expected int, got "x"' in problem.what


def test_what_only_an_expression_sees_is_not_warned_about(tmp_path: Path) -> None:
    assert flow(tmp_path, "string", "n: {valueFrom: $(inputs.m)}, m: a") == []
