"""Templates that branch out: scatter, links, nested workflows, and how large they may be."""

from pathlib import Path
from typing import Any

import pytest

from caroni_edge.manager.templates.plan import Plan, PlanStep
from tests.unit.manager.templates.test_library import compiled, said_of, taken, write

HEAD = "cwlVersion: v1.2\nclass: Workflow\n"
INPUTS = "{a: string, b: string, s: string?, many: 'string[]', more: 'string[]', n: int, go: boolean, x: Any}"
JOB = "{class: Operation, inputs: {p: string, q: string?}, outputs: {y: string}, hints: {JobType: {name: upper}}}"


def flow(step: str, output: str = "", kind: str = "Any?", *, more: str = "") -> str:
    """Return a workflow: line 5 is the step, line 4 the output."""
    outputs = f"{{r: {{type: {kind}, outputSource: {output}}}}}" if output else "{}"
    return f"{HEAD}inputs: {INPUTS}\noutputs: {outputs}\nsteps: {{one: {{{step}, run: {JOB}}}}}\n{more}"


def warnings_of(directory: Path, text: str) -> list[str]:
    """Return the warnings of a template, as `LINE: words`."""
    found = [str(each).removeprefix(f"{directory}/") for each in compiled(directory, text).warnings]
    return [each.removeprefix("flow.cwl:").replace("warning: ", "") for each in found]


def only(directory: Path, text: str) -> PlanStep:
    (step,) = compiled(directory, text).plan.steps
    return step


# Scatter


@pytest.mark.parametrize(
    ("scatter", "method", "kind"),
    [
        ("scatter: p", "dotproduct", "'string[]'"),
        ("scatter: [p]", "dotproduct", "'string[]'"),
        ("scatter: [p, q], scatterMethod: dotproduct", "dotproduct", "'string[]'"),
        ("scatter: [p, q], scatterMethod: flat_crossproduct", "flat_crossproduct", "'string[]'"),
        ("scatter: [p, q], scatterMethod: nested_crossproduct", "nested_crossproduct", "'string[][]'"),
    ],
)
def test_a_scattered_step_gives_lists(tmp_path: Path, scatter: str, method: str, kind: str) -> None:
    given = "in: {p: many, q: more}" if "q" in scatter else "in: {p: many}"
    step = only(tmp_path, flow(f"{given}, {scatter}, out: [y]", "one/y", kind))
    assert step.method == method
    assert step.scatter == (("p", "q") if "q" in scatter else ("p",))
    (said,) = said_of(tmp_path, flow(f"{given}, {scatter}, out: [y]", "one/y", "string"))
    assert said.startswith('4: the output "r" is string, but "one/y" gives string[]')


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("in: {p: a}, scatter: p", 'the step "one" is scattered over "p", which is no list: it is string'),
        ("in: {p: many}, scatter: z", 'the step "one" has no input "z" to scatter over'),
        ("in: {p: many}, scatter: [p, z], scatterMethod: dotproduct", 'has no input "z" to scatter over'),
        ("in: {p: many}, scatter: [p, p]", 'the input "p" is scattered over twice'),
        ("in: {p: many}, scatter: []", '"scatter" names nothing: name an input of the step, or leave it out'),
        ("in: {p: many}, scatter: 3", '"scatter" is the name of an input of the step'),
        ("in: {p: many, q: more}, scatter: [p, q]", 'add "scatterMethod", dotproduct or flat_crossproduct'),
        ("in: {p: many}, scatter: p, scatterMethod: dot", '"scatterMethod" is dotproduct or flat_crossproduct'),
        ("in: {p: {source: [n, n]}}, scatter: p", 'takes "p" as string, but each item is int'),
        ("in: {p: many}", 'the step "one" takes "p" as string, but "many" gives string[]'),
    ],
)
def test_wrong_scatters_are_told(tmp_path: Path, step: str, said: str) -> None:
    (found,) = said_of(tmp_path, flow(f"{step}, out: [y]", "one/y", "'string[]'" if "scatter" in step else "string"))
    assert found.startswith("5: ")
    assert said in found


