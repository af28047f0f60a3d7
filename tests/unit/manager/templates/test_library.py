"""Templates: what CWL is read, what each wrong line is told, and what a directory of them becomes."""

import json
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.documents.documents import Problems
from caroni_edge.manager.templates.cwl.features import PASSED_REQUIREMENTS, REQUIREMENTS
from caroni_edge.manager.templates.cwl.order import topological_order
from caroni_edge.manager.templates.library import Template, check_file, load_template, load_templates
from caroni_edge.manager.templates.plan import Link, PlanInput, PlanOutput, PlanStep, Source, StepInput

TOOL = """\
    cwlVersion: v1.2
    class: Operation
    inputs: {message: string}
    outputs: {jobout: string}
    hints: {caroni:JobType: {name: upper}}
    """

CHAIN = """\
    cwlVersion: v1.2
    class: Workflow
    inputs:
      message: string
    outputs:
      result: {type: string, outputSource: second/jobout}
    steps:
      first:
        in: {message: message}
        out: [jobout]
        run: tool.cwl
      second:
        in: {message: first/jobout}
        out: [jobout]
        run: tool.cwl
        hints: {caroni:JobType: {name: append}}
    """


def taken(*written: str, **facts: Any) -> Link:
    """Return a link from sources as they are written in a file."""
    parts = [each.partition("/") for each in written]
    sources = [Source(step=name, output=output) if output else Source(workflow_input=name) for name, _, output in parts]
    return Link(tuple(sources), **facts)


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.cwl").write_text(dedent(text))


def compiled(directory: Path, text: str) -> Template:
    write(directory, tool=TOOL, flow=text)
    return load_template(directory / "flow.cwl")


def said_of(directory: Path, text: str) -> list[str]:
    """Return the errors of a template, as `LINE: words` (with the name before the line where it is another file)."""
    with pytest.raises(Problems) as caught:
        compiled(directory, text)
    problems = [str(problem) for problem in caught.value.problems if not problem.warning]
    return [each.removeprefix(f"{directory}/").removeprefix("flow.cwl:") for each in problems]


def with_step(body: str) -> str:
    """Return a workflow with one step: line 5 is `one:`, the body begins in line 6."""
    inputs = "{a: string, n: int, o: string?, d: {type: string?, default: x}}"
    head = f"cwlVersion: v1.2\nclass: Workflow\ninputs: {inputs}\nsteps:\n  one:\n"
    return head + indent(dedent(body), "    ") + "outputs: {}\n"


def step_says(directory: Path, body: str) -> list[str]:
    return said_of(directory, with_step(body))


WITH_INPUT = "cwlVersion: v1.2\nclass: Workflow\ninputs: {a: int}\n"
RUN = "run: {class: Operation, inputs: {x: string}, outputs: {y: string}, hints: {caroni:JobType: {name: upper}}}\n"


def test_a_chain_becomes_a_plan(tmp_path: Path) -> None:
    template = compiled(tmp_path, CHAIN)
    assert template.name == "flow"
    assert template.warnings == ()
    assert template.text == dedent(CHAIN)
    plan = template.plan
    assert plan.inputs == (PlanInput("message", "string"),)
    assert plan.outputs == (PlanOutput("result", "string", taken("second/jobout")),)
    assert plan.steps == (
        PlanStep(
            "first",
            "upper",
            None,
            (StepInput("message", "string", taken("message")),),
            {"jobout": "string"},
            ("jobout",),
        ),
        PlanStep(
            "second",
            "append",
            None,
            (StepInput("message", "string", taken("first/jobout")),),
            {"jobout": "string"},
            ("jobout",),
        ),
    )


