"""What the agent offers, to whom, and what becomes of it."""

import pytest

from caroni_edge.agent.offers.offers import VALID_FOR_S
from caroni_edge.agent.offers.open import AGAIN
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusUpdate,
    OfferReject,
)
from caroni_edge.protocol.topics import PresenceOf
from tests.unit.agent.bench import COMPLETED, Bench, job_type


def places(offer: JobOffer) -> tuple[int, int]:
    return offer.ready, offer.waiting


def test_demand_is_offered_what_is_free_and_never_more_than_it_wants() -> None:
    bench = Bench(slots=2, backlog=2, pending=2)
    serial = bench.want(ready=500, waiting=1)
    offer = bench.outbox.take(JobOffer)
    assert places(offer) == (4, 1)
    assert (offer.job_type, offer.serial, offer.repeat, offer.valid_for) == ("upper", serial, True, 10.0)
    assert offer.database == bench.store.facts.database()
    bench.outbox.nothing_else()


def test_demand_for_other_types_and_of_managers_not_served_gets_no_offer() -> None:
    bench = Bench(managers={"m1": 1.0})
    bench.want("unknown", ready=1)
    bench.want(manager="m2", ready=1)
    bench.outbox.nothing_else()
    assert bench.reactor.presence()["refuses"] == {"m2": "the agent's configuration does not name it under managers"}


def test_one_offer_is_open_for_each_manager_and_type() -> None:
    bench = Bench(slots=4)
    bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.want(ready=3)
    bench.outbox.nothing_else()
    bench.want("lower", ready=1)
    assert places(bench.outbox.take(JobOffer)) == (1, 0)
    bench.outbox.nothing_else()


def test_what_is_left_after_the_last_message_is_free_at_once() -> None:
    bench = Bench(slots=4, backlog=0)
    bench.want(ready=10)
    offer = bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=10)
    bench.outbox.nothing_else()
    bench.accept(offer, bench.new_job(), last=False)
    bench.outbox.take(JobAccepted)
    bench.outbox.take(JobStatusUpdate)
    bench.outbox.nothing_else()
    bench.accept(offer, bench.new_job())
    assert places(bench.outbox.take(JobOffer, "m2")) == (2, 0)


def test_a_rejected_offer_is_made_again_when_the_demand_changes() -> None:
    bench = Bench()
    bench.want(ready=1)
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
    bench.outbox.nothing_else()
    bench.want(ready=2)
    assert places(bench.outbox.take(JobOffer)) == (2, 0)


def test_a_demand_that_stands_is_offered_for_again_after_ten_seconds_then_twice_as_long() -> None:
    bench = Bench()
    bench.want(ready=1)
    waits = []
    for _ in range(8):
        bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
        asked_at = bench.now
        while not bench.outbox.sent:
            bench.advance(1.0)
        waits.append(round(bench.now - asked_at))
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


def test_an_offer_that_was_filled_is_followed_by_one_for_the_rest() -> None:
    bench = Bench(slots=2, backlog=2, pending=0)
    bench.want(ready=6)
    bench.accept(bench.outbox.take(JobOffer), *(bench.new_job() for _ in range(4)))
    jobs = bench.outbox.take(JobAccepted).jobs
    bench.outbox.take_all(JobStatusUpdate)
    bench.outbox.nothing_else()
    bench.end(jobs[0])
    assert places(bench.outbox.take(JobOffer)) == (1, 0)
    bench.end(jobs[1])
    bench.outbox.take_all(JobStatusUpdate)
    bench.outbox.nothing_else()


def test_no_more_is_offered_than_is_left_of_the_demand() -> None:
    bench = Bench(slots=2, backlog=2, pending=2)
    bench.want(ready=5, waiting=3)
    waiting = [bench.new_job(ready=False), bench.new_job(ready=False)]
    bench.accept(bench.outbox.take(JobOffer), *(bench.new_job() for _ in range(4)), *waiting)
    jobs = bench.outbox.take(JobAccepted).jobs
    bench.outbox.take_all(JobStatusUpdate)

    def free_some(at: Moment) -> None:
        for job in jobs[:2]:
            bench.reactor.on_news(JobEnded(job, COMPLETED, at.date), at)
        for each in waiting:
            bench.reactor.on_message("m1", JobKill(job=each.job, reason=""), at)

    bench.call(free_some)
    assert places(bench.outbox.take(JobOffer)) == (1, 1)


def test_an_offer_that_was_not_filled_waits_for_the_demand_to_change() -> None:
    bench = Bench()
    bench.want(ready=4)
    bench.accept(bench.outbox.take(JobOffer), bench.new_job())
    bench.outbox.take(JobAccepted)
    bench.outbox.take_all(JobStatusUpdate)
    bench.outbox.nothing_else()
    bench.advance(AGAIN.first_s)
    bench.outbox.take(JobOffer)


