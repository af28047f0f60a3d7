"""Jobs from their placement to their end."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.wanted import Sandbox
from caroni_edge.agent.jobs.ledger import Ledger
from caroni_edge.agent.lifecycle import JobEvent, JobState
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan
from caroni_edge.base.states import IllegalTransition
from caroni_edge.protocol.codec import encode_message
from caroni_edge.protocol.logs import JobLog, JobLogRequest
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    LinkReset,
    MessageRejected,
)
from tests.unit.agent.bench import Bench, FakeRunner, completed, job_type


@pytest.fixture
def bench() -> Bench:
    return Bench()


def running(bench: Bench) -> str:
    """Let a job run, and forget what was said about it."""
    (job,) = bench.place(bench.new_job())
    bench.outbox.take(JobStatusUpdate)
    assert bench.runner.take_started() == [job]
    return job


# Placement


def test_a_ready_job_runs_at_once_and_completes(bench: Bench) -> None:
    placed = bench.new_job(inputs={"message": "hello"})
    bench.place(placed)
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.job, said.status, said.begun, said.started) == (placed.job, "running", True, bench.date)
    order = bench.runner.started[0]
    assert (order.job, order.inputs, order.manager) == (placed.job, {"message": "hello"}, "m1")
    assert (order.workflow, order.step, order.attempt) == ("w1", placed.step, 1)
    assert said.version == order.job_type.version

    bench.end(placed.job, completed({"out": "HELLO"}))
    done = bench.outbox.take(JobStatusUpdate)
    assert (done.status, done.outputs, done.exit_code, done.begun) == ("completed", {"out": "HELLO"}, 0, True)
    assert done.serial > said.serial
    assert done.version == said.version
    bench.outbox.nothing_else()


def test_what_a_job_is_locked_into_is_kept_and_said_if_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRunner, "able", Able("", "no namespaces"))
    alone = replace(job_type("upper"), sandbox=Sandbox(each=True))
    bench = Bench(slots=3, types=[alone, job_type("lower")])
    jobs = bench.place(bench.new_job("lower"), bench.new_job("upper"), bench.new_job("upper"))
    said = [bench.outbox.take(JobStatusUpdate).box for _ in jobs]
    assert said == ["shared", "shared: no namespaces", "shared: no namespaces"]
    bench.end(jobs[1])
    assert bench.outbox.take(JobStatusUpdate).box == "shared: no namespaces"
    bench.end(jobs[2], NeverBegan("no bash"))
    assert bench.outbox.take(JobStatusUpdate).box is None
    assert [bench.job(each).box for each in jobs] == ["shared", "shared: no namespaces", None]


def test_a_job_that_cannot_be_boxed_as_required_is_declined_and_costs_no_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeRunner, "able", Able("no bubblewrap", "no bubblewrap"))
    bench = Bench(sandbox="required")
    bench.place(bench.new_job())
    declined = bench.outbox.take(JobDecline)
    assert declined.reason.endswith("which the agent's configuration requires: no bubblewrap")
    assert (declined.final, declined.begun) == (False, False)
    assert bench.runner.started == []


def test_a_failed_job_says_why(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, Failed("exit status 3", exit_code=3, stderr="é" * 3000 + "last words"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.reason, said.exit_code, said.begun) == ("failed", "exit status 3", 3, True)
    assert said.stderr is not None
    assert said.stderr.endswith("last words")
    assert len(said.stderr.encode()) <= 4098
    bench.outbox.nothing_else()


def test_a_failure_that_would_come_again_is_said_to_be_final(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, Failed("output n: expected int, got 3.5", exit_code=0, final=True))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.final, said.version) == ("failed", True, bench.job(job).version)
    bench.send(JobStatusRequest(job=job))
    assert bench.outbox.take(JobStatusUpdate).final
    killed = running(bench)
    bench.send(JobKill(job=killed, reason="cancelled"))
    bench.end(killed, Failed("output n: expected int, got 3.5", exit_code=0, final=True))
    assert not bench.outbox.take(JobStatusUpdate).final


def test_a_process_that_never_began_is_said_not_to_have_begun(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, NeverBegan("could not be started: no such file"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.begun, said.started) == ("failed", False, None)


def test_the_end_of_a_job_takes_effect_once(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, Failed("exit status 1"))
    said = bench.outbox.take(JobStatusUpdate)
    bench.end(job, completed({"out": "X"}))
    assert bench.state(job) is JobState.FAILED
    assert bench.job(job).serial == said.serial
    bench.outbox.nothing_else()


def test_the_end_of_an_unknown_job_removes_what_is_left_of_it(bench: Bench) -> None:
    bench.end("unknown1", Failed("belongs to no job"))
    assert bench.runner.removed == ["unknown1"]
    bench.outbox.nothing_else()


def test_a_job_of_whose_start_nothing_is_known_any_more_may_have_begun(bench: Bench) -> None:
    job = running(bench)
    given = bench.job(job).started
    bench.advance(5.0)
    bench.end(job, Failed("what became of it cannot be read"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.begun, said.started, said.ended) == ("failed", True, given, bench.date)


def test_text_that_json_cannot_hold_is_mended(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, Failed("bad \ud800" + "\0" * 5000, stderr="\udcff" + "\0" * 5000))
    said = bench.outbox.take(JobStatusUpdate)
    assert said.status == "failed"
    assert said.reason is not None
    assert said.reason.startswith("bad ?")


def test_a_long_reason_is_cut(bench: Bench) -> None:
    bench.end(running(bench), Failed("x" * 1000))
    assert bench.outbox.take(JobStatusUpdate).reason == "x" * 1000
    bench.end(running(bench), Failed("x" * 1001))
    assert bench.outbox.take(JobStatusUpdate).reason == "x" * 999 + "…"


def test_a_job_placed_twice_changes_nothing_and_its_state_is_said(bench: Bench) -> None:
    job = running(bench)
    again = bench.new_job(job=job, inputs={"message": "other"})
    bench.accept(JobOffer(offer="late0001", job_type="upper", serial=0), again)
    assert bench.outbox.take(JobStatusUpdate).status == "running"
    assert bench.states() == {"running": 1}
    bench.accept(JobOffer(offer="late0001", job_type="upper", serial=0), again, manager="m2")
    assert bench.outbox.take(JobDecline, "m2").final
    bench.outbox.nothing_else()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"message": 3}, 'input "message" of job type upper: expected string, got 3'),
        ({}, 'job type upper needs the input "message" (string), which is missing'),
        ({"message": "x", "mesage": "x"}, 'has no input "mesage" (did you mean "message"?)'),
        ({"message": "x" * 50_000}, "bytes as JSON, and 49152 are allowed together"),
    ],
)
def test_inputs_that_do_not_fit_are_declined_for_good(bench: Bench, inputs: dict[str, object], words: str) -> None:
    placed = bench.new_job(inputs=inputs)
    bench.accept(JobOffer(offer="late0001", job_type="upper", serial=0), placed)
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.final) == (placed.job, True)
    assert words in declined.reason
    bench.outbox.nothing_else()


def test_unknown_types_are_declined_and_managers_not_served_for_good() -> None:
    bench = Bench(managers={"m1": 1.0})
    late = JobOffer(offer="late0001", job_type="upper", serial=0)
    bench.accept(late, bench.new_job("other"))
    declined = bench.outbox.take(JobDecline)
    assert (declined.reason, declined.final) == ("the agent has no job type other", False)
    bench.accept(late, bench.new_job("other"), manager="m2")
    assert bench.outbox.take(JobDecline, "m2").final
    bench.accept(late, bench.new_job(), manager="m2")
    assert bench.outbox.take(JobDecline, "m2").final
    bench.outbox.nothing_else()


def test_optional_inputs_that_are_missing_are_null() -> None:
    bench = Bench(types=[job_type("upper", {"message": "string", "note": "string?"})])
    bench.place(bench.new_job())
    assert bench.runner.started[0].inputs == {"message": "x", "note": None}


# Data that comes later


def test_a_waiting_job_holds_no_slot_and_runs_when_its_data_is_there() -> None:
    bench = Bench(slots=1)
    waiting = bench.new_job(ready=False)
    bench.place(waiting)
    assert bench.state(waiting.job) is JobState.PENDING
    ready = bench.new_job()
    bench.place(ready, manager="m2")
    assert bench.runner.take_started() == [ready.job]
    bench.send(JobDataReady(job=waiting.job, inputs={"message": "now"}))
    assert bench.state(waiting.job) is JobState.QUEUED
    bench.end(ready.job)
    assert bench.runner.take_started() == [waiting.job]
    assert bench.runner.started[1].inputs == {"message": "now"}


def test_data_that_does_not_fit_ends_the_job(bench: Bench) -> None:
    waiting = bench.new_job(ready=False)
    bench.place(waiting)
    bench.send(JobDataReady(job=waiting.job, inputs={"message": 1}))
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.final) == (waiting.job, True)
    assert bench.state(waiting.job) is JobState.FAILED
    assert not bench.job(waiting.job).begun
    bench.outbox.nothing_else()


def test_known_inputs_of_a_waiting_job_are_checked_when_it_comes(bench: Bench) -> None:
    bench.accept(
        JobOffer(offer="late0001", job_type="upper", serial=0), bench.new_job(ready=False, inputs={"message": 1})
    )
    assert bench.outbox.take(JobDecline).final


def test_data_that_comes_twice_or_for_another_changes_nothing(bench: Bench) -> None:
    waiting = bench.new_job(ready=False)
    bench.place(waiting)
    data = JobDataReady(job=waiting.job, inputs={"message": "x"})
    bench.send(data, manager="m2")
    assert bench.outbox.take(JobDecline, "m2").reason == "unknown job"
    assert bench.state(waiting.job) is JobState.PENDING
    bench.send(data, JobDataReady(job=waiting.job, inputs={"message": "other"}))
    assert bench.runner.started[0].inputs == {"message": "x"}
    bench.outbox.take(JobStatusUpdate)
    bench.outbox.nothing_else()


# Slots


def test_slots_are_never_exceeded_and_priority_comes_before_age() -> None:
    bench = Bench(slots=1, backlog=3)
    first, second = bench.new_job(), bench.new_job()
    urgent = bench.new_job(priority=9)
    bench.place(first)
    bench.place(second, urgent)
    for expected in (first, urgent, second):
        assert bench.runner.take_started() == [expected.job]
        bench.end(expected.job)


def test_managers_share_slots_by_weight() -> None:
    bench = Bench(slots=1, backlog=200, managers={"m1": 2.0, "*": 1.0})
    bench.place(*(bench.new_job() for _ in range(60)))
    bench.place(*(bench.new_job() for _ in range(60)), manager="m2")
    ran = []
    for _ in range(60):
        (job,) = bench.runner.take_started()
        ran.append(bench.job(job).manager)
        bench.advance(1.0)
        bench.end(job)
    assert ran.count("m1") in (39, 40, 41)


def test_a_job_runs_the_version_in_force_when_it_starts() -> None:
    bench = Bench(slots=1)
    first, second, third = bench.new_job(), bench.new_job(), bench.new_job("lower")
    bench.place(first, second, third)
    bench.outbox.take(JobStatusUpdate)
    newer = job_type("upper", script="exit 1")
    bench.reload(newer)
    bench.end(first.job)
    assert bench.runner.started[1].job_type == newer
    bench.outbox.take(JobStatusUpdate)
    assert bench.outbox.take(JobStatusUpdate).version == newer.version
    bench.end(second.job)
    bench.outbox.take(JobStatusUpdate)
    gone = bench.outbox.take(JobDecline)
    assert (gone.job, gone.final, gone.begun) == (third.job, False, False)
    assert gone.reason == "the agent has no job type lower any more"
    assert bench.state(third.job) is JobState.FAILED
    bench.outbox.nothing_else()


def test_a_job_type_that_is_gone_when_the_data_comes_costs_no_attempt() -> None:
    bench = Bench(slots=1)
    waiting = bench.new_job("lower", ready=False)
    bench.place(waiting)
    bench.reload(job_type("upper"))
    bench.send(JobDataReady(job=waiting.job, inputs={"message": "x"}))
    gone = bench.outbox.take(JobDecline)
    assert (gone.job, gone.final, gone.reason) == (waiting.job, False, "the agent has no job type lower any more")
    assert bench.state(waiting.job) is JobState.FAILED


def test_inputs_that_no_longer_fit_fail_the_job_and_the_next_gets_the_slot() -> None:
    bench = Bench(slots=1)
    first, second, third = bench.new_job(), bench.new_job(), bench.new_job("lower")
    bench.place(first, second, third)
    bench.outbox.sent.clear()
    bench.reload(job_type("upper", {"message": "int"}), job_type("lower"))
    bench.end(first.job)
    assert [said.status for said in bench.outbox.take_all(JobStatusUpdate)] == ["completed", "failed", "running"]
    assert bench.runner.take_started() == [first.job, third.job]


def test_an_input_that_is_needed_now_fails_a_job_that_came_without_it() -> None:
    bench = Bench(slots=1)
    first, second = bench.new_job(), bench.new_job()
    bench.place(first, second)
    bench.outbox.sent.clear()
    bench.reload(job_type("upper", {"message": "string", "more": "string"}))
    bench.end(first.job)
    bench.outbox.take(JobStatusUpdate)
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.job, said.status) == (second.job, "failed")
    assert said.reason == 'job type upper needs the input "more" (string), which is missing'


def test_a_batch_rolled_back_starts_nothing_and_is_repeated_whole(bench: Bench) -> None:
    waiting = bench.new_job(ready=False)
    bench.place(waiting)
    data = JobDataReady(job=waiting.job, inputs={"message": "x"})
    bench.batch(("m1", data), commit=False)
    bench.outbox.sent.clear()
    assert bench.runner.started == []
    assert bench.state(waiting.job) is JobState.PENDING
    bench.send(data)
    assert bench.runner.take_started() == [waiting.job]


# Kill


def test_a_job_that_does_not_run_is_killed_at_once() -> None:
    bench = Bench(slots=1)
    first, queued, waiting = bench.new_job(), bench.new_job(), bench.new_job(ready=False)
    bench.place(first, queued, waiting)
    bench.outbox.take(JobStatusUpdate)
    bench.send(JobKill(job=queued.job, reason="cancelled"), JobKill(job=waiting.job, reason="cancelled"))
    for job in (queued.job, waiting.job):
        said = bench.outbox.take(JobStatusUpdate)
        assert (said.job, said.status, said.reason, said.begun) == (job, "killed", "cancelled", False)
    assert bench.runner.killed == {}
    bench.outbox.nothing_else()


def test_a_running_job_is_killed_when_its_process_is_gone(bench: Bench) -> None:
    job = running(bench)
    bench.send(JobKill(job=job, reason="not wanted"))
    assert bench.runner.killed == {job: "not wanted"}
    assert bench.state(job) is JobState.RUNNING
    bench.outbox.nothing_else()
    bench.send(JobKill(job=job, reason="again"))
    bench.settle()
    bench.end(job, Failed("killed", exit_code=-9))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.reason, said.exit_code, said.begun) == ("killed", "not wanted", -9, True)
    bench.send(JobKill(job=job, reason="again"))
    bench.outbox.nothing_else()


def test_a_job_whose_process_never_began_while_it_was_being_killed_was_killed_unbegun(bench: Bench) -> None:
    job = running(bench)
    bench.send(JobKill(job=job, reason=""))
    bench.end(job, NeverBegan("there is no program of that name"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.reason, said.begun, said.started, said.exit_code) == ("killed", "", False, None, None)


def test_a_job_that_completes_while_it_is_being_killed_has_completed(bench: Bench) -> None:
    job = running(bench)
    bench.send(JobKill(job=job, reason="not wanted"))
    bench.end(job, completed({"out": "X"}))
    assert bench.outbox.take(JobStatusUpdate).status == "completed"


def test_only_its_own_manager_kills_a_job(bench: Bench) -> None:
    job = running(bench)
    bench.send(JobKill(job=job, reason="mine now"), JobKill(job="unknown1", reason="x"), manager="m2")
    assert bench.runner.killed == {}
    bench.outbox.nothing_else()


def test_the_owner_may_kill_any_job(bench: Bench) -> None:
    job, waiting = running(bench), bench.new_job(ready=False)
    bench.place(waiting)
    assert bench.call(lambda at: bench.reactor.kill_job(job, "by the owner", at)) is JobState.RUNNING
    assert bench.call(lambda at: bench.reactor.kill_job(waiting.job, "by the owner", at)) is JobState.KILLED
    assert bench.call(lambda at: bench.reactor.kill_job("unknown1", "by the owner", at)) is None
    assert bench.runner.killed == {job: "by the owner"}


def test_a_kill_is_told_though_deciding_fails_in_its_batch(bench: Bench) -> None:
    job = running(bench)
    with bench.database.immediate():
        bench.reactor.on_message("m1", JobKill(job=job, reason="not wanted"), bench.at)
        settle_and_fail(bench)
    bench.reactor.committed()
    bench.settle()
    assert bench.runner.killed == {job: "not wanted"}


def test_a_forgotten_managers_job_is_killed_though_deciding_fails_in_its_batch(bench: Bench) -> None:
    """What the command did is committed; nobody would know of the process any more."""
    job = running(bench)
    with bench.database.immediate():
        with bench.database.savepoint():
            bench.reactor.forget_peer("m1", bench.at)
        settle_and_fail(bench)
    bench.reactor.committed()
    assert bench.runner.killed == {job: "manager m1 was forgotten"}


def settle_and_fail(bench: Bench) -> None:
    """Let the reactor decide and then fail, as the node does: only its deciding goes back."""
    with suppress(ZeroDivisionError), bench.database.savepoint():
        bench.reactor.settle(bench.at)
        _ = 1 / 0


def test_running_is_said_though_the_batch_that_was_to_say_it_failed() -> None:
    bench = Bench(say_running_after_s=0.05)
    placed = bench.new_job()
    bench.place(placed)
    bench.outbox.nothing_else()
    bench.now += 0.05
    bench.batch(commit=False)
    bench.outbox.sent.clear()
    bench.advance(0.05)
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.job, said.status) == (placed.job, "running")


# Restart


def test_running_jobs_are_looked_for_after_a_restart_and_their_ends_count(bench: Bench) -> None:
    job, killed = running(bench), running(bench)
    queued = bench.new_job()
    bench.place(queued)
    bench.send(JobKill(job=killed, reason="not wanted"))
    bench.runner.killed.clear()
    bench.restart()
    assert bench.runner.recovered == [job, killed]
    assert bench.runner.killed == {killed: "not wanted"}
    assert bench.runner.take_started() == []
    bench.outbox.nothing_else()
    bench.end(job, completed({"out": "X"}))
    assert bench.outbox.take(JobStatusUpdate).status == "completed"
    assert bench.runner.take_started() == [queued.job]


def test_offers_and_demand_from_before_a_restart_are_void() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    offer = bench.outbox.take(JobOffer)
    bench.restart()
    bench.outbox.nothing_else()
    bench.want(manager="m2", ready=1)
    bench.outbox.take(JobOffer, "m2")
    bench.accept(offer, bench.new_job())
    assert not bench.outbox.take(JobDecline).final


# Questions


def test_the_state_of_a_job_can_be_asked(bench: Bench) -> None:
    waiting = bench.new_job(ready=False)
    bench.place(waiting)
    bench.send(JobStatusRequest(job=waiting.job), JobStatusRequest(job="unknown1"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.job, said.status, said.serial) == (waiting.job, "pending", bench.job(waiting.job).serial)
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.reason, declined.final) == ("unknown1", "unknown job", False)
    bench.outbox.nothing_else()


def test_a_log_comes_in_pieces_and_to_its_manager_only(bench: Bench) -> None:
    job = running(bench)
    bench.runner.logs[job] = b"x" * 40_000
    bench.send(JobLogRequest(job=job, offset=32 * 1024))
    assert not bench.outbox.take(JobLog).end
    bench.end(job)
    bench.outbox.take(JobStatusUpdate)
    bench.send(JobLogRequest(job=job), JobLogRequest(job=job, offset=32 * 1024))
    first, second = bench.outbox.take_all(JobLog)
    assert (len(first.data), first.end) == (32 * 1024, False)
    assert (second.offset, len(second.data), second.end) == (32 * 1024, 40_000 - 32 * 1024, True)
    bench.send(JobLogRequest(job=job), manager="m2")
    assert bench.outbox.take(JobLog, "m2") == JobLog(job=job, offset=0, data=b"", end=True)
    bench.outbox.nothing_else()


def test_a_piece_of_a_log_is_as_large_as_the_broker_lets_pass(bench: Bench) -> None:
    job = running(bench)
    bench.runner.logs[job] = b"x" * 40_000
    bench.outbox.refuses_over_bytes = 20_000
    bench.send(JobLogRequest(job=job))
    piece = bench.outbox.take(JobLog)
    assert 18_000 < len(encode_message("i" * 40, piece)) <= 20_000
    bench.outbox.refuses_over_bytes = 200_000
    bench.send(JobLogRequest(job=job))
    assert len(bench.outbox.take(JobLog).data) == 32 * 1024


def test_the_end_of_a_long_log_is_sent_where_it_is_asked_for(bench: Bench) -> None:
    job = running(bench)
    bench.runner.logs[job] = b"begin" + b"x" * 40_000 + b"end"
    bench.send(JobLogRequest(job=job, offset=0, tail=10))
    found = bench.outbox.take(JobLog)
    assert (found.offset, found.data) == (40_008 - 10, b"xxxxxxxend")
    bench.send(JobLogRequest(job=job, offset=40_005, tail=10), JobLogRequest(job=job, offset=0, tail=1 << 40))
    near, whole = bench.outbox.take_all(JobLog)
    assert (near.offset, near.data) == (40_005, b"end")
    assert (whole.offset, whole.data[:5]) == (0, b"begin")
    bench.send(JobLogRequest(job=job, tail=1), manager="m2")
    assert bench.outbox.take(JobLog, "m2") == JobLog(job=job, offset=0, data=b"", end=True)


def test_each_manager_hears_in_time_that_its_job_runs() -> None:
    bench = Bench(slots=2, say_running_after_s=5.0)
    (first,) = bench.place(bench.new_job())
    bench.advance(2.0)
    (second,) = bench.place(bench.new_job())
    bench.advance(3.0)
    assert [said.job for said in bench.outbox.take_all(JobStatusUpdate)] == [first]
    bench.advance(2.0)
    assert [said.job for said in bench.outbox.take_all(JobStatusUpdate)] == [second]


@pytest.mark.parametrize("started", [None, 77.0])
@pytest.mark.parametrize("kind", [Completed, Failed])
def test_a_job_has_started_when_its_process_has_if_that_is_known(
    bench: Bench, kind: type[Completed | Failed], started: float | None
) -> None:
    job = running(bench)
    begun = bench.date
    bench.advance(5.0)
    bench.end(job, kind("{}", started=started))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.started, said.ended) == (begun if started is None else started, begun + 5.0)


def test_a_job_that_never_began_may_be_tried_again(bench: Bench) -> None:
    job = running(bench)
    bench.end(job, NeverBegan("no such interpreter"))
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.status, said.begun, said.started, said.final) == ("failed", False, None, False)


def test_what_no_manager_says_is_rejected(bench: Bench) -> None:
    with pytest.raises(TypeError, match="an agent takes no JobAccepted"):
        bench.send(JobAccepted(jobs=()))
    with pytest.raises(TypeError, match="LinkReset"):
        bench.send(LinkReset())


def test_a_rejected_offer_message_frees_its_places() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=1)
    bench.send(MessageRejected(id="row1", message_type="JobOffer", reason="a bug"))
    bench.outbox.take(JobOffer, "m2")
    bench.outbox.nothing_else()


def test_what_the_agent_decides_itself_must_fit_the_state_of_the_job(bench: Bench) -> None:
    row = bench.job(running(bench))
    ledger = Ledger(bench.reactor._context)
    decisions: list[Callable[[], object]] = [
        lambda: ledger.begin(row, "v2", "shared", None, bench.at, tell=True),
        lambda: ledger.bring_data(row, {}),
        lambda: ledger.refuse(row, JobEvent.START_REFUSED, "gone", bench.at, tell=True),
    ]
    for decide in decisions:
        with pytest.raises(
            IllegalTransition, match=rf"job {row.job}, attempt 1: A job that is running takes no [A-Z_]+\."
        ):
            decide()
    assert bench.job(row.job) == row


def test_serials_count_all_changes(bench: Bench) -> None:
    serials = []
    for _ in range(3):
        bench.end(running(bench))
        serials.append(bench.outbox.take(JobStatusUpdate).serial)
    assert serials == sorted(set(serials))
    bench.restart()
    bench.end(running(bench))
    assert bench.outbox.take(JobStatusUpdate).serial > serials[-1]


def test_a_short_job_says_its_end_only() -> None:
    bench = Bench(say_running_after_s=0.05)
    bench.want(ready=2)
    bench.outbox.take(JobOffer)
    short, longer = bench.place(bench.new_job(), bench.new_job())
    bench.end(short, completed({"out": "x"}))
    assert bench.outbox.take(JobStatusUpdate).status == "completed"
    bench.outbox.nothing_else()
    bench.advance(0.05)
    said = bench.outbox.take(JobStatusUpdate)
    assert (said.job, said.status, said.begun) == (longer, "running", True)
    bench.advance(10)
    assert bench.outbox.take_all(JobStatusUpdate) == []


def test_after_a_restart_running_jobs_are_said() -> None:
    bench = Bench(say_running_after_s=0.05)
    (job,) = bench.place(bench.new_job())
    bench.restart()
    bench.settle()
    assert bench.outbox.take(JobStatusUpdate).job == job
