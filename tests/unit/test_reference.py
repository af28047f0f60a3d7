"""Plain recursion over plans, which the engine is compared with: cases worked out by hand from CWL v1.2."""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from caroni_edge.manager.templates.plan import Link, Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput
from tests.reference import Failed, evaluate, expected, join, random_inputs, random_plan
from tests.unit.manager.bench import given, out

A, B = given("a"), given("b")


def link(*sources: Source, merge: Any = None, pick: Any = None) -> Link:
    """Return a link; several sources are merged as CWL does where nothing is said."""
    return Link(sources, merge or ("merge_nested" if len(sources) > 1 else None), pick)


def takes(name: str, *sources: Source, **facts: Any) -> StepInput:
    """Return an input of a step that takes anything."""
    return StepInput(name, facts.pop("type", "Any?"), link(*sources) if sources else None, **facts)


def green(name: str, *inputs: StepInput, **facts: Any) -> PlanStep:
    """Return a step that names what it was given."""
    return PlanStep(name, "green", inputs=inputs, outputs={"out": "string"}, out=("out",), **facts)


def flow(*steps: PlanStep, gives: Source | Link) -> Plan:
    """Return a plan that takes `a` and `b`."""
    inputs = (PlanInput("a", "Any?"), PlanInput("b", "Any?"))
    return Plan("p", inputs, (PlanOutput("r", "Any?", link(gives) if isinstance(gives, Source) else gives),), steps)


def result(plan: Plan, **inputs: Any) -> Any:
    """Return the one output of a plan."""
    return evaluate(plan, inputs, join)["r"]


def test_steps_take_what_others_give() -> None:
    steps = (green("s", takes("x", A)), green("t", takes("x", out("s")), takes("y", B)))
    assert result(flow(*steps, gives=out("t")), a="1", b="2") == "green(green(1)+2)"


