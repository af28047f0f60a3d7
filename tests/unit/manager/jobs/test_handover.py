"""Hand-over: jobs that take their inputs from others at their agent, as their manager sees it."""

from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import Link, PlanStep
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES, JobDataReady, JobDecline, JobKill, OfferAccept, Placement
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import Bench, given, out, plan, step

OTHER = hash_of({"text": "of another job"})


@pytest.fixture
def bench() -> Bench:
    bench = Bench(attempts=2)
    bench.presence("a1")
    return bench


def place(bench: Bench, agent: str = "a1", job_type: str = "upper", **facts: Any) -> Placement:
    (placed,) = bench.place_all(agent, job_type, **facts)
    return placed


def chain(bench: Bench) -> tuple[Placement, Placement, Placement]:
    """Start a chain of three and place it at one agent."""
    bench.start("chain")
    first = place(bench)
    second, third = place(bench, job_type="lower", waiting=1), place(bench, waiting=1)
    bench.outbox.sent.clear()
    return first, second, third


def kills(bench: Bench) -> set[str]:
    return {message.job for message in bench.outbox.take_all(JobKill)}


# Placing


def test_a_job_takes_its_input_from_the_one_that_its_agent_has(bench: Bench) -> None:
    first, second, third = chain(bench)
    assert (first.inputs_from, first.data_ready) == ({}, True)
    assert (second.inputs, second.inputs_from) == ({}, {"text": (first.job, "out", "string")})
    assert third.inputs_from == {"text": (second.job, "out", "string")}


def test_offers_that_come_together_are_filled_with_givers_first(bench: Bench) -> None:
    """Whatever their order is: an agent declines a job whose giver it does not have yet."""
    bench.start("chain")
    offers = [
        bench.make_offer(job_type="lower", waiting=1),
        bench.make_offer(job_type="upper", ready=1, waiting=1),
    ]
    bench.send(*offers)
    placed = {job.step: job for accept in bench.outbox.take_all(OfferAccept) for job in accept.jobs}
    assert placed["b"].inputs_from == {"text": (placed["a"].job, "out", "string")}
    assert list(placed).index("a") < list(placed).index("b")


def test_what_is_known_meanwhile_is_given_beside_what_is_to_come(bench: Bench) -> None:
    bench.start("diamond")
    bench.complete(place(bench).job, out="top")
    left, right = bench.place_all(job_type="lower", ready=2)
    bench.complete(left.job, out="of the left")
    end = place(bench, waiting=1)
    assert (end.inputs, end.inputs_from) == ({"one": "of the left"}, {"two": (right.job, "out", "string")})


def with_input(**changed: Any) -> PlanStep:
    last = step("b", "lower", text=out("a"))
    return replace(last, inputs=(replace(last.inputs[0], **changed),))


def with_another(**facts: Any) -> PlanStep:
    last = step("b", "lower", text=out("a"), more=given("message"))
    return replace(last, inputs=(last.inputs[0], replace(last.inputs[1], **facts)))


@pytest.mark.parametrize(
    "last",
    [
        with_input(default="x"),
        with_input(value_from="$(self)"),
        with_input(link=Link((out("a"),), merge="merge_nested"), type="string[]"),
        with_input(link=Link((out("a"), given("message")), merge="merge_nested", pick="first_non_null")),
        with_another(value_from="$(inputs.text)", link=None),
        with_another(link=Link((given("message"),), pick="first_non_null")),
        with_another(type=None, link=Link((out("a"),))),
        with_input(type={"type": "enum", "symbols": ["x" * VALUES_LIMIT_BYTES]}),
    ],
)
def test_only_plain_links_are_handed_over(last: PlanStep) -> None:
    bench = Bench(plan("other", step("a", "upper", text=given("message")), last))
    bench.presence("a1")
    bench.start("other")
    place(bench)
    assert place(bench, job_type="lower", waiting=1).inputs_from == {}


