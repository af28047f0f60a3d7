"""Pause: the agent starts nothing, what waits goes back to its manager, and a restart does not change that."""

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.refusals import DRAINED, PAUSED
from caroni_edge.protocol.messages import JobDataReady, JobDecline, JobOffer
from tests.unit.agent.bench import Bench


def pause(bench: Bench, *, on: bool = True) -> None:
    bench.call(lambda _: bench.reactor.pause(on=on))


def test_what_runs_goes_on_and_what_waits_is_given_back_by_a_decline_that_uses_up_no_attempt() -> None:
    bench = Bench(slots=1, backlog=2)
    running, queued = bench.place(bench.new_job(), bench.new_job())
    bench.outbox.sent.clear()
    pause(bench)
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.reason, declined.final, declined.begun) == (queued, PAUSED, False, False)
    assert (bench.state(running), bench.state(queued)) == (JobState.RUNNING, JobState.FAILED)
    assert bench.runner.killed == {}
    bench.end(running)
    assert bench.state(running) is JobState.COMPLETED


def test_a_job_whose_data_comes_meanwhile_is_given_back_too() -> None:
    bench = Bench(slots=1, pending=1)
    (job,) = bench.place(bench.new_job(ready=False))
    pause(bench)
    bench.outbox.nothing_else()
    bench.send(JobDataReady(job=job, inputs={"message": "x"}))
    assert bench.outbox.take(JobDecline).job == job
    assert bench.runner.started == []


def test_nothing_is_offered_until_the_owner_resumes_the_agent_and_a_restart_is_no_end() -> None:
    bench = Bench(slots=1)
    pause(bench)
    assert bench.presences[-1]["refuses"] == {"*": PAUSED}
    bench.restart()
    bench.want(ready=1)
    bench.advance(120.0)
    bench.outbox.nothing_else()
    pause(bench, on=False)
    assert bench.presences[-1]["refuses"] == {}
    bench.advance(1.0)
    assert bench.outbox.take(JobOffer).ready == 1


def test_a_pause_and_a_drain_are_two_things() -> None:
    bench = Bench()
    bench.call(lambda _: bench.reactor.drain(on=True))
    pause(bench)
    pause(bench, on=False)
    assert bench.presences[-1]["refuses"] == {"*": DRAINED}
