"""Jobs that wait at their keeper for a slot: which do, how they are shown, and how an agent has them back."""

from dataclasses import replace
from typing import Any

from caroni_edge.agent.jobs.ahead import AHEAD_AT_KEEPER_S, AHEAD_MAX, RECALL_AFTER_S, SURE_AFTER
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.refusals import PAUSED
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan
from caroni_edge.agent.processes.port import JobBegun, TakenOver
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import JobDecline, JobKill, JobStatusUpdate, OfferAccept
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import DATE, Bench, job_type

SHORT_S = 0.019
AT_ONCE = int(AHEAD_AT_KEEPER_S / SHORT_S)


def bench_of(*, tells_started: bool = False, **settings: Any) -> Bench:
    """Return an agent with one slot that knows that its jobs are short."""
    bench = Bench(**{"slots": 1, "backlog": 1000, "say_running_after_s": 5.0, **settings})
    for _ in range(2 * SURE_AFTER):
        run_one(bench)
    bench.runner.tells_started = tells_started
    return bench


def run_one(bench: Bench, name: str = "upper", lasts_s: float = SHORT_S, **facts: Any) -> None:
    (job,) = bench.place(bench.new_job(name, **facts))
    bench.advance(lasts_s)
    bench.end(job)
    bench.outbox.sent.clear()
    bench.runner.take_started()


def place(bench: Bench, count: int, manager: str = "m1", **facts: Any) -> list[str]:
    return bench.place(*(bench.new_job(**facts) for _ in range(count)), manager=manager)


def ended(bench: Bench, job: str) -> None:
    """Let a job end of which was not told that it has started."""
    bench.end(job, Completed('{"out":"X"}', started=bench.date - SHORT_S))


def test_short_jobs_wait_at_their_keeper_in_their_order() -> None:
    bench = bench_of()
    first, *jobs = place(bench, 20)
    assert list(bench.runner.ahead) == jobs[:AT_ONCE]
    assert {order.slots for order in bench.runner.ahead.values()} == {1}
    assert bench.runner.take_started() == [first]
    bench.advance(SHORT_S)
    ended(bench, first)
    assert bench.runner.take_started() == [jobs[0]]
    assert list(bench.runner.ahead) == jobs[1:AT_ONCE]


def test_one_that_waits_there_is_queued_and_may_have_begun() -> None:
    bench = bench_of()
    _, there, *_, here = place(bench, 20)
    for job, begun in ((there, True), (here, False)):
        assert (bench.state(job), bench.job(job).begun, bench.job(job).started) == (JobState.QUEUED, begun, None)
    assert bench.outbox.take_all(JobStatusUpdate) == []


def test_it_runs_when_its_keeper_says_so() -> None:
    bench = bench_of(tells_started=True)
    first, second, *_ = place(bench, 3)
    bench.advance(SHORT_S)
    bench.end(first)
    assert bench.state(second) is JobState.RUNNING
    assert bench.job(second).started == bench.date
    assert [(said.job, said.status) for said in bench.outbox.take_all(JobStatusUpdate)] == [
        (first, "completed"),
        (second, "running"),
    ]


def test_of_most_only_the_end_is_heard() -> None:
    bench = bench_of()
    first, second, *_ = place(bench, 3)
    bench.advance(2 * SHORT_S)
    ended(bench, first)
    ended(bench, second)
    row = bench.job(second)
    assert (row.status, row.started, row.version) == (
        JobState.COMPLETED,
        bench.date - SHORT_S,
        job_type("upper").version,
    )
    assert [said.status for said in bench.outbox.take_all(JobStatusUpdate)] == ["completed", "completed"]


def test_the_slot_time_of_one_counts_from_its_start() -> None:
    bench = bench_of(managers={"m1": 1.0, "m2": 1.0})
    before = bench.reactor._slots._shares.standings(["m1"], bench.now)["m1"]
    first, second, *_ = place(bench, 2)
    bench.advance(1.0)
    ended(bench, first)
    ended(bench, second)
    after = bench.reactor._slots._shares.standings(["m1"], bench.now)["m1"]
    assert round(after - before, 3) == 1.0 + SHORT_S


