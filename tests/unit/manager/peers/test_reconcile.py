"""Reconciliation: after a lost or restored database on either side."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.peers import reconcile
from caroni_edge.manager.peers.reconcile import UNANSWERED_MAX
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import JobDataReady, JobKill, JobOffer, MessageRejected, OfferAccept, Placement
from caroni_edge.protocol.reconciling import JobHere, JobsHere, JobsWanted
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import MARK, Bench
from tests.unit.manager.workflows.test_branches import SPREAD

HASH = hash_of({"text": "x"})
"""Of the inputs of step `a`."""


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1")
    bench.presence("a2")
    return bench


def place(bench: Bench, agent: str = "a1", job_type: str = "upper", **facts: Any) -> Placement:
    (placed,) = bench.place_all(agent, job_type, **facts)
    return placed


# The query


def test_an_agent_whose_link_began_anew_is_asked_from_what_we_know(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.status(job, "running", serial=77)
    query = bench.reset()
    assert (query.database, query.known) == ("db-a1", 77)
    bench.outbox.nothing_else()
    bench.advance(3600)
    bench.outbox.nothing_else()


def test_an_unknown_agent_is_asked_for_all(bench: Bench) -> None:
    query = bench.reset("a9")
    assert (query.database, query.known) == ("", 0)


def test_a_question_that_could_not_be_put_is_put_in_the_next_batch(bench: Bench) -> None:
    def work(_at: object) -> None:
        bench.database.conn.execute("UPDATE peers SET reconcile = 1")

    bench.reset()
    bench.call(work, commit=False)
    bench.outbox.sent.clear()
    bench.settle()
    bench.outbox.nothing_else()
    bench.call(work)
    assert bench.outbox.take(JobsWanted)


def test_an_older_answer_changes_nothing(bench: Bench) -> None:
    bench.start("one")
    bench.place()
    old = bench.reset()
    new = bench.reset()
    before = bench.dump()
    bench.answer(old)
    bench.answer(JobsWanted(wanted="neverasked"))
    assert bench.dump() == before
    bench.answer(new)
    assert bench.state("a") is StepState.FULFILLING
    bench.answer(new)
    bench.outbox.nothing_else()


def test_after_a_restart_an_open_question_is_asked_again(bench: Bench) -> None:
    """The answer may have come and been rejected, as the last thing that was said."""
    first = bench.reset()
    bench.restart()
    second = bench.outbox.take(JobsWanted)
    assert second.wanted != first.wanted
    bench.answer(second)
    bench.restart()
    bench.outbox.nothing_else()


# What the agent says


def test_a_job_that_never_arrived_uses_up_no_attempt(bench: Bench) -> None:
    bench.start("one")
    bench.place()
    bench.answer(bench.reset())
    assert bench.jobs() == []
    assert (bench.state("a"), bench.step("a")["tries"]) == (StepState.FULFILLING, 0)
    assert place(bench).attempt == 1


def test_the_states_of_named_jobs_are_taken(bench: Bench) -> None:
    for number in range(5):
        bench.start("one", f"w{number}")
    jobs = bench.place_all(ready=5)
    query = bench.reset()
    said = [
        bench.here(jobs[0].job, "queued", jobs[0]),
        bench.here(jobs[1].job, "running", jobs[1], begun=True),
        bench.here(jobs[2].job, "completed", jobs[2], begun=True, outputs={"out": "X"}),
        bench.here(jobs[3].job, "failed", jobs[3], begun=True, reason="exit status 7", exit_code=7, stderr="oh"),
        bench.here(jobs[4].job, "killed", jobs[4], reason="by its owner"),
    ]
    bench.answer(query, *sorted(said, key=lambda here: here.job))
    states = [bench.state("a", placed.workflow) for placed in jobs]
    assert states == [
        StepState.FULFILLED,
        StepState.RUNNING,
        StepState.COMPLETED,
        StepState.FULFILLING,
        StepState.FULFILLING,
    ]
    row = bench.job(jobs[3].job)
    assert (row["exit_code"], row["stderr"], row["reason"]) == (7, "oh", "exit status 7")
    bench.outbox.nothing_else()


def test_data_that_was_lost_with_the_link_is_sent_again(bench: Bench) -> None:
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    bench.complete(first.job, out="X")
    bench.outbox.take(JobDataReady)
    for _ in range(2):
        bench.answer(bench.reset(), bench.here(ahead.job, "pending", ahead, serial=9))
        assert bench.outbox.take(JobDataReady) == JobDataReady(job=ahead.job, inputs={"text": "X"})
    bench.outbox.nothing_else()


def test_a_begun_job_that_its_restored_agent_calls_pending_is_not_taken_back(bench: Bench) -> None:
    """Even if the agent takes no new work: its host knows how the job ended, and will not start it again."""
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    bench.complete(first.job, out="X")
    bench.outbox.take(JobDataReady)
    bench.run(ahead.job)
    bench.presence("a1", refuses={"*": "drained"})
    bench.answer(bench.reset(), bench.here(ahead.job, "pending", ahead, serial=9))
    assert bench.outbox.take(JobDataReady) == JobDataReady(job=ahead.job, inputs={"text": "X"})
    assert bench.job(ahead.job)["open"]
    bench.outbox.nothing_else()


def test_a_lost_job_that_still_waits_for_its_data_is_taken_back(bench: Bench) -> None:
    """Nobody would ever send it: another attempt has its place."""
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    bench.complete(first.job, out="X")
    bench.outbox.take(JobDataReady)
    bench.silent["a1"] = 1e6
    bench.advance(62)
    second = place(bench, "a2", "lower")
    bench.answer(bench.reset(), bench.here(ahead.job, "pending", ahead))
    assert bench.outbox.take(JobKill).job == ahead.job
    assert bench.job(ahead.job)["open"] == 0
    assert bench.step("b")["job"] == second.job
    bench.outbox.nothing_else()


@pytest.mark.parametrize("refuses", [{}, {"*": "drained"}])
def test_an_agent_that_was_restored_gets_the_data_of_a_job_that_has_begun_again(
    bench: Bench, refuses: dict[str, str]
) -> None:
    """It starts nothing twice, and nobody else knows how it ended."""
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    bench.complete(first.job, out="X")
    bench.outbox.take(JobDataReady)
    bench.run(ahead.job)
    bench.presence("a1", refuses=refuses)
    bench.answer(bench.reset(), bench.here(ahead.job, "pending", ahead))
    assert bench.outbox.take(JobDataReady) == JobDataReady(job=ahead.job, inputs={"text": "X"})
    bench.outbox.nothing_else()
    bench.complete(ahead.job, out="x")
    assert bench.state("b") is StepState.COMPLETED


def test_a_pending_job_whose_data_does_not_exist_yet_goes_on_waiting(bench: Bench) -> None:
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    said = [bench.here(first.job, "running", first), bench.here(ahead.job, "pending", ahead)]
    bench.answer(bench.reset(), *sorted(said, key=lambda here: here.job))
    bench.outbox.nothing_else()
    bench.complete(first.job, out="X")
    assert bench.outbox.take(JobDataReady).job == ahead.job


def test_with_another_database_what_was_sent_may_have_begun(bench: Bench) -> None:
    bench.presence("a1", speaks=1)
    bench.start("chain")
    first, ahead = place(bench), place(bench, job_type="lower", waiting=1)
    bench.answer(bench.reset(), database="wiped")
    assert (bench.step("a")["tries"], bench.step("b")["tries"]) == (1, 0)
    assert "may have begun" in bench.job(first.job)["reason"]
    assert ahead.job not in bench.jobs()
    bench.advance(1)
    assert place(bench, "a2").attempt == 2
    query = bench.reset()
    assert (query.database, query.known) == ("wiped", 0)


def test_what_may_not_be_repeated_is_in_doubt_when_its_agent_was_wiped(bench: Bench) -> None:
    bench.start("one")
    bench.place(repeat=False)
    bench.answer(bench.reset(), database="wiped")
    assert bench.step("a")["in_doubt"]


def test_a_begun_job_that_its_agent_forgot_has_failed_whatever_its_database_is_called(bench: Bench) -> None:
    """An agent that was restored from an older copy has the same name for it."""
    bench.start("one")
    job = bench.place()
    bench.run(job)
    bench.answer(bench.reset())
    assert bench.job(job)["status"] == "failed"
    assert bench.step("a")["tries"] == 1
    assert bench.state("a") is StepState.FULFILLING


def test_an_older_state_of_a_restored_agent_is_its_present_one(bench: Bench) -> None:
    bench.start("one")
    placed = place(bench)
    bench.status(placed.job, "running", serial=500)
    bench.answer(bench.reset(), bench.here(placed.job, "queued", placed, serial=20))
    assert bench.job(placed.job)["serial"] == 20
    bench.status(placed.job, "completed", serial=21, outputs={"out": "X"})
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_an_answer_takes_effect_when_it_is_whole(bench: Bench) -> None:
    for number in range(4):
        bench.start("one", f"w{number}")
    jobs = sorted(bench.place_all(ready=4), key=lambda placed: placed.job)
    query = bench.reset()
    bench.answer(query, bench.here(jobs[1].job, "queued", jobs[1]), upto=jobs[1].job)
    assert set(bench.jobs()) == {placed.job for placed in jobs}
    bench.offer(valid_for=600)
    bench.outbox.nothing_else()
    bench.answer(query, bench.here(jobs[3].job, "queued", jobs[3]), after=jobs[1].job)
    assert set(bench.jobs()) >= {jobs[1].job, jobs[3].job}
    assert jobs[2].job not in bench.jobs()
    assert bench.outbox.take(OfferAccept)


def test_a_wiped_agent_stays_wiped_until_it_has_said_all(bench: Bench) -> None:
    """It is asked a second time in the middle: what the first part did not cover may still have begun."""
    for number in range(4):
        bench.start("one", f"w{number}")
    jobs = sorted(bench.place_all(ready=4), key=lambda placed: placed.job)
    bench.answer(bench.reset(), upto=jobs[1].job, database="wiped")
    bench.answer(bench.reset(), database="wiped")
    assert [bench.job(placed.job)["status"] for placed in jobs] == ["failed"] * 4


# Nothing is skipped


def test_known_has_no_gap_after_a_reset(bench: Bench) -> None:
    """What the agent said between the reset and its answer does not cover what was lost before."""
    bench.start("one", "w1")
    bench.start("one", "w2")
    lost, other = bench.place_all(ready=2)
    bench.status(other.job, "running", serial=10)

    def reset_and_status(at: Any) -> None:
        bench.database.conn.execute("INSERT INTO peers (peer, reconcile) VALUES ('a1', 1)")
        bench.reactor.on_message("a1", bench.make_status(other.job, "failed", serial=30, reason="r"), at)

    bench.call(reset_and_status)
    query = bench.outbox.take(JobsWanted)
    assert query.known == 10
    bench.status(lost.job, "running", serial=31)
    again = bench.reset()
    assert again.known == 10
    done = bench.here(lost.job, "completed", lost, serial=20, outputs={"out": "X"})
    bench.answer(again, done)
    assert bench.workflow_state("w1") is WorkflowState.COMPLETED
    assert bench.reset().known == 20


def test_known_does_not_grow_by_a_part_of_an_answer(bench: Bench) -> None:
    for number in range(2):
        bench.start("one", f"w{number}")
    jobs = sorted(bench.place_all(ready=2), key=lambda placed: placed.job)
    bench.answer(bench.reset(), bench.here(jobs[0].job, "running", jobs[0], serial=90), upto=jobs[0].job)
    again = bench.reset()
    assert again.known == 0
    said = [
        bench.here(jobs[0].job, "running", jobs[0], serial=90),
        bench.here(jobs[1].job, "completed", jobs[1], serial=80, outputs={"out": "X"}),
    ]
    bench.answer(again, *said)
    assert bench.state("a", jobs[1].workflow) is StepState.COMPLETED
    assert bench.reset().known == 90


# Jobs that the manager does not know


def lost_workflow(bench: Bench) -> str:
    """Start a workflow whose job the manager has forgotten, as one restored from a copy has."""
    bench.start("one")
    placed = place(bench)
    bench.call(lambda _at: bench.store.jobs.delete(placed.job))
    bench.call(lambda _at: bench.store.steps.take_back(bench.step("a")["id"], StepState.FULFILLING))
    return placed.job


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_a_job_that_we_forgot_is_adopted(bench: Bench, status: str) -> None:
    job = lost_workflow(bench)
    here = bench.here(job, status, inputs_hash=HASH, attempt=3, begun=status != "queued", outputs={"out": "X"})
    bench.answer(bench.reset(), here)
    row = bench.job(job)
    assert (row["agent"], row["attempt"], row["status"], row["data_sent"]) == ("a1", 1, status, 1)
    assert bench.step("a")["attempt"] == 1, "no number comes from the wire"
    if status != "completed":
        assert bench.workflow_state() is WorkflowState.RUNNING, "an agent has accepted it"
        bench.complete(job)
    assert bench.workflow_state() is WorkflowState.COMPLETED
    bench.outbox.nothing_else()


@pytest.mark.parametrize(
    "facts",
    [
        {"inputs_hash": hash_of({"text": "other"})},
        {"inputs_hash": ""},
        {"job_type": "lower"},
        {"step": "nix"},
        {"workflow": "nix"},
    ],
)
def test_a_job_for_something_else_is_killed(bench: Bench, facts: dict[str, Any]) -> None:
    job = lost_workflow(bench)
    bench.answer(bench.reset(), bench.here(job, "running", **{"inputs_hash": HASH, **facts}))
    assert bench.outbox.take(JobKill).job == job
    assert bench.state("a") is StepState.FULFILLING
    bench.outbox.nothing_else()


@pytest.mark.parametrize("status", ["completed", "failed", "killed"])
def test_what_is_over_and_unknown_is_left_alone(bench: Bench, status: str) -> None:
    bench.answer(bench.reset(), bench.here("unknown000", status, inputs_hash=HASH))
    bench.outbox.nothing_else()


def test_a_pending_job_that_we_forgot_is_killed(bench: Bench) -> None:
    bench.start("chain")
    here = bench.here("forgotten0", "pending", step="b", job_type="lower")
    bench.answer(bench.reset(), here)
    assert bench.outbox.take(JobKill).job == "forgotten0"


def test_nothing_is_adopted_beside_an_attempt_that_has_begun(bench: Bench) -> None:
    bench.start("one")
    present = bench.place("a2")
    bench.run(present, "a2")
    bench.answer(bench.reset("a1"), bench.here("forgotten0", "running", inputs_hash=HASH))
    assert bench.outbox.take(JobKill, "a1").job == "forgotten0"
    assert bench.step("a")["job"] == present


def test_an_attempt_that_has_not_begun_makes_way_for_one_that_has(bench: Bench) -> None:
    bench.start("one")
    present = bench.place("a2")
    bench.answer(bench.reset("a1"), bench.here("forgotten0", "running", begun=True, inputs_hash=HASH))
    assert bench.outbox.take(JobKill, "a2").job == present
    assert (bench.step("a")["job"], bench.state("a")) == ("forgotten0", StepState.RUNNING)
    bench.complete("forgotten0", "a1", out="adopted")
    assert bench.outbox.take(JobKill, "a2").job == present
    assert bench.outputs() == {"result": "adopted"}


def test_an_attempt_whose_earlier_ones_have_failed_is_adopted(bench: Bench) -> None:
    bench.start("one")
    bench.fail(bench.place())
    bench.advance(1)
    bench.answer(bench.reset(), bench.here("forgotten0", "running", inputs_hash=HASH, attempt=2))
    assert bench.step("a")["job"] == "forgotten0"
    assert bench.job("forgotten0")["attempt"] == 2


def test_a_number_is_not_used_twice(bench: Bench) -> None:
    bench.start("one")
    bench.fail(bench.place())
    bench.advance(1)
    bench.answer(bench.reset(), bench.here("forgotten0", "running", inputs_hash=HASH, attempt=1))
    assert bench.job("forgotten0")["attempt"] == 2


@pytest.mark.parametrize("repeat", [True, False])
def test_whether_an_adopted_job_may_be_repeated_is_what_its_agent_shows(bench: Bench, repeat: bool) -> None:
    bench.presence("a1", repeat=repeat)
    job = lost_workflow(bench)
    bench.answer(bench.reset(), bench.here(job, "running", begun=True, inputs_hash=HASH))
    bench.fail(job)
    assert bench.state("a") is (StepState.FULFILLING if repeat else StepState.FAILED)


def test_jobs_of_workflows_that_have_ended_are_killed(bench: Bench) -> None:
    job = lost_workflow(bench)
    bench.cancel()
    bench.answer(bench.reset(), bench.here(job, "running", inputs_hash=HASH))
    assert bench.outbox.take(JobKill).job == job


def test_a_job_that_is_over_here_is_killed_there(bench: Bench) -> None:
    """Its kill was lost with the link's rows."""
    bench.start("one")
    placed = place(bench)
    bench.run(placed.job)
    bench.cancel()
    bench.outbox.take(JobKill)
    bench.answer(bench.reset(), bench.here(placed.job, "running", placed))
    assert bench.outbox.take(JobKill).job == placed.job
    bench.answer(bench.reset(), bench.here(placed.job, "killed", placed))
    bench.outbox.nothing_else()


