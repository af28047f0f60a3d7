"""Attempts: tried again elsewhere, after a while, and not for ever."""

import logging
from typing import Any

import pytest
from sqlite_utils import Database

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobKill,
    MessageRejected,
    OfferReject,
)
from caroni_edge.storage.migrations.manager import manager
from tests.unit.manager.bench import Bench, given, out, plan, step


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1")
    return bench


# Again


def test_a_failed_attempt_is_asked_anew_after_a_doubling_delay(bench: Bench) -> None:
    bench.set(attempts=20)
    bench.start("one")
    for expected_s in (1, 2, 4, 8, 16, 32, 60, 60):
        bench.fail(bench.place())
        assert bench.step("a")["retry_due"] == pytest.approx(bench.now + expected_s)
        bench.offer()
        bench.outbox.take(OfferReject)
        bench.advance(expected_s)
        assert bench.step("a")["retry_due"] is None
    assert bench.step("a")["attempt"] == 8
    assert bench.place()


def test_a_longer_first_delay_is_kept(bench: Bench) -> None:
    bench.set(retry_delay_s=300.0)
    bench.start("one")
    bench.fail(bench.place())
    assert bench.step("a")["retry_due"] == pytest.approx(bench.now + 300)
    bench.advance(300)
    bench.fail(bench.place())
    assert bench.step("a")["retry_due"] == pytest.approx(bench.now + 300)


