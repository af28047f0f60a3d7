"""Slot-time: counted by minute as jobs end, for a day; and what was not taken, of which the newest stays."""

from caroni_edge.agent.jobs.slottime import KEPT_MINUTES, minutes
from caroni_edge.agent.offers.refusals import PAUSED
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.agent.store.slottime import ManagerTime, Minute, MinuteOf
from caroni_edge.agent.store.turnedaway import TurnedAway
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.messages import OfferAccept
from tests.unit.agent.bench import COMPLETED, Bench

EVER = 1 << 40


def test_a_span_is_cut_at_the_minutes_of_the_calendar() -> None:
    assert list(minutes(90.0, 200.0)) == [Minute(1, 30.0), Minute(2, 60.0), Minute(3, 20.0)]
    assert list(minutes(60.0, 61.0)) == [Minute(1, 1.0)]
    assert list(minutes(5.0, 5.0)) == list(minutes(9.0, 5.0)) == []


def test_no_more_than_a_day_is_looked_at_whatever_the_clock_says() -> None:
    found = list(minutes(0.0, 1e9))
    assert len(found) in {KEPT_MINUTES, KEPT_MINUTES + 1}
    assert sum(each.busy_s for each in found) == KEPT_MINUTES * 60.0


def test_what_a_job_has_held_is_counted_when_it_ends_even_over_a_restart() -> None:
    bench = Bench(slots=2)
    one, two = bench.place(bench.new_job()), bench.place(bench.new_job(), manager="m2")
    bench.advance(90.0)
    bench.end(one[0])
    bench.restart()
    bench.advance(30.0)
    bench.end(two[0])
    assert bench.store.slot_time.by_manager(0, EVER) == [ManagerTime("m1", 90.0), ManagerTime("m2", 120.0)]
    assert sum(each.busy_s for each in bench.store.slot_time.by_minute(0, EVER)) == 210.0


def test_a_repeated_end_counts_once() -> None:
    bench = Bench()
    (job,) = bench.place(bench.new_job())
    bench.advance(10.0)
    bench.end(job)
    bench.end(job)
    assert bench.store.slot_time.by_manager(0, EVER) == [ManagerTime("m1", 10.0)]


def test_a_day_is_kept() -> None:
    rows = Bench().store.slot_time
    for minute in (1000, 1001, 1001 + KEPT_MINUTES):
        rows.add([MinuteOf("m1", minute, 60.0)])
    assert [each.minute for each in rows.by_minute(0, EVER)] == [1001, 1001 + KEPT_MINUTES]


def test_minutes_of_a_clock_that_was_far_ahead_go_when_it_is_right_again() -> None:
    rows = Bench().store.slot_time
    for minute in (9_000_000, 1000):
        rows.add([MinuteOf("m1", minute, 60.0)])
    assert [each.minute for each in rows.by_minute(0, EVER)] == [1000]


def test_declined_jobs_and_refusals_that_begin_are_kept_with_their_reasons() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.place(bench.new_job())
    late = bench.new_job()
    bench.send(OfferAccept(offer="nooffer1", jobs=(late,)))
    (declined,) = bench.store.turned_away.latest(9)
    assert declined[1:6] == ("m1", late.job, "upper", "w1", late.step)
    assert "no room" in declined.reason
    bench.call(lambda _: bench.reactor.pause(on=True))
    bench.settle()
    newest, *older = bench.store.turned_away.latest(9)
    assert newest[1:] == ("", "", "", "", "", PAUSED)
    assert older == [declined]


def test_the_newest_200_are_kept() -> None:
    bench = Bench()
    for number in range(250):
        bench.store.turned_away.add(TurnedAway(float(number), "m1", "", "", "", "", "no"))
    kept = bench.store.turned_away.latest(1000)
    assert [kept[0].date, kept[-1].date, len(kept)] == [249.0, 50.0, 200]


def test_nothing_is_kept_of_a_manager_that_is_forgotten() -> None:
    bench = Bench()
    jobs = [bench.place(bench.new_job(), manager=manager)[0] for manager in ("m1", "m2")]
    bench.advance(10.0)
    for job in jobs:
        bench.end(job)
    for manager in ("m1", "m2"):
        bench.send(OfferAccept(offer="nooffer1", jobs=(bench.new_job("none"),)), manager=manager)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.store.slot_time.by_manager(0, EVER) == [ManagerTime("m2", 10.0)]
    assert [row.manager for row in bench.store.turned_away.latest(9)] == ["m2"]


def test_nor_of_one_that_is_forgotten_in_the_batch_in_which_its_job_ends() -> None:
    bench = Bench()
    (job,) = bench.place(bench.new_job())
    bench.advance(10.0)

    def end_and_forget(at: Moment) -> None:
        bench.reactor.on_news(JobEnded(job, COMPLETED, bench.date, 0), at)
        bench.reactor.forget_peer("m1", at)

    bench.call(end_and_forget)
    assert bench.store.slot_time.by_manager(0, EVER) == []


def test_what_ends_in_one_batch_is_written_once() -> None:
    bench = Bench(slots=2)
    jobs = [bench.place(bench.new_job())[0] for _ in range(2)]
    bench.advance(10.0)
    written: list[str] = []
    bench.database.conn.set_trace_callback(lambda sql: written.append(sql) if "INTO slot_time" in sql else None)

    def end_all(at: Moment) -> None:
        for job in jobs:
            bench.reactor.on_news(JobEnded(job, COMPLETED, bench.date, 0), at)

    bench.call(end_all)
    assert bench.store.slot_time.by_manager(0, EVER) == [ManagerTime("m1", 20.0)]
    assert {"'m1', 20.0" in sql for sql in written} == {True}  # and not 10 s, twice
