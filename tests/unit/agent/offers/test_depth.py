"""How many jobs an agent keeps ahead of its slots, and what becomes of them when they take longer than thought."""

from typing import Any

from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.offers.room import ASK_BELOW
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobCollecting
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.messages import JobDecline, JobOffer, Placement
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, job_type

LEAST = 4


def bench_of(**settings: Any) -> Bench:
    """Return an agent whose depth follows the work."""
    auto = {"backlog": LEAST, "pending": LEAST, "backlog_most": 512, "pending_most": 512}
    return Bench(**{"slots": 2, **auto, **settings})


def run(bench: Bench, count: int, lasts_s: float, job_type: str = "upper", manager: str = "m1") -> None:
    """Run jobs one after the other."""
    for _ in range(count):
        (job,) = bench.place(bench.new_job(job_type), manager=manager)
        bench.runner.take_started()
        bench.advance(lasts_s)
        bench.end(job)
    bench.settle()
    bench.outbox.sent.clear()


def offered(bench: Bench, job_type: str = "upper", manager: str = "m1", **demand: int) -> tuple[int, int]:
    """Return how many places a manager is offered that has use for any number."""
    bench.outbox.sent.clear()
    bench.want(job_type, manager, **{"ready": 1000, "waiting": 1000, **demand})
    offer = bench.outbox.take(JobOffer, manager)
    return offer.ready, offer.waiting


def test_twice_the_slots_are_kept_as_long_as_nothing_is_known() -> None:
    assert offered(bench_of()) == (2 + LEAST, LEAST)


def test_where_jobs_are_short_about_a_second_of_work_is_kept() -> None:
    bench = bench_of()
    run(bench, 200, 0.02)
    assert offered(bench) == (2 + 64, 64)
    assert (bench.presences[-1]["backlog"], bench.presences[-1]["pending"]) == (64, 64)


def test_no_more_than_the_owner_allows_are_kept() -> None:
    bench = bench_of(backlog_most=512, pending=0, pending_most=0)
    run(bench, 600, 0.001)
    assert offered(bench) == (2 + 512, 0)


def test_long_jobs_and_a_first_one_that_was_short_change_little() -> None:
    bench = bench_of()
    run(bench, 20, 5.0)
    assert offered(bench) == (2 + LEAST, LEAST)
    other = bench_of()
    (job,) = other.place(other.new_job())
    other.end(job, Failed("no such file"))
    other.outbox.sent.clear()
    assert offered(other) == (2 + LEAST, LEAST)


def test_places_for_short_jobs_are_not_for_long_ones_and_keep_none_of_them_out() -> None:
    bench = bench_of()
    run(bench, 200, 0.02)
    run(bench, 3, 10.0, "lower")
    bench.place(*(bench.new_job() for _ in range(2 + 60)))
    assert offered(bench, "lower") == (LEAST, LEAST)


def test_all_short_types_together_have_no_more_than_one() -> None:
    bench = bench_of(backlog_most=64, pending_most=64)
    run(bench, 200, 0.001)
    run(bench, 200, 0.001, "lower")
    bench.place(*(bench.new_job() for _ in range(2 + 50)))
    assert offered(bench, "lower", waiting=0) == (14, 0)


def test_managers_hear_of_more_places_at_once_and_of_fewer_within_a_minute() -> None:
    bench = bench_of()
    bench.presences.clear()
    run(bench, 60, 0.01)
    assert [said["backlog"] for said in bench.presences] == [8, 16, 32, 64]
    bench.presences.clear()
    run(bench, 3, 2.0)
    assert bench.presences == []
    bench.advance(61.0)
    assert [said["backlog"] for said in bench.presences] == [LEAST]


def test_more_that_wait_than_would_be_taken_now_keep_out_nothing_that_is_ready() -> None:
    """What they wait for may come to nobody else: nothing would ever go on."""
    bench = bench_of()
    run(bench, 200, 0.02)
    bench.place(*(bench.new_job(data_ready=False) for _ in range(60)))
    run(bench, 3, 10.0)
    assert offered(bench) == (2 + LEAST, 0)


# What waits here has to wait for nobody


def test_a_manager_that_comes_later_gets_the_next_slots() -> None:
    bench = bench_of(slots=1)
    run(bench, 200, 0.01)
    bench.place(*(bench.new_job() for _ in range(60)))
    bench.place(bench.new_job(), bench.new_job(), manager="m2")
    (running,) = bench.runner.take_started()
    ran = []
    for _ in range(4):
        bench.advance(0.01)
        bench.end(running)
        (running,) = bench.runner.take_started()
        ran.append(bench.job(running).manager)
    assert ran.count("m2") == 2


def test_a_greater_priority_overtakes_all_that_waits_here() -> None:
    bench = bench_of(slots=1)
    run(bench, 200, 0.01)
    first, *_ = bench.place(*(bench.new_job() for _ in range(60)))
    (urgent,) = bench.place(bench.new_job(priority=9))
    bench.runner.take_started()
    bench.end(first)
    assert bench.runner.take_started() == [urgent]