def test_long_jobs_and_such_as_nobody_knows_wait_here() -> None:
    for lasts_s, known in ((2 * AHEAD_AT_KEEPER_S, 2 * SURE_AFTER), (SHORT_S, SURE_AFTER - 1)):
        bench = Bench(slots=1, backlog=1000)
        for _ in range(known):
            run_one(bench, lasts_s=lasts_s)
        place(bench, 10)
        assert not bench.runner.ahead


def test_short_jobs_wait_here_while_no_slot_is_about_to_be_free() -> None:
    bench = bench_of()
    for _ in range(SURE_AFTER):
        run_one(bench, "lower", 10.0)
    place(bench, 1, job_type="lower")
    place(bench, 10)
    assert not bench.runner.ahead


def test_a_job_that_may_not_be_repeated_waits_here_and_so_do_those_behind_it() -> None:
    bench = bench_of(types=[job_type("upper"), job_type("once", repeat=False)])
    for _ in range(SURE_AFTER):
        run_one(bench, "once")
    _, second = place(bench, 2)
    place(bench, 1, job_type="once")
    place(bench, 2)
    assert list(bench.runner.ahead) == [second]


def test_those_whose_files_are_here_wait_there_too() -> None:
    bench = bench_of(types=[job_type("upper"), job_type("take", {"file": "File"})])
    found = Object("a" * 64, 5_000_000)
    bench.store.objects.add(found, manager="m1", date=bench.date)
    inputs = {"file": object_value("m31.fits", found, "0" * 40)}
    for _ in range(SURE_AFTER):
        run_one(bench, "take", inputs=inputs)
    _, *jobs = place(bench, 3, job_type="take", inputs=inputs)
    assert list(bench.runner.ahead) == jobs
    assert {order.objects for order in bench.runner.ahead.values()} == {(found,)}


def test_no_more_than_so_many_wait_there() -> None:
    bench = bench_of(slots=50)
    place(bench, 500)
    assert len(bench.runner.ahead) == AHEAD_MAX


# Having them back


def test_a_paused_agent_gives_back_what_was_not_started_when_its_keeper_has_answered() -> None:
    bench = bench_of()
    first, *others = place(bench, 20)
    bench.runner.is_silent = True
    bench.call(lambda _: bench.reactor.pause(on=True))
    assert {said.job for said in bench.outbox.take_all(JobDecline)} == set(others[AT_ONCE:])
    assert bench.state(others[0]) is JobState.QUEUED
    bench.hear_news()
    declined = bench.outbox.take_all(JobDecline)
    assert {(said.job, said.reason, said.begun) for said in declined} == {
        (job, PAUSED, False) for job in others[:AT_ONCE]
    }
    assert bench.states()["running"] == 1
    assert bench.state(first) is JobState.RUNNING


def test_one_that_was_started_meanwhile_is_not_given_back() -> None:
    bench = bench_of()
    first, second, third = place(bench, 3)
    bench.advance(SHORT_S)
    bench.runner.there.discard(first)
    bench.runner.tells_started = True
    bench.runner.start_ahead()
    bench.call(lambda _: bench.reactor.pause(on=True))
    assert [said.job for said in bench.outbox.take_all(JobDecline)] == [third]
    assert bench.state(second) is JobState.RUNNING


def test_one_that_is_killed_has_ended_when_its_keeper_says_that_it_never_began() -> None:
    bench = bench_of()
    _, second, third = place(bench, 3)
    bench.runner.is_silent = True
    bench.send(JobKill(job=second, reason="not wanted"))
    assert bench.state(second) is JobState.QUEUED
    assert bench.outbox.take_all(JobStatusUpdate) == []
    bench.hear_news()
    row = bench.job(second)
    assert (row.status, row.begun, row.started, row.reason) == (JobState.KILLED, False, None, "not wanted")
    assert list(bench.runner.ahead) == [third]


def test_one_that_is_recalled_while_it_is_to_be_killed_is_killed() -> None:
    bench = bench_of()
    _, second, *_ = place(bench, 3)
    bench.runner.is_silent = True
    bench.call(lambda _: bench.reactor.pause(on=True))
    bench.send(JobKill(job=second, reason="not wanted"))
    assert bench.state(second) is JobState.QUEUED
    bench.hear_news()
    assert (bench.state(second), bench.job(second).begun) == (JobState.KILLED, False)


