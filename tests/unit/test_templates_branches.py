"""Templates that branch out: scatter, conditions, expressions, links, nesting, agents and limits."""

from pathlib import Path
from typing import Any

import pytest

from caroni_edge.manager.plan import Plan, PlanStep
from tests.unit.test_templates import compiled, said_of, taken, write

HEAD = "cwlVersion: v1.2\nclass: Workflow\n"
INPUTS = "{a: string, b: string, s: string?, many: 'string[]', more: 'string[]', n: int, go: boolean, x: Any}"
JOB = "{class: Operation, inputs: {p: string, q: string?}, outputs: {y: string}, hints: {JobType: {name: upper}}}"


def flow(step: str, output: str = "", kind: str = "Any?", *, more: str = "") -> str:
    """Return a workflow: line 5 is the step, line 4 the output."""
    outputs = f"{{r: {{type: {kind}, outputSource: {output}}}}}" if output else "{}"
    return f"{HEAD}inputs: {INPUTS}\noutputs: {outputs}\nsteps: {{one: {{{step}, run: {JOB}}}}}\n{more}"


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
        ("in: {p: many}, scatter: [p, p]", 'the input "p" is scattered over twice'),
        ("in: {p: many}, scatter: 3", '"scatter" is the name of an input of the step'),
        ("in: {p: many, q: more}, scatter: [p, q]", 'add "scatterMethod", dotproduct or flat_crossproduct'),
        ("in: {p: many}, scatter: p, scatterMethod: dot", '"scatterMethod" is dotproduct or flat_crossproduct'),
        ("in: {p: {source: [n, n]}}, scatter: p", 'takes "p" as string, but each item is int'),
        ("in: {p: many}", 'the step "one" takes "p" as string, but "many" gives string[]'),
    ],
)
def test_wrong_scatters_are_told(tmp_path: Path, step: str, said: str) -> None:
    found = said_of(tmp_path, flow(f"{step}, out: [y]"))
    assert all(each.startswith("5: ") for each in found)
    assert any(said in each for each in found)


def test_what_is_any_may_be_scattered_over(tmp_path: Path) -> None:
    assert only(tmp_path, flow("in: {p: x}, scatter: p, out: [y]")).scatter == ("p",)


# Conditions and expressions


def test_what_a_condition_may_skip_may_be_null(tmp_path: Path) -> None:
    step = only(tmp_path, flow("in: {p: a, go: go}, when: $(inputs.go), out: [y]", "one/y", "string?"))
    assert step.when == "$(inputs.go)"
    assert [(each.name, each.type) for each in step.inputs] == [("p", "string"), ("go", None)]
    (said,) = said_of(tmp_path, flow("in: {p: a, go: go}, when: $(inputs.go), out: [y]", "one/y", "string"))
    assert said.startswith('4: the output "r" is string, but "one/y" gives string?, which may be null')


def test_an_expression_may_make_a_value(tmp_path: Path) -> None:
    step = only(
        tmp_path, flow("in: {p: {source: x, valueFrom: $(self.name)}, q: {valueFrom: <$(inputs.p)>}}, out: [y]")
    )
    assert [(each.link, each.value_from) for each in step.inputs] == [
        (taken("x"), "$(self.name)"),
        (None, "<$(inputs.p)>"),
    ]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("in: {p: a}, when: $(inputs.go)", 'the step has no input "go" under "in"'),
        ("in: {p: a}, when: $(self)", "`self` means something in valueFrom alone"),
        ("in: {p: a}, when: true", '"when" is a reference to an input that is true or false'),
        ("in: {p: a, n: n}, when: '$(inputs.n > 3)'", "JavaScript is not run here"),
        ("in: {p: a}, when: '${return true}'", "JavaScript is not run here"),
        ("in: {p: {source: a, valueFrom: 3}}", '"valueFrom" is a text'),
        ("in: {p: {source: a, valueFrom: '$(inputs.zz)'}}", 'the step has no input "zz" under "in"'),
        ("in: {p: {source: a, valueFrom: '$(inputs.p'}}", "its bracket is not closed"),
        ("in: {p: a, z: n}", 'what the step "one" runs has no input "z"'),
    ],
)
def test_wrong_expressions_are_told(tmp_path: Path, step: str, said: str) -> None:
    found = said_of(tmp_path, flow(f"{step}, out: [y]"))
    assert all(each.startswith("5: ") for each in found)
    assert any(said in each for each in found)


