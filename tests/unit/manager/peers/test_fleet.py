"""Agents come, go, and fall silent."""

from dataclasses import replace

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.offers.placing import PLACES_MAX, UNDECIDED_MAX, VALID_MAX_S
from caroni_edge.protocol.codec import Unreadable
from caroni_edge.protocol.messages import JobAccepted, JobKill, OfferAccept, OfferReject
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import Bench, given, plan, step


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Presence


@pytest.mark.parametrize("name", ["#", "+/+", "x/y", "", "a\0"])
def test_a_job_type_that_is_no_segment_of_a_topic_is_refused_with_its_presence(bench: Bench, name: str) -> None:
    """It would become a topic, and nobody can publish there."""
    with pytest.raises(Unreadable, match="cannot be read"):
        bench.presence("a1", types=["upper", name])
    assert bench.store.agents.serving("a1") == set()


# Stalled


def test_a_workflow_that_nobody_serves_stalls_and_goes_on(bench: Bench) -> None:
    bench.start("one")
    bench.advance(59.9)
    assert bench.workflow_state() is WorkflowState.INITIALIZING
    bench.advance(0.2)
    assert bench.workflow_state() is WorkflowState.STALLED
    assert bench.workflow()["reason"] == "no agent that is online takes jobs of the type upper"
    bench.advance(600)
    bench.presence("a1")
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.workflow()["reason"] is None
    bench.complete(bench.place())
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_a_workflow_stays_stalled_while_another_of_its_types_is_not_served(bench: Bench) -> None:
    bench.start("pair")
    bench.advance(61)
    bench.presence("a1", types=["upper"])
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.presence("a2", types=["lower"])
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_a_workflow_stalls_when_the_last_agent_goes(bench: Bench) -> None:
    bench.presence("a1")
    bench.presence("a2", types=["lower"])
    bench.start("chain")
    bench.advance(600)
    bench.complete(bench.place())
    bench.presence("a1", online=False)
    bench.advance(600)
    assert bench.workflow_state() is WorkflowState.STALLED, "the last step wants an agent for upper already"
    bench.presence("a1")
    assert bench.workflow_state() is WorkflowState.RUNNING


