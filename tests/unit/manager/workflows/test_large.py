"""Values that are objects, as the manager lets them flow: whole, and never looked into."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.templates.plan import Link, PlanStep, StepInput, ToolExpression
from caroni_edge.manager.workflows.inputs import evaluate
from caroni_edge.manager.workflows.links import Unfit, value_of
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.messages import JobDataReady
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type
from tests.unit.manager.bench import Bench, given, out, plan, step

OTHER = large_value(Object("b" * 64, 7_000_000), parse_type("int[]"))
LARGE = large_value(Object("a" * 64, 5_000_000), parse_type("int[]"))
SEES = "it is so large that it lies with agents alone"


def _fields(each: PlanStep) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__struct_fields__}


def step_with(**changes: Any) -> PlanStep:
    inputs = (StepInput("x", "int[]"), StepInput("n", "int"))
    return PlanStep("s", "work", **{"inputs": inputs, **changes})


def test_it_flows_past_expressions_that_look_at_others() -> None:
    inputs = (StepInput("x", "int[]"), StepInput("n", "int"), StepInput("y", "Any", value_from="$(inputs.n)"))
    found = evaluate(step_with(inputs=inputs), {"x": LARGE, "n": 3})
    assert found is not None
    assert found.inputs == {"x": LARGE, "n": 3, "y": 3}


@pytest.mark.parametrize(
    "changes",
    [
        {"when": "$(inputs.x[0])"},
        {"agents": ("$(inputs.x[0])",)},
        {"inputs": (StepInput("x", "int[]"), StepInput("y", "Any", value_from="$(inputs.x[0])"))},
        {"inputs": (StepInput("x", "Any", value_from="$(self[0])"),)},
        {"inputs": (StepInput("x", "int[]"), StepInput("y", "Any", value_from="$(inputs)"))},
        {"expression": ToolExpression("$(inputs)"), "outputs": {"x": "int[]"}},
    ],
)
def test_no_expression_looks_into_more_than_a_mebibyte(changes: dict[str, Any]) -> None:
    with pytest.raises(Unfit) as raised:
        evaluate(step_with(**changes), {"x": LARGE, "n": 3})
    said = "an expression looks into input x, a value of 5000000 bytes: no expression looks into more than 1024 KiB"
    assert str(raised.value).startswith(said)


def test_a_reference_to_all_of_it_passes_it_on() -> None:
    inputs = (StepInput("x", "int[]", value_from="$(self)"), StepInput("y", "int[]", value_from="$(inputs.x)"))
    found = evaluate(step_with(inputs=inputs), {"x": LARGE})
    assert found is not None
    assert found.inputs == {"x": LARGE, "y": LARGE}
    with pytest.raises(Unfit, match='"when" is'):
        evaluate(step_with(when="$(inputs.x)"), {"x": LARGE, "n": 3})


def test_it_goes_where_its_type_may_and_nowhere_else() -> None:
    assert evaluate(step_with(inputs=(StepInput("x", "long[]"),)), {"x": LARGE}) is not None
    with pytest.raises(Unfit, match=r"input x: expected string, got int\[\]"):
        evaluate(step_with(inputs=(StepInput("x", "string"),)), {"x": LARGE})


def test_lists_of_them_are_made_and_not_flattened() -> None:
    values = {"a": LARGE, "b": [1]}
    sources = (out("a", "x"), out("b", "x"))
    nested, flat = Link(sources, "merge_nested"), Link(sources, "merge_flattened")
    assert value_of(nested, lambda source: values[source.step or ""]) == [LARGE, [1]]
    with pytest.raises(Unfit, match="merge_flattened looks into a value of 5000000 bytes"):
        value_of(flat, lambda source: values[source.step or ""])


CHAIN = plan(
    "chain",
    step("make", "upper", {"x": "int[]"}),
    step("use", "lower", {"x": "int[]"}, x=("int[]", out("make", "x"))),
    outputs={"x": ("int[]", out("use", "x"))},
)
GATHERED = plan(
    "gathered",
    PlanStep(**{**_fields(step("make", "upper", {"x": "int[]"}, n=("int", given("ns")))), "scatter": ("n",)}),
    inputs={"ns": "int[]"},
    outputs={"all": ({"type": "array", "items": "int[]"}, out("make", "x"))},
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(CHAIN, GATHERED)
    bench.presence("a1")
    bench.presence("a2")
    return bench


def test_it_flows_through_a_chain_and_is_kept_as_long_as_it_is_needed(bench: Bench) -> None:
    bench.start("chain")
    bench.complete(bench.place("a1"), "a1", x=LARGE)
    placed = bench.place_all("a1", "lower")
    assert [each.inputs for each in placed] == [{"x": LARGE}]
    bench.complete(placed[0].job, "a1", x=OTHER)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"x": OTHER}
    assert bench.outbox.take(ObjectsDrop, "a1").but == (Object("b" * 64, 0).id,)


def test_an_agent_that_has_it_not_is_told_who_has_it(bench: Bench) -> None:
    bench.start("chain")
    make = bench.place("a1")
    ahead = bench.place("a2", "lower", waiting=1)
    bench.complete(make, "a1", x=LARGE)
    said = bench.outbox.take(JobDataReady, "a2")
    assert (said.job, said.inputs) == (ahead, {"x": LARGE})
    assert [each.holder for each in said.places] == ["agents/a1"]


def test_what_instances_give_is_gathered(bench: Bench) -> None:
    bench.start("gathered", inputs={"ns": [1, 2]})
    for value in (LARGE, [5]):
        bench.complete(bench.place("a1"), "a1", x=value)
    assert bench.outputs() == {"all": [LARGE, [5]]}


def test_a_job_whose_value_has_another_type_has_failed(bench: Bench) -> None:
    bench.start("chain")
    bench.complete(bench.place("a1"), "a1", x={**LARGE, "type": "string"})
    assert "expected int[], got string" in str(bench.rows("SELECT reason FROM jobs")[0]["reason"])
