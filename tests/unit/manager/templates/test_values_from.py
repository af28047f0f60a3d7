"""Templates whose steps depend on values: conditions, expressions, agents; and limits."""

from pathlib import Path

import pytest

from caroni_edge.documents.documents import Problems
from tests.unit.manager.templates.test_branches import JOB, STEP_IN, flow, nest, only
from tests.unit.manager.templates.test_library import compiled, said_of, taken

# Conditions and expressions


def test_what_a_condition_may_skip_may_be_null(tmp_path: Path) -> None:
    step = only(tmp_path, flow("in: {p: a, go: go}, when: $(inputs.go), out: [y]", "one/y", "string?"))
    assert step.when == "$(inputs.go)"
    assert [(each.name, each.type) for each in step.inputs] == [("p", "string"), ("go", None)]
    text = flow("in: {p: a, go: go}, when: $(inputs.go), out: [y]", "one/y", "string")
    (warning,) = compiled(tmp_path, text).warnings
    assert warning.where.endswith(":4")
    assert warning.what.startswith('the output "r" is string, but "one/y" gives string?, which may be null')


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
        ("in: {p: a, go: go}, when: $(inputs.goo)", 'the step has no input "goo" under "in" (did you mean "go"?)'),
        ("in: {p: a, n: n}, when: $(inputs.n)", '"when" gives true or false, but $(inputs.n) is int'),
        ("in: {p: a, s: s}, when: $(inputs.s)", '"when" gives true or false, but $(inputs.s) is string?'),
        ("in: {p: a, s: many}, scatter: s, when: $(inputs.s)", "but $(inputs.s) is string"),
        ("in: {p: a}, when: $(null)", '"when" gives true or false, but $(null) is null'),
        ("in: {p: a, go: go}, when: not $(inputs.go)", '"when" is one reference: text beside it makes a text of it'),
        ("in: {p: a, go: go}, when: $(inputs.go)$(inputs.go)", '"when" is one reference'),
        ("in: {p: a}, when: $(self)", "`self` means something in valueFrom alone"),
        ("in: {p: a}, when: true", '"when" is a reference to an input that is true or false'),
        ("in: {p: a, n: n}, when: '$(inputs.n > 3)'", "JavaScript is not run here"),
        ("in: {p: a}, when: '${return true}'", "JavaScript is not run here"),
        ("in: {p: {source: a, valueFrom: 3}}", '"valueFrom" is a text'),
        ("in: {p: {source: a, valueFrom: '$(inputs.zz)'}}", 'the step has no input "zz" under "in"'),
        ("in: {p: {source: a, valueFrom: '$(inputs.p'}}", "its bracket is not closed"),
    ],
)
def test_wrong_expressions_are_told(tmp_path: Path, step: str, said: str) -> None:
    (found,) = said_of(tmp_path, flow(f"{step}, out: [y]"))
    assert found.startswith("5: ")
    assert said in found


@pytest.mark.parametrize(
    "step",
    [
        "in: {p: a, go: x}",
        "in: {p: a, go: {source: n, valueFrom: $(inputs.p)}}",
        "in: {p: a, go: {source: maybe, default: true}}",
        "in: {p: a, go: {default: true}}",
        "in: {p: a, go: {source: [go, go]}}, scatter: go",
        "in: {p: a, go: {source: [go, n], pickValue: first_non_null}}",
    ],
)
def test_what_may_be_true_or_false_may_be_a_condition(tmp_path: Path, step: str) -> None:
    text = flow(f"{step}, when: $(inputs.go), out: [y]").replace("n: int", "n: int, maybe: boolean?")
    assert only(tmp_path, text).when == "$(inputs.go)"


def test_javascript_without_its_requirement_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        compiled(tmp_path, flow("in: {p: {valueFrom: '$(1 + 1)'}}, out: [y]"))
    (problem,) = [each for each in caught.value.problems if not each.warning]
    assert (problem.where.endswith(":5"), problem.needs) == (True, "")
    assert problem.what.startswith('"$(1 + 1)": JavaScript is not run here')


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


@pytest.mark.parametrize("given", ["n", "go", "[n, n]"])
def test_what_cannot_name_an_agent_is_told(tmp_path: Path, given: str) -> None:
    hints = "hints: {JobType: {agent: [a7, $(inputs.ship)]}}"
    (found,) = said_of(tmp_path, flow(f"in: {{p: a, ship: {{source: {given}}}}}, out: [y], {hints}"))
    assert found.startswith('5: "agent" gives a name, or a list of names, but $(inputs.ship) is')


@pytest.mark.parametrize("given", ["many", "s", "x", "[a, n]", "[many, b]"])
def test_what_may_name_agents_may_be_an_agent(tmp_path: Path, given: str) -> None:
    hints = "hints: {JobType: {agent: $(inputs.ship)}}"
    step = only(tmp_path, flow(f"in: {{p: a, ship: {{source: {given}}}}}, out: [y], {hints}"))
    assert step.agents == ("$(inputs.ship)",)


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