def test_a_job_of_another_agent_is_not_taken_from_it(bench: Bench) -> None:
    bench.start("one")
    placed = place(bench, "a2")
    bench.run(placed.job, "a2")
    bench.answer(bench.reset("a1"), bench.here(placed.job, "completed", placed, outputs={"out": "X"}))
    assert bench.state("a") is StepState.RUNNING
    bench.answer(bench.reset("a1"), bench.here(placed.job, "running", placed))
    assert bench.outbox.take(JobKill, "a1").job == placed.job
    assert bench.job(placed.job)["open"] == 1


# Again


def test_reconciling_twice_is_reconciling_once(bench: Bench) -> None:
    for number in range(3):
        bench.start("one", f"w{number}")
    jobs = sorted(bench.place_all(ready=3), key=lambda placed: placed.job)
    said: list[JobHere] = [
        bench.here(jobs[0].job, "running", jobs[0], serial=5, begun=True),
        bench.here(jobs[1].job, "completed", jobs[1], serial=6, outputs={"out": "X"}),
    ]
    bench.answer(bench.reset(), *said)
    tables = ("steps", "workflows", "jobs")
    before = [bench.rows(f"SELECT * FROM {table}") for table in tables]
    events = bench.take_events()
    assert len([event for event in events if event["type"] == "caroni.step.completed"]) == 1
    bench.answer(bench.reset(), *said)
    assert [bench.rows(f"SELECT * FROM {table}") for table in tables] == before
    assert bench.take_events() == []
    bench.outbox.nothing_else()


