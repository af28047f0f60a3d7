"""Steps that wait for JavaScript: it is asked for after the commit, and what comes of it arrives as an event."""

from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import Plan, PlanStep, ToolExpression
from caroni_edge.manager.workflows.evaluations import ASKED_MAX, OF_A_WORKFLOW, Evaluation, Outcome
from caroni_edge.manager.workflows.inputs import Evaluated
from tests.kept import kept
from tests.unit.manager.bench import Bench, given, out
from tests.unit.manager.pages.test_why_branches import explain
from tests.unit.manager.workflows.test_branches import flow, leaf, run_all, value

TOOL = ToolExpression("${ return {out: 'tool(' + inputs.a + ')'}; }", 0)
TEXT = {"text": "string", "go": "boolean"}


def scripted(plan: Plan, *libraries: tuple[str, ...]) -> Plan:
    """Return a plan whose expressions may be JavaScript."""
    return replace(plan, steps=tuple(replace(step, library=0) for step in plan.steps), libraries=libraries or ((),))


def tool(name: str, *inputs: Any, gives: Any = "string", **facts: Any) -> PlanStep:
    """Return a step that is an expression."""
    return PlanStep(name, inputs=inputs, outputs={"out": gives}, out=("out",), expression=TOOL, **facts)


MADE = scripted(
    flow("made", leaf("s", value("a", given("text"), value_from="$(inputs.a + '!')")), result=out("s"), takes=TEXT)
)
GOING = value("go", given("go"), type=None)
WHEN = scripted(
    flow("when", leaf("s", value("a", given("text")), GOING, when="$(!inputs.go)"), result=out("s"), takes=TEXT)
)
EACH = scripted(
    flow(
        "each",
        leaf("s", value("a", given("values"), value_from="$(inputs.a + '!')"), scatter=("a",), parallel=2),
        result=out("s"),
    )
)
ALONE = scripted(flow("alone", tool("s", value("a", given("text"))), result=out("s"), takes=TEXT))
INPUTS = {"text": "x", "go": True}


def due(bench: Bench) -> list[dict[str, Any]]:
    """Return what waits for its expressions, and what was kept of them."""
    return bench.rows("SELECT evaluated FROM evaluations")


def test_a_step_waits_for_its_javascript_and_begins_with_what_that_gives() -> None:
    bench = Bench(MADE)
    bench.presence()
    bench.start("made", inputs=INPUTS)
    (asked,) = bench.evaluations
    assert (asked.given, asked.libraries, asked.date, asked.key) == ({"a": "x"}, ((),), bench.date, "w1/s")
    assert bench.state("s") is StepState.CREATED
    assert not bench.is_ready("upper")
    assert [each["condition"] for each in explain(bench, "s")] == ["waits_for_expression"]
    bench.evaluate()
    assert [job.inputs for job in run_all(bench)] == [{"a": "x!"}]
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert due(bench) == []
    assert "Evaluations.asked" not in kept(bench.reactor)


def test_nothing_is_asked_for_before_the_commit() -> None:
    bench = Bench(MADE)
    payload = b'{"template": "made", "id": "w1", "inputs": {"text": "x", "go": true}}'
    bench.call(lambda _at: bench.trigger_in_batch(payload), commit=False)
    assert bench.evaluations == []
    bench.call(lambda _at: bench.trigger_in_batch(payload))
    assert len(bench.evaluations) == 1


@pytest.mark.parametrize(("go", "state"), [(True, StepState.COMPLETED), (False, StepState.FULFILLING)])
def test_a_condition_in_javascript_decides_whether_a_step_is_skipped(go: bool, state: StepState) -> None:
    bench = Bench(WHEN)
    bench.start("when", inputs={**INPUTS, "go": go})
    bench.evaluate()
    assert bench.state("s") is state
    assert bench.step("s")["reason"] == ("skipped: $(!inputs.go) is false" if go else None)


def test_references_are_looked_up_at_once_though_javascript_may_be_there() -> None:
    step = leaf("s", value("a", given("text"), value_from="$(self)-$(inputs.a.length)-$(inputs.a.none)"))
    bench = Bench(scripted(flow("made", step, result=out("s"), takes=TEXT)))
    bench.presence()
    bench.start("made", inputs=INPUTS)
    assert bench.evaluations == []
    assert [job.inputs for job in run_all(bench)] == [{"a": "x-1-null"}]


def test_what_fails_fails_its_step_and_retry_asks_again() -> None:
    bench = Bench(MADE)
    bench.start("made", inputs=INPUTS)
    (asked,) = bench.evaluations
    bench.arrive(Outcome(asked.workflow, asked.step, problem="input a: $(…): it took more than 2 s"))
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"] == "step s: input a: $(…): it took more than 2 s"
    assert due(bench) == []
    bench.evaluations.clear()
    bench.retry()
    bench.evaluate()
    assert bench.is_ready("upper")


def test_a_process_that_ends_in_between_asks_again() -> None:
    bench = Bench(MADE)
    bench.start("made", inputs=INPUTS)
    (first,) = bench.evaluations
    bench.restart()
    assert bench.evaluations == [first]
    bench.evaluate()
    bench.restart()
    assert bench.evaluations == []


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    bench = Bench(MADE)
    bench.presence()
    bench.start("made", inputs=INPUTS)
    (outcome,) = bench.evaluate()
    bench.arrive(outcome, outcome)
    assert [job.inputs for job in run_all(bench)] == [{"a": "x!"}]
    bench.arrive(outcome)
    for ended, workflow in ((bench.cancel, "w2"), (bench.delete, "w3")):
        bench.start("made", workflow, inputs=INPUTS)
        if ended == bench.delete:
            bench.cancel(workflow)
        ended(workflow)
        assert due(bench) == []
        bench.evaluate()
        assert not bench.is_ready("upper")