def test_list_forms_mean_the_same(tmp_path: Path) -> None:
    lists = """\
        cwlVersion: v1.2
        class: Workflow
        inputs: [{id: message, type: string}]
        outputs: [{id: result, type: string, outputSource: second/jobout}]
        steps:
          - id: first
            in: [{id: message, source: message}]
            out: [{id: jobout}]
            run:
              class: CommandLineTool
              inputs: [{id: message, type: string}]
              outputs: [{id: jobout, type: string}]
            requirements: [{class: caroni:CaroniRequirement, CaroniJobName: upper}]
          - id: second
            in: [{id: message, source: first/jobout}]
            out: [jobout]
            run: ./sub/../tool.cwl
            hints: [{class: caroni:JobType, name: append}]
        """
    first = compiled(tmp_path, CHAIN)
    second = compiled(tmp_path, lists)
    assert second.plan == first.plan
    assert second.hash == first.hash


def test_documentation_changes_nothing(tmp_path: Path) -> None:
    documented = """\
        #!/usr/bin/env caroni-edge
        cwlVersion: v1.2
        class: Workflow
        id: chain
        label: A chain
        doc: [two, lines]
        intent: [http://example.org/shout]
        $namespaces: {s: "http://schema.org/"}
        $schemas: [x.rdf]
        inputs:
          message: {type: string, label: x, doc: y, format: edam:1, streamable: false}
        outputs:
          result: {type: string, outputSource: second/jobout, doc: z}
        steps:
          first: {label: one, doc: one, in: {message: {source: message, label: x}}, out: [jobout], run: tool.cwl}
          second:
            in: {message: first/jobout}
            out: [jobout]
            run: tool.cwl
            hints: {caroni:JobType: {name: append}}
        """
    assert compiled(tmp_path, documented).plan == compiled(tmp_path, CHAIN).plan
    assert compiled(tmp_path, documented).warnings == ()


@pytest.mark.parametrize(
    "hint",
    [
        "hints: {caroni:JobType: {name: mine}}",
        "hints: {JobType: {name: mine}}",
        "hints: {'urn:caroni:cwl#JobType': {name: mine}}",
        "hints: {'http://example.org/caroni#JobType': {name: mine}}",
        "hints: {ours:JobType: {name: mine}}",
        "hints: {caroni:CaroniRequirement: {CaroniJobName: mine}}",
        "requirements: {CaroniRequirement: {CaroniJobName: mine}}",
        "requirements: [{class: ours:CaroniRequirement, CaroniJobName: mine}]",
        "hints: [{class: 'urn:caroni:cwl#JobType', name: mine}]",
        "hints: {JobType: {name: mine}}\nrequirements: {caroni:CaroniRequirement: {CaroniJobName: mine}}",
    ],
)
def test_a_job_type_is_named_in_many_ways_and_the_step_wins(tmp_path: Path, hint: str) -> None:
    text = with_step(f"in: {{x: a}}\nout: [y]\n{RUN}{hint}\n")
    spaces = "$namespaces: {caroni: 'http://example.org/caroni#', ours: 'urn:caroni:cwl#'}\n"
    (step,) = compiled(tmp_path, spaces + text).plan.steps
    assert step.job_type == "mine"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("hints: {caroni:JobType: upper}", "a job type is an object: write caroni:JobType: {name: …}"),
        ("hints: {caroni:JobType: {nme: upper}}", 'unknown field "nme" of a job type (did you mean "name"?)'),
        ("hints: {caroni:JobType: {}}", 'a job type needs "name"'),
        ("hints: {caroni:JobType: {name: Upper}}", '"Upper" is no job type: use 1 to 40 of a-z, 0-9, _ and -'),
        ("hints: {caroni:JobType: {name: 3}}", "3 is no job type"),
        ("hints: {caroni:JobType: {name: upper, agent: A7}}", '"A7" is no name of an agent'),
        ("hints: {caroni:JobType: {name: upper, agent: []}}", '"agent" names nobody'),
        ("hints: {caroni:JobType: {name: upper, agent: 7}}", '"agent" is the name of an agent, a reference'),
        ("hints: {caroni:JobType: {name: upper, agent: $(inputs.ship)}}", 'the step has no input "ship" under "in"'),
        ("hints: {caroni:JobTyp: {name: upper}}", 'unknown hint "caroni:JobTyp" (did you mean "caroni:JobType"?)'),
        ("hints: [{name: upper}]", 'in a list, each of the hints needs a "class"'),
        ("hints: [{$import: other.yaml}]", '"other.yaml" leads to nothing: there is no file'),
        ("hints: upper", '"hints" is an object, or a list'),
        ("hints: {$import: hints.yml}", '"hints.yml" leads to nothing: there is no file'),
        ("hints: {JobType: {name: b}, CaroniRequirement: {CaroniJobName: c}}", "two job types are named here, b and c"),
        ("requirements: {FooRequirement: {}}", 'unknown requirement "FooRequirement"'),
    ],
)
def test_wrong_hints_are_told(tmp_path: Path, hint: str, said: str) -> None:
    first, *_ = step_says(tmp_path, f"in: {{x: a}}\nout: [y]\n{hint}\n{RUN}")
    assert first.startswith("8: ")
    assert said in first