# Rejected


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_rejected_message_that_names_no_job_lets_the_agent_be_asked(bench: Bench, where: str) -> None:
    bench.start("one")
    bench.place()
    if where == "here":
        bench.reject("JobOffer")
    else:
        bench.send(MessageRejected(id="x", message_type="OfferAccept", reason="no good"))
    bench.outbox.nothing_else()
    bench.advance(5)
    assert bench.outbox.take(JobsWanted)
    bench.advance(3600)
    bench.outbox.nothing_else()


@pytest.mark.parametrize("named", [(), ("someother",)])
def test_an_answer_that_is_rejected_is_asked_for_again_and_not_on_and_on(bench: Bench, named: tuple[str, ...]) -> None:
    bench.reset()
    for _ in range(3):
        bench.reject("JobsHere", *named)
        bench.advance(4.9)
        bench.outbox.nothing_else()
        bench.advance(0.1)
        query = bench.outbox.take(JobsWanted)
    offer = bench.make_offer(valid_for=600)
    bench.start("one")
    bench.send(offer)
    bench.send(JobsHere(wanted=query.wanted, database="db-a1"))
    assert bench.outbox.take(OfferAccept).offer == offer.offer


def mark(bench: Bench, agent: str = "a1") -> None:
    """Let the link to an agent begin anew."""
    bench.call(lambda _at: bench.database.conn.execute(MARK, (agent,)))


