"""Offers that stand: a manager comes back to them when it has steps, and asks nobody."""

import pytest

from caroni_edge.agent.offers.standing import STANDS_FOR_S
from caroni_edge.manager.offers.placing import VALID_MAX_S
from caroni_edge.manager.workflows.attempts import AFTER_DECLINE_S
from caroni_edge.protocol.messages import JobAccepted, JobDecline, JobOffer, OfferAccept, OfferReject
from tests.unit.manager.bench import Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1")
    bench.connect()
    bench.demands()
    return bench


def stand(bench: Bench, agent: str = "a1", job_type: str = "upper", **facts: int) -> JobOffer:
    """Let an agent make an offer that stands, for which there is nothing yet."""
    offer = bench.make_offer(agent, job_type, stands=True, valid_for=STANDS_FOR_S, **facts)
    bench.send(offer, agent=agent)
    return offer


def placed(bench: Bench, offer: JobOffer, agent: str = "a1") -> list[str]:
    """Return the steps that an offer was taken for."""
    accepted = bench.outbox.take(OfferAccept, agent)
    assert accepted.offer == offer.offer
    return [f"{job.workflow}/{job.step}" for job in accepted.jobs]


def test_it_is_not_rejected(bench: Bench) -> None:
    stand(bench)
    bench.outbox.nothing_else()


def test_steps_take_its_places_at_once_and_nobody_is_asked(bench: Bench) -> None:
    offer = stand(bench, ready=2)
    bench.start("one", "w1")
    assert placed(bench, offer) == ["w1/a"]
    bench.start("one", "w2")
    assert placed(bench, offer) == ["w2/a"]
    assert not any(bench.demands().values())
    bench.advance(1.0)
    bench.start("one", "w3")
    assert bench.demands().keys() == {"upper"}
    assert bench.rows("SELECT * FROM offers") == []


def test_steps_whose_inputs_are_to_come_go_with_those_that_give_them(bench: Bench) -> None:
    lower, upper = stand(bench, job_type="lower", waiting=1, ready=1), stand(bench, waiting=1, ready=1)
    bench.start("chain")
    accepts = [said for _, said in bench.outbox.sent if isinstance(said, OfferAccept)]
    assert {accept.offer for accept in accepts} == {lower.offer, upper.offer}
    placed = {job.step: job for accept in accepts for job in accept.jobs}
    assert placed["b"].inputs_from == {"text": (placed["a"].job, "out", "string")}


def test_one_that_is_newer_takes_its_place(bench: Bench) -> None:
    stand(bench)
    newer = stand(bench)
    bench.start()
    assert placed(bench, newer) == ["w1/a"]


def test_it_counts_for_as_long_as_it_is_valid(bench: Bench) -> None:
    stand(bench)
    bench.advance(VALID_MAX_S + 1)
    bench.start()
    assert not any(isinstance(said, OfferAccept | OfferReject) for _, said in bench.outbox.sent)
    assert bench.rows("SELECT * FROM offers") == []


def test_it_does_not_count_while_its_agent_is_away(bench: Bench) -> None:
    offer = stand(bench)
    bench.presence("a1", online=False)
    bench.start()
    assert bench.demands().keys() == {"upper"}
    bench.presence("a1")
    bench.start("one", "w2")
    assert placed(bench, offer) == ["w1/a"]


def test_it_is_void_when_its_agent_may_have_lost_something(bench: Bench) -> None:
    stand(bench)
    bench.reset("a1")
    assert bench.rows("SELECT * FROM offers") == []


def test_after_a_decline_none_of_its_agent_counts_and_others_are_asked(bench: Bench) -> None:
    stand(bench, ready=2)
    bench.start()
    (job,) = bench.outbox.take(OfferAccept).jobs
    bench.send(JobDecline(job=job.job, reason="no room"))
    bench.advance(AFTER_DECLINE_S)
    bench.outbox.nothing_else()
    assert bench.demands()["upper"] is not None
    assert (bench.step("a")["attempt"], bench.step("a")["tries"]) == (0, 0)


def test_a_job_does_not_go_to_and_fro_between_us_and_an_agent_that_has_no_room(bench: Bench) -> None:
    stand(bench)
    bench.start()
    (job,) = bench.outbox.take(OfferAccept).jobs
    bench.send(JobDecline(job=job.job, reason="no room"), bench.make_offer(stands=True, valid_for=STANDS_FOR_S))
    bench.outbox.nothing_else()


def test_those_of_agents_that_only_say_that_they_serve_a_type_do_not_count(bench: Bench) -> None:
    stand(bench, agent="a9")
    bench.start()
    assert bench.demands().keys() == {"upper"}
    assert not any(isinstance(said, OfferAccept | JobAccepted) for _, said in bench.outbox.sent)


def test_it_takes_no_offer_away_that_is_to_be_answered(bench: Bench) -> None:
    bench.start()
    offer = bench.make_offer()
    bench.send(offer, bench.make_offer(stands=True, valid_for=STANDS_FOR_S))
    assert placed(bench, offer) == ["w1/a"]