def test_a_step_without_a_job_type_is_told_once(tmp_path: Path) -> None:
    run = "run: {class: Operation, inputs: {}, outputs: {}}\n"
    assert step_says(tmp_path, f"in: {{}}\nout: []\n{run}") == [
        '5: the step "one" names no job type: write hints: {caroni:JobType: {name: …}}'
    ]
    assert step_says(tmp_path, f"in: {{}}\nout: []\n{run}hints: {{JobType: {{}}}}\n") == ['9: a job type needs "name"']


@pytest.mark.parametrize("name", PASSED_REQUIREMENTS)
def test_requirements_that_ask_for_nothing_by_themselves_pass(tmp_path: Path, name: str) -> None:
    body = "{types: []}" if name == "SchemaDefRequirement" else "{}"
    for field in ("requirements", "hints"):
        text = with_step(f"in: {{x: a}}\nout: [y]\n{field}: {{{name}: {body}}}\n{RUN}")
        assert compiled(tmp_path, text).warnings == ()


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_of_cwl_are_refused_and_hints_left_aside(tmp_path: Path, name: str) -> None:
    (said,) = step_says(tmp_path, f"in: {{x: a}}\nout: [y]\nrequirements: {{{name}: {{}}}}\n{RUN}")
    assert said.startswith(f"8: the requirement {name} is not served yet: ")
    (said,) = said_of(tmp_path, with_step(f"in: {{x: a}}\nout: [y]\n{RUN}") + f"requirements: [{{class: {name}}}]\n")
    assert said.startswith(f"10: the requirement {name} is not served yet: ")
    (warning,) = compiled(tmp_path, with_step(f"in: {{x: a}}\nout: [y]\nhints: {{{name}: {{}}}}\n{RUN}")).warnings
    assert f"flow.cwl:8: warning: the hint {name} is left aside" in str(warning)