def test_an_agent_that_begins_anew_and_never_answers_is_asked_ever_more_rarely(bench: Bench) -> None:
    asked = 0
    for _ in range(600):
        mark(bench)
        bench.advance(0.5)
        asked += len(bench.outbox.take_all(JobsWanted))
    assert UNANSWERED_MAX < asked < UNANSWERED_MAX + 10
    bench.advance(300)
    (query,) = bench.outbox.take_all(JobsWanted)
    bench.answer(query)
    mark(bench)
    assert len(bench.outbox.take_all(JobsWanted)) == 1


def test_while_the_next_query_waits_an_answer_to_the_one_before_counts_no_more(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    for _ in range(UNANSWERED_MAX):
        mark(bench)
    *_, last = bench.outbox.take_all(JobsWanted)
    mark(bench)
    bench.answer(last)
    assert bench.jobs() == [job]
    bench.outbox.nothing_else()
    bench.advance(2)
    bench.answer(bench.outbox.take(JobsWanted))
    assert bench.jobs() == []


def test_an_offer_tells_the_name_of_the_database(bench: Bench) -> None:
    offer = bench.make_offer()
    assert isinstance(offer, JobOffer)
    bench.send(offer)
    assert bench.store.agents.reconciled("a1").database == "db-a1"


def test_a_job_is_adopted_for_an_instance_that_is_not_made_here_yet() -> None:
    bench = Bench(SPREAD)
    bench.presence()
    values = [f"v{n}" for n in range(1200)]
    bench.start("spread", inputs={"values": values})
    query = bench.reset()
    told: dict[str, Any] = {"step": "s[1100]", "inputs_hash": hash_of({"text": "v1100"})}
    bench.answer(query, bench.here("adopted0001", "running", **told))
    assert bench.state("s[1100]") is StepState.RUNNING
    bench.complete("adopted0001", out="done")
    assert bench.state("s[1100]") is StepState.COMPLETED


# What an agent may let us keep


def strangers(bench: Bench, count: int, **facts: Any) -> tuple[JobHere, ...]:
    """Return jobs that nobody knows, of a workflow that goes on."""
    return tuple(bench.here(f"stranger{number:05d}", "queued", step="none", **facts) for number in range(count))


def said(bench: Bench) -> list[str]:
    return [each.job for each in bench.store.answers.of("a1")]


def test_of_jobs_that_are_not_known_only_so_many_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "UNKNOWN_MAX", 3)
    bench.start("one")
    job = bench.place()
    query = bench.reset()
    bench.answer(query, *strangers(bench, 2), upto="strangery")
    bench.answer(query, *strangers(bench, 9)[2:], upto="strangerz")
    bench.answer(query, bench.here(job, "running", begun=True), upto="strangerzz")
    assert said(bench) == [job, "stranger00000", "stranger00001", "stranger00002"]
    bench.answer(query)
    assert said(bench) == []
    assert bench.state("a") is StepState.RUNNING
    assert len(bench.outbox.take_all(JobKill)) == 3
    again = bench.reset()
    bench.answer(again, *strangers(bench, 1), upto="strangerz")
    assert len(said(bench)) == 1, "it is counted anew for each question"