def test_what_ended_with_its_workflow_is_asked_for_again_by_retry() -> None:
    two = leaf("t", value("a", given("text")), job_type="lower")
    bench = Bench(scripted(replace(MADE, steps=(*MADE.steps, two))), attempts=1)
    bench.presence()
    bench.start("made", inputs=INPUTS)
    bench.fail(bench.place("a1", "lower"))
    assert bench.workflow_state() is WorkflowState.FAILED
    assert due(bench) == []
    bench.retry()
    bench.evaluate()
    assert bench.is_ready("upper")


def test_an_answer_from_before_the_retry_counts_as_well() -> None:
    two = leaf("t", value("a", given("text")), job_type="lower")
    bench = Bench(scripted(replace(MADE, steps=(*MADE.steps, two))), attempts=1)
    bench.presence()
    bench.start("made", inputs=INPUTS)
    bench.fail(bench.place("a1", "lower"))
    bench.retry()
    assert len(bench.evaluations) == 1
    bench.evaluate()
    assert bench.is_ready("upper")
    assert due(bench) == []


def test_a_step_that_waits_at_a_gate_keeps_what_its_javascript_gave() -> None:
    bench = Bench(EACH)
    bench.presence()
    bench.start("each", inputs={"values": ["x", "y", "z", "w"]})
    assert len(bench.evaluations) == 4
    bench.evaluate()
    assert sum(each["evaluated"] is not None for each in due(bench)) == 2
    bench.restart()
    assert bench.evaluations == []
    assert sorted(job.inputs["a"] for job in run_all(bench)) == ["w!", "x!", "y!", "z!"]
    assert bench.outputs() == {"result": ["X!", "Y!", "Z!", "W!"]}
    assert due(bench) == []


def _given(asked: Evaluation) -> Outcome:
    return Outcome(asked.workflow, asked.step, Evaluated({"a": "x"}))


def test_so_many_are_asked_for_at_a_time() -> None:
    bench = Bench(scripted(replace(EACH, steps=(replace(EACH.steps[0], parallel=None),))))
    bench.start("each", inputs={"values": [str(number) for number in range(OF_A_WORKFLOW + 50)]})
    assert len(bench.evaluations) == OF_A_WORKFLOW
    first = bench.evaluations.pop(0)
    bench.evaluations.clear()
    bench.arrive(Outcome(first.workflow, first.step, Evaluated({"a": "0!"})))
    assert [each.given["a"] for each in bench.evaluations] == [str(OF_A_WORKFLOW)]
    for number in range(ASKED_MAX // OF_A_WORKFLOW + 2):
        bench.start("each", f"more{number}", inputs={"values": [str(each) for each in range(OF_A_WORKFLOW + 1)]})
    assert len(bench.evaluations) == ASKED_MAX - OF_A_WORKFLOW + 1


def test_workflows_have_turns_however_much_others_ask_for() -> None:
    bench = Bench(scripted(replace(EACH, steps=(replace(EACH.steps[0], parallel=None),))), MADE)
    for number in range(2 * ASKED_MAX // OF_A_WORKFLOW):
        bench.start("each", f"much{number}", inputs={"values": [str(each) for each in range(OF_A_WORKFLOW * 10)]})
    bench.start("made", "little", inputs=INPUTS)
    ended, asked = 0, bench.evaluations
    while not any(each.key == "little/s" for each in asked):
        ended += 1
        first = asked.pop(0)
        bench.arrive(_given(first))
    assert ended <= 2 * ASKED_MAX // OF_A_WORKFLOW


def test_a_step_may_be_an_expression_and_needs_no_agent() -> None:
    bench = Bench(ALONE)
    bench.start("alone", inputs=INPUTS)
    bench.evaluate()
    assert bench.outputs() == {"result": "tool(x)"}


def test_an_expression_of_references_is_worked_out_at_once() -> None:
    made = tool("s", value("out", given("text")))
    bench = Bench(flow("alone", replace(made, expression=ToolExpression("$(inputs)")), result=out("s"), takes=TEXT))
    bench.start("alone", inputs=INPUTS)
    assert bench.evaluations == []
    assert bench.outputs() == {"result": "x"}


@pytest.mark.parametrize(
    ("value_given", "said"),
    [
        (3, "its expression gives 3, and not an object with its outputs"),
        ({}, "output out is missing; the template wants string"),
        ({"out": 3}, "output out: "),
        ({"out": "x" * 50_000}, "its outputs have 50010 bytes as JSON, and 49152 are allowed together"),
    ],
)
def test_an_expression_gives_its_outputs_or_fails(value_given: Any, said: str) -> None:
    bench = Bench(ALONE)
    bench.start("alone", inputs=INPUTS)
    bench.evaluate(lambda *_: value_given)
    assert bench.step("s")["reason"].startswith(said)


def test_expressions_may_be_scattered() -> None:
    many = tool("s", value("a", given("values")), scatter=("a",))
    bench = Bench(scripted(flow("many", many, result=out("s"))))
    bench.start("many", inputs={"values": ["x", "y"]})
    bench.evaluate()
    assert bench.outputs() == {"result": ["tool(x)", "tool(y)"]}


def test_a_result_that_comes_from_before_is_taken_while_javascript_is_worked_out() -> None:
    bench = Bench(MADE)
    bench.presence()
    bench.start("made", inputs=INPUTS)
    outcome = bench.evaluate()
    job = bench.place()
    bench.call(lambda _at: bench.database.conn.execute("UPDATE steps SET status = 'created', late = 1, job = NULL"))
    bench.call(lambda _at: bench.store.evaluations.add(1, bench.step("s")["id"]))
    bench.complete(job)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    bench.arrive(*outcome)
    assert due(bench) == []