def test_a_command_beside_a_job_type_is_a_warning(tmp_path: Path) -> None:
    tool = """\
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: [tr, a-z, A-Z]
        arguments: [x]
        stdout: out.txt
        successCodes: [0, 1]
        inputs: {message: {type: string, inputBinding: {position: 1}}}
        outputs: {jobout: {type: string, outputBinding: {glob: out.txt}}}
        hints: {caroni:JobType: {name: upper}, DockerRequirement: {dockerPull: debian}, acme:Colour: {}}
        """
    write(tmp_path, flow=CHAIN, tool=tool)
    warnings = [str(each).removeprefix(f"{tmp_path}/") for each in load_template(tmp_path / "flow.cwl").warnings]
    left = "is left aside: the agent's job type says what runs"
    assert warnings == [
        f'tool.cwl:3: warning: "baseCommand" {left}',
        f'tool.cwl:4: warning: "arguments" {left}',
        f'tool.cwl:5: warning: "stdout" {left}',
        f'tool.cwl:6: warning: "successCodes" {left}',
        f'tool.cwl:7: warning: "inputBinding" {left}',
        f'tool.cwl:8: warning: "outputBinding" {left}',
        f"tool.cwl:9: warning: the hint DockerRequirement {left}",
        'tool.cwl:9: warning: the unknown hint "acme:Colour" is left aside',
    ]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("{class: ExpressionTool, inputs: {}, outputs: {}}", '"expression" is a text that gives an object with the'),
        (
            "{class: Operatoin}",
            'it runs Operation or CommandLineTool or ExpressionTool or Workflow (did you mean "Operation"?)',
        ),
        ("{class: [x]}", "a step cannot run the class a list"),
        ("{inputs: {}}", 'what a step runs needs a "class"'),
        ("{$import: absent.cwl}", '"absent.cwl" leads to nothing: there is no file'),
        ("{$import: tool.cwl, class: Operation}", '"$import" stands alone in its object'),
        ("{$import: 3}", '"$import" names a file, and not 3'),
        ("{$include: ../tool.cwl}", '"../tool.cwl" lies outside of '),
        ("{$mixin: absent.cwl}", '"absent.cwl" leads to nothing'),
        ("{class: Operation, inputs: {}, outputs: {}, cwlVersion: v0.9}", 'cwlVersion "v0.9" is not served: there are'),
        ("{class: Operation, inputs: {}, outputs: {}, baseCommand: x}", 'unknown field "baseCommand" of an Operation'),
        ("{class: Operation, inputs: {}}", '"outputs" is missing: write outputs: {}'),
        ("{class: Operation, inputs: {x: {}}, outputs: {}}", 'the input "x" needs a "type"'),
        ("{class: Operation, inputs: {x y: int}, outputs: {}}", '"x y" cannot name this input: use 1 to 80 letters'),
        (
            "{class: Operation, inputs: {x: {type: File?, secondaryFiles: $(self.nameroot).bai}}, outputs: {}}",
            'an expression in "secondaryFiles" is not served yet',
        ),
        (
            "{class: Operation, inputs: {x: {type: Directory, default: {class: Directory, path: a}}}, outputs: {}}",
            'the default of the input "x": a directory that lies elsewhere ("a") is not served yet',
        ),
        (
            "{class: Operation, inputs: {x: {type: File, default: {class: File, location: a.txt}}}, outputs: {}}",
            'the default of the input "x": a file that lies elsewhere ("a.txt") is not served yet',
        ),
        ("", '"run" is missing'),
        ("[tool.cwl]", '"run" is an object, or the name of a file'),
        ("absent.cwl", "there is no file"),
        ("''", "there is no file"),
        ('"x\\0y"', "there is no file"),
        ("../tool.cwl", "lies outside of "),
        ("sub/../../tool.cwl", "lies outside of "),
        ("/etc/passwd", "lies outside of "),
        ("https://example.org/tool.cwl", "is not read over the network"),
        ("file:///etc/passwd", "is not read over the network"),
        ("tool.cwl#main", '"tool.cwl#main" names a part that is not there: no `id` there is "main"'),
    ],
)
def test_what_a_step_cannot_run_is_told(tmp_path: Path, run: str, said: str) -> None:
    first, *_ = step_says(tmp_path, f"in: {{}}\nout: []\nrun: {run}\nhints: {{JobType: {{name: u}}}}\n")
    assert first.startswith("8: ")
    assert said in first


def test_a_broken_file_that_a_step_runs_is_named_with_its_line_once(tmp_path: Path) -> None:
    write(tmp_path, tool="cwlVersion: v2\nclass: Operation\ninputs:\n  x: strin\noutputs: {}\n", flow=CHAIN)
    with pytest.raises(Problems) as caught:
        load_template(tmp_path / "flow.cwl")
    said = [str(each) for each in caught.value.problems]
    assert f'{tmp_path}/tool.cwl:4: the input "x": "strin" is no type (did you mean "string"?)' in said
    assert len([each for each in said if 'tool.cwl:1: cwlVersion "v2" is not served' in each]) == 1
    write(tmp_path, tool="a: [\n")
    with pytest.raises(Problems) as caught:
        load_template(tmp_path / "flow.cwl")
    (only,) = caught.value.problems
    assert "tool.cwl:2: is no YAML" in str(only)