def test_of_jobs_that_are_not_known_only_so_much_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start("one")
    query = bench.reset()
    large = strangers(bench, 5, reason="x" * 1000)
    monkeypatch.setattr(reconcile, "UNKNOWN_MAX_BYTES", 2 * len(encode(large[0])))
    bench.answer(query, *large, upto="strangerz")
    assert said(bench) == ["stranger00000", "stranger00001"]
    for number in range(5):
        bench.send(bench.make_status("stranger00000", "running", reason=f"{number}" * 1000))
    bench.answer(query)
    assert bench.outbox.take_all(JobKill)


@pytest.mark.parametrize("status", ["completed", "failed", "killed"])
def test_what_is_over_and_of_no_workflow_that_goes_on_is_not_kept(bench: Bench, status: str) -> None:
    """An agent may remember a million jobs."""
    bench.start("one")
    bench.complete(bench.place())
    query = bench.reset()
    bench.answer(query, bench.here("stranger00000", status), upto="strangerz")
    bench.answer(query, bench.here("stranger00001", status, workflow="w99"), upto="strangerz")
    assert said(bench) == []


def test_statuses_of_jobs_that_are_over_are_not_kept(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.complete(job)
    bench.reset()
    bench.status(job, "completed", outputs={"out": "x"})
    assert said(bench) == []


def test_nothing_of_an_agent_that_was_forgotten_is_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "UNKNOWN_MAX", 1)
    bench.start("one")
    bench.answer(bench.reset(), *strangers(bench, 5), upto="strangerz")
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    bench.answer(bench.reset(), *strangers(bench, 1), upto="strangerz")
    assert said(bench) == ["stranger00000"]