def test_a_reservation_runs_out_on_the_agents_clock() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=1)
    bench.advance(VALID_FOR_S - 0.5)
    bench.outbox.nothing_else()
    bench.advance(0.5)
    assert places(bench.outbox.take(JobOffer, "m2")) == (1, 0)
    bench.outbox.nothing_else()


def test_an_offer_to_who_is_away_reserves_nothing_and_is_made_once() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.presence(online=False)
    bench.want(ready=1)
    away = bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=1)
    offer = bench.outbox.take(JobOffer, "m2")
    bench.send(OfferReject(offer=offer.offer), manager="m2")
    bench.want_nothing(manager="m2")
    bench.advance(7 * 86400.0)
    bench.outbox.nothing_else()
    job = bench.new_job()
    bench.accept(away, job)
    assert bench.outbox.take(JobAccepted).jobs == (job.job,)
    assert bench.runner.take_started() == [job.job]


def test_a_manager_said_to_be_away_that_still_speaks_is_offered_to_again() -> None:
    bench = Bench()
    bench.presence(online=False)
    serial = bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.advance(60.0)
    bench.outbox.nothing_else()
    bench.want(ready=1, serial=serial)
    bench.outbox.take(JobOffer)


def test_who_let_the_last_offer_run_out_gets_no_reservation_until_it_answers() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.advance(VALID_FOR_S)
    bench.outbox.nothing_else()
    bench.advance(AGAIN.first_s)
    again = bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=1)
    bench.outbox.take(JobOffer, "m2")
    bench.send(OfferReject(offer=again.offer))
    bench.send(OfferReject(offer="nothing1"), manager="m2")
    bench.advance(VALID_FOR_S)
    bench.outbox.sent.clear()
    bench.want(ready=1)
    bench.outbox.take(JobOffer)
    bench.want(manager="m2", ready=1)
    bench.outbox.nothing_else()


def test_a_late_acceptance_is_taken_if_there_is_room() -> None:
    bench = Bench(slots=1, backlog=1, pending=1)
    bench.want(ready=2, waiting=1)
    offer = bench.outbox.take(JobOffer)
    bench.advance(VALID_FOR_S)
    jobs = [bench.new_job(), bench.new_job(), bench.new_job(), bench.new_job(ready=False)]
    bench.accept(offer, *jobs)
    assert bench.outbox.take(JobAccepted).jobs == (jobs[0].job, jobs[1].job, jobs[3].job)
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.final) == (jobs[2].job, False)


@pytest.mark.parametrize("ready", [True, False])
def test_a_late_acceptance_tells_nothing_of_what_is_left_of_the_demand(ready: bool) -> None:
    bench = Bench(slots=1, backlog=0, pending=1)
    bench.want(ready=3 if ready else 0, waiting=0 if ready else 3)
    offer = bench.outbox.take(JobOffer)
    bench.advance(VALID_FOR_S)
    job = bench.new_job(ready=ready)
    bench.accept(offer, job)
    bench.send(JobKill(job=job.job, reason=""))
    if ready:
        bench.end(job.job, Failed("killed"))
    assert bench.outbox.take_all(JobOffer) == []
    bench.advance(AGAIN.first_s)
    bench.outbox.take(JobOffer)


def test_a_late_acceptance_does_not_take_what_is_reserved_for_another() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=1)
    late = bench.outbox.take(JobOffer)
    bench.want_nothing()
    bench.advance(VALID_FOR_S)
    bench.want(manager="m2", ready=1)
    offer = bench.outbox.take(JobOffer, "m2")
    bench.accept(late, bench.new_job())
    assert not bench.outbox.take(JobDecline).final
    job = bench.new_job()
    bench.accept(offer, job, manager="m2")
    assert bench.outbox.take(JobAccepted, "m2").jobs == (job.job,)


def test_more_jobs_than_offered_are_taken_as_far_as_there_is_room() -> None:
    bench = Bench(slots=2, backlog=1)
    bench.want(ready=1)
    jobs = [bench.new_job() for _ in range(4)]
    bench.accept(bench.outbox.take(JobOffer), *jobs)
    assert bench.outbox.take(JobAccepted).jobs == tuple(job.job for job in jobs[:3])
    assert bench.outbox.take(JobDecline).job == jobs[3].job


def test_an_offered_place_is_filled_once() -> None:
    bench = Bench(slots=1, backlog=0, pending=1)
    bench.want(ready=1, waiting=1)
    offer = bench.outbox.take(JobOffer)
    jobs = [bench.new_job(), bench.new_job(), bench.new_job(ready=False), bench.new_job(ready=False)]
    bench.accept(offer, *jobs)
    assert bench.outbox.take(JobAccepted).jobs == (jobs[0].job, jobs[2].job)
    assert [declined.job for declined in bench.outbox.take_all(JobDecline)] == [jobs[1].job, jobs[3].job]