def test_javascript_is_refused_with_its_line(tmp_path: Path) -> None:
    (said,) = said_of(tmp_path, flow("in: {p: a}, out: [y]", more="requirements: {InlineJavascriptRequirement: {}}\n"))
    assert said.startswith(
        "6: the requirement InlineJavascriptRequirement is not served yet: JavaScript is not run here"
    )


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
        ("[a, n]", "but its sources give (string | int)[]"),
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
    assert "inner.cwl:5: these files run each other: flow.cwl -> inner.cwl -> flow.cwl" in found


def test_a_file_that_runs_itself_is_told(tmp_path: Path) -> None:
    (found,) = said_of(tmp_path, nest("in: {p: a}", "flow.cwl"))
    assert "flow.cwl -> flow.cwl" in found


def test_workflows_that_are_nested_too_deep_are_told(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, **{f"level{number}": nest("in: {a: {default: x}}", f"level{number + 1}.cwl")})
    found = said_of(tmp_path, nest("in: {a: a}", "level0.cwl"))
    assert any("nested in each other 8 deep at most" in each for each in found)


def test_what_is_wrong_in_a_nested_workflow_is_told_once_with_its_own_line(tmp_path: Path) -> None:
    write(tmp_path, inner=INNER.replace("{p: p}", "{p: zz}"))
    text = nest("in: {p: a}").replace("steps: {", "steps: {two: {in: {p: b}, out: [], run: inner.cwl}, ")
    assert said_of(tmp_path, text) == ['inner.cwl:5: nothing here is called "zz"']


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("in: {}", 'the step "one" needs "p" (string)'),
        ("in: {p: n}", 'the step "one" takes "p" as string, but "n" gives int'),
        ("in: {p: a, zz: a}", 'what the step "one" runs has no input "zz"'),
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


# Agents and limits


@pytest.mark.parametrize(
    ("agent", "agents"),
    [
        ("a7", ("a7",)),
        ("[a7, a8]", ("a7", "a8")),
        ("$(inputs.ship)", ("$(inputs.ship)",)),
        ("[a7, $(inputs.ship)]", ("a7", "$(inputs.ship)")),
    ],
)
def test_a_step_may_be_bound_to_agents(tmp_path: Path, agent: str, agents: tuple[str, ...]) -> None:
    given = "in: {p: a, ship: b}" if "ship" in agent else "in: {p: a}"
    step = only(tmp_path, flow(f"{given}, out: [y], hints: {{JobType: {{name: mine, agent: {agent}}}}}"))
    assert (step.job_type, step.agents) == ("mine", agents)
    step = only(tmp_path, flow(f"{given}, out: [y], hints: {{JobType: {{agent: {agent}}}}}"))
    assert (step.job_type, step.agents) == ("upper", agents)


def test_limits_of_steps_and_of_workflows(tmp_path: Path) -> None:
    limit = "hints: {caroni:Limit: {parallel: 3}}"
    plan = compiled(tmp_path, flow(f"in: {{p: many}}, scatter: p, out: [y], {limit}", more=f"{limit}\n")).plan
    assert (plan.parallel, plan.steps[0].parallel) == (3, 3)


@pytest.mark.parametrize("limit", ["{parallel: 0}", "{parallel: true}", "{parallel: many}", "{}", "3"])
def test_wrong_limits_are_told(tmp_path: Path, limit: str) -> None:
    (found,) = said_of(tmp_path, flow(f"in: {{p: a}}, out: [y], hints: {{caroni:Limit: {limit}}}"))
    assert found == "5: a limit is a whole number from 1: write caroni:Limit: {parallel: 20}"


def test_a_limit_does_not_belong_to_what_a_step_runs(tmp_path: Path) -> None:
    job = JOB.replace("{JobType", "{caroni:Limit: {parallel: 2}, JobType")
    (found,) = said_of(tmp_path, nest("in: {p: a}", job))
    assert found == "5: a limit belongs to a step or a workflow, and not to what a step runs"