@pytest.mark.parametrize("refuses", [{"*": "drained"}, {"m1": "not served"}])
def test_who_refuses_does_not_serve(bench: Bench, refuses: dict[str, str]) -> None:
    bench.presence("a1", refuses=refuses)
    bench.start("one")
    bench.advance(61)
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.presence("a1", refuses={"another": "manager", "upper": "it fails always, so it gets one place a minute"})
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_what_is_placed_does_not_stall(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("one")
    bench.run(bench.place())
    bench.presence("a1", online=False)
    bench.advance(3600)
    assert bench.workflow_state() is WorkflowState.RUNNING


@pytest.mark.parametrize(("retry_delay_s", "stalls"), [(300.0, False), (10.0, True)])
def test_a_delay_before_the_next_attempt_does_not_stall(bench: Bench, retry_delay_s: float, stalls: bool) -> None:
    bench.set(retry_delay_s=retry_delay_s)
    bench.presence("a1")
    bench.start("one")
    bench.fail(bench.place())
    bench.presence("a1", online=False)
    bench.start("one", "w2")
    bench.advance(80)
    assert bench.workflow_state("w2") is WorkflowState.STALLED
    assert (bench.workflow_state("w1") is WorkflowState.STALLED) == stalls


def test_a_delay_before_the_next_attempt_does_not_keep_a_workflow_stalled(bench: Bench) -> None:
    bench.set(retry_delay_s=300.0)
    bench.presence("a1")
    bench.start("pair")
    bench.fail(bench.place())
    bench.presence("a1", online=False)
    bench.start("one", "w2")
    bench.advance(61)
    assert bench.workflow_state("w1") is WorkflowState.STALLED
    bench.presence("a2", types=["lower"])
    assert bench.workflow_state("w1") is WorkflowState.RUNNING, "nobody waits for an agent of the other type yet"
    assert bench.workflow_state("w2") is WorkflowState.STALLED


def test_an_offer_waits_for_the_presence_of_its_agent_and_lets_a_stalled_workflow_go_on(bench: Bench) -> None:
    """Notices may be late: on some brokers an agent is heard before it is seen."""
    bench.start("one")
    bench.advance(61)
    bench.offer("unseen")
    bench.outbox.nothing_else()
    bench.presence("unseen")
    (placed,) = bench.outbox.take(OfferAccept, "unseen").jobs
    bench.send(JobAccepted(jobs=(placed.job,)), agent="unseen")
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_an_offer_that_waits_for_a_presence_waits_no_longer_than_it_is_valid(bench: Bench) -> None:
    bench.start("one")
    bench.offer("unseen", valid_for=10)
    bench.advance(11)
    bench.presence("unseen")
    bench.outbox.nothing_else()
    assert bench.rows("SELECT * FROM offers") == []


def test_a_stalled_workflow_can_be_cancelled_and_others_stall_later(bench: Bench) -> None:
    bench.start("one", "w1")
    bench.advance(61)
    bench.cancel("w1")
    assert bench.workflow_state("w1") is WorkflowState.CANCELLED
    bench.start("one", "w2")
    bench.advance(59)
    assert bench.workflow_state("w2") is WorkflowState.INITIALIZING
    bench.advance(2)
    assert bench.workflow_state("w2") is WorkflowState.STALLED


def test_a_workflow_that_joins_stalled_ones_stalls_too(bench: Bench) -> None:
    bench.start("one", "w1")
    bench.advance(61)
    bench.start("one", "w2")
    bench.advance(61)
    assert bench.workflow_state("w2") is WorkflowState.STALLED


def test_durations_begin_anew_at_a_start(bench: Bench) -> None:
    bench.start("one")
    bench.advance(50)
    bench.now = 5.0  # another boot of the host: another clock
    bench.restart()
    bench.advance(59)
    assert bench.workflow_state() is WorkflowState.INITIALIZING
    bench.advance(2)
    assert bench.workflow_state() is WorkflowState.STALLED


def test_a_delay_that_ran_before_a_start_is_over(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("one")
    bench.fail(bench.place())
    bench.now = 5.0
    bench.restart()
    bench.presence("a1")
    bench.advance(0)
    assert bench.place()


def test_what_a_rollback_took_back_stalls_in_the_next_batch(bench: Bench) -> None:
    bench.start("one")
    bench.now += 61
    bench.call(lambda _at: None, commit=False)
    assert bench.workflow_state() is WorkflowState.INITIALIZING
    bench.settle()
    assert bench.workflow_state() is WorkflowState.STALLED


def test_stalling_looks_at_what_a_reload_says(bench: Bench) -> None:
    bench.start("one")
    bench.advance(10)
    bench.set(stalled_after_s=5.0)
    bench.advance(0)
    assert bench.workflow_state() is WorkflowState.STALLED


# Presence


def test_presence_is_kept_for_people(bench: Bench) -> None:
    bench.presence("a1", refuses={"upper": "no"})
    (row,) = bench.rows("SELECT * FROM agents")
    assert (row["agent"], row["online"], row["boot"], row["host"], row["slots"]) == ("a1", 1, "b", "h", 2)
    assert row["refuses"] == '{"upper":"no"}'
    bench.date += 100
    bench.presence("a1", online=False)
    (row,) = bench.rows("SELECT * FROM agents")
    assert (row["online"], row["host"], row["seen"]) == (0, "h", bench.date)
    assert {row["job_type"]: row["online"] for row in bench.rows("SELECT * FROM agent_types")} == {
        "upper": 0,
        "lower": 0,
    }


def test_a_cleared_presence_is_a_goodbye(bench: Bench) -> None:
    bench.presence("a1")
    bench.notice("a1", None)
    assert not bench.store.agents.may_serve("a1", "upper")


def test_types_that_an_agent_has_no_more_are_forgotten(bench: Bench) -> None:
    bench.presence("a1", types=["upper", "lower"])
    bench.presence("a1", types=["lower"])
    assert bench.store.agents.serving("a1") == {"lower"}


# Silent agents


def test_a_silent_agent_loses_its_jobs_to_new_attempts(bench: Bench) -> None:
    bench.presence("a1")
    bench.presence("a2")
    bench.start("one")
    lost = bench.place("a1")
    bench.run(lost)
    bench.silent["a1"] = 86399.0
    bench.advance(60)
    assert bench.state("a") is StepState.RUNNING
    bench.silent["a1"] = 86400.0
    bench.advance(61)
    assert bench.state("a") is StepState.FULFILLING
    assert (bench.job(lost)["lost"], bench.job(lost)["open"]) == (1, 1)
    assert "silent" in bench.take_event("caroni.step.retried")["data"]["reason"]
    second = bench.place("a2")
    assert bench.job(second)["attempt"] == 2
    bench.advance(600)
    assert bench.step("a")["tries"] == 1, "a job is lost once"
    bench.outbox.nothing_else()


@pytest.mark.parametrize("winner", ["lost", "second"])
def test_the_first_attempt_that_completes_is_the_result(bench: Bench, winner: str) -> None:
    bench.presence("a1")
    bench.presence("a2")
    bench.start("one")
    lost = bench.place("a1")
    bench.run(lost)
    bench.silent["a1"] = 1e6
    bench.advance(61)
    second = bench.place("a2")
    bench.run(second, "a2")
    order = [(lost, "a1"), (second, "a2")]
    first, other = order if winner == "lost" else order[::-1]
    bench.complete(*first, out="first")
    assert bench.outbox.take(JobKill, other[1]).job == other[0]
    bench.complete(*other, out="other")
    assert bench.outputs() == {"result": "first"}
    assert bench.step("a")["job"] == first[0]
    assert bench.job(other[0])["status"] == "killed"
    assert len(bench.take_events("caroni.step.completed")) == 1
    bench.outbox.nothing_else()


def test_a_lost_attempt_may_win_before_another_is_placed(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("one")
    lost = bench.place()
    bench.run(lost)
    bench.silent["a1"] = 1e6
    bench.advance(61)
    bench.complete(lost)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    bench.advance(1)
    assert bench.demands()["upper"] is None
    assert bench.step("a")["retry_due"] is None


def test_a_lost_attempt_that_fails_changes_nothing_for_its_step(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("one")
    lost = bench.place()
    bench.silent["a1"] = 1e6
    bench.advance(61)
    before = bench.step("a")
    bench.fail(lost)
    assert bench.step("a") == before
    assert bench.job(lost)["open"] == 0


def test_a_job_without_data_at_a_silent_agent_is_taken_back(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("chain")
    ahead = bench.place("a1", "lower", waiting=1)
    bench.silent["a1"] = 1e6
    bench.advance(61)
    assert bench.outbox.take(JobKill).job == ahead
    assert (bench.step("b")["tries"], bench.step("b")["attempt"]) == (0, 0)


def test_what_may_not_be_repeated_is_in_doubt_when_its_agent_is_lost(bench: Bench) -> None:
    bench.presence("a1")
    bench.start("one")
    lost = bench.place(repeat=False)
    bench.silent["a1"] = 1e6
    bench.advance(61)
    assert bench.step("a")["in_doubt"]
    bench.complete(lost)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.step("a")["in_doubt"] is None


def test_a_lost_attempt_counts_as_used_up() -> None:
    bench = Bench(attempts=1)
    bench.presence("a1")
    bench.start("one")
    lost = bench.place()
    bench.silent["a1"] = 1e6
    bench.advance(61)
    assert bench.workflow_state() is WorkflowState.FAILED
    bench.outbox.nothing_else()
    bench.complete(lost, out="late")
    assert bench.state("a") is StepState.COMPLETED, "its result is kept"
    assert bench.workflow_state() is WorkflowState.FAILED
    bench.retry()
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": "late"}


def test_never_is_never() -> None:
    bench = Bench(lost_after_s=None)
    bench.presence("a1")
    bench.start("one")
    bench.run(bench.place())
    bench.silent["a1"] = 1e12
    bench.advance(3600)
    assert bench.state("a") is StepState.RUNNING
    bench.set(lost_after_s=60.0)
    bench.advance(0)
    assert bench.state("a") is StepState.FULFILLING


def test_silence_is_noticed_soon_when_it_counts_soon() -> None:
    bench = Bench(lost_after_s=3.0)
    bench.presence("a1")
    bench.start("one")
    bench.run(bench.place())
    bench.silent["a1"] = 3.0
    bench.advance(1)
    assert bench.state("a") is StepState.FULFILLING


# Forget


def test_a_forgotten_agent_leaves_nothing_open(bench: Bench) -> None:
    bench.presence("a1", speaks=1)
    bench.presence("a2")
    bench.start("chain")
    running, ahead = bench.place("a1"), bench.place("a1", "lower", waiting=1)
    bench.run(running)
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    assert bench.job(running)["reason"] == "agent a1 was forgotten"
    assert (bench.step("a")["tries"], bench.step("b")["tries"]) == (1, 0)
    assert ahead not in bench.jobs()
    assert list(bench.reactor.open_peers()) == []
    assert [row["agent"] for row in bench.rows("SELECT agent FROM agents")] == ["a2"]
    bench.advance(1)
    assert bench.place("a2")
    bench.outbox.nothing_else()


def test_types_of_many_workflows_are_looked_at_by_index() -> None:
    bench = Bench(*(plan(f"t{n}", step("a", f"type{n}", text=given("message"))) for n in range(3)))
    for number in range(3):
        bench.start(f"t{number}", f"w{number}")
    bench.presence("a1", types=["type0"])
    bench.advance(61)
    assert [bench.workflow_state(f"w{number}") for number in range(3)] == [
        WorkflowState.INITIALIZING,
        WorkflowState.STALLED,
        WorkflowState.STALLED,
    ]


# How many places are believed, and of whom


def start_many(bench: Bench, count: int) -> None:
    for number in range(count):
        bench.start("one", f"w{number}")


def test_an_agent_gets_no_more_than_its_presence_has_places_for(bench: Bench) -> None:
    bench.presence("a1", slots=2, backlog=3, pending=0)
    start_many(bench, 10)
    placed = bench.place_all(ready=10**9, waiting=10**9)
    assert len(placed) == 5
    offer = bench.offer(ready=10**9)
    assert bench.outbox.take(OfferReject).offer == offer
    bench.complete(placed[0].job)
    assert len(bench.place_all(ready=10**9)) == 1


def test_who_does_not_say_how_much_it_keeps_has_twice_its_slots(bench: Bench) -> None:
    bench.presence("a1", slots=2, backlog=None, pending=None)
    start_many(bench, 10)
    assert len(bench.place_all(ready=20)) == 10


def test_jobs_whose_data_has_come_leave_their_places_to_others(bench: Bench) -> None:
    """The agent has offered what has become free; refused, it would ask again after 10 s only."""
    bench.presence("a1", slots=1, backlog=1, pending=2)
    for number in range(3):
        bench.start("chain", f"w{number}")
    first, second = bench.place_all(job_type="upper", ready=2)
    bench.place_all(job_type="lower", ready=0, waiting=2)
    bench.complete(first.job)
    bench.complete(second.job)
    assert len(bench.place_all(job_type="upper", ready=2)) == 1


def test_places_for_jobs_ahead_of_their_data_are_counted_apart(bench: Bench) -> None:
    bench.presence("a1", slots=1, backlog=0, pending=2)
    for number in range(4):
        bench.start("chain", f"w{number}")
    assert len(bench.place_all(job_type="lower", ready=0, waiting=100)) == 2
    assert len(bench.place_all(job_type="upper", ready=100)) == 1


def test_more_that_wait_than_would_be_taken_now_keep_out_nothing_that_is_ready(bench: Bench) -> None:
    """What they wait for may come to nobody else: nothing would ever go on."""
    bench.presence("a1", slots=1, backlog=8, pending=8)
    for number in range(8):
        bench.start("chain", f"w{number}")
    bench.place_all(job_type="lower", ready=0, waiting=8)
    bench.presence("a1", slots=1, backlog=1, pending=1)
    assert len(bench.place_all(job_type="upper", ready=100)) == 2


def test_ten_thousand_places_are_believed_at_most(bench: Bench) -> None:
    bench.presence("a1", slots=10**9, backlog=10**9, pending=10**9)
    assert bench.store.agents.places_left("a1", PLACES_MAX) == (PLACES_MAX, PLACES_MAX)


def test_an_offer_for_a_job_type_that_its_agent_does_not_show_waits_until_it_does(bench: Bench) -> None:
    """The presence that names it may be lost; an agent says it again when its offers run out, not when rejected."""
    bench.presence("a1", types=["lower"])
    bench.start("one")
    offer = bench.offer("a1", "upper")
    bench.outbox.nothing_else()
    bench.presence("a1")
    assert bench.outbox.take(OfferAccept).offer == offer


def test_offers_that_wait_are_bounded_for_each_agent(bench: Bench) -> None:
    bench.send(*(bench.make_offer("a1", f"t{number}", valid_for=1e9) for number in range(UNDECIDED_MAX + 1)))
    assert bench.outbox.take(OfferReject)
    bench.outbox.nothing_else()
    bench.send(bench.make_offer("a1", "t0"), bench.make_offer("a1", "t0"))
    assert len(bench.rows("SELECT * FROM offers")) == UNDECIDED_MAX
    bench.advance(VALID_MAX_S + 1)
    bench.presence("a2")
    assert bench.rows("SELECT * FROM offers") == []


TRUST = {"upper": ("a1", "a2")}


def test_jobs_go_to_agents_alone_that_are_trusted_with_their_type() -> None:
    bench = Bench(trusted=TRUST)
    for agent in ("a1", "a2", "a3"):
        bench.presence(agent)
    bench.start("pair")
    demands = bench.demands()
    assert demands["upper"] is not None
    assert (demands["upper"].ready, demands["upper"].only) == (1, {"a1,a2": 1})
    assert demands["lower"] is not None
    assert (demands["lower"].ready, demands["lower"].only) == (1, {})
    offer = bench.offer("a3", "upper")
    assert bench.outbox.take(OfferReject, "a3").offer == offer
    assert bench.place("a3", "lower")
    assert bench.place("a2", "upper")


def test_the_job_of_an_agent_that_is_not_trusted_is_not_adopted() -> None:
    bench = Bench(trusted=TRUST)
    bench.presence("a3")
    bench.start("one")
    here = bench.here("stolen0001", "completed", inputs_hash=hash_of({"text": "x"}), outputs={"out": "lie"})
    bench.answer(bench.reset("a3"), here, agent="a3")
    assert bench.state("a") is StepState.FULFILLING


def test_an_agent_that_is_not_trusted_holds_nothing_back() -> None:
    bench = Bench(trusted=TRUST)
    for agent in ("a1", "a3"):
        bench.presence(agent)
    bench.start("one")
    bench.reset("a3")
    bench.reset("unseen")
    assert bench.place("a1")


def test_a_type_that_only_agents_serve_that_are_not_trusted_is_served_by_nobody() -> None:
    bench = Bench(trusted=TRUST)
    bench.presence("a3")
    bench.start("one")
    bench.advance(61)
    assert bench.workflow_state() is WorkflowState.STALLED


def test_whom_to_trust_may_change_while_the_manager_runs(bench: Bench) -> None:
    bench.presence("a3")
    bench.start("one")
    bench.settings = replace(bench.settings, trusted=TRUST)
    bench.reactor.reload(bench.settings, bench.templates)
    bench.demands()
    bench.advance(0.2)
    assert bench.demands()["upper"].only == {"a1,a2": 1}  # type: ignore[union-attr]
    bench.advance(61)
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.settings = replace(bench.settings, trusted={})
    bench.reactor.reload(bench.settings, bench.templates)
    bench.settle()
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.place("a3")
