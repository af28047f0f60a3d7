"""The engine where workflows branch out: scatter, `when`, nested workflows, values that go together."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import Link, Plan, PlanInput, PlanOutput, PlanStep, Source, StepInput
from caroni_edge.manager.workflows import scatters
from caroni_edge.manager.workflows.scatters import GROWTH, UNTAKEN
from caroni_edge.protocol.messages import JobKill, Placement
from tests.unit.manager.bench import Bench, given, out

LETTERS = ["x", "y", "z"]


def value(name: str, source: Source | Link | None, **facts: Any) -> StepInput:
    """Return an input of a step."""
    link = Link((source,)) if isinstance(source, Source) else source
    return StepInput(name=name, type=facts.pop("type", "string"), link=link, **facts)


def leaf(name: str, *inputs: StepInput, job_type: str = "upper", **facts: Any) -> PlanStep:
    """Return a step that gives `out`."""
    return PlanStep(name, job_type, inputs=inputs, outputs={"out": facts.pop("gives", "string")}, out=("out",), **facts)


def nest(name: str, workflow: Plan, *inputs: StepInput, **facts: Any) -> PlanStep:
    """Return a step that runs a workflow."""
    outputs = {each.name: each.type for each in workflow.outputs}
    return PlanStep(name, workflow=workflow, inputs=inputs, outputs=outputs, out=tuple(outputs), **facts)


def flow(
    name: str, *steps: PlanStep, result: Link | Source, kind: Any = "Any", takes: dict[str, Any] | None = None
) -> Plan:
    """Return a plan with one output."""
    inputs = tuple(PlanInput(key, type_) for key, type_ in (takes or {"values": "string[]"}).items())
    link = Link((result,)) if isinstance(result, Source) else result
    return Plan(name, inputs, (PlanOutput("result", kind, link),), steps)


SPREAD = flow("spread", leaf("s", value("text", given("values")), scatter=("text",)), result=out("s"))


def run_all(bench: Bench, *, agent: str = "a1", job_type: str = "upper") -> list[Placement]:
    """Let an agent do all that is ready; each job gives its inputs, joined, in capitals."""
    done: list[Placement] = []
    while bench.is_ready(job_type):
        for job in bench.place_all(agent, job_type, ready=100):
            given = "".join(str(job.inputs[name]) for name in sorted(job.inputs) if job.inputs[name] is not None)
            bench.complete(job.job, agent, out=given.upper())
            done.append(job)
    return done


def test_a_scatter_has_an_instance_for_each_item_and_gathers_in_order() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": LETTERS})
    jobs = bench.place_all(ready=10)
    assert [(job.step, job.inputs) for job in jobs] == [(f"s[{n}]", {"text": text}) for n, text in enumerate(LETTERS)]
    for job in reversed(jobs):
        bench.complete(job.job, out=str(job.inputs["text"]).upper())
    assert bench.outputs() == {"result": ["X", "Y", "Z"]}
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.state("s") is StepState.COMPLETED


def test_a_scatter_over_nothing_gives_an_empty_list() -> None:
    bench = Bench(SPREAD)
    bench.start("spread", inputs={"values": []})
    assert bench.outputs() == {"result": []}


def test_an_instance_that_fails_is_tried_again_alone() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": LETTERS})
    first, *others = bench.place_all(ready=10)
    bench.fail(first.job)
    for job in others:
        bench.complete(job.job)
    bench.advance(10)
    (again,) = bench.place_all(ready=10)
    assert (again.step, again.attempt) == ("s[0]", 2)
    bench.complete(again.job)
    assert bench.workflow_state() is WorkflowState.COMPLETED


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("dotproduct", ["AX", "BY"]),
        ("flat_crossproduct", ["AX", "AY", "BX", "BY"]),
        ("nested_crossproduct", [["AX", "AY"], ["BX", "BY"]]),
    ],
)
def test_several_lists_go_together(method: Any, result: list[Any]) -> None:
    step = leaf("s", value("a", given("left")), value("b", given("right")), scatter=("a", "b"), method=method)
    bench = Bench(flow("pairs", step, result=out("s"), takes={"left": "string[]", "right": "string[]"}))
    bench.presence()
    bench.start("pairs", inputs={"left": ["a", "b"], "right": ["x", "y"]})
    run_all(bench)
    assert bench.outputs() == {"result": result}


def test_lists_of_a_dotproduct_that_differ_fail_the_step_and_say_so() -> None:
    step = leaf("s", value("a", given("left")), value("b", given("right")), scatter=("a", "b"))
    bench = Bench(flow("pairs", step, result=out("s"), takes={"left": "string[]", "right": "string[]"}))
    bench.start("pairs", inputs={"left": ["a"], "right": ["x", "y"]})
    assert bench.workflow_state() is WorkflowState.FAILED
    assert "a has 1, b has 2" in bench.workflow()["reason"]
    bench.retry()
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.state("s") is StepState.FAILED


def test_a_large_scatter_of_workflows_grows_as_they_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatters, "UNTAKEN", 3)
    monkeypatch.setattr(scatters, "GROWTH", 2)
    inner = flow("inner", leaf("s", value("text", given("text"))), result=out("s"), takes={"text": "string"})
    many = nest("n", inner, value("text", given("values")), scatter=("text",))
    bench = Bench(flow("many", many, result=Source(step="n", output="result"), kind="Any"))
    bench.presence()
    bench.start("many", inputs={"values": [str(n) for n in range(9)]})
    bench.advance(0)
    jobs = bench.place_all(ready=100)
    assert [job.step for job in jobs] == [f"n[{number}]/s" for number in range(4)]
    bench.complete(jobs[0].job, out="0")
    assert not bench.is_ready("upper"), "three are not completed"
    bench.complete(jobs[1].job, out="1")
    bench.advance(0)
    assert [job.step for job in bench.place_all(ready=100)] == ["n[4]/s", "n[5]/s"]


def test_a_large_scatter_grows_as_its_instances_are_taken() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": [str(n) for n in range(2000)]})
    made = "SELECT count(*) AS n FROM steps WHERE nth IS NOT NULL"
    assert bench.rows(made)[0]["n"] <= UNTAKEN + GROWTH
    before = bench.rows(made)[0]["n"]
    jobs = [job for _ in range(before // 100) for job in bench.place_all(ready=100)]
    assert bench.rows(made)[0]["n"] > before
    for job in jobs:
        bench.complete(job.job, out=str(job.inputs["text"]))
    run_all(bench)
    assert bench.outputs() == {"result": [str(n) for n in range(2000)]}


def test_a_scatter_goes_on_growing_after_a_restart_and_after_an_undone_batch() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    bench.start("spread", inputs={"values": ["v"] * 1500})
    for _ in range(4):
        bench.place_all(ready=100)
    bench.restart()
    bench.presence()
    bench.call(lambda _at: None, commit=False)
    bench.settle()
    for row in bench.rows("SELECT job FROM jobs WHERE open"):
        bench.complete(row["job"])
    run_all(bench)
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_a_false_condition_skips_a_step_and_what_it_would_give_is_null() -> None:
    steps = (
        leaf(
            "maybe", value("text", given("text")), value("is_met", given("is_met"), type=None), when="$(inputs.is_met)"
        ),
        leaf("after", value("text", out("maybe"), type="string?")),
    )
    made = flow("maybe", *steps, result=out("after"), takes={"text": "string", "is_met": "boolean"})
    for is_met, result in ((True, "A"), (False, "")):
        bench = Bench(made)
        bench.presence()
        bench.start("maybe", inputs={"text": "a", "is_met": is_met})
        placed = run_all(bench)
        assert bench.outputs() == {"result": result}
        assert ("maybe" in [job.step for job in placed]) is is_met
        assert all("is_met" not in job.inputs for job in placed)


def test_a_condition_that_is_no_boolean_fails_the_step() -> None:
    step = leaf("s", value("text", given("text")), when="$(inputs.text)")
    bench = Bench(flow("odd", step, result=out("s"), takes={"text": "string"}))
    bench.start("odd", inputs={"text": "a"})
    assert bench.workflow_state() is WorkflowState.FAILED
    assert '"a"' in bench.workflow()["reason"]


def test_a_scatter_whose_instances_are_all_skipped_completes() -> None:
    step = leaf(
        "s", value("text", given("values")), value("go", given("go"), type=None), scatter=("text",), when="$(inputs.go)"
    )
    bench = Bench(flow("none", step, result=out("s"), takes={"values": "string[]", "go": "boolean"}))
    bench.start("none", inputs={"values": ["v"] * 1200, "go": False})
    bench.advance(1)
    assert bench.outputs() == {"result": [None] * 1200}


INNER = flow(
    "inner",
    leaf("first", value("text", given("text"))),
    leaf("second", value("text", out("first")), value("more", given("more"), type="string?")),
    result=out("second"),
    kind="string",
    takes={"text": "string", "more": "string?"},
)


def test_a_nested_workflow_has_steps_of_its_own() -> None:
    bench = Bench(
        flow(
            "outer",
            nest("in", INNER, value("text", given("text"))),
            result=out("in", "result"),
            takes={"text": "string"},
        )
    )
    bench.presence()
    bench.start("outer", inputs={"text": "a"})
    placed = run_all(bench)
    assert [job.step for job in placed] == ["in/first", "in/second"]
    assert bench.outputs() == {"result": "A"}
    subjects = [event["subject"] for event in bench.take_events("caroni.step.completed")]
    assert subjects == ["w1/in/first", "w1/in/second", "w1/in"]


def test_a_nested_workflow_can_be_scattered() -> None:
    bench = Bench(
        flow("outer", nest("in", INNER, value("text", given("values")), scatter=("text",)), result=out("in", "result"))
    )
    bench.presence()
    bench.start("outer", inputs={"values": LETTERS})
    placed = run_all(bench)
    assert {job.step for job in placed} == {f"in[{n}]/{name}" for n in range(3) for name in ("first", "second")}
    assert bench.outputs() == {"result": ["X", "Y", "Z"]}


def test_a_failure_deep_inside_fails_the_workflow_and_retry_goes_on_from_there() -> None:
    bench = Bench(
        flow("outer", nest("in", INNER, value("text", given("values")), scatter=("text",)), result=out("in", "result")),
        attempts=1,
    )
    bench.presence()
    bench.start("outer", inputs={"values": ["x", "y"]})
    one, two = bench.place_all(ready=10)
    bench.complete(one.job, out="X")
    bench.fail(two.job)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"].startswith("step in[1]/first: ")
    bench.retry()
    placed = run_all(bench)
    assert sorted(job.step for job in placed) == ["in[0]/second", "in[1]/first", "in[1]/second"]
    assert bench.outputs() == {"result": ["X", "Y"]}


@pytest.mark.parametrize(
    ("link", "result"),
    [
        (Link((given("one"), given("two")), "merge_nested"), ["a", "b"]),
        (Link((given("one"), given("list")), "merge_flattened"), ["a", "c", "d"]),
        (Link((given("none"), given("two")), "merge_nested", "first_non_null"), "b"),
        (Link((given("none"), given("two")), "merge_nested", "the_only_non_null"), "b"),
        (Link((given("none"), given("two")), "merge_nested", "all_non_null"), ["b"]),
    ],
)
def test_values_go_together(link: Link, result: Any) -> None:
    takes = {"one": "string", "two": "string", "none": "string?", "list": "string[]"}
    bench = Bench(flow("merge", result=link, takes=takes))
    bench.start("merge", inputs={"one": "a", "two": "b", "list": ["c", "d"]})
    assert bench.outputs() == {"result": result}


def test_the_only_one_of_several_fails_the_workflow() -> None:
    link = Link((given("one"), given("two")), "merge_nested", "the_only_non_null")
    bench = Bench(flow("merge", result=link, takes={"one": "string", "two": "string"}))
    bench.start("merge", inputs={"one": "a", "two": "b"})
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"] == "output result: the_only_non_null finds 2 values that are not null"


def test_an_expression_makes_a_value_for_each_instance() -> None:
    step = leaf("s", value("text", given("values"), value_from="$(self.name)"), scatter=("text",))
    bench = Bench(flow("names", step, result=out("s"), takes={"values": "Any"}))
    bench.presence()
    bench.start("names", inputs={"values": [{"name": "a"}, {"name": "b"}]})
    run_all(bench)
    assert bench.outputs() == {"result": ["A", "B"]}


def test_cancelling_ends_all_parts() -> None:
    bench = Bench(
        flow("outer", nest("in", INNER, value("text", given("values")), scatter=("text",)), result=out("in", "result"))
    )
    bench.presence()
    bench.start("outer", inputs={"values": LETTERS})
    job = bench.place()
    bench.cancel()
    assert bench.outbox.take(JobKill).job == job
    assert {row["status"] for row in bench.rows("SELECT status FROM steps")} == {"cancelled"}
    assert not bench.is_ready("upper")
