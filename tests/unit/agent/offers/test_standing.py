"""Offers that stand: what is offered without a demand, to whom, and what comes of it."""

import pytest

from caroni_edge.agent.jobs.intake import NO_PLACE
from caroni_edge.agent.offers.room import ASK_BELOW
from caroni_edge.agent.offers.shares import Places
from caroni_edge.agent.offers.standing import STANDS_FOR_S
from caroni_edge.agent.offers.standing import _part as part
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobOffer, OfferReject
from tests.unit.agent.bench import Bench

LEAST = 4


@pytest.fixture
def bench() -> Bench:
    """An agent that has done short jobs of m1, and may keep more than the least of them."""
    bench = Bench(slots=2, backlog=LEAST, pending=LEAST, backlog_most=512, pending_most=512)
    for manager in ("m1", "m2"):
        bench.presence(manager, online=True)
    for _ in range(8):
        bench.want(ready=1)
        work(bench, bench.outbox.take(JobOffer))
        bench.want_nothing()
        bench.outbox.sent.clear()
    return bench


def work(bench: Bench, offer: JobOffer, manager: str = "m1", lasts_s: float = 0.01) -> None:
    """Let a job come for an offer, and be done."""
    job = bench.new_job(offer.job_type)
    bench.accept(offer, job, manager=manager)
    bench.outbox.take(JobAccepted, manager)
    bench.runner.take_started()
    bench.advance(lasts_s)
    bench.end(job.job)


def stood(bench: Bench, manager: str = "m1") -> JobOffer:
    """Let a demand come and go for which this agent does a job; return what stands then."""
    bench.want(manager=manager, ready=1)
    work(bench, bench.outbox.take(JobOffer, manager), manager)
    bench.outbox.sent.clear()
    bench.want_nothing(manager=manager)
    return bench.outbox.take(JobOffer, manager)


def offers(bench: Bench) -> list[tuple[str, JobOffer]]:
    """Return what was offered, and to whom, and forget it."""
    found = [(peer, said) for peer, said in bench.outbox.sent if isinstance(said, JobOffer)]
    bench.outbox.sent.clear()
    return found


def test_what_is_free_is_offered_when_a_demand_is_over(bench: Bench) -> None:
    offer = stood(bench)
    assert (offer.stands, offer.valid_for) == (True, STANDS_FOR_S)
    assert offer.ready > 2
    assert offer.waiting >= LEAST


def test_what_is_free_is_offered_when_all_that_is_demanded_has_come(bench: Bench) -> None:
    bench.want(ready=1)
    bench.accept(bench.outbox.take(JobOffer), bench.new_job())
    assert bench.outbox.take(JobOffer).stands


def test_it_reserves_nothing(bench: Bench) -> None:
    stood(bench)
    bench.want(manager="m2", ready=1000, waiting=1000)
    assert bench.outbox.take(JobOffer, "m2").ready == 2 + int(str(bench.presences[-1]["backlog"]))


def test_what_is_left_is_offered_again_with_each_acceptance(bench: Bench) -> None:
    offer = stood(bench)
    bench.accept(offer, bench.new_job())
    assert bench.outbox.take(JobAccepted)
    again = bench.outbox.take(JobOffer)
    assert again.stands
    assert again.offer != offer.offer
    assert again.ready == offer.ready - 1


def test_a_job_for_which_there_is_no_room_any_more_is_declined(bench: Bench) -> None:
    offer = stood(bench)
    bench.want(manager="m2", ready=1000)
    taken = bench.outbox.take(JobOffer, "m2")
    bench.accept(taken, *(bench.new_job() for _ in range(taken.ready)), manager="m2")
    bench.outbox.sent.clear()
    bench.accept(offer, bench.new_job())
    declined = bench.outbox.take(JobDecline)
    assert (declined.reason, declined.final) == (NO_PLACE, False)