def test_files_below_the_directory_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    write(tmp_path / "tools", upper=TOOL)
    write(tmp_path, flow=CHAIN.replace("tool.cwl", "tools/upper.cwl"))
    assert load_template(tmp_path / "flow.cwl").plan.job_types == {"upper", "append"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("b", '6: nothing here is called "b"'),
        ("nn", '6: nothing here is called "nn" (did you mean "n"?)'),
        ("one", '6: nothing here is called "one": name an output of that step, as in one/y'),
        ("one/z", '6: nothing here is called "one/z": add z to "out" of that step'),
        ("one/yy", '6: nothing here is called "one/yy" (did you mean "one/y"?)'),
        ("ona/y", '6: nothing here is called "ona/y" (did you mean "one/y"?)'),
        ("n", '6: the step "one" takes "x" as string, but "n" gives int'),
        ("{source: 3}", "6: a source is the name of an input, or step/output, or a list of such"),
        ("{}", '6: the step "one" needs "x" (string): give it a source or a default'),
        ("", '6: the step "one" needs "x" (string): give it a source or a default'),
        ("{source: a, defualt: b}", '6: unknown field "defualt" of a step\'s input (did you mean "default"?)'),
        ("one/y", "5: these steps wait for each other: one -> one"),
    ],
)
def test_wrong_sources_are_told_once(tmp_path: Path, source: str, said: str) -> None:
    run = RUN.replace("{y: string}", "{y: string, z: string}")
    assert step_says(tmp_path, f"in: {{x: {source}}}\nout: [y]\n{run}") == [said]


@pytest.mark.parametrize("source", ["a", "d", "{source: o, default: b}", "{source: a, default: null}", "{default: b}"])
def test_right_sources_are_taken(tmp_path: Path, source: str) -> None:
    (step,) = compiled(tmp_path, with_step(f"in: {{x: {source}}}\nout: [y]\n{RUN}")).plan.steps
    assert [each.name for each in step.inputs] == ["x"]