def test_what_would_begin_late_goes_back_the_last_first() -> None:
    bench = bench_of()
    run(bench, 200, 0.01)
    jobs = bench.place(*(bench.new_job(priority=5 if number < 50 else 4) for number in range(100)))
    bench.advance(0.9)
    assert bench.outbox.take_all(JobDecline) == []
    bench.advance(60.0)
    declined = [each.job for each in bench.outbox.take_all(JobDecline)]
    kept = 2 + 2 * LEAST
    assert declined == jobs[: kept - 1 : -1]
    assert bench.states() == {"completed": 200, "running": 2, "queued": 2 * LEAST, "failed": 100 - kept}
    assert not bench.job(declined[0]).begun


def test_what_goes_back_is_anybodys_to_run() -> None:
    bench = bench_of()
    run(bench, 200, 0.01)
    bench.place(*(bench.new_job() for _ in range(100)))
    bench.advance(60.0)
    (declined, *_) = bench.outbox.take_all(JobDecline)
    assert (declined.final, declined.begun) == (False, False)
    assert "wait" in declined.reason


def test_the_manager_with_the_most_gives_way() -> None:
    bench = bench_of()
    run(bench, 200, 0.01)
    bench.place(*(bench.new_job() for _ in range(100)))
    few = bench.place(*(bench.new_job() for _ in range(3)), manager="m2")
    bench.advance(60.0)
    assert bench.outbox.take_all(JobDecline, "m2") == []
    assert all(bench.state(job) is JobState.QUEUED for job in few)


def test_jobs_taken_at_the_owners_wish_stay() -> None:
    bench = Bench(slots=1, backlog=100)
    bench.place(*(bench.new_job() for _ in range(100)))
    bench.advance(3600.0)
    assert bench.outbox.take_all(JobDecline) == []


def test_after_a_restart_nothing_goes_back_before_it_is_known_how_long_jobs_take() -> None:
    bench = bench_of()
    run(bench, 200, 0.01)
    bench.place(*(bench.new_job() for _ in range(100)))
    bench.restart()
    bench.advance(0.9)
    assert bench.outbox.take_all(JobDecline) == []


def test_places_for_short_jobs_are_offered_many_at_a_time() -> None:
    bench = bench_of()
    run(bench, 200, 0.02)
    jobs = bench.place(*(bench.new_job() for _ in range(2 + 64)))
    bench.want(ready=1000)
    for job in jobs[:19]:
        bench.advance(0.02)
        bench.end(job)
    assert bench.outbox.take_all(JobOffer) == []
    bench.advance(0.02)
    bench.end(jobs[19])
    assert bench.outbox.take(JobOffer).ready == 20


def test_one_job_that_takes_longer_than_the_others_sends_nothing_back() -> None:
    bench = bench_of()
    run(bench, 200, 0.01)
    _, *others = bench.place(*(bench.new_job() for _ in range(100)))
    for job in others[:40]:
        bench.advance(0.05)
        bench.end(job)
    assert bench.outbox.take_all(JobDecline) == []


# Jobs with files


def with_files(bench: Bench, count: int) -> list[Placement]:
    """Return jobs whose file lies elsewhere."""
    place = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
    value = object_value("m31.fits", Object("a" * 64, 5_000_000), "0" * 40)
    return [bench.new_job("take", inputs={"file": value}, places=(place,)) for _ in range(count)]


def test_jobs_whose_files_are_on_their_way_are_a_second_of_work_too() -> None:
    bench = bench_of(types=[job_type("upper"), job_type("take", {"file": "File"})])
    bench.store.objects.add(Object("b" * 64, 5), manager="m1", date=bench.date)
    here = {"file": object_value("b.txt", Object("b" * 64, 5), "0" * 40)}
    for _ in range(200):
        (job,) = bench.place(bench.new_job("take", inputs=here))
        bench.runner.take_started()
        bench.advance(0.02)
        bench.end(job)
    bench.settle()
    bench.outbox.sent.clear()
    said: dict[str, Any] = dict(bench.presences[-1])
    places = said["slots"] + said["backlog"] + LEAST
    bench.want("take", ready=1000)
    taken = 0
    while taken <= places and (offers := bench.outbox.take_all(JobOffer)):
        (offer,) = offers
        taken += offer.ready
        bench.accept(offer, *with_files(bench, offer.ready))
        bench.want("take", ready=1000)
    assert bench.states() == {"completed": 200, "staging": taken}
    assert places * ASK_BELOW <= taken <= places


def test_a_manager_is_offered_no_places_that_it_counts_for_jobs_whose_files_are_being_taken() -> None:
    bench = Bench(slots=1, backlog=1, pending=1, pending_most=1, managers={"m1": 1.0, "m2": 1.0})
    for job in bench.place(*(bench.new_job() for _ in range(2))):
        bench.call(lambda at, job=job: bench.reactor.on_news(JobCollecting(job, bench.date, bench.date), at))
    bench.outbox.sent.clear()
    bench.want(ready=10)
    assert bench.outbox.take(JobOffer).ready == 1
    bench.want(manager="m2", ready=10)
    assert bench.outbox.take(JobOffer, "m2").ready == 1