def test_without_room_it_is_offered_when_there_is_some(bench: Bench) -> None:
    stood(bench)
    bench.want(manager="m2", ready=1000)
    taken = bench.outbox.take(JobOffer, "m2")
    jobs = [bench.new_job() for _ in range(taken.ready)]
    bench.accept(taken, *jobs, manager="m2")
    bench.want_nothing(manager="m2")
    assert offers(bench) == []
    bench.end(jobs[0].job)
    assert {(peer, offer.stands) for peer, offer in offers(bench)} == {("m2", True)}


def test_while_somebody_has_use_for_more_than_there_is_none_is_made(bench: Bench) -> None:
    offer = stood(bench)
    bench.want(manager="m2", ready=1000)
    reserved = bench.outbox.take(JobOffer, "m2")
    bench.accept(offer, bench.new_job())
    assert offers(bench) == []
    bench.send(OfferReject(offer=reserved.offer), manager="m2")
    bench.want_nothing(manager="m2")
    assert {(peer, offer.stands) for peer, offer in offers(bench)} == {("m1", True)}


def test_who_has_done_nothing_of_a_demand_says_nothing_when_it_is_over(bench: Bench) -> None:
    bench.want(ready=1)
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
    bench.want_nothing()
    assert offers(bench) == []


def test_a_manager_that_is_away_is_told_nothing(bench: Bench) -> None:
    offer = stood(bench)
    bench.presence(online=False)
    bench.accept(offer, bench.new_job())
    assert offers(bench) == []


def test_no_offer_stands_for_long_jobs() -> None:
    bench = Bench(slots=2, backlog=LEAST, pending=LEAST, backlog_most=512, pending_most=512)
    bench.presence(online=True)
    for _ in range(20):
        bench.want(ready=1)
        work(bench, bench.outbox.take(JobOffer), lasts_s=5.0)
        bench.outbox.sent.clear()
        bench.want_nothing()
        assert offers(bench) == []


def test_none_is_made_by_an_agent_that_is_drained_or_serves_that_manager_no_more(bench: Bench) -> None:
    bench.want(ready=1)
    offer = bench.outbox.take(JobOffer)
    bench.reactor.drain(on=True)
    bench.accept(offer, bench.new_job())
    bench.want_nothing()
    assert offers(bench) == []
    bench.reactor.drain(on=False)
    bench.reload(managers={"m2": 1.0})
    bench.settle()
    assert offers(bench) == []


def test_places_of_one_type_are_offered_for_no_other() -> None:
    """A job of the other would be declined, and offered for, and placed, and declined."""
    places = Places(0, {"upper": 3}, 5)
    assert [part(places, job_type, kinds=2) for job_type in ("upper", "lower")] == [2, 0]


def test_each_of_several_types_may_have_the_last_place() -> None:
    assert [part(Places(1), job_type, kinds=3) for job_type in ("upper", "lower", "other")] == [1, 1, 1]


def test_none_is_made_beside_an_offer_that_is_not_answered(bench: Bench) -> None:
    """The manager would take it in the place of that one, and its places would be kept in vain."""
    offer = stood(bench)
    bench.want(ready=5)
    answering = bench.outbox.take(JobOffer)
    bench.accept(offer, bench.new_job())
    assert offers(bench) == []
    bench.accept(answering, *(bench.new_job() for _ in range(5)))
    assert {(peer, offer.stands) for peer, offer in offers(bench)} == {("m1", True)}


def test_none_is_made_for_the_few_places_beside_a_demand_that_can_wait(bench: Bench) -> None:
    """Else each job that ends would be offered for by itself, as long as there are more of them than places."""
    stood(bench)
    bench.want(ready=1000)
    answering = bench.outbox.take(JobOffer)
    jobs = [bench.new_job() for _ in range(answering.ready)]
    bench.accept(answering, *jobs)
    bench.outbox.sent.clear()
    ended = 0
    while not (made := offers(bench)):
        bench.advance(0.001)
        bench.end(jobs[ended].job)
        ended += 1
    assert ended >= (1 - ASK_BELOW) * len(jobs) - 2  # those that run are not counted
    assert {(peer, offer.stands) for peer, offer in made} == {("m1", False)}
