"""Steps that only some agents may take, and limits of how much is begun at a time."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.templates.plan import Plan
from caroni_edge.manager.workflows.gates import Admission
from caroni_edge.protocol.messages import JobKill, OfferAccept, OfferReject
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import Bench, given, out, plan, step
from tests.unit.manager.workflows.test_branches import INNER, flow, leaf, nest, run_all, value

SHIP = flow(
    "ship",
    leaf("s", value("text", given("text")), value("ship", given("ship"), type=None), agents=("$(inputs.ship)",)),
    result=out("s"),
    takes={"text": "string", "ship": "Any"},
)
FIRST = plan("first", step("a", "lower", text=given("message")))
FIXED = flow(
    "fixed",
    leaf("first", value("text", given("text")), job_type="lower"),
    leaf("s", value("text", out("first")), agents=("a7", "a8")),
    result=out("s"),
    takes={"text": "string"},
)


def nobody(bench: Bench, agent: str, **facts: Any) -> None:
    """Assert that an offer of this agent is rejected."""
    offer = bench.offer(agent, **facts)
    assert bench.outbox.take(OfferReject, agent).offer == offer


def test_a_bound_step_goes_to_its_agent_alone_and_the_demand_says_so() -> None:
    bench = Bench(SHIP)
    for agent in ("a1", "a7"):
        bench.presence(agent)
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.only) == (1, {"a7": 1})
    nobody(bench, "a1")
    job = bench.place("a7")
    bench.complete(job, "a7", out="A")
    assert bench.outputs() == {"result": "A"}
    assert bench.rows("SELECT * FROM bound") == []


@pytest.mark.parametrize("ship", [None, "", "No Segment", [], 5, ["a1", None]])
def test_what_names_no_agent_fails_the_step(ship: Any) -> None:
    bench = Bench(SHIP)
    bench.start("ship", inputs={"text": "a", "ship": ship} if ship is not None else {"text": "a", "ship": [None]})
    assert bench.workflow_state() is WorkflowState.FAILED
    assert "$(inputs.ship)" in bench.workflow()["reason"]


def test_any_of_a_list_may_take_a_step_ahead_of_its_data() -> None:
    bench = Bench(FIXED)
    for agent in ("a1", "a8"):
        bench.presence(agent)
    bench.start("fixed", inputs={"text": "a"})
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.waiting, demand.only) == (0, 1, {"a7,a8": 1})
    nobody(bench, "a1", waiting=1)
    (ahead,) = bench.place_all("a8", waiting=1)
    bench.complete(bench.place("a1", "lower"), out="b")
    bench.complete(ahead.job, "a8", out="B")
    assert bench.outputs() == {"result": "B"}


def test_a_step_that_failed_on_its_agent_comes_back_to_it() -> None:
    bench = Bench(SHIP)
    for agent in ("a1", "a7"):
        bench.presence(agent)
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    bench.fail(bench.place("a7"), "a7")
    bench.advance(10)
    nobody(bench, "a1")
    assert bench.place("a7")


def test_of_the_agents_that_may_take_a_step_those_come_first_on_which_it_failed_least() -> None:
    bench = Bench(SHIP)
    for agent in ("a7", "a8"):
        bench.presence(agent)
    bench.start("ship", inputs={"text": "a", "ship": ["a7", "a8"]})
    bench.fail(bench.place("a7"), "a7")
    bench.advance(10)
    nobody(bench, "a7")
    bench.fail(bench.place("a8"), "a8")
    bench.advance(10)
    bench.fail(bench.place("a7"), "a7")
    bench.advance(10)
    nobody(bench, "a7")
    assert bench.place("a8")


def test_a_workflow_is_stalled_while_its_agent_is_not_there() -> None:
    bench = Bench(SHIP, stalled_after_s=60.0)
    bench.presence("a1")
    bench.start("ship", inputs={"text": "a", "ship": ["a7", "a9"]})
    bench.advance(75)
    assert bench.workflow_state() is WorkflowState.STALLED
    assert "a7 or a9" in bench.workflow()["reason"]
    bench.presence("a9")
    bench.advance(11)
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_after_a_restart_it_counts_anew_how_long_an_agent_is_not_there() -> None:
    bench = Bench(SHIP, stalled_after_s=60.0)
    bench.presence("a1")
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    bench.advance(50)
    bench.restart()
    bench.advance(40)
    assert bench.workflow_state() is not WorkflowState.STALLED
    bench.advance(40)
    assert bench.workflow_state() is WorkflowState.STALLED


def test_others_are_served_while_a_bound_step_waits() -> None:
    bench = Bench(SHIP)
    bench.presence("a1")
    bench.start("ship", "bound", inputs={"text": "a", "ship": "a7"})
    bench.start("one", "free")
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.only) == (2, {"a7": 1})
    (job,) = bench.place_all("a1", ready=5)
    assert job.workflow == "free"


def limited(**facts: Any) -> Plan:
    step = leaf("s", value("text", given("values")), scatter=("text",), **facts)
    return flow("limited", step, result=out("s"))


def test_a_limit_of_a_step_lets_so_many_instances_begin() -> None:
    bench = Bench(limited(parallel=2))
    bench.presence()
    bench.start("limited", inputs={"values": list("abcde")})
    one, two = bench.place_all(ready=10)
    assert not bench.is_ready("upper")
    bench.fail(one.job)
    assert not bench.is_ready("upper")
    bench.complete(two.job, out="B")
    (three,) = bench.place_all(ready=10)
    assert three.step == "s[2]"
    bench.complete(three.job, out="C")
    bench.advance(5)
    run_all(bench)
    assert bench.outputs() == {"result": ["A" if n == 0 else letter.upper() for n, letter in enumerate("abcde")]}
    assert {row["inside"] for row in bench.rows("SELECT inside FROM gates")} == {0}


def test_a_limit_of_a_workflow_counts_its_jobs_nested_ones_too() -> None:
    outer = flow(
        "outer", nest("in", INNER, value("text", given("values")), scatter=("text",)), result=out("in", "result")
    )
    bench = Bench(Plan(outer.template, outer.inputs, outer.outputs, outer.steps, parallel=3))
    bench.presence()
    bench.start("outer", inputs={"values": list("abcde")})
    jobs = bench.place_all(ready=10)
    assert len(jobs) == 3
    for job in jobs:
        bench.complete(job.job, out=str(job.inputs["text"]).upper())
    assert len(bench.place_all(ready=10)) == 3


def test_no_step_is_looked_at_while_its_gate_is_full() -> None:
    bench = Bench(limited(parallel=2))
    bench.start("limited", inputs={"values": list("abcd")})
    admission, (workflow, gates) = Admission(bench.store), (bench.workflow()["seq"], (("s", 2),))
    assert list(admission.admitted(workflow, gates)) == []
    admission.leave(bench.store.steps.by_path(workflow, "s[0]"), gates)  # type: ignore[arg-type]
    assert [step.path for step in admission.admitted(workflow, gates)] == ["s[2]"]


def test_limits_hold_after_retry() -> None:
    bench = Bench(limited(parallel=2), attempts=1)
    bench.presence()
    bench.start("limited", inputs={"values": list("abcd")})
    one, two = bench.place_all(ready=10)
    bench.fail(one.job)
    bench.complete(two.job, out="B")
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.state("s[2]") is StepState.CREATED
    bench.retry()
    jobs = bench.place_all(ready=10)
    assert {job.step for job in jobs} == {"s[0]", "s[2]"}
    for job in jobs:
        bench.complete(job.job, out=str(job.inputs["text"]).upper())
    run_all(bench)
    assert bench.outputs() == {"result": list("ABCD")}


def test_a_limit_of_the_manager_counts_all_that_is_at_agents() -> None:
    bench = Bench(limited(), max_live_steps=3)
    bench.presence()
    bench.start("limited", inputs={"values": list("abcde")})
    bench.start("one", "w2")
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert demand.ready == 3
    jobs = bench.place_all(ready=10)
    assert len(jobs) == 3
    bench.advance(1)
    assert bench.demands()["upper"] is None
    nobody(bench, "a1", ready=10)
    bench.complete(jobs[0].job, out="A")
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert demand.ready == 1
    assert len(bench.place_all(ready=10)) == 1


def test_the_demand_of_a_limited_manager_is_cut_to_its_room_which_steps_with_their_data_get_first() -> None:
    bench = Bench(max_live_steps=3)
    bench.presence()
    for number in range(2):
        bench.start("chain", f"w{number}")
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.waiting) == (2, 1)


@pytest.mark.parametrize(
    ("template", "facts"), [("one", {}), ("ship", {"inputs": {"text": "a", "ship": "a1"}})], ids=["free", "bound"]
)
def test_a_demand_that_was_cut_is_said_anew_when_a_job_of_another_type_ends(
    template: str, facts: dict[str, Any]
) -> None:
    bench = Bench(SHIP, FIRST, max_live_steps=2)
    bench.presence()
    bench.start("first", "w0")
    other = bench.place(job_type="lower")
    for number in range(2):
        bench.start(template, f"w{number + 1}", **facts)
    bench.advance(1)
    cut = bench.demands()["upper"]
    bench.complete(other)
    whole = bench.demands()["upper"]
    assert cut is not None
    assert whole is not None
    assert (cut.ready, whole.ready) == (1, 2)


def test_a_demand_that_came_while_there_was_no_room_is_said_when_there_is() -> None:
    bench = Bench(FIRST, max_live_steps=1)
    bench.presence()
    bench.start("one", "w1")
    job = bench.place()
    bench.start("first", "w2")
    bench.advance(1)
    assert bench.demands().get("lower") is None
    bench.complete(job)
    bench.advance(1)
    demand = bench.demands()["lower"]
    assert demand is not None
    assert demand.ready == 1


def test_an_offer_that_is_rejected_takes_no_room() -> None:
    bench = Bench(max_live_steps=1)
    bench.presence()
    bench.start("one")
    first, second = bench.make_offer(job_type="lower"), bench.make_offer()
    bench.send(first, second)
    assert bench.outbox.take(OfferReject).offer == first.offer
    assert bench.outbox.take(OfferAccept).offer == second.offer


def test_the_room_of_a_limited_manager_is_not_kept_for_an_agent_that_is_away() -> None:
    bench = Bench(SHIP, max_live_steps=1)
    bench.presence("a1")
    for number in range(2):
        bench.start("ship", f"bound{number}", inputs={"text": "a", "ship": "a7"})
    bench.start("one", "free")
    bench.advance(1)
    demand = bench.demands()["upper"]
    assert demand is not None
    assert (demand.ready, demand.only) == (2, {"a7": 1})
    (job,) = bench.place_all("a1", ready=1)
    assert job.workflow == "free"


def test_a_bound_step_waits_only_for_an_agent_that_may_take_it() -> None:
    bench = Bench(SHIP)
    for agent in ("a1", "a7"):
        bench.presence(agent)
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    bench.start("ship", "w2", inputs={"text": "b", "ship": ["a1", "a7"]})
    bench.reset("a1")
    (placed,) = bench.place_all("a7", ready=2)
    assert placed.workflow == "w1"
    bench.offer("a7", ready=2)
    bench.outbox.nothing_else()


def test_a_job_for_a_step_that_is_bound_to_another_agent_is_not_adopted() -> None:
    bench = Bench(SHIP)
    bench.presence("a1")
    bench.start("ship", inputs={"text": "a", "ship": "a7"})
    facts: dict[str, Any] = {"step": "s", "inputs_hash": hash_of({"text": "a"}), "begun": True}
    bench.answer(bench.reset("a1"), bench.here("stolen0001", "running", **facts))
    assert bench.outbox.take(JobKill, "a1").job == "stolen0001"
    bench.answer(bench.reset("a1"), bench.here("stolen0001", "completed", outputs={"out": "lie"}, **facts))
    assert bench.state("s") is StepState.FULFILLING
    bench.answer(bench.reset("a7"), bench.here("itsown0001", "running", **facts), agent="a7")
    assert bench.step("s")["job"] == "itsown0001"