@pytest.mark.parametrize("facts", [{"speaks": 1}, {"repeat": False}])
def test_agents_of_before_and_jobs_that_run_once_have_their_inputs_from_the_manager(
    bench: Bench, facts: dict[str, Any]
) -> None:
    bench.presence("a1", **facts)
    bench.start("chain")
    first = place(bench, repeat=facts.get("repeat", True))
    second = place(bench, job_type="lower", waiting=1, repeat=facts.get("repeat", True))
    assert second.inputs_from == {}
    bench.complete(first.job, out="X")
    assert bench.outbox.take(JobDataReady) == JobDataReady(job=second.job, inputs={"text": "X"})


def test_a_giver_that_is_elsewhere_or_nowhere_gives_nothing(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("chain")
    first = place(bench, "a2")
    second, third = place(bench, job_type="lower", waiting=1), place(bench, "a2", waiting=1)
    assert (second.inputs_from, third.inputs_from) == ({}, {})
    bench.complete(first.job, "a2", out="X")
    assert bench.outbox.take(JobDataReady).job == second.job


# Givers that complete


def test_what_was_fed_gets_no_data_and_the_workflow_goes_on(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.status(first.job, "completed", outputs={"out": "X"}, fed=(second.job,))
    bench.status(second.job, "completed", outputs={"out": "x"}, fed=(third.job,))
    bench.complete(third.job, out="done")
    bench.outbox.nothing_else()
    assert (bench.workflow_state(), bench.outputs()) == (WorkflowState.COMPLETED, {"result": "done"})


def test_what_was_not_fed_gets_its_data_as_ever(bench: Bench) -> None:
    first, second, _third = chain(bench)
    bench.complete(first.job, out="X")
    assert bench.outbox.take(JobDataReady) == JobDataReady(job=second.job, inputs={"text": "X"})


def test_an_agent_feeds_only_what_was_to_take_from_its_job(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("chain")
    first, second = place(bench), place(bench, "a2", "lower", waiting=1)
    bench.status(first.job, "completed", outputs={"out": "X"}, fed=(second.job, "nothing0"))
    assert bench.outbox.take(JobDataReady, "a2").job == second.job


# Other inputs


def test_a_result_of_other_inputs_is_not_taken_and_costs_no_attempt(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.complete(first.job, out="X")
    bench.status(second.job, "completed", outputs={"out": "wrong"}, inputs_hash=OTHER, fed=(third.job,))
    assert (bench.state("b"), bench.step("b")["tries"], bench.outputs()) == (StepState.FULFILLING, 0, None)
    assert kills(bench) == {third.job}
    assert "other inputs" in bench.job(second.job)["reason"]
    again = place(bench, job_type="lower")
    assert (again.attempt, again.inputs) == (2, {"text": "X"})


def test_a_plain_job_with_other_inputs_gives_no_result_either(bench: Bench) -> None:
    bench.start("one")
    bench.status(bench.place(), "completed", outputs={"out": "wrong"}, inputs_hash=OTHER)
    assert (bench.state("a"), bench.step("a")["tries"]) == (StepState.FULFILLING, 0)


def test_a_job_that_runs_with_other_inputs_is_ended_and_waited_for(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.complete(first.job, out="X")
    bench.outbox.sent.clear()
    bench.status(second.job, "running", inputs_hash=OTHER)
    assert kills(bench) == {second.job, third.job}
    assert bench.step("b")["job"] == second.job, "another may not begin while it runs"
    bench.status(second.job, "killed", begun=True, reason="told to")
    assert (bench.state("b"), bench.step("b")["tries"]) == (StepState.FULFILLING, 0)


def test_a_job_that_runs_before_its_manager_knows_its_inputs_is_believed(bench: Bench) -> None:
    """That its giver has completed may come later, as after a restored database."""
    first, second, _third = chain(bench)
    bench.status(second.job, "running", inputs_hash=OTHER)
    assert bench.state("b") is StepState.RUNNING
    bench.outbox.nothing_else()
    bench.complete(first.job, out="X")
    assert bench.state("a") is StepState.COMPLETED


def test_a_job_that_has_ended_before_its_giver_had_other_inputs(bench: Bench) -> None:
    _first, second, _third = chain(bench)
    bench.status(second.job, "completed", outputs={"out": "wrong"}, inputs_hash=OTHER)
    assert (bench.state("b"), bench.step("b")["tries"]) == (StepState.FULFILLING, 0)
    assert place(bench, job_type="lower", waiting=1).inputs_from == {}, "its step gets none any more"


def test_an_agent_of_before_need_not_say_which_inputs_a_job_had(bench: Bench) -> None:
    bench.presence("a1", speaks=1)
    bench.start("chain")
    first, second = place(bench), place(bench, job_type="lower", waiting=1)
    bench.status(first.job, "completed", outputs={"out": "X"}, inputs_hash="")
    bench.status(second.job, "completed", outputs={"out": "x"}, inputs_hash="")
    assert bench.state("b") is StepState.COMPLETED


def test_a_job_that_takes_inputs_must_say_which_it_had(bench: Bench) -> None:
    first, second, _third = chain(bench)
    bench.complete(first.job, out="X")
    bench.status(second.job, "completed", outputs={"out": "x"}, inputs_hash="")
    assert (bench.state("b"), bench.step("b")["tries"]) == (StepState.FULFILLING, 0)


# Givers without a result


def test_with_a_giver_that_fails_all_that_take_from_it_are_taken_back(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.fail(first.job)
    assert kills(bench) == {second.job, third.job}
    assert [bench.step(name)["job"] for name in "bc"] == [second.job, third.job]
    for job in (second.job, third.job):
        bench.send(JobDecline(job=job, reason="what it takes an input from has ended"))
    assert [bench.state(name) for name in "bc"] == [StepState.FULFILLING] * 2
    assert [(bench.step(name)["attempt"], bench.step(name)["tries"]) for name in "bc"] == [(0, 0)] * 2
    bench.advance(60)
    again = place(bench)
    assert place(bench, job_type="lower", waiting=1).inputs_from == {"text": (again.job, "out", "string")}


def test_a_taker_that_had_begun_is_asked_anew_at_no_cost(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.run(second.job)
    bench.fail(first.job)
    assert kills(bench) == {second.job, third.job}
    bench.complete(second.job, out="of what does not count")
    assert (bench.state("b"), bench.step("b")["tries"]) == (StepState.FULFILLING, 0)
    assert bench.job(second.job)["status"] == "failed"


def test_a_giver_that_was_never_taken_takes_its_takers_with_it(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.send(JobDecline(job=first.job, reason="no room"))
    assert kills(bench) == {second.job, third.job}
    assert bench.jobs() == []
    assert [bench.step(name)["attempt"] for name in "abc"] == [0, 0, 0]


def test_outputs_that_do_not_fit_are_given_to_nobody(bench: Bench) -> None:
    first, second, third = chain(bench)
    bench.status(first.job, "completed", outputs={"out": 7}, fed=(second.job,))
    assert kills(bench) == {second.job, third.job}


def test_takers_of_an_attempt_that_is_not_the_first_to_complete_are_taken_back(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("chain")
    slow = place(bench, "a2")
    bench.silent["a2"] = 1e9
    bench.advance(3600)
    first = place(bench)
    second = place(bench, job_type="lower", waiting=1)
    bench.outbox.sent.clear()
    bench.silent.clear()
    bench.complete(slow.job, "a2", out="X")
    assert kills(bench) == {first.job, second.job}
    bench.outbox.nothing_else()
    bench.status(second.job, "killed", begun=False)
    assert place(bench, job_type="lower").inputs == {"text": "X"}


def test_what_is_taken_back_is_not_waited_for_longer_than_lost_after(bench: Bench) -> None:
    first, second, _third = chain(bench)
    bench.fail(first.job)
    bench.silent["a1"] = 1e9
    bench.advance(3600)
    assert (bench.state("b"), bench.step("b")["job"], bench.step("b")["tries"]) == (StepState.FULFILLING, None, 0)
    bench.silent.clear()
    bench.complete(second.job, out="late")
    assert bench.state("b") is StepState.FULFILLING


def test_a_silent_agent_costs_no_attempt_of_what_may_not_have_begun(bench: Bench) -> None:
    chain(bench)
    bench.silent["a1"] = 1e9
    bench.advance(3600)
    assert [bench.step(name)["tries"] for name in "abc"] == [1, 0, 0]


def test_what_a_lost_database_had_not_begun_for_sure_costs_no_attempt(bench: Bench) -> None:
    chain(bench)
    bench.answer(bench.reset(), database="wiped")
    assert [bench.step(name)["tries"] for name in "abc"] == [1, 0, 0]
    assert [bench.state(name) for name in "abc"] == [StepState.FULFILLING] * 3


def test_a_workflow_that_is_cancelled_waits_for_nothing_that_is_taken_back(bench: Bench) -> None:
    first, second, _third = chain(bench)
    bench.fail(first.job)
    bench.cancel()
    bench.outbox.sent.clear()
    bench.status(second.job, "killed", begun=False)
    bench.send(JobDecline(job=second.job, reason="again"))
    assert bench.workflow_state() is WorkflowState.CANCELLED
    bench.outbox.nothing_else()


def test_takers_are_forgotten_when_they_end(bench: Bench) -> None:
    chain(bench)
    assert len(bench.rows("SELECT * FROM takers")) == 2
    bench.cancel()
    assert bench.rows("SELECT * FROM takers") == []


# Restored managers


def test_a_pending_taker_of_an_adopted_giver_is_adopted(bench: Bench) -> None:
    bench.start("chain")
    inputs_from = {"text": ("jobaaaa1", "out", "string")}
    here = [
        bench.here("jobaaaa1", "running", begun=True, inputs_hash=hash_of({"text": "x"})),
        bench.here("jobbbbb1", "pending", step="b", job_type="lower", inputs_from=inputs_from),
    ]
    bench.answer(bench.reset(), *here)
    assert [bench.step(name)["job"] for name in "ab"] == ["jobaaaa1", "jobbbbb1"]
    bench.outbox.nothing_else()
    bench.status("jobaaaa1", "completed", outputs={"out": "X"}, fed=("jobbbbb1",))
    bench.complete("jobbbbb1", out="x")
    assert bench.state("b") is StepState.COMPLETED


@pytest.mark.parametrize("inputs_from", [{}, {"text": ("another1", "out", "string")}])
def test_a_pending_job_that_takes_from_others_is_not_adopted(bench: Bench, inputs_from: dict[str, Any]) -> None:
    bench.start("chain")
    here = bench.here("jobbbbb1", "pending", step="b", job_type="lower", inputs_from=inputs_from)
    bench.answer(bench.reset(), here)
    assert kills(bench) == {"jobbbbb1"}
    assert bench.step("b")["job"] is None


def test_what_ended_first_is_taken_first_and_a_pending_job_gets_its_data(bench: Bench) -> None:
    """Job ids are random: by their order a taker may come before its giver."""
    first, second, third = chain(bench)
    query = bench.reset()
    states = {
        first.job: bench.here(first.job, "completed", first, begun=True, outputs={"out": "X"}, serial=50),
        second.job: bench.here(
            second.job,
            "completed",
            second,
            begun=True,
            outputs={"out": "x"},
            inputs_hash=hash_of({"text": "X"}),
            serial=51,
        ),
        third.job: bench.here(third.job, "pending", third, serial=3, inputs_from=third.inputs_from),
    }
    states[first.job] = replace(states[first.job], inputs_hash=hash_of({"text": "x"}))
    bench.answer(query, *(states[name] for name in sorted(states)))
    assert [bench.state(name) for name in "ab"] == [StepState.COMPLETED] * 2
    assert bench.outbox.take_all(JobDataReady)[-1] == JobDataReady(job=third.job, inputs={"text": "x"})
