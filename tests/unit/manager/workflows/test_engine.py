"""Workflows from their beginning to their end: data flows as soon as it is there."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.protocol.messages import JobDataReady, JobKill, JobStatusUpdate, OfferAccept
from tests.unit.manager.bench import Bench, given, out, plan, step


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1")
    bench.presence("a2")
    return bench


def test_a_chain_runs_to_its_end(bench: Bench) -> None:
    bench.start("chain", inputs={"message": "x"})
    assert bench.workflow_state() is WorkflowState.INITIALIZING
    (placed,) = bench.place_all()
    assert (placed.workflow, placed.step, placed.attempt, placed.data_ready) == ("w1", "a", 1, True)
    assert placed.inputs == {"text": "x"}
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.state("a") is StepState.FULFILLED
    bench.run(placed.job)
    assert bench.state("a") is StepState.RUNNING
    bench.complete(placed.job, out="X")
    assert bench.state("a") is StepState.COMPLETED
    (second,) = bench.place_all(job_type="lower")
    assert (second.step, second.inputs) == ("b", {"text": "X"})
    bench.complete(second.job, out="x!")
    bench.complete(bench.place("a2"), "a2", out="X!")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": "X!"}
    bench.outbox.nothing_else()


def test_events_tell_a_workflow_in_order(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.complete(job, out="X")
    events = bench.take_events()
    assert [event["type"] for event in events] == [
        "caroni.workflow.started",
        "caroni.step.completed",
        "caroni.workflow.completed",
    ]
    step_data = events[1]["data"]
    assert step_data == {
        "workflow": "w1",
        "template": "one",
        "step": "a",
        "status": "completed",
        "job": job,
        "agent": "a1",
        "attempt": 1,
        "outputs": {"out": "X"},
    }
    assert events[2]["data"]["outputs"] == {"result": "X"}


def test_a_diamond_with_two_outputs_waits_for_both_sides(bench: Bench) -> None:
    bench.start("diamond")
    bench.complete(bench.place(), out="T")
    left, right = bench.place_all(job_type="lower", ready=5)
    assert (left.step, right.step) == ("left", "right")
    bench.complete(left.job, out="L $(rm)\n\"'ü")
    assert bench.step("end")["missing"] == 1
    bench.complete(right.job, out="R")
    (end,) = bench.place_all()
    assert end.inputs == {"one": "L $(rm)\n\"'ü", "two": "R"}
    bench.complete(end.job, out="E")
    assert bench.outputs() == {"one": "L $(rm)\n\"'ü", "all": "E"}


def test_a_step_is_placed_before_its_inputs_exist_and_gets_them_when_they_do(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    (ahead,) = bench.place_all("a2", "lower", waiting=1)
    assert (ahead.step, ahead.data_ready, ahead.inputs) == ("b", False, {})
    assert bench.job(ahead.job)["status"] == "pending"
    bench.complete(first, out="X")
    assert bench.outbox.take(JobDataReady, "a2") == JobDataReady(job=ahead.job, inputs={"text": "X"})
    bench.complete(ahead.job, "a2")
    bench.outbox.nothing_else()
    assert bench.step("b")["attempt"] == 1


def test_only_waiting_places_take_steps_whose_inputs_do_not_exist(bench: Bench) -> None:
    bench.start("chain")
    accept = bench.place_all(job_type="upper", ready=5, waiting=5)
    assert [(placed.step, placed.data_ready) for placed in accept] == [("a", True), ("c", False)]


def test_a_job_whose_data_comes_while_its_agent_is_away_is_taken_back_at_once(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place("a2", "lower", waiting=1)
    bench.presence("a2", online=False)
    bench.complete(first, out="X")
    assert bench.outbox.take(JobKill, "a2").job == ahead
    assert bench.state("b") is StepState.FULFILLING
    assert bench.step("b")["attempt"] == bench.step("b")["tries"] == 0
    (again,) = bench.place_all("a1", "lower")
    assert (again.attempt, again.inputs) == (1, {"text": "X"})
    bench.outbox.nothing_else()


@pytest.mark.parametrize("refuses", [{"*": "drained"}, {"m1": "not served"}])
def test_a_job_whose_data_comes_while_its_agent_refuses_is_taken_back(bench: Bench, refuses: dict[str, str]) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place("a2", "lower", waiting=1)
    bench.presence("a2", refuses=refuses)
    bench.complete(first)
    assert bench.outbox.take(JobKill, "a2").job == ahead
    assert bench.jobs() == [first]


def test_after_a_start_data_goes_to_an_agent_that_has_not_shown_itself_yet(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place("a2", "lower", waiting=1)
    bench.restart()
    bench.complete(first, out="X")
    assert bench.outbox.take(JobDataReady, "a2") == JobDataReady(job=ahead, inputs={"text": "X"})


def test_after_a_start_an_agent_whose_will_has_come_loses_what_its_data_comes_for(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place("a2", "lower", waiting=1)
    bench.restart()
    bench.presence("a2", online=False)
    bench.complete(first)
    assert bench.outbox.take(JobKill, "a2").job == ahead


def test_the_status_of_a_job_that_was_taken_back_changes_nothing(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place("a2", "lower", waiting=1)
    bench.presence("a2", online=False)
    bench.complete(first)
    before = bench.dump()
    bench.status(ahead, "killed", "a2")
    assert bench.dump() == before


# Values


def values_plan() -> Any:
    return plan(
        "values",
        step("a", "upper", outputs={"out": "string?", "list": "int[]"}, text=given("message")),
        step(
            "b",
            "lower",
            fixed=("int", None, 7),
            optional=("string?", given("nothing")),
            filled=("string", given("nothing"), "default"),
            maybe=("string", out("a"), "was null"),
            numbers=("float[]", out("a", "list")),
        ),
        inputs={"message": "string", "nothing": "string?"},
        outputs={"direct": ("string", given("message")), "none": ("string?", given("nothing"))},
    )


def test_defaults_stand_in_for_null_and_optional_inputs_stay_null() -> None:
    bench = Bench(values_plan())
    bench.presence()
    bench.start("values")
    (ahead,) = bench.place_all(job_type="lower", waiting=1)
    assert ahead.inputs == {"fixed": 7, "optional": None, "filled": "default"}
    bench.complete(bench.place(), list=[1, 2])
    data = bench.outbox.take(JobDataReady)
    assert data.inputs == {
        "fixed": 7,
        "optional": None,
        "filled": "default",
        "maybe": "was null",
        "numbers": [1, 2],
    }
    bench.complete(ahead.job)
    assert bench.outputs() == {"direct": "x", "none": None}


def test_what_a_job_gives_beside_its_declared_outputs_is_dropped(bench: Bench) -> None:
    bench.start("one")
    bench.complete(bench.place(), out="X", more="not declared")
    assert bench.take_event("caroni.step.completed")["data"]["outputs"] == {"out": "X"}


@pytest.mark.parametrize(
    ("outputs", "words"),
    [({"out": 3}, "output out: "), ({"other": "x"}, "output out is missing"), ({"out": None}, "output out: ")],
)
def test_outputs_of_a_wrong_type_fail_the_step(bench: Bench, outputs: dict[str, Any], words: str) -> None:
    bench.start("one")
    job = bench.place()
    bench.complete(job, **outputs)
    assert bench.state("a") is StepState.FAILED
    assert bench.job(job)["status"] == "failed"
    assert words in bench.job(job)["reason"]
    assert words in bench.take_event("caroni.step.failed")["data"]["reason"]


def test_inputs_that_turn_out_wrong_fail_the_workflow_at_once_and_free_the_agent() -> None:
    loose = plan(
        "loose",
        step("a", "upper", outputs={"out": "Any"}, text=given("message")),
        step("b", "lower", number=("int", out("a"))),
        step("c", "lower", number=("int", out("a"))),
    )
    bench = Bench(loose)
    bench.presence()
    bench.start("loose")
    (b, c) = bench.place_all(job_type="lower", waiting=2)
    bench.complete(bench.place(), out="no number")
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"].startswith("step b: input number: ")
    assert {bench.outbox.take(JobKill).job, bench.outbox.take(JobKill).job} == {b.job, c.job}
    assert (bench.state("b"), bench.state("c")) == (StepState.FAILED, StepState.CREATED)
    assert len(bench.take_events("caroni.workflow.failed")) == 1
    assert [event["data"]["step"] for event in bench.take_events("caroni.step.failed")] == ["b"]
    bench.outbox.nothing_else()


def test_inputs_that_are_too_large_together_fail_the_workflow() -> None:
    big = plan(
        "big",
        step("a", "upper", text=given("one")),
        step("b", "lower", one=given("one"), two=out("a")),
        inputs={"one": "string"},
    )
    bench = Bench(big)
    bench.presence()
    bench.start("big", inputs={"one": "x" * 30_000})
    bench.complete(bench.place(), out="y" * 30_000)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert "its inputs have 600" in bench.workflow()["reason"]


def test_inputs_known_from_the_start_are_checked_at_the_start() -> None:
    wrong = plan(
        "wrong",
        step("a", "upper", text=given("value")),
        step("b", "lower", number=("int", given("value")), text=out("a")),
        inputs={"value": "Any"},
    )
    bench = Bench(wrong)
    bench.start("wrong", inputs={"value": "text"})
    assert bench.workflow_state() is WorkflowState.FAILED
    assert [event["type"] for event in bench.take_events()] == [
        "caroni.workflow.started",
        "caroni.step.failed",
        "caroni.workflow.failed",
    ]
    assert not any(bench.demands().values())
    bench.outbox.nothing_else()


# Workflows that are unusual


def test_a_workflow_without_steps_completes_at_once() -> None:
    bench = Bench(plan("empty", outputs={"same": given("message")}))
    bench.start("empty", inputs={"message": "x"})
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"same": "x"}
    assert [event["type"] for event in bench.take_events()] == ["caroni.workflow.started", "caroni.workflow.completed"]


def test_a_wrong_output_of_the_workflow_fails_it() -> None:
    bench = Bench(
        plan("odd", step("a", "upper", outputs={"out": "Any"}, text=given("message")), outputs={"n": ("int", out("a"))})
    )
    bench.presence()
    bench.start("odd")
    bench.complete(bench.place(), out="x")
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.workflow()["reason"].startswith("output n: ")
    bench.retry()
    assert bench.workflow_state() is WorkflowState.FAILED


def test_a_step_that_takes_two_outputs_of_one_step_waits_for_it_once() -> None:
    both = plan(
        "both",
        step("a", "upper", outputs={"one": "string", "two": "string"}, text=given("message")),
        step("b", "lower", x=out("a", "one"), y=out("a", "two")),
        outputs={"out": out("b")},
    )
    bench = Bench(both)
    bench.presence()
    bench.start("both")
    bench.complete(bench.place(), one="1", two="2")
    (placed,) = bench.place_all(job_type="lower")
    assert placed.inputs == {"x": "1", "y": "2"}


# Cancel


def test_cancel_kills_what_runs_and_starts_nothing_more(bench: Bench) -> None:
    bench.start("diamond")
    bench.complete(bench.place(), out="T")
    left, right = bench.place_all(job_type="lower", ready=2)
    bench.run(left.job)
    bench.take_events()
    bench.cancel()
    assert {bench.outbox.take(JobKill).job, bench.outbox.take(JobKill).job} == {left.job, right.job}
    assert bench.workflow_state() is WorkflowState.CANCELLED
    assert [bench.state(name) for name in ("top", "left", "right", "end")] == [
        StepState.COMPLETED,
        StepState.CANCELLED,
        StepState.CANCELLED,
        StepState.CANCELLED,
    ]
    assert [event["type"] for event in bench.take_events()] == ["caroni.workflow.cancelled"]
    before = bench.dump()
    bench.complete(left.job)
    bench.status(right.job, "killed")
    assert bench.dump() == before
    bench.offer(ready=5, waiting=5)
    bench.offer(job_type="lower", ready=5, waiting=5)
    assert not [message for _, message in bench.outbox.sent if isinstance(message, OfferAccept)]


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_what_has_ended_is_not_cancelled(bench: Bench, end: str) -> None:
    bench.start("one")
    if end == "cancelled":
        bench.cancel()
    elif end == "completed":
        bench.complete(bench.place())
    else:
        bench.set(attempts=1)
        bench.fail(bench.place())
    before = bench.dump()
    with pytest.raises(Refused, match=f"is {end}, so it cannot be cancelled"):
        bench.cancel()
    assert bench.dump() == before


def test_unknown_workflows_are_neither_cancelled_nor_retried(bench: Bench) -> None:
    for command in (bench.cancel, bench.retry):
        with pytest.raises(Refused, match="there is no workflow nix") as caught:
            command("nix")
        assert caught.value.status == 404


# Size


def test_a_completed_step_touches_its_dependents_only(bench: Bench) -> None:
    """The statements for one message do not grow with the workflow."""
    few, many = (statements(count) for count in (3, 300))
    assert few == many


def statements(count: int) -> int:
    steps = [step("s0", "upper", text=given("message"))]
    steps += [step(f"s{number}", "upper", text=out(f"s{number - 1}")) for number in range(1, count)]
    bench = Bench(plan("long", *steps, outputs={"result": out(f"s{count - 1}")}))
    bench.presence()
    bench.start("long")
    job = bench.place()
    done: list[str] = []
    message: JobStatusUpdate = bench.make_status(job, "completed", outputs={"out": "X"})
    bench.database.conn.set_trace_callback(done.append)
    bench.send(message)
    bench.database.conn.set_trace_callback(None)
    assert bench.step("s1")["missing"] == 0
    return len(done)


def test_plans_are_kept_by_their_content(bench: Bench) -> None:
    bench.start("chain", "w1")
    bench.start("chain", "w2")
    bench.start("diamond", "w3")
    assert len(bench.rows("SELECT hash FROM plans")) == 2
    changed = plan("chain", step("a", "lower", text=given("message")), outputs={"result": out("a")})
    bench.reactor.reload(bench.settings, Bench(changed).templates)
    bench.start("chain", "w4")
    bench.complete(bench.place("a1", "upper"), out="old")
    assert bench.step("b", "w1")["missing"] == 0
    assert [row["path"] for row in bench.rows("SELECT path FROM steps WHERE workflow = 4")] == ["a"]