def test_a_greater_priority_and_a_manager_that_comes_later_have_them_back_and_their_order_is_made_anew() -> None:
    bench = bench_of()
    place(bench, 20)
    (urgent,) = place(bench, 1, priority=9)
    assert next(iter(bench.runner.ahead)) == urgent
    (other,) = place(bench, 1, manager="m2")
    assert other in list(bench.runner.ahead)[:2]


def test_they_are_started_by_the_version_that_is_in_force_then() -> None:
    bench = bench_of()
    _, second, *_ = place(bench, 3)
    newer = job_type("upper", script="other")
    bench.reload(newer)
    bench.settle()
    assert bench.runner.ahead[second].job_type.version == newer.version
    assert bench.job(second).version == newer.version


def test_what_does_not_begin_is_had_back_though_nobody_else_waits() -> None:
    bench = bench_of()
    _, second = place(bench, 2)
    assert list(bench.runner.ahead) == [second]
    bench.advance(RECALL_AFTER_S)
    assert not bench.runner.ahead
    assert not bench.job(second).begun


def test_what_does_not_begin_is_had_back_once() -> None:
    bench = bench_of()
    first, *others = place(bench, 20)
    assert bench.runner.ahead
    bench.advance(RECALL_AFTER_S)
    assert not bench.runner.ahead
    assert {bench.state(job) for job in others} == {JobState.QUEUED}
    bench.advance(100.0)
    bench.end(first)
    assert bench.runner.take_started() == [first, others[0]]


def test_one_whose_directory_cannot_be_made_ends_as_one_that_never_began() -> None:
    bench = bench_of()
    _, second, *_ = place(bench, 3)
    del bench.runner.ahead[second]
    bench.end(second, NeverBegan("no"))
    assert (bench.state(second), bench.job(second).begun) == (JobState.FAILED, False)


# After a restart


def test_in_the_same_boot_what_has_no_record_is_handed_over_anew() -> None:
    bench = bench_of(tells_started=True)
    bench.restart(TakenOver(boot="b1"))
    first, second, third = place(bench, 3)
    bench.store.jobs.hand_over(bench.job(second).id, "v", "none")
    bench.store.jobs.hand_over(bench.job(third).id, "v", "none")
    bench.restart(TakenOver(boot="b1", begun=(JobBegun(second, DATE),)))
    assert (bench.runner.handed_over, bench.runner.boot) == ([second, third], "b1")
    assert bench.state(second) is JobState.RUNNING
    assert (bench.state(third), bench.job(third).begun, bench.job(third).attempt) == (JobState.QUEUED, False, 1)
    assert bench.state(first) is JobState.RUNNING


def test_that_a_job_was_handed_over_goes_back_with_its_batch() -> None:
    bench = bench_of()
    placed = OfferAccept(offer="nooffer1", jobs=tuple(bench.new_job() for _ in range(3)))
    bench.batch(("m1", placed), commit=False)
    assert not bench.runner.ahead
    assert len(bench.reactor._slots.ahead) == 0


def test_a_manager_that_is_forgotten_has_them_ended() -> None:
    bench = bench_of()
    _, second, *_ = place(bench, 3)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert second in bench.runner.killed
    assert len(bench.reactor._slots.ahead) == 0


def test_another_boot_is_noted_when_all_is_taken_over() -> None:
    bench = Bench()
    bench.restart(None)
    assert bench.store.facts.boot() == ""
    bench.call(lambda at: bench.reactor.on_taken_over(replace(TakenOver(), boot="b2"), at))
    assert bench.store.facts.boot() == "b2"


def test_before_the_jobs_of_a_forgotten_manager_are_killed_those_that_wait_are_recalled() -> None:
    bench = bench_of()
    first, second, *_ = place(bench, 5)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.runner.recalls == 1
    assert bench.runner.killed.keys() >= {first, second}
    bench.end(first, Failed("killed"))
    assert bench.runner.take_started() == [first]