def test_a_method_without_a_scatter_is_a_warning(tmp_path: Path) -> None:
    text = flow("in: {p: a}, scatterMethod: dotproduct, out: [y]", "one/y", "string")
    assert warnings_of(tmp_path, text) == ['5: "scatterMethod" is left aside: the step has no "scatter"']


def test_what_is_any_may_be_scattered_over(tmp_path: Path) -> None:
    assert only(tmp_path, flow("in: {p: x}, scatter: p, out: [y]")).scatter == ("p",)


# Links


@pytest.mark.parametrize(
    ("source", "kind", "link"),
    [
        ("[a], ", "string", taken("a")),
        ("[a, b], ", "string[]", taken("a", "b", merge="merge_nested")),
        ("a, linkMerge: merge_nested", "string[]", taken("a", merge="merge_nested")),
        ("[a, many], linkMerge: merge_flattened", "string[]", taken("a", "many", merge="merge_flattened")),
        ("[a, s], linkMerge: merge_nested", "'string?[]'", taken("a", "s", merge="merge_nested")),
        ("[s, a], pickValue: first_non_null", "string", taken("s", "a", merge="merge_nested", pick="first_non_null")),
        (
            "[s, a], pickValue: the_only_non_null",
            "string",
            taken("s", "a", merge="merge_nested", pick="the_only_non_null"),
        ),
        ("[s, a], pickValue: all_non_null", "string[]", taken("s", "a", merge="merge_nested", pick="all_non_null")),
    ],
)
def test_several_sources_flow_together(tmp_path: Path, source: str, kind: str, link: Any) -> None:
    kind = {"'string?[]'": "{type: array, items: string?}"}.get(kind, f"'{kind}'")
    text = f"{HEAD}inputs: {INPUTS}\noutputs: {{r: {{type: {kind}, outputSource: {source}}}}}\nsteps: {{}}\n"
    (output,) = compiled(tmp_path, text).plan.outputs
    assert output.link == link


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("[a, zz]", 'nothing here is called "zz"'),
        ("[n, n]", "but its sources give int[]"),
        ("a, linkMerge: flat", '"linkMerge" is merge_nested or merge_flattened, and not "flat"'),
        ("a, pickValue: first", '"pickValue" is first_non_null or the_only_non_null or all_non_null'),
        ("[a, 3]", "a source is the name of an input, or step/output, or a list of such"),
    ],
)
def test_wrong_links_are_told(tmp_path: Path, source: str, said: str) -> None:
    text = f"{HEAD}inputs: {INPUTS}\noutputs: {{r: {{type: 'string[]', outputSource: {source}}}}}\nsteps: {{}}\n"
    found = said_of(tmp_path, text)
    assert found[0].startswith("4: ")
    assert any(said in each for each in found)


# Nested workflows

STEP_IN = f"steps: {{in: {{in: {{p: p}}, out: [y], run: {JOB}}}}}"
INNER = f"""\
{HEAD}inputs: {{p: string, q: {{type: string, default: x}}}}
outputs: {{y: {{type: string, outputSource: in/y}}}}
{STEP_IN}
"""


def nest(step: str, run: str = "inner.cwl", kind: str = "Any?") -> str:
    outputs = f"{{r: {{type: {kind}, outputSource: one/y}}}}"
    return f"{HEAD}inputs: {INPUTS}\noutputs: {outputs}\nsteps: {{one: {{{step}, out: [y], run: {run}}}}}\n"


def test_a_step_may_run_a_workflow_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, inner=INNER)
    step = only(tmp_path, nest("in: {p: a}", kind="string"))
    assert isinstance(step.workflow, Plan)
    assert (step.job_type, [each.name for each in step.workflow.steps]) == ("", ["in"])
    assert step.workflow.step_by_name["in"].job_type == "upper"
    scattered = only(tmp_path, nest("in: {p: many}, scatter: p", kind="'string[]'"))
    assert scattered.scatter == ("p",)