def test_a_step_runs_once_however_many_take_what_it_gives() -> None:
    ran: Counter[str] = Counter()

    def job(job_type: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        ran[str(inputs)] += 1
        return join(job_type, inputs)

    steps = (green("s", takes("x", A)), green("t", takes("x", out("s")), takes("y", out("s"))))
    evaluate(flow(*steps, gives=link(out("s"), out("t"))), {"a": "1"}, job)
    assert list(ran.values()) == [1, 1]


@pytest.mark.parametrize(
    ("method", "left", "right", "value"),
    [
        ("dotproduct", ["1", "2"], ["x", "y"], ["green(1+x)", "green(2+y)"]),
        ("dotproduct", [], [], []),
        ("flat_crossproduct", ["1", "2"], ["x", "y"], ["green(1+x)", "green(1+y)", "green(2+x)", "green(2+y)"]),
        ("flat_crossproduct", ["1"], [], []),
        ("nested_crossproduct", ["1", "2"], ["x"], [["green(1+x)"], ["green(2+x)"]]),
        ("nested_crossproduct", ["1", "2"], [], [[], []]),
        ("nested_crossproduct", [], ["x"], []),
    ],
)
def test_lists_are_scattered_over(method: Any, left: list[str], right: list[str], value: list[Any]) -> None:
    step = green("s", takes("x", A), takes("y", B), scatter=("x", "y"), method=method)
    assert result(flow(step, gives=out("s")), a=left, b=right) == value


@pytest.mark.parametrize(("left", "right"), [(["1"], []), ("1", ["x"]), (None, ["x"])])
def test_what_cannot_be_scattered_over_fails(left: Any, right: Any) -> None:
    step = green("s", takes("x", A), takes("y", B), scatter=("x", "y"))
    with pytest.raises(Failed):
        result(flow(step, gives=out("s")), a=left, b=right)


def test_a_step_that_is_skipped_gives_null_and_a_default_stands_in() -> None:
    steps = (
        green("s", takes("x", A), takes("go", B, type=None), when="$(inputs.go)"),
        green("t", takes("x", out("s"), default="instead")),
    )
    assert result(flow(*steps, gives=link(out("s"), out("t"))), a="1", b=False) == [None, "green(instead)"]
    assert result(flow(*steps, gives=out("t")), a="1", b=True) == "green(green(1))"


def test_a_condition_is_true_or_false_for_each_instance() -> None:
    step = green("s", takes("x", A), takes("go", B, type=None), scatter=("x", "go"), when="$(inputs.go)")
    assert result(flow(step, gives=out("s")), a=["1", "2"], b=[False, True]) == [None, "green(2)"]
    with pytest.raises(Failed):
        result(flow(step, gives=out("s")), a=["1"], b=["true"])


@pytest.mark.parametrize(
    ("merge", "pick", "left", "right", "value"),
    [
        ("merge_nested", None, "1", ["2"], ["1", ["2"]]),
        ("merge_flattened", None, "1", ["2", ["3"]], ["1", "2", ["3"]]),
        ("merge_flattened", None, None, [], [None]),
        ("merge_nested", "first_non_null", None, "2", "2"),
        ("merge_nested", "the_only_non_null", "1", None, "1"),
        ("merge_nested", "all_non_null", None, None, []),
        ("merge_flattened", "all_non_null", "1", [None, "2"], ["1", "2"]),
    ],
)
def test_several_sources_go_together(merge: Any, pick: Any, left: Any, right: Any, value: Any) -> None:
    both = link(A, B, merge=merge, pick=pick)
    assert result(flow(gives=both), a=left, b=right) == value


@pytest.mark.parametrize(
    ("pick", "left"), [("first_non_null", None), ("the_only_non_null", None), ("the_only_non_null", "1")]
)
def test_a_pick_that_does_not_find_its_one_fails(pick: Any, left: Any) -> None:
    with pytest.raises(Failed):
        result(flow(gives=link(A, B, pick=pick)), a=left, b=left)


def test_one_source_is_wrapped_only_where_the_file_says_so() -> None:
    assert result(flow(gives=link(A)), a=["1"]) == ["1"]
    assert result(flow(gives=link(A, merge="merge_nested")), a=["1"]) == [["1"]]
    assert result(flow(gives=link(A, pick="all_non_null")), a=["1", None]) == ["1"]


def test_expressions_see_what_flowed_and_not_each_other() -> None:
    step = green(
        "s",
        takes("x", A, value_from="<$(self)>"),
        takes("y", B, value_from="$(inputs.x)"),
        scatter=("x",),
    )
    assert result(flow(step, gives=out("s")), a=["1", "2"], b="b") == ["green(<1>+1)", "green(<2>+2)"]
    with pytest.raises(Failed):
        result(flow(green("s", takes("x", A, value_from="$(self.no)")), gives=out("s")), a="1")


def test_a_nested_workflow_has_inputs_of_its_own() -> None:
    inner = flow(green("t", takes("x", A), takes("y", B)), gives=out("t"))
    step = PlanStep("s", "", inner, (takes("a", A), takes("b", default="d")), {"r": "Any?"}, ("r",), ("a",))
    assert result(flow(step, gives=out("s", "r")), a=["1", "2"], b="not this") == ["green(1+d)", "green(2+d)"]


def test_what_a_job_raises_goes_through() -> None:
    def job(job_type: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        raise LookupError(job_type)

    with pytest.raises(LookupError, match="green"):
        evaluate(flow(green("s", takes("x", A)), gives=out("s")), {"a": "1"}, job)


def test_inputs_that_do_not_fit_fail() -> None:
    plan = Plan("p", (PlanInput("a", "int"),), (PlanOutput("r", "int", link(A)),))
    assert result(plan, a=1) == 1
    with pytest.raises(Failed):
        result(plan, a="1")


def steps_of(plan: Plan) -> list[PlanStep]:
    """Return the steps of a plan and of those nested in it."""
    return [each for step in plan.steps for each in (step, *(steps_of(step.workflow) if step.workflow else ()))]


def test_random_plans_have_all_that_there_is_and_all_give_something() -> None:
    seen: Counter[Any] = Counter()
    for seed in range(200):
        chance = Random(seed)
        plan = random_plan(chance, "random")
        assert plan == random_plan(Random(seed), "random")
        assert expected(plan, random_inputs(chance)).keys() == {each.name for each in plan.outputs}
        for step in steps_of(plan):
            seen[step.method if len(step.scatter) > 1 else len(step.scatter)] += 1
            seen["when"] += step.when is not None
            seen["parallel"] += step.parallel is not None
            seen["nested"] += step.workflow is not None
            seen["nested when"] += step.workflow is not None and step.when is not None
            for each in step.inputs:
                seen["value_from"] += each.value_from is not None
                seen["default"] += each.default is not None
                seen[each.link.merge if each.link else None] += 1
                seen[each.link.pick if each.link else None] += 1
    for feature in (
        *("when", "parallel", "nested", "nested when", "value_from", "default"),
        *(1, "dotproduct", "flat_crossproduct", "nested_crossproduct"),
        *("merge_nested", "merge_flattened", "first_non_null", "all_non_null"),
    ):
        assert seen[feature] > 5, feature