def test_waiting_jobs_and_ready_ones_do_not_keep_each_other_out() -> None:
    bench = Bench(slots=1, backlog=1, pending=2)
    waiting = [bench.new_job(ready=False), bench.new_job(ready=False)]
    bench.place(*waiting)
    bench.want(ready=5, waiting=5)
    assert places(bench.outbox.take(JobOffer)) == (2, 0)


def test_freed_places_are_offered_by_the_managers_shares() -> None:
    bench = Bench(slots=6, backlog=6, pending=6, managers={"m1": 2.0, "*": 1.0})
    with bench.database.immediate():
        bench.reactor.drain(on=True)
    bench.want(ready=50, waiting=50)
    bench.want(manager="m2", ready=50, waiting=50)
    bench.outbox.nothing_else()
    bench.call(lambda _: bench.reactor.drain(on=False))
    assert places(bench.outbox.take(JobOffer)) == (8, 4)
    assert places(bench.outbox.take(JobOffer, "m2")) == (4, 2)


def test_two_managers_alternate_on_one_place() -> None:
    bench = Bench(slots=1, backlog=0, pending=0)
    ran = []
    bench.want(ready=50)
    bench.want(manager="m2", ready=50)
    for _ in range(10):
        (manager, offer), *others = [(to, m) for to, m in bench.outbox.sent if isinstance(m, JobOffer)]
        assert not others
        bench.outbox.sent.clear()
        job = bench.new_job()
        bench.accept(offer, job, manager=manager)
        ran.append(manager)
        bench.advance(1.0)
        bench.end(job.job)
    assert sorted(ran) == ["m1"] * 5 + ["m2"] * 5


def test_only_counts_what_is_not_bound_to_others() -> None:
    bench = Bench(slots=8)
    bench.want(ready=3, only={"a7": 2})
    assert places(bench.outbox.take(JobOffer)) == (1, 0)
    bench.want("lower", ready=2, only={"a7": 2})
    bench.outbox.nothing_else()
    bench.want("lower", ready=2, only={"a1": 2})
    assert places(bench.outbox.take(JobOffer)) == (2, 0)


def test_work_may_be_bound_to_one_of_several_agents() -> None:
    bench = Bench()
    bench.want(ready=3, only={"a1,a7": 1, "a7,a8": 2})
    assert bench.outbox.take(JobOffer).ready == 1


def test_work_may_be_bound_to_agents_with_certain_labels() -> None:
    bench = Bench(labels={"site": "north", "gpu": "a100"})
    bench.want(ready=7, only={"gpu=a100,site=north": 1, "site=north": 2, "site=south": 3, "gpu=a100,site=south": 1})
    offer = bench.outbox.take(JobOffer)
    assert (offer.ready, offer.labels) == (3, {"site": "north", "gpu": "a100"})
    assert bench.reactor.presence()["labels"] == {"site": "north", "gpu": "a100"}


def test_only_never_hides_ready_work_behind_waiting_work_of_others() -> None:
    bench = Bench(slots=8, pending=8)
    bench.want(ready=3, waiting=3, only={"a7": 3})
    assert places(bench.outbox.take(JobOffer)) == (3, 3)


def test_a_spread_delays_the_offer_and_demand_that_has_gone_gets_none() -> None:
    bench = Bench()
    bench.want(ready=1, spread=10.0)
    bench.want("lower", ready=1, spread=10.0)
    bench.outbox.nothing_else()
    bench.want_nothing("lower")
    bench.advance(10.0)
    assert bench.outbox.take(JobOffer).job_type == "upper"
    bench.outbox.nothing_else()


def test_a_demand_that_is_said_again_or_changes_waits_no_longer() -> None:
    bench = Bench()

    def due() -> float:
        demand = bench.store.demands.get("m1", "upper")
        assert demand is not None
        return demand.offer_due

    serial = bench.want(ready=1, spread=10.0)
    first = due()
    assert bench.now < first <= bench.now + 10.0
    bench.want(ready=2, spread=1000.0)
    assert due() == first, "it waits already"
    bench.advance(10.0)
    bench.outbox.take(JobOffer)
    bench.advance(VALID_FOR_S + 1)
    bench.want(ready=2, spread=1000.0, serial=serial + 1)
    assert due() == first, "it is the same demand"


def test_a_new_demand_waits_for_its_own_time_though_the_last_one_was_due_just_now() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.place(bench.new_job(), manager="m2")
    bench.want(ready=1)
    bench.want(ready=2, spread=10.0)
    demand = bench.store.demands.get("m1", "upper")
    assert demand is not None
    assert demand.offer_due > bench.now