def test_a_workflow_may_be_written_into_a_step(tmp_path: Path) -> None:
    ports = "inputs: {p: string}, outputs: {y: {type: string, outputSource: in/y}}"
    inline = f"{{class: Workflow, {ports}, {STEP_IN}}}"
    step = only(tmp_path, nest("in: {p: a}", inline, "string"))
    assert step.workflow is not None
    assert [each.name for each in step.workflow.steps] == ["in"]


def test_files_that_run_each_other_are_told(tmp_path: Path) -> None:
    write(tmp_path, inner=nest("in: {p: {default: x}}", "flow.cwl"))
    found = said_of(tmp_path, nest("in: {p: a}"))
    assert "inner.cwl:5: these run each other: flow.cwl -> inner.cwl -> flow.cwl" in found


def test_a_file_that_runs_itself_is_told(tmp_path: Path) -> None:
    (found,) = said_of(tmp_path, nest("in: {p: a}", "flow.cwl"))
    assert "flow.cwl -> flow.cwl" in found


def test_workflows_that_are_nested_too_deep_are_told(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, **{f"level{number}": nest("in: {a: {default: x}}", f"level{number + 1}.cwl")})
    found = said_of(tmp_path, nest("in: {a: a}", "level0.cwl"))
    assert any("nested in each other 8 deep at most" in each for each in found)


def test_workflows_that_have_been_read_on_another_way_count_too(tmp_path: Path) -> None:
    head = f"{HEAD}inputs: {{p: string}}\noutputs: {{}}\nsteps: "
    write(tmp_path, level0=f"{head}{{in: {{in: {{p: p}}, out: [], run: {JOB}}}}}\n")
    for level in range(1, 9):
        write(tmp_path, **{f"level{level}": f"{head}{{in: {{in: {{p: p}}, out: [], run: level{level - 1}.cwl}}}}\n"})
    steps = [f"s{level}: {{in: {{p: p}}, out: [], run: level{level}.cwl}}" for level in range(9)]
    (found,) = said_of(tmp_path, f"{head}{{{', '.join(steps)}}}\n")
    assert found == "5: workflows are nested in each other 8 deep at most"
    assert compiled(tmp_path, f"{head}{{{', '.join(steps[:-1])}}}\n")


def test_what_is_wrong_in_a_nested_workflow_is_told_once_with_its_own_line(tmp_path: Path) -> None:
    write(tmp_path, inner=INNER.replace("{p: p}", "{p: zz}"))
    text = nest("in: {p: a}").replace("steps: {", "steps: {two: {in: {p: b}, out: [], run: inner.cwl}, ")
    assert said_of(tmp_path, text) == ['inner.cwl:5: nothing here is called "zz"']


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("in: {}", 'the step "one" needs "p" (string)'),
        ("in: {p: n}", 'the step "one" takes "p" as string, but "n" gives int'),
        (
            "in: {p: a}, hints: {JobType: {name: u}}",
            "a job type belongs to a step, or to what it runs, and not to a step that runs",
        ),
    ],
)
def test_what_flows_into_a_nested_workflow_is_checked(tmp_path: Path, step: str, said: str) -> None:
    write(tmp_path, inner=INNER)
    found = said_of(tmp_path, nest(step))
    assert len(found) == 1
    assert said in found[0]


# How large a template may be


def test_a_template_has_a_bound_of_steps(tmp_path: Path) -> None:
    """Ten steps that run ten steps, and so on: nothing is made of it."""
    write(tmp_path, level0=INNER.replace("inputs: {p: string, q: {type: string, default: x}}", "inputs: {p: string}"))
    for level in range(1, 8):
        steps = ", ".join(f"s{at}: {{in: {{p: p}}, out: [y], run: level{level - 1}.cwl}}" for at in range(10))
        outputs = "{y: {type: string, outputSource: s0/y}}"
        write(tmp_path, **{f"level{level}": f"{HEAD}inputs: {{p: string}}\noutputs: {outputs}\nsteps: {{{steps}}}\n"})
    (found,) = said_of(tmp_path, nest("in: {p: a}", "level7.cwl"))
    assert found.startswith("level4.cwl:5: here the template comes to 10555 steps, and 10000 are the most")
    assert only(tmp_path, nest("in: {p: a}", "level3.cwl")).workflow is not None