def test_defaults_of_what_runs_stand_behind_those_of_the_step(tmp_path: Path) -> None:
    run = """\
        run:
          class: Operation
          inputs: {x: {type: string, default: tool}, z: {type: string, default: tool}, w: string?, v: string?}
          outputs: {y: string}
          hints: {JobType: {name: upper}}
        """
    (step,) = compiled(
        tmp_path, with_step(f"in: {{x: {{source: o, default: step}}, v: }}\nout: []\n{dedent(run)}")
    ).plan.steps
    assert step.inputs == (
        StepInput("x", "string", taken("o"), "step"),
        StepInput("z", "string", None, "tool"),
    )
    (step,) = compiled(tmp_path, with_step(f"in: {{x: o}}\nout: []\n{dedent(run)}")).plan.steps
    assert step.inputs[0] == StepInput("x", "string", taken("o"), "tool")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("in: {xx: a}\nout: [y]\n", '5: the step "one" needs "x" (string): give it a source or a default'),
        ("in: {x: a, xx: b}\nout: [y]\n", '6: nothing here is called "b"'),
        ("in: [{id: x, source: a}, {id: x}]\nout: [y]\n", '6: the step input "x" is there twice, first in '),
        ("in: [{source: a}]\nout: [y]\n", '6: in a list, each step input needs an "id"'),
        ("in: [{$import: a.yaml}]\nout: [y]\n", '6: "a.yaml" leads to nothing: there is no file'),
        ("in: {x: {id: x, source: a}}\nout: [y]\n", '6: "id" does not stand here'),
        ("in: {x y: a, x: a}\nout: [y]\n", '6: "x y" cannot name this step input'),
        ("in: x\nout: [y]\n", '6: "in" is an object, or a list of objects with "id"'),
        ("in: {$import: x, x: a}\nout: [y]\n", '6: "$import" stands alone in its object'),
        ("in: {x: a}\nout: [y, yy]\n", '7: what the step "one" runs has no output "yy" (did you mean "y"?)'),
        ("in: {x: a}\nout: [y, y]\n", '7: the output "y" is there twice'),
        ("in: {x: a}\nout: [{id: y, doc: x}]\n", '7: unknown field "doc" of a step\'s output'),
        ("in: {x: a}\nout: [3]\n", '7: each of "out" is a name'),
        ("in: {x: a}\nout: {y: }\n", '7: "out" is the list of the outputs'),
        ("in: {x: a}\nin_: {}\nout: [y]\n", '7: unknown field "in_" of a step'),
        ("in: {x: a}\ncaroni:JobType: {name: u}\nout: [y]\n", '7: "caroni:JobType" does not stand here'),
    ],
)
def test_wrong_steps_are_told(tmp_path: Path, body: str, said: str) -> None:
    first, *_ = step_says(tmp_path, body + RUN)
    assert first.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class: Workflow\ninputs: {}\noutputs: {}\nsteps: {}", '1: "cwlVersion" is missing: write cwlVersion: v1.2'),
        ("class: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\ncwlVersion: v0.9", '5: cwlVersion "v0.9" is not served'),
        (
            "class: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\ncwlVersion: 1.2",
            "5: cwlVersion 1.2 is not served: there are v1.0, v1.1, v1.2",
        ),
        ("class: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\ncwlVersion: [v1.2]", "5: cwlVersion a list is not"),
        ("cwlVersion: v1.2\nclass: Workflow\noutputs: {}\nsteps: {}", '1: "inputs" is missing: write inputs: {}'),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: 3\nsteps: {}",
            '4: "outputs" is an object, or a list',
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {a: tool.cwl}",
            '5: the step "a" is no object',
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {..: {}}",
            '5: ".." cannot name this step',
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: [{id: [a]}]",
            "5: a list cannot name this step",
        ),
        (
            "cwlVersion: v1.2\n$graph: []",
            '2: this file holds processes beside each other ("$graph"): one of them needs `id: main`',
        ),
        (
            "cwlVersion: v1.2\n$graph: [{id: a, class: Workflow}, {id: '#a'}]",
            '2: this file holds two processes that are called "a"',
        ),
        ("cwlVersion: v1.2\n$graph: {}", '2: this file needs a list of processes with "id" as its "$graph"'),
        ("cwlVersion: v1.2\nclass: Workfow", '2: "Workfow" is no class of a template: that is Workflow'),
        ("cwlVersion: v1.2\nid: x", '1: "class" is missing: write class: Workflow'),
        ("- a", "1: a template is an object with class: Workflow"),
        ("", "1: a template is an object with class: Workflow"),
        ("a: [", "2: is no YAML"),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {a: strng}\noutputs: {}\nsteps: {}",
            '3: the input "a": "strng" is no',
        ),
        ("cwlVersion: v1.2\nclass: Workflow\ninputs: {a: }\noutputs: {}\nsteps: {}", '3: the input "a" needs a "type"'),
        (
            WITH_INPUT + "outputs: {b: {type: string, outputSource: a}}\nsteps: {}",
            '4: the output "b" is string, but "a" gives int',
        ),
        (
            WITH_INPUT + "outputs: {b: {type: int, outputSource: aa}}\nsteps: {}",
            '4: nothing here is called "aa"',
        ),
        (
            WITH_INPUT + "outputs: {b: {type: int, outputSource: [a, a]}}\nsteps: {}",
            '4: the output "b" is int, but its sources give int[]',
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\nhints: {JobType: {name: u}}",
            "6: a job type belongs to a step",
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\n$namespaces: [caroni]",
            '6: "$namespaces" is an object of prefixes and IRIs',
        ),
        (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nstep: {}\nsteps: {}",
            '5: unknown field "step" of a',
        ),
    ],
)
def test_wrong_workflows_are_told(tmp_path: Path, text: str, said: str) -> None:
    (only,) = said_of(tmp_path, text)
    assert only.startswith(said)


