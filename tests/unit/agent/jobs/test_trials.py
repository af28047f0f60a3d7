"""Trials: the owner runs a job type as a job would run it, and no manager hears of it."""

import pytest

from caroni_edge.agent.jobs.inputs import CannotRun
from caroni_edge.agent.jobs.slots import TRIAL_MAX_S
from caroni_edge.agent.jobs.trials import TrialRefused
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.refusals import FAILURES_IN_A_ROW
from caroni_edge.agent.processes.outcome import Failed, NeverBegan
from caroni_edge.agent.store.jobs import TRIAL
from tests.unit.agent.bench import Bench, completed, job_type


def begin(bench: Bench, message: object = "x", name: str = "upper") -> str:
    job: str = bench.call(lambda at: bench.reactor.try_job_type(name, {"message": message}, at))
    return job


def test_a_trial_runs_like_a_job_and_nobody_is_told() -> None:
    bench = Bench(slots=1)
    job = begin(bench)
    (order,) = bench.runner.started
    assert (order.job, order.job_type.name, order.inputs, order.manager) == (job, "upper", {"message": "x"}, TRIAL)
    assert bench.state(job) is JobState.RUNNING
    bench.advance(10.0)
    bench.end(job, completed({"out": "X"}))
    assert (bench.state(job), bench.job(job).outputs) == (JobState.COMPLETED, '{"out":"X"}')
    bench.outbox.nothing_else()
    assert list(bench.reactor.open_peers()) == []


def test_a_trial_that_cannot_be_started_is_not_given_back_to_anybody() -> None:
    bench = Bench(slots=1)
    job = begin(bench)
    bench.end(job, NeverBegan("no space", no_room=True))
    assert (bench.state(job), bench.job(job).reason) == (JobState.FAILED, "no space")
    bench.outbox.nothing_else()
    assert bench.store.turned_away.latest(9)[-1].job == ""


def test_one_at_a_time_and_only_where_a_slot_is_free() -> None:
    bench = Bench(slots=2)
    job = begin(bench)
    with pytest.raises(TrialRefused, match=f"another trial runs \\(job {job}\\)"):
        begin(bench)
    bench.end(job)
    bench.place(bench.new_job(), bench.new_job())
    with pytest.raises(TrialRefused, match="no slot is free, 2 jobs run"):
        begin(bench)
    assert len(bench.runner.started) == 3


def test_a_trial_holds_a_slot_that_jobs_wait_for() -> None:
    bench = Bench(slots=1, backlog=1)
    job = begin(bench)
    (waiting,) = bench.place(bench.new_job())
    assert bench.state(waiting) is JobState.QUEUED
    bench.end(job)
    assert bench.state(waiting) is JobState.RUNNING


@pytest.mark.parametrize(("name", "message", "why"), [("upper", 1, "message"), ("none", "x", "no job type none")])
def test_what_does_not_fit_starts_nothing(name: str, message: object, why: str) -> None:
    bench = Bench()
    with pytest.raises(CannotRun, match=why):
        begin(bench, message, name)
    assert bench.states() == {}


def test_a_file_at_an_address_is_not_fetched_and_that_is_said() -> None:
    bench = Bench(types=[job_type("take", {"file": "File"})])
    inputs = {"file": {"class": "File", "location": "https://data.example.org/m31.fits"}}
    with pytest.raises(CannotRun, match=r"an input lies at data\.example\.org: fetch it and give what is in it"):
        bench.call(lambda at: bench.reactor.try_job_type("take", inputs, at))


def test_a_pause_keeps_nobody_from_trying() -> None:
    bench = Bench()
    bench.call(lambda _: bench.reactor.pause(on=True))
    assert bench.state(begin(bench)) is JobState.RUNNING


def test_failed_trials_say_nothing_about_the_host() -> None:
    bench = Bench()
    for _ in range(FAILURES_IN_A_ROW):
        bench.end(begin(bench), Failed("exit status 1", exit_code=1))
    assert bench.reactor.refuses == {}


def test_without_a_timeout_of_its_own_a_trial_ends_after_an_hour() -> None:
    bench = Bench()
    begin(bench)
    assert bench.runner.started[0].job_type.limits.timeout_s == TRIAL_MAX_S
    assert bench.types.loaded["upper"].limits.timeout_s is None


def test_a_trial_outlives_the_daemon_and_can_be_killed() -> None:
    bench = Bench(slots=1)
    job = begin(bench)
    bench.restart()
    assert bench.runner.recovered == [job]
    bench.call(lambda at: bench.reactor.kill_job(job, "enough", at))
    assert bench.runner.killed == {job: "enough"}
    bench.end(job, Failed("killed"))
    assert (bench.state(job), bench.job(job).reason) == (JobState.KILLED, "enough")
    bench.outbox.nothing_else()