def test_an_attempt_that_failed_leaves_its_story(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.run(job)
    bench.fail(job, version="v3")
    row = bench.job(job)
    assert (row["status"], row["exit_code"], row["stderr"], row["version"]) == ("failed", 1, "no luck", "v3")
    assert (row["open"], row["begun"], row["reason"]) == (0, 1, "exit status 1")
    event = bench.take_event("caroni.step.retried")
    assert event["data"] == {
        "workflow": "w1",
        "template": "one",
        "step": "a",
        "status": "fulfilling",
        "reason": "exit status 1",
        "job": job,
        "agent": "a1",
        "attempt": 1,
    }


def test_the_next_attempt_goes_to_another_agent_while_one_serves(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    bench.fail(bench.place("a1"))
    bench.advance(1)
    bench.offer("a1")
    bench.outbox.take(OfferReject, "a1")
    job = bench.place("a2")
    assert bench.job(job)["attempt"] == 2
    bench.fail(job, "a2")
    bench.advance(2)
    job = bench.place("a1")
    assert job, "it has failed on all that serve it equally often, so anyone may try again"
    bench.fail(job)
    bench.advance(4)
    bench.offer("a1")
    bench.outbox.take(OfferReject, "a1")
    assert bench.place("a2"), "an agent on which all fails, and that offers first, does not eat every attempt"


@pytest.mark.parametrize("away", ["offline", "refuses", "forgotten"])
def test_an_agent_gets_a_step_that_failed_there_when_no_other_serves_it(bench: Bench, away: str) -> None:
    bench.presence("a2")
    bench.start("one")
    bench.fail(bench.place("a1"))
    bench.advance(1)
    if away == "offline":
        bench.presence("a2", online=False)
    elif away == "refuses":
        bench.presence("a2", refuses={"*": "drained"})
    else:
        bench.call(lambda at: bench.reactor.forget_peer("a2", at))
    assert bench.place("a1")


def test_steps_that_have_not_failed_here_come_first(bench: Bench) -> None:
    bench.start("one", "w1", priority=9)
    bench.fail(bench.place())
    bench.start("one", "w2", priority=1)
    bench.advance(1)
    assert [placed.workflow for placed in bench.place_all(ready=2)] == ["w2", "w1"]


# Used up


def test_five_attempts_and_then_the_workflow_has_failed(bench: Bench) -> None:
    bench.start("one")
    for _ in range(4):
        bench.fail(bench.place())
        assert bench.workflow_state() is WorkflowState.RUNNING
        bench.advance(60)
    job = bench.place()
    bench.fail(job)
    assert bench.workflow_state() is WorkflowState.FAILED
    assert bench.state("a") is StepState.FAILED
    assert bench.workflow()["reason"] == "step a: exit status 1"
    assert (bench.step("a")["tries"], bench.step("a")["attempt"]) == (5, 5)
    assert [event["type"] for event in bench.take_events()][-2:] == ["caroni.step.failed", "caroni.workflow.failed"]
    bench.advance(600)
    bench.offer()
    bench.outbox.take(OfferReject)
    bench.outbox.nothing_else()


def test_what_has_not_begun_is_taken_back_and_what_runs_may_end() -> None:
    many = plan(
        "many",
        step("bad", "upper", text=given("message")),
        step("running", "lower", text=given("message")),
        step("queued", "lower", text=given("message")),
        step("unplaced", "other", text=given("message")),
        step("ahead", "lower", text=out("running")),
        outputs={"result": out("ahead")},
    )
    bench = Bench(many, attempts=1)
    bench.presence(types=("upper", "lower"), speaks=1)
    bench.start("many")
    running, queued, ahead = bench.place_all(job_type="lower", ready=2, waiting=1)
    assert [running.step, queued.step, ahead.step] == ["running", "queued", "ahead"]
    bench.run(running.job)
    bench.fail(bench.place())
    assert bench.workflow_state() is WorkflowState.FAILED
    assert {bench.outbox.take(JobKill).job, bench.outbox.take(JobKill).job} == {queued.job, ahead.job}
    states = {name: bench.state(name) for name in ("bad", "running", "queued", "unplaced", "ahead")}
    assert states == {
        "bad": StepState.FAILED,
        "running": StepState.RUNNING,
        "queued": StepState.CREATED,
        "unplaced": StepState.CREATED,
        "ahead": StepState.CREATED,
    }
    bench.complete(running.job, out="kept")
    assert bench.state("running") is StepState.COMPLETED
    assert bench.step("ahead")["missing"] == 0
    bench.outbox.nothing_else()
    bench.take_events()
    bench.retry()
    assert bench.take_event("caroni.workflow.started")["data"]["status"] == "running"
    (again,) = [placed for placed in bench.place_all(job_type="lower", ready=9) if placed.step == "ahead"]
    assert again.inputs == {"text": "kept"}
    assert again.attempt == 1, "the first one could not have begun"


def test_a_job_taken_back_too_late_keeps_its_number_and_its_result_counts() -> None:
    bench = Bench(attempts=1)
    bench.presence()
    bench.start("pair")
    queued = bench.place(job_type="lower")
    bench.fail(bench.place())
    assert bench.outbox.take(JobKill).job == queued
    assert bench.state("b") is StepState.CREATED
    bench.retry()
    (second,) = bench.place_all(job_type="lower")
    assert second.attempt == 2
    bench.complete(queued, out="first")
    assert bench.outbox.take(JobKill).job == second.job
    assert bench.state("b") is StepState.COMPLETED
    assert bench.step("b")["job"] == queued
    bench.complete(bench.place(), out="X")
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_a_job_that_was_killed_after_all_closes_quietly() -> None:
    bench = Bench(attempts=1)
    bench.presence()
    bench.start("pair")
    queued = bench.place(job_type="lower")
    bench.fail(bench.place())
    bench.outbox.take(JobKill)
    bench.take_events()
    bench.status(queued, "killed")
    assert bench.job(queued)["open"] == 0
    assert bench.state("b") is StepState.CREATED
    assert bench.take_events() == []
    assert list(bench.reactor.open_peers()) == []


def test_a_failure_in_a_workflow_that_has_failed_is_final_until_retry() -> None:
    bench = Bench(attempts=1)
    bench.presence()
    bench.start("pair")
    running = bench.place(job_type="lower")
    bench.run(running)
    bench.fail(bench.place())
    bench.take_events()
    bench.fail(running)
    assert bench.state("b") is StepState.CREATED
    assert bench.step("b")["job"] is None
    assert bench.take_events() == []
    bench.retry()
    assert {bench.state("a"), bench.state("b")} == {StepState.FULFILLING}


# Retry


def test_retry_gives_failed_steps_fresh_attempts_under_the_same_plan(bench: Bench) -> None:
    bench.set(attempts=2)
    bench.start("one")
    for _ in range(2):
        bench.fail(bench.place())
        bench.advance(1)
    assert bench.workflow_state() is WorkflowState.FAILED
    bench.retry()
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.workflow()["ended"] is None
    assert (bench.step("a")["tries"], bench.step("a")["attempt"]) == (0, 2)
    bench.fail(bench.place())
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.advance(1)
    bench.complete(bench.place())
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": "X"}


@pytest.mark.parametrize("state", ["running", "completed", "cancelled"])
def test_there_is_nothing_to_retry_in_other_states(bench: Bench, state: str) -> None:
    bench.start("one")
    if state == "cancelled":
        bench.cancel()
    else:
        job = bench.place()
        if state == "completed":
            bench.complete(job)
    before = bench.dump()
    with pytest.raises(Refused, match="nothing to retry"):
        bench.retry()
    assert bench.dump() == before


def test_retry_lets_what_runs_go_on(bench: Bench) -> None:
    bench.set(attempts=1)
    bench.start("pair")
    running = bench.place(job_type="lower")
    bench.run(running)
    bench.fail(bench.place())
    bench.retry()
    bench.outbox.nothing_else()
    bench.complete(running)
    bench.complete(bench.place())
    assert bench.workflow_state() is WorkflowState.COMPLETED


# Declined


def test_no_room_uses_up_no_attempt(bench: Bench) -> None:
    bench.start("one")
    for _ in range(20):
        (placed,) = bench.place_all()
        assert placed.attempt == 1
        bench.send(JobDecline(job=placed.job, reason="no room"))
        assert bench.state("a") is StepState.FULFILLING
        assert bench.jobs() == []
        bench.advance(1)
    assert bench.step("a")["tries"] == 0


def test_inputs_that_do_not_fit_use_up_an_attempt_and_another_agent_comes_next(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    job = bench.place()
    bench.send(JobDecline(job=job, reason="input text: expected int", final=True))
    assert bench.job(job)["reason"] == "declined: input text: expected int"
    assert bench.step("a")["tries"] == 1
    bench.advance(1)
    bench.offer("a1")
    bench.outbox.take(OfferReject)
    assert bench.place("a2")


@pytest.mark.parametrize("repeat", [True, False])
def test_a_job_that_may_have_begun_when_it_is_declined_uses_up_an_attempt(bench: Bench, repeat: bool) -> None:
    bench.start("one")
    job = bench.place(repeat=repeat)
    bench.send(JobDecline(job=job, reason="the database is lost", begun=True))
    assert (bench.step("a")["tries"], bench.job(job)["begun"]) == (1, 1)
    assert bool(bench.step("a")["in_doubt"]) is not repeat


def test_data_that_its_agent_declines_uses_up_an_attempt(bench: Bench) -> None:
    bench.start("chain")
    first = bench.place()
    ahead = bench.place(job_type="lower", waiting=1)
    bench.complete(first)
    bench.outbox.take(JobDataReady)
    bench.send(JobDecline(job=ahead, reason="does not fit", final=True))
    assert (bench.step("b")["tries"], bench.state("b")) == (1, StepState.FULFILLING)


def test_an_agent_that_does_not_know_a_begun_job_has_failed_it(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.run(job)
    bench.send(JobDecline(job=job, reason="unknown job"))
    assert bench.step("a")["tries"] == 1
    assert bench.job(job)["status"] == "failed"


# repeat: false


UNSEEN: dict[str, Any] = {"reason": "it ended unseen: the host was restarted while it ran", "begun": True}


def test_what_may_not_be_repeated_fails_at_its_first_failure_that_was_seen(bench: Bench) -> None:
    bench.start("one")
    job = bench.place(repeat=False)
    bench.run(job)
    bench.fail(job)
    assert (bench.state("a"), bench.workflow_state()) == (StepState.FAILED, WorkflowState.FAILED)
    assert bench.workflow()["reason"] == (
        "step a: exit status 1; its job type is never run again by itself (repeat: false)"
    )
    assert not bench.take_events("caroni.step.retried")
    assert bench.take_event("caroni.step.failed")["data"]["exit_code"] == 1
    bench.retry()
    bench.complete(bench.place(repeat=False))
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_outputs_that_do_not_fit_were_seen(bench: Bench) -> None:
    bench.start("one")
    bench.complete(bench.place(repeat=False), other="X")
    assert bench.workflow_state() is WorkflowState.FAILED


def test_outputs_that_do_not_fit_are_not_tried_again(bench: Bench) -> None:
    bench.presence("a1", version="v1")
    bench.presence("a2", version="v1")
    bench.presence("a3")
    bench.start("one")
    bench.fail(bench.place(), version="v1", reason="output n: expected int, got 3.5", final=True)
    assert bench.workflow_state() is WorkflowState.FAILED
    said = bench.take_event("caroni.step.failed")["data"]["reason"]
    assert said == (
        "output n: expected int, got 3.5; this version of its job type would give the same again: "
        "retry when its file is mended"
    )
    bench.retry()
    bench.complete(bench.place("a2"), agent="a2")
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_outputs_that_do_not_fit_are_tried_again_where_another_version_is_served(bench: Bench) -> None:
    bench.presence("a1", version="v1")
    bench.presence("a2", version="v2")
    bench.start("one")
    bench.fail(bench.place(), version="v1", final=True)
    bench.advance(1)
    bench.fail(bench.place("a2"), version="v2", final=True, agent="a2")
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.presence("a1", version="v2")
    bench.advance(2)
    bench.fail(bench.place(), version="v2", final=True)
    assert bench.workflow_state() is WorkflowState.FAILED


def test_outputs_that_are_not_what_the_template_says_are_not_tried_again(bench: Bench) -> None:
    bench.start("one")
    bench.complete(bench.place(), other="X")
    assert bench.workflow_state() is WorkflowState.FAILED


def test_what_may_not_be_repeated_stalls_its_workflow_when_nobody_saw_the_end(bench: Bench) -> None:
    bench.set(attempts=1)
    bench.start("one")
    bench.status(bench.place(repeat=False), "failed", **UNSEEN)
    reason = bench.workflow()["reason"]
    assert bench.workflow_state() is WorkflowState.STALLED
    assert reason.startswith("step a waits for retry: attempt 1 on agent a1 may have begun, nobody saw how it ended")
    assert reason.endswith(f"({UNSEEN['reason']})")
    assert not bench.take_events("caroni.step.retried")
    stalled = bench.take_event("caroni.workflow.stalled")
    assert (stalled["data"]["status"], stalled["data"]["reason"]) == ("stalled", reason)
    bench.presence("a2")
    bench.presence("a1", online=False)
    bench.advance(600)
    bench.presence("a1")
    assert bench.workflow_state() is WorkflowState.STALLED, "only somebody's word ends that"
    bench.offer()
    bench.outbox.take(OfferReject)
    bench.start("one")
    assert bench.take_event("caroni.workflow.stalled")["id"] == stalled["id"], "who asks again hears where it is"
    bench.retry()
    assert bench.step("a")["in_doubt"] is None
    assert bench.take_event("caroni.workflow.resumed")["data"]["status"] == "running"
    bench.complete(bench.place("a2"), "a2")
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_only_what_is_in_doubt_can_be_retried_in_a_stalled_workflow(bench: Bench) -> None:
    bench.presence("a1", types=[])
    bench.start("one")
    bench.advance(61)
    assert bench.workflow_state() is WorkflowState.STALLED
    with pytest.raises(Refused, match="nothing to retry"):
        bench.retry()


def test_a_workflow_that_nobody_serves_may_be_in_doubt_as_well(bench: Bench) -> None:
    bench.start("pair")
    job = bench.place(repeat=False)
    bench.presence("a1", types=["upper"])
    bench.advance(61)
    assert "lower" in bench.workflow()["reason"]
    bench.status(job, "failed", **UNSEEN)
    assert "waits for retry" in bench.workflow()["reason"]
    bench.presence("a1")
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.retry()
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_a_workflow_in_doubt_can_be_cancelled(bench: Bench) -> None:
    bench.start("one")
    bench.status(bench.place(repeat=False), "failed", **UNSEEN)
    bench.cancel()
    assert bench.workflow_state() is WorkflowState.CANCELLED
    assert bench.step("a")["in_doubt"] is None


def test_a_result_that_comes_after_all_ends_the_doubt(bench: Bench) -> None:
    bench.start("pair")
    lost = bench.place(repeat=False)
    bench.silent["a1"] = 1e6
    bench.advance(bench.settings.lost_after_s or 0)
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.silent["a1"] = 0.0
    bench.complete(lost)
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.take_event("caroni.workflow.resumed")
    bench.complete(bench.place(job_type="lower"))
    assert bench.workflow_state() is WorkflowState.COMPLETED


def test_two_steps_in_doubt_are_two_doubts(bench: Bench) -> None:
    bench.start("pair")
    jobs = bench.place(repeat=False), bench.place(job_type="lower", repeat=False)
    bench.silent["a1"] = 1e6
    bench.advance(bench.settings.lost_after_s or 0)
    bench.complete(jobs[0])
    assert bench.workflow_state() is WorkflowState.STALLED
    bench.fail(jobs[1])
    assert bench.workflow_state() is WorkflowState.FAILED, "now it is known how it ended"
    assert bench.state("b") is StepState.FAILED


def test_steps_that_slept_in_an_older_database_have_failed_or_are_in_doubt() -> None:
    bench = Bench()
    bench.presence("a1")
    for workflow in ("seen", "unseen"):
        bench.start("one", workflow)
        bench.run(bench.place(repeat=False))
    conn = bench.database.conn
    seen, unseen = (row["job"] for row in bench.rows("SELECT job FROM steps ORDER BY id"))
    conn.execute(
        "UPDATE jobs SET open = 0, status = 'failed', reason = 'exit status 7', exit_code = 7 WHERE job = ?", (seen,)
    )
    conn.execute("UPDATE jobs SET open = 0, status = 'failed', reason = 'unseen' WHERE job = ?", (unseen,))
    conn.execute("UPDATE steps SET status = 'fulfilling', job = NULL, in_doubt = 'it may have begun'")
    conn.execute("DROP INDEX steps_in_doubt")
    conn.execute("ALTER TABLE steps RENAME COLUMN in_doubt TO held")
    conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'doubt'")
    conn.commit()
    manager.apply(Database(conn))
    assert bench.workflow("unseen")["reason"] == "step a waits for retry: it may have begun"
    bench.take_events()
    bench.restart()
    assert (bench.workflow_state("seen"), bench.workflow_state("unseen")) == (
        WorkflowState.FAILED,
        WorkflowState.STALLED,
    )
    assert bench.take_event("caroni.step.failed")["data"]["exit_code"] == 7
    bench.retry("unseen")
    bench.retry("seen")
    for placed in bench.place_all(ready=2):
        bench.complete(placed.job)
    assert (bench.workflow_state("seen"), bench.workflow_state("unseen")) == (WorkflowState.COMPLETED,) * 2


def test_what_has_not_begun_may_be_asked_anew_whatever_its_type(bench: Bench) -> None:
    bench.start("one")
    bench.status(bench.place(repeat=False), "failed", reason="no disk", begun=False)
    bench.advance(1)
    assert bench.place(repeat=False)


def test_a_rejected_message_may_have_let_a_job_begin(bench: Bench) -> None:
    bench.start("one")
    job = bench.place(repeat=False)
    bench.reject("JobStatusUpdate", job)
    assert bench.outbox.take(JobKill).job == job
    assert bench.step("a")["in_doubt"]


# Stale messages


def test_a_job_that_runs_has_begun_whatever_else_is_said(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.status(job, "running", begun=False)
    assert bench.job(job)["begun"]


def test_an_older_status_than_we_have_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.start("one")
    job = bench.place()
    bench.status(job, "running", serial=50)
    before = bench.dump()
    bench.status(job, "failed", serial=50)
    bench.status(job, "completed", serial=49, outputs={"out": "X"})
    assert bench.dump() == before
    bench.outbox.nothing_else()
    assert [vars(record).get("action") for record in caplog.records[-2:]] == ["stale_job_ignored"] * 2


def test_messages_about_jobs_that_are_over_unknown_or_elsewhere_change_nothing_and_are_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.presence("a2")
    bench.start("pair")
    over, elsewhere = bench.place(), bench.place("a2", "lower")
    bench.fail(over)
    before = bench.dump()
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    for job in (over, elsewhere, "unknown00"):
        bench.status(job, "running")
        bench.complete(job)
        bench.fail(job)
        bench.send(JobAccepted(jobs=(job,)))
        bench.send(JobDecline(job=job, reason="no"))
        bench.send(JobDecline(job=job, reason="no", final=True))
        bench.send(MessageRejected(id="x1", message_type="OfferAccept", jobs=(job,), reason="no"))
    assert bench.dump() == before
    assert {(vars(record)["action"], vars(record)["job"]) for record in caplog.records if "job" in vars(record)} == {
        ("stale_job_ignored", job) for job in (over, elsewhere, "unknown00")
    }
    bench.outbox.nothing_else()


def test_an_acceptance_lets_the_workflow_of_that_agent_run(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    bench.offer("a1")
    (_, accept) = bench.outbox.sent.pop()
    jobs = tuple(placed.job for placed in accept.jobs)  # type: ignore[attr-defined]
    bench.send(JobAccepted(jobs=jobs), agent="a2")
    assert bench.workflow_state() is WorkflowState.INITIALIZING
    bench.send(JobAccepted(jobs=jobs), agent="a1")
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_killed_by_its_owner_is_a_failed_attempt(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    job = bench.place()
    bench.run(job)
    bench.status(job, "killed", reason="maintenance")
    assert bench.job(job)["reason"] == "killed at the agent: maintenance"
    bench.advance(1)
    bench.offer("a1")
    bench.outbox.take(OfferReject, "a1")
    assert bench.place("a2")


# Rejected


@pytest.mark.parametrize("where", ["here", "there"])
def test_the_jobs_of_a_rejected_message_have_failed(bench: Bench, where: str) -> None:
    bench.start("pair")
    jobs = bench.place(), bench.place(job_type="lower")
    if where == "here":
        bench.reject("JobStatusUpdate", *jobs)
    else:
        bench.send(MessageRejected(id="x1", message_type="JobDataReady", jobs=jobs, reason="no good"))
    for job in jobs:
        assert bench.outbox.take(JobKill).job == job
        assert bench.job(job)["status"] == "failed"
        assert "no good" in bench.job(job)["reason"]
    bench.advance(1)
    assert bench.place()
    bench.outbox.nothing_else()