def test_copies_of_steps_of_what_they_run_and_of_workflows(tmp_path: Path) -> None:
    plan = compiled(tmp_path, flow("in: {p: a}, out: [y]", more="hints: {caroni:Files: {copies: 3}}\n")).plan
    assert (plan.copies, plan.steps[0].copies, plan.copies_at("one")) == (3, None, 3)
    plan = compiled(tmp_path, flow("in: {p: a}, out: [y], hints: {caroni:Files: {copies: 2}}")).plan
    assert (plan.copies, plan.copies_at("one")) == (None, 2)
    job = JOB.replace("{JobType", "{caroni:Files: {copies: 4}, JobType")
    assert only(tmp_path, nest("in: {p: a}", job)).copies == 4
    assert only(tmp_path, nest("in: {p: a}, hints: {caroni:Files: {copies: 5}}", job)).copies == 5


def test_what_is_said_around_a_nested_workflow_counts_in_it(tmp_path: Path) -> None:
    inner = (
        f"{{class: Workflow, inputs: {{p: string}}, outputs: {{y: {{type: string, outputSource: in/y}}}}, {STEP_IN}}}"
    )
    plan = compiled(tmp_path, nest("in: {p: a}, hints: {caroni:Files: {copies: 5}}", inner, "string")).plan
    assert plan.copies_at("one/in") == 5
    own = inner.replace("class: Workflow,", "class: Workflow, hints: {caroni:Files: {copies: 2}},")
    plan = compiled(tmp_path, nest("in: {p: a}, hints: {caroni:Files: {copies: 5}}", own, "string")).plan
    assert plan.copies_at("one/in") == 2


def test_all_files_of_a_workflow_are_kept_if_it_says_so(tmp_path: Path) -> None:
    plan = compiled(tmp_path, flow("in: {p: a}, out: [y]", more="hints: {caroni:Files: {keep: all}}\n")).plan
    assert (plan.keeps_all, plan.copies) == (True, None)
    both = compiled(tmp_path, flow("in: {p: a}, out: [y]", more="hints: {caroni:Files: {keep: all, copies: 2}}\n")).plan
    assert (both.keeps_all, both.copies) == (True, 2)
    assert not compiled(tmp_path, flow("in: {p: a}, out: [y]")).plan.keeps_all


def test_what_is_kept_of_a_workflow_is_all_or_not_said(tmp_path: Path) -> None:
    (found,) = said_of(tmp_path, flow("in: {p: a}, out: [y]", more="hints: {caroni:Files: {keep: some}}\n"))
    assert found.endswith("what is kept beside the outputs of a workflow is all, or left out")


def test_a_step_keeps_no_files_by_itself_nor_what_it_runs(tmp_path: Path) -> None:
    said = "all files of a workflow are kept, or none beside its outputs: write this on the workflow"
    (found,) = said_of(tmp_path, flow("in: {p: a}, out: [y], hints: {caroni:Files: {keep: all}}"))
    assert found.endswith(said)
    (found,) = said_of(tmp_path, nest("in: {p: a}", JOB.replace("{JobType", "{caroni:Files: {keep: all}, JobType")))
    assert found.endswith(said)


@pytest.mark.parametrize("copies", ["{copies: 0}", "{copies: 17}", "{copies: true}", "{}", "2"])
def test_wrong_copies_are_told(tmp_path: Path, copies: str) -> None:
    (found,) = said_of(tmp_path, flow(f"in: {{p: a}}, out: [y], hints: {{caroni:Files: {copies}}}"))
    assert found.endswith("is a whole number from 1 to 16: write caroni:Files: {copies: 2}")


@pytest.mark.parametrize(
    ("hint", "requirement", "said"),
    [
        ("Files: {copies: 3}", "Files: {copies: 2}", "two numbers of copies are named here, 2 and 3: keep one"),
        ("Limit: {parallel: 3}", "Limit: {parallel: 5}", "two limits are named here, 3 and 5: keep one"),
        ("JobType: {name: u}", "JobType: {name: v}", "two job types are named here, v and u: keep one"),
        (
            "JobType: {agent: a7}",
            "JobType: {name: v}",
            "a job type is named twice here, with different words: keep one",
        ),
        ("JobType: {agent: a7}", "JobType: {agent: a8}", "a job type is named twice here"),
    ],
)
def test_hints_that_differ_are_told(tmp_path: Path, hint: str, requirement: str, said: str) -> None:
    step = f"in: {{p: a}}, out: [y], hints: {{caroni:{hint}}}, requirements: "
    (found,) = said_of(tmp_path, flow(f"{step}{{caroni:{requirement}}}"))
    assert found.startswith(f"5: {said}")
    assert only(tmp_path, flow(f"{step}{{caroni:{hint}}}"))
    (found,) = said_of(tmp_path, flow(f"in: {{p: a}}, out: [y], hints: {{caroni:{hint}, {requirement}}}"))
    assert found.startswith(f"5: {said.replace('v and u', 'u and v')}")


def test_an_expression_that_is_refused_is_the_only_error(tmp_path: Path) -> None:
    """That its input has no value follows from it."""
    (said,) = said_of(tmp_path, flow("in: {p: {valueFrom: '${ return 1; }'}}, out: [y]"))
    assert "JavaScript is not run here" in said
    (said,) = said_of(tmp_path, flow("in: {p: {source: n, valueFrom: '${ return 1; }'}}, out: [y]"))
    assert "JavaScript is not run here" in said