def deep(directory: Path, characters: int) -> str:
    """Return a workflow with five scattered levels below it, whose names are so long; the last step is `in`."""
    write(directory, level0=INNER)
    inputs = "{p: string, many: {type: 'string[]', default: [x]}}"
    for level in range(1, 6):
        step = f"{'n' * characters}: {{in: {{p: many}}, scatter: p, out: [], run: level{level - 1}.cwl}}"
        write(directory, **{f"level{level}": f"{HEAD}inputs: {inputs}\noutputs: {{}}\nsteps: {{{step}}}\n"})
    return f"{HEAD}inputs: {INPUTS}\noutputs: {{}}\nsteps: {{one: {{in: {{p: a}}, out: [], run: level5.cwl}}}}\n"


def test_a_path_fits_into_a_message(tmp_path: Path) -> None:
    (found,) = said_of(tmp_path, deep(tmp_path, 70))
    assert found.startswith("level5.cwl:5: the paths of the steps inside may have 407 characters, and 400 are the most")
    (found,) = said_of(tmp_path, deep(tmp_path, 68))
    assert found.startswith("5: the paths of the steps inside may have 401 characters")
    assert only(tmp_path, deep(tmp_path, 67)).workflow is not None


# What other CWL programs want


@pytest.mark.parametrize(
    ("step", "requirement"),
    [
        ("in: {p: many}, scatter: p", "ScatterFeatureRequirement"),
        ("in: {p: {source: a, valueFrom: $(self)}}", "StepInputExpressionRequirement"),
        ("in: {p: {source: [s, a], pickValue: first_non_null}}", "MultipleInputFeatureRequirement"),
    ],
)
def test_a_missing_requirement_is_a_warning(tmp_path: Path, step: str, requirement: str) -> None:
    text = flow(f"{step}, out: [y]")
    (said,) = warnings_of(tmp_path, text)
    assert said.startswith("5: ")
    assert said.endswith(f"add {requirement}: {{}} to the requirements of the workflow")
    assert not warnings_of(tmp_path, f"{text}requirements: {{{requirement}: {{}}}}\n")
    assert not warnings_of(tmp_path, f"{text}hints: {{{requirement}: {{}}}}\n")
    of_step = flow(f"{step}, out: [y], requirements: [{{class: {requirement}}}]")
    assert warnings_of(tmp_path, of_step) == ([] if requirement == "ScatterFeatureRequirement" else [said])


def test_sources_of_an_output_want_a_requirement_too(tmp_path: Path) -> None:
    (said,) = warnings_of(tmp_path, flow("in: {p: a}, out: [y]", "[one/y, a]", "'string[]'"))
    assert said.startswith("4: several sources flow to one place")


def test_requirements_hold_for_the_workflows_inside(tmp_path: Path) -> None:
    inner = INNER.replace("in: {p: p}, out: [y]", "in: {p: {source: p, valueFrom: $(self)}}, out: [y]")
    write(tmp_path, inner=inner)
    text = nest("in: {p: a}, requirements: {SubworkflowFeatureRequirement: {}}")
    wants = "StepInputExpressionRequirement"
    (said,) = warnings_of(tmp_path, text)
    assert said.startswith("inner.cwl:5: valueFrom is used")
    assert not warnings_of(tmp_path, f"{text}requirements: {{{wants}: {{}}}}\n")
    assert len(warnings_of(tmp_path, nest("in: {p: a}"))) == 2
    twice = text.replace("steps: {", "steps: {two: {in: {p: b}, out: [], run: inner.cwl}, ")
    assert len(warnings_of(tmp_path, f"{twice}requirements: {{{wants}: {{}}}}\n")) == 1