def test_of_two_job_types_the_one_with_less_here_is_offered() -> None:
    bench = Bench(slots=2, backlog=0, pending=0)
    bench.place(bench.new_job("lower"))
    bench.reactor.drain(on=True)
    bench.want("lower", ready=1)
    bench.want("upper", ready=1)
    bench.outbox.sent.clear()
    bench.call(lambda _at: bench.reactor.drain(on=False))
    assert bench.outbox.take(JobOffer).job_type == "upper"
    bench.outbox.nothing_else()


def test_a_spread_does_not_slow_down_who_has_just_got_jobs() -> None:
    bench = Bench(slots=4)
    bench.want(ready=1)
    bench.accept(bench.outbox.take(JobOffer), bench.new_job())
    bench.outbox.sent.clear()
    bench.want(ready=1, spread=1000.0)
    bench.outbox.take(JobOffer)


def test_the_expected_start_is_estimated() -> None:
    bench = Bench(slots=1, backlog=4)
    job = bench.new_job()
    bench.place(job)
    bench.advance(8.0)
    bench.end(job.job)
    bench.outbox.sent.clear()
    bench.want(ready=1)
    assert bench.outbox.take(JobOffer).expected_start == 0.0
    bench.place(bench.new_job(), bench.new_job())
    bench.want("lower", ready=1)
    assert bench.outbox.take(JobOffer).expected_start > 0.0


def test_job_types_that_must_not_be_repeated_are_offered_so() -> None:
    bench = Bench(types=[job_type("upper", repeat=False)])
    bench.want(ready=1)
    assert not bench.outbox.take(JobOffer).repeat


def test_one_place_goes_by_weight_too() -> None:
    bench = Bench(slots=1, backlog=0, pending=0, managers={"m1": 2.0, "*": 1.0})
    ran = []
    bench.want(ready=90)
    bench.want(manager="m2", ready=90)
    for _ in range(30):
        ((manager, offer),) = [(to, message) for to, message in bench.outbox.sent if isinstance(message, JobOffer)]
        bench.outbox.sent.clear()
        job = bench.new_job()
        bench.accept(offer, job, manager=manager)
        ran.append(manager)
        bench.advance(1.0)
        bench.end(job.job)
    assert ran.count("m1") in (19, 20, 21)


def test_a_manager_that_takes_no_offer_gains_no_credit_by_its_demand() -> None:
    bench = Bench(slots=1, backlog=4, pending=0)
    bench.want(manager="m2", ready=50)
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer, "m2").offer), manager="m2")
    for _ in range(50):
        job = bench.new_job()
        bench.place(job)
        bench.advance(1.0)
        bench.end(job.job)
    bench.place(*(bench.new_job() for _ in range(3)))
    bench.place(*(bench.new_job() for _ in range(2)), manager="m2")
    bench.runner.take_started()
    ran = []
    for _ in range(5):
        (job_name,) = [job.job for job in bench.store.jobs.running()]
        ran.append(bench.job(job_name).manager)
        bench.advance(1.0)
        bench.end(job_name)
    assert ran == ["m1", "m2", "m1", "m2", "m1"]


def test_jobs_whose_data_has_come_keep_their_places_while_the_queue_is_full() -> None:
    bench = Bench(slots=1, backlog=0, pending=2)
    bench.place(bench.new_job())
    waiting = [bench.new_job(ready=False), bench.new_job(ready=False)]
    bench.place(*waiting)
    bench.outbox.sent.clear()
    bench.want(ready=5, waiting=5)
    for job in waiting:
        bench.send(JobDataReady(job=job.job, inputs={"message": "x"}))
    bench.outbox.nothing_else()
    bench.end(bench.runner.started[0].job)
    assert places(bench.outbox.take(JobOffer)) == (0, 1)


def test_demand_from_before_a_reconnect_counts_no_more() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.want(ready=5)
    bench.outbox.take(JobOffer)
    bench.call(lambda at: bench.reactor.on_connected(at, session_present=True))
    bench.advance(60)
    bench.outbox.nothing_else()
    bench.want(ready=1)
    assert places(bench.outbox.take(JobOffer)) == (1, 0)


def test_whose_presence_was_cleared_may_be_there() -> None:
    bench = Bench(slots=1, backlog=0)
    bench.presence("m1", online=False)
    bench.want(ready=1)
    bench.advance(VALID_FOR_S + 1)
    assert [each.online for each in bench.store.demands.of_manager("m1")] == [False]
    bench.notice(PresenceOf("managers", "m1"), b"")
    assert [each.online for each in bench.store.demands.of_manager("m1")] == [None]