def test_a_workflow_may_give_an_input_back(tmp_path: Path) -> None:
    text = """\
        cwlVersion: v1.2
        class: Workflow
        inputs: {a: {type: "int?", default: 3}}
        outputs: {b: {type: double, outputSource: a}}
        steps: {}
        """
    assert compiled(tmp_path, text).plan.outputs == (PlanOutput("b", "double", taken("a")),)


def test_extensions_are_warned_about(tmp_path: Path) -> None:
    text = dedent(CHAIN) + "s:author: me\nhttp://schema.org/license: free\n"
    warnings = [str(each) for each in compiled(tmp_path, text).warnings]
    assert [each.partition("warning: ")[2] for each in warnings] == [
        '"s:author" is an extension that is left aside',
        '"http://schema.org/license" is an extension that is left aside',
    ]


def test_steps_come_after_what_they_wait_for_and_else_as_written(tmp_path: Path) -> None:
    names = {"last": "b", "b": "a", "lone": "", "a": "", "c": "a"}
    steps = "".join(
        f"  {name}: {{in: {{message: {f'{source}/jobout' if source else 'm'}}}, out: [jobout], run: tool.cwl}}\n"
        for name, source in names.items()
    )
    text = f"cwlVersion: v1.2\nclass: Workflow\ninputs: {{m: string}}\noutputs: {{}}\nsteps:\n{steps}"
    assert [step.name for step in compiled(tmp_path, text).plan.steps] == ["lone", "a", "b", "last", "c"]


def test_all_problems_come_at_once_by_line(tmp_path: Path) -> None:
    text = """\
        cwlVersion: v3
        class: Workflow
        inputs: {a: strng}
        outputs: {b: {type: int, outputSource: nobody/x}}
        steps:
          one: {scatter: x, in: {message: nobody}, out: [jobout], run: tool.cwl}
          two: {in: {message: three/jobout}, out: [jobout], run: tool.cwl}
          three: {in: {message: two/jobout}, out: [jobout], run: tool.cwl}
          four: {in: {message: three/jobout}, out: [], run: absent.cwl}
        """
    lines = [said.partition(":")[0] for said in said_of(tmp_path, text)]
    assert lines == ["1", "3", "4", "6", "6", "7", "9"]
    assert "7: these steps wait for each other: two -> three -> two" in said_of(tmp_path, text)


@given(st.dictionaries(st.integers(0, 7).map(str), st.frozensets(st.integers(0, 7).map(str), max_size=3), max_size=8))
def test_order_is_topological_and_rings_are_rings(graph: dict[str, frozenset[str]]) -> None:
    waits = {name: each & graph.keys() for name, each in graph.items()}
    order, rings = topological_order(waits)
    place = {name: at for at, name in enumerate(order)}
    for name in order:
        assert all(place[other] < place[name] for other in waits[name])
    assert bool(rings) == (len(order) < len(waits))
    for ring in rings:
        assert len(set(ring)) == len(ring)
        assert all(before in waits[after] for before, after in zip(ring, ring[1:] + ring[:1], strict=True))


def test_a_directory_of_templates(tmp_path: Path) -> None:
    write(tmp_path, tool=TOOL, good=CHAIN, bad=CHAIN.replace("message: string", "message: strng"))
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "other.yml").write_text(dedent(CHAIN))
    (tmp_path / "a b.cwl").write_text(dedent(CHAIN))
    (tmp_path / "inputs.yaml").write_text("message: hello")
    (tmp_path / ".hidden.cwl").write_text("a: [")
    (tmp_path / "notes.txt").write_text("a: [")
    (tmp_path / "sub.cwl").mkdir()
    templates = load_templates(tmp_path)
    assert templates.names() == ["good", "other"]
    assert set(templates.errors) == {"a b", "bad", "broken", "sub"}
    assert "cannot name a template" in str(templates.errors["a b"][0])
    assert "not a regular file" in str(templates.errors["sub"][0])
    good = templates.get("good")
    assert good is not None
    assert good.plan.template == "good"
    assert templates.get("bad") is None


