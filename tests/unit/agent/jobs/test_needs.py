"""Needs: jobs wait for what is taken of the host, others go on, and what is waited for is said with who has it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from caroni_edge.agent.jobs.trials import TrialRefused
from caroni_edge.agent.jobtypes import JobType
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobBegun, TakenOver
from caroni_edge.protocol.messages import JobDecline, JobOffer
from tests.unit.agent.bench import DATE, Bench, job_type

AGAIN_S = 60.0


def needing(name: str, needs: Mapping[str, int] | None = None, parallel: int | None = None) -> JobType:
    return replace(job_type(name), needs=needs or {}, parallel=parallel)


SNAP, PAN = needing("snap", {"camera": 1}), needing("pan", {"camera": 1})


def bench_of(*types: JobType, resources: Mapping[str, int] | None = None, slots: int = 4) -> Bench:
    return Bench(types=[*types, job_type("upper")], resources=resources or {"camera": 1}, slots=slots)


def offers(bench: Bench) -> list[JobOffer]:
    """Return what has been offered, whoever to, since the last question."""
    return [each for _, each in bench.outbox.sent if isinstance(each, JobOffer)]


def offered(bench: Bench) -> dict[str, int]:
    """Return for how many ready jobs of each type has been asked since the last question."""
    found: dict[str, int] = {}
    for message in offers(bench):
        found[message.job_type] = found.get(message.job_type, 0) + message.ready
    bench.outbox.sent.clear()
    return found


def test_no_more_is_asked_for_than_the_host_has_and_others_are_not_held_up() -> None:
    bench = bench_of(SNAP)
    bench.want("snap", ready=5)
    bench.want("upper", ready=2)
    assert offered(bench) == {"snap": 1, "upper": 2}


def test_a_size_is_shared_out_as_far_as_it_goes() -> None:
    bench = bench_of(needing("train", {"memory": 6 << 30}), resources={"memory": 16 << 30})
    bench.want("train", ready=5)
    assert offered(bench) == {"train": 2}


def test_the_waiting_have_places_as_far_as_there_is_something_for_them() -> None:
    bench = bench_of(SNAP)
    bench.want("snap", waiting=5)
    assert bench.outbox.take(JobOffer).waiting == 1


def test_while_a_job_has_it_no_other_is_asked_for_and_its_end_is_heard() -> None:
    bench = bench_of(SNAP, PAN)
    (job,) = bench.place(bench.new_job("snap"))
    bench.want("snap", ready=2)
    bench.want("pan", manager="m2", ready=1)
    assert offered(bench) == {}
    bench.end(job)
    assert sum(offered(bench).values()) == 1


def queued_behind(bench: Bench) -> tuple[str, str]:
    """Return a job that runs and one that waits for what it has: there was more of it when both were taken."""
    bench.reload(resources={"camera": 2})
    first, other = bench.place(bench.new_job("snap"), bench.new_job("upper"))
    (second,) = bench.place(bench.new_job("snap"))
    assert bench.state(second) is JobState.QUEUED
    bench.reload(resources={"camera": 1})
    bench.end(other)
    assert bench.state(second) is JobState.QUEUED, "it must not start: the camera is taken"
    return first, second


def test_a_queued_job_starts_when_its_need_is_free_not_when_a_slot_is() -> None:
    bench = bench_of(SNAP, slots=2)
    first, second = queued_behind(bench)
    (plain,) = bench.place(bench.new_job("upper"))
    assert bench.state(plain) is JobState.RUNNING
    bench.end(first)
    assert bench.state(second) is JobState.RUNNING


def test_a_job_keeps_what_it_has_whatever_its_type_says_meanwhile_and_over_a_restart() -> None:
    bench = bench_of(SNAP, PAN)
    (job,) = bench.place(bench.new_job("snap"))
    bench.reload(needing("snap"), PAN, job_type("upper"))
    bench.restart()
    bench.want("pan", ready=1)
    assert offered(bench) == {}
    bench.end(job)
    assert offered(bench) == {"pan": 1}


def test_a_job_that_the_database_has_forgotten_has_what_its_type_needs() -> None:
    bench = bench_of(SNAP)
    bench.reactor.pause(on=True)
    bench.reactor.pause(on=False)
    (job,) = bench.place(bench.new_job("snap", ready=False))
    bench.restart(TakenOver(begun=(JobBegun(job, DATE),)))
    assert bench.state(job) is JobState.RUNNING
    bench.want("snap", ready=1)
    assert offered(bench) == {}


def test_those_that_need_much_are_not_kept_out_by_those_that_need_little() -> None:
    bench = bench_of(needing("big", {"memory": 4}), needing("small", {"memory": 1}), resources={"memory": 4}, slots=8)
    small = bench.place(*(bench.new_job("small") for _ in range(4)))
    bench.want("big", manager="m2", ready=1)
    bench.want("small", ready=9)
    for job in small[:3]:
        bench.outbox.sent.clear()
        bench.end(job)
        assert offers(bench) == [], "kept for the big one"
    bench.end(small[3])
    assert bench.outbox.take(JobOffer, "m2").job_type == "big"


def test_two_types_that_need_the_same_take_turns() -> None:
    bench = bench_of(SNAP, PAN)
    (job,) = bench.place(bench.new_job("snap"))
    served = []
    for _ in range(4):
        bench.want("pan", ready=5)
        bench.want("snap", ready=5)
        bench.outbox.sent.clear()
        bench.end(job)
        (offer,) = offers(bench)
        served.append(offer.job_type)
        placed = bench.new_job(offer.job_type)
        bench.outbox.sent.clear()
        bench.accept(offer, placed)
        job = placed.job
    assert served == ["pan", "snap", "pan", "snap"]


def test_so_many_of_a_type_run_at_a_time_as_its_owner_says() -> None:
    bench = bench_of(needing("scan", parallel=2), slots=4)
    bench.want("scan", ready=9)
    offer = bench.outbox.take(JobOffer)
    assert offer.ready == 2
    jobs = [bench.new_job("scan") for _ in range(2)]
    bench.accept(offer, *jobs)
    assert bench.runner.take_started() == [each.job for each in jobs]
    bench.want("scan", ready=9)
    bench.advance(AGAIN_S)
    assert bench.presences[-1]["refuses"] == {"scan": "of its jobs 2 may run here at a time (parallel)"}


def test_it_is_said_what_is_taken_and_by_whom_and_that_it_is_no_more() -> None:
    bench = bench_of(SNAP, PAN)
    (job,) = bench.place(bench.new_job("snap"))
    bench.want("pan", ready=1)
    bench.advance(AGAIN_S)
    said = f"its jobs need camera: 1, and of 1 are 1 taken by job {job} (snap, of m1)"
    assert bench.presences[-1]["refuses"] == bench.reactor.refuses == {"pan": said}
    assert bench.store.turned_away.latest(9) == [], "nothing was turned away"
    bench.want_nothing("pan")
    bench.advance(AGAIN_S)
    assert bench.presences[-1]["refuses"] == bench.reactor.refuses == {}


def test_a_sighup_that_gives_the_host_more_is_taken_at_once() -> None:
    bench = bench_of(SNAP)
    bench.want("snap", ready=5)
    bench.accept(bench.outbox.take(JobOffer), bench.new_job("snap"))
    bench.want("snap", ready=4)
    assert offered(bench) == {}
    bench.reload(resources={"camera": 3})
    bench.settle()
    assert offered(bench) == {"snap": 2}


def test_a_job_that_fails_lets_go_of_what_it_had() -> None:
    bench = bench_of(SNAP)
    (job,) = bench.place(bench.new_job("snap"))
    bench.end(job, Failed("exit status 1", exit_code=1))
    bench.outbox.sent.clear()
    bench.want("snap", ready=1)
    assert offered(bench) == {"snap": 1}


def test_a_trial_is_refused_while_its_need_is_taken_and_takes_it_itself() -> None:
    bench = bench_of(SNAP)
    (job,) = bench.place(bench.new_job("snap"))
    with pytest.raises(TrialRefused, match=f"camera: 1, and of 1 are 1 taken by job {job}"):
        bench.call(lambda at: bench.reactor.try_job_type("snap", {"message": "x"}, at))
    bench.end(job)
    bench.call(lambda at: bench.reactor.try_job_type("snap", {"message": "x"}, at))
    bench.outbox.sent.clear()
    bench.want("snap", ready=1)
    assert offered(bench) == {}


def test_what_has_no_place_is_declined_where_more_comes_than_was_asked_for() -> None:
    bench = bench_of(SNAP)
    bench.want("snap", ready=1)
    first, second = bench.new_job("snap"), bench.new_job("snap")
    bench.accept(bench.outbox.take(JobOffer), first, second)
    assert bench.state(first.job) is JobState.RUNNING
    declined = next(each for _, each in bench.outbox.sent if isinstance(each, JobDecline))
    assert (declined.job, declined.final) == (second.job, False)


def test_a_paused_agent_gives_back_what_waits_for_a_need_too() -> None:
    bench = bench_of(SNAP, slots=2)
    _, second = queued_behind(bench)
    bench.call(lambda _: bench.reactor.pause(on=True))
    assert bench.state(second) is JobState.FAILED


@pytest.mark.parametrize("type_", [SNAP, needing("snap", parallel=4)])
def test_short_jobs_with_needs_are_never_handed_over_to_the_keeper(type_: JobType) -> None:
    bench = bench_of(type_, resources={"camera": 4}, slots=1)
    for _ in range(20):
        (job,) = bench.place(bench.new_job("snap"))
        bench.now += 0.001
        bench.end(job)
    bench.place(*(bench.new_job("snap") for _ in range(3)))
    assert len(bench.runner.ahead) == 0
    assert bench.reactor._slots.ahead.job_types() == set()