@pytest.mark.parametrize("text", ["", "hello", "class: Worflow\n", "steps: {}\n"])
def test_a_cwl_file_that_is_nothing_is_told(text: str, tmp_path: Path) -> None:
    write(tmp_path, one=CHAIN)
    before = load_templates(tmp_path)
    (tmp_path / "one.cwl").write_text(text)
    after = load_templates(tmp_path, before)
    assert (set(after.errors), after.get("one")) == ({"one"}, before.get("one"))


def test_a_file_that_broke_keeps_its_version(tmp_path: Path) -> None:
    write(tmp_path, tool=TOOL, one=CHAIN, two=CHAIN)
    before = load_templates(tmp_path)
    write(tmp_path, one="class: Workflow", two=CHAIN.replace("append", "attach"))
    after = load_templates(tmp_path, before)
    assert after.get("one") is before.get("one")
    assert set(after.errors) == {"one"}
    two = after.get("two")
    assert two is not None
    assert two.plan.job_types == {"upper", "attach"}
    (tmp_path / "one.cwl").unlink()
    gone = load_templates(tmp_path, after)
    assert gone.names() == ["two"]
    assert gone.errors == {}


def test_two_files_of_one_name_are_both_refused(tmp_path: Path) -> None:
    write(tmp_path, tool=TOOL, flow=CHAIN)
    before = load_templates(tmp_path)
    (tmp_path / "flow.yaml").write_text(dedent(CHAIN))
    assert load_templates(tmp_path).names() == []
    after = load_templates(tmp_path, before)
    assert after.get("flow") is before.get("flow")
    assert [str(each) for each in after.errors["flow"]] == [
        f"{tmp_path}/{name}:1: flow.cwl and flow.yaml would be one template: rename all but one"
        for name in ("flow.cwl", "flow.yaml")
    ]
    (tmp_path / "flow.yaml").write_text(dedent(TOOL))
    assert load_templates(tmp_path).names() == ["flow"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="nowhere: cannot be read: No such file"):
        load_templates(tmp_path / "nowhere")


def test_files_can_be_checked_by_themselves(tmp_path: Path) -> None:
    write(tmp_path, tool=TOOL, good=CHAIN, bad="cwlVersion: v1.2\nclass: Operation\ninputs: {x: strng}\noutputs: {}")
    assert check_file(tmp_path / "good.cwl").problems == ()
    assert check_file(tmp_path / "tool.cwl").problems == ()
    (problem,) = check_file(tmp_path / "bad.cwl").problems
    assert "bad.cwl:3" in str(problem)
    (problem,) = check_file(tmp_path / "absent.cwl").problems
    assert "cannot be read" in str(problem)
    (tmp_path / "odd.cwl").write_text("- x")
    (problem,) = check_file(tmp_path / "odd.cwl").problems
    assert "a template is an object" in str(problem)


WORDS = ["id", "in", "out", "run", "type", "class", "hints", "requirements", "x", "one", "source", "default", "$import"]
MORE_WORDS = ["name", "inputs", "outputs", "steps", "JobType", "outputSource", "$namespaces", "items"]
YAML_BITS = st.recursive(
    st.sampled_from([None, "x", "a", "one/y", "string", 3, True, "Workflow", "Operation", "v1.2", "tool.cwl"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WORDS, *MORE_WORDS]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["inputs", "outputs", "steps", "hints", "requirements", "$namespaces"]), YAML_BITS)
)
def test_no_document_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, object]) -> None:
    directory = tmp_path_factory.getbasetemp() / "fuzzed"
    directory.mkdir(exist_ok=True)
    text = json.dumps({"cwlVersion": "v1.2", "class": "Workflow", **parts})
    (directory / "fuzz.cwl").write_text(text)
    write(directory, tool=TOOL)
    assert all(str(problem).startswith(str(directory)) for problem in check_file(directory / "fuzz.cwl").problems)
