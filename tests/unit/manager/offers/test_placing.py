"""Demand goes out, offers come in, jobs are placed."""

import msgspec
import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.base.states import advance
from caroni_edge.manager.lifecycle import OFFER, OfferEvent, OfferState, StepState
from caroni_edge.manager.offers import demand
from caroni_edge.manager.offers.placing import ACCEPT_OVERHEAD_BYTES, OTHERS_FIRST_S
from caroni_edge.manager.offers.placing import _parts as parts
from caroni_edge.protocol.codec import MESSAGE_LIMIT_BYTES, TOGETHER_LIMIT_BYTES, encode_message
from caroni_edge.protocol.messages import (
    JobAccepted,
    JobDecline,
    JobFulfillmentRequest,
    OfferAccept,
    OfferReject,
    Placement,
)
from caroni_edge.protocol.reconciling import JobsHere
from caroni_edge.protocol.triggers import Trigger
from tests.unit.manager.bench import Bench, given, out, plan, step


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence("a1")
    bench.connect()
    bench.demands()
    return bench


def request(bench: Bench, job_type: str = "upper") -> JobFulfillmentRequest:
    """Take the demand that must have been said."""
    said = bench.demands()
    assert set(said) == {job_type}
    found = said[job_type]
    assert found is not None
    return found


# Demand


def test_demand_is_said_at_once_when_it_appears(bench: Bench) -> None:
    bench.start("chain", priority=7)
    said = bench.demands()
    assert said["upper"] == JobFulfillmentRequest(serial=1, ready=1, waiting=1, priority=7)
    assert said["lower"] == JobFulfillmentRequest(serial=1, ready=0, waiting=1, priority=7)


def test_many_steps_are_one_demand(bench: Bench) -> None:
    def start_many(at: Moment) -> None:
        for number in range(500):
            bench.reactor.start_workflow(Trigger(template="one", inputs={"message": "x"}, id=f"w{number}"), at)

    bench.call(start_many)
    assert request(bench).ready == 500


def test_a_great_demand_is_said_as_a_thousand(bench: Bench) -> None:
    def start_many(at: Moment) -> None:
        for number in range(1001):
            bench.reactor.start_workflow(Trigger(template="one", inputs={"message": "x"}, id=f"w{number}"), at)

    bench.call(start_many)
    assert request(bench).ready == 1000


def test_a_demand_that_changes_is_said_ten_times_a_second(bench: Bench) -> None:
    bench.start("one", "w0")
    first = request(bench)
    for number in range(1, 10):
        bench.advance(0.01)
        bench.start("one", f"w{number}")
    assert bench.demands() == {}
    bench.advance(0.011)
    second = request(bench)
    assert (second.ready, second.serial) == (10, first.serial + 1)
    bench.advance(59)
    assert bench.demands() == {}


def test_a_demand_that_stands_is_said_every_minute(bench: Bench) -> None:
    bench.start("one")
    first = request(bench)
    for _ in range(3):
        bench.advance(59)
        assert bench.demands() == {}
        bench.advance(1)
        assert request(bench) == first


def test_a_demand_that_stands_is_said_to_agents_that_have_come(bench: Bench) -> None:
    """A broker may keep from them what is retained; many that come at once are told once."""
    bench.start("one")
    first = request(bench)
    bench.advance(0.5)
    for agent in ("a2", "a3"):
        bench.presence(agent, types=["upper"])
    assert bench.demands() == {}
    bench.advance(0.5)
    assert request(bench) == first
    bench.presence("a2", types=["upper"])
    bench.advance(59)
    assert bench.demands() == {}, "it served upper before"


def test_after_a_connect_each_agent_is_told_the_demand_once(bench: Bench) -> None:
    """It may have connected after the demand was said."""
    bench.start("one")
    first = request(bench)
    bench.connect()
    assert request(bench) == first
    bench.advance(5)
    for _ in range(2):
        bench.presence("a1")
    assert request(bench) == first
    bench.presence("a1")
    bench.advance(59)
    assert bench.demands() == {}


def test_a_demand_that_is_gone_is_cleared(bench: Bench) -> None:
    bench.start("one")
    bench.demands()
    bench.place()
    assert bench.demands() == {}
    bench.advance(0.1)
    assert bench.demands() == {"upper": None}
    bench.advance(600)
    assert bench.demands() == {}


def test_the_demand_for_a_step_that_has_failed_is_cleared() -> None:
    made = plan("misfit", step("a", "upper", text=given("message")), step("b", "lower", number=("int", out("a"))))
    bench = Bench(made)
    bench.presence()
    bench.start("misfit")
    job = bench.place()
    bench.advance(1)
    assert bench.demands()["lower"] is not None
    bench.complete(job, out="no number")
    assert bench.state("b") is StepState.FAILED
    assert bench.demands()["lower"] is None


def test_a_demand_that_appears_again_is_said_at_once_with_a_new_serial(bench: Bench) -> None:
    """As many steps as before are other steps: an agent must not take them for those that it has."""
    bench.start("one", "w1")
    first = request(bench)
    bench.place()
    bench.start("one", "w2")
    second = request(bench)
    assert second.ready == first.ready
    assert second.serial > first.serial


def test_steps_that_take_the_place_of_others_get_a_new_serial(bench: Bench) -> None:
    bench.start("one", "w1")
    bench.start("one", "w2")
    bench.advance(0.1)
    first = bench.demands()["upper"]
    bench.place()
    bench.start("one", "w3")
    bench.advance(0.1)
    second = request(bench)
    assert first is not None
    assert (second.ready, second.serial) == (first.ready, first.serial + 1)


def test_a_demand_that_is_as_great_as_before_is_not_said_again(bench: Bench) -> None:
    bench.start("one", "w1")
    bench.demands()
    bench.advance(1)

    def exchange(at: Moment) -> None:
        bench.reactor.cancel("w1", at)
        bench.reactor.start_workflow(Trigger(template="one", inputs={"message": "x"}, id="w2"), at)

    bench.call(exchange)
    assert bench.demands() == {}


def test_all_demand_is_said_again_at_a_connect_the_empty_ones_too(bench: Bench) -> None:
    bench.start("chain")
    job = bench.place()
    bench.complete(job)
    bench.complete(bench.place(job_type="lower"))
    bench.advance(1)
    bench.demands()
    for _ in range(2):
        bench.advance(10)
        bench.connect()
        said = bench.demands()
        assert said["lower"] is None
        assert said["upper"] is not None
    bench.restart()
    bench.connect()
    assert set(bench.demands()) == {"upper", "lower"}


def test_serials_go_on_after_a_restart(bench: Bench) -> None:
    bench.start("one")
    first = request(bench)
    bench.restart()
    bench.start("one", "w2")
    bench.advance(0.1)
    second = request(bench)
    assert second.serial > first.serial


def test_a_demand_that_could_not_be_said_before_a_crash_is_said_after_it(bench: Bench) -> None:
    bench.start("one")
    bench.database.conn.execute("DELETE FROM demands")
    bench.restart()
    bench.connect()
    assert request(bench).ready == 1


def test_demand_waits_for_the_end_of_a_delay(bench: Bench) -> None:
    bench.start("one")
    bench.fail(bench.place())
    bench.advance(0.5)
    assert bench.demands() == {"upper": None}
    bench.advance(0.5)
    assert request(bench).ready == 1


def test_an_agent_that_stops_serving_makes_way_for_those_where_the_step_has_failed(bench: Bench) -> None:
    """They were told no, and ask again only when the demand has another serial."""
    bench.presence("a2", types=["upper"])
    bench.start("one")
    bench.fail(bench.place("a1"))
    bench.advance(1)
    first = bench.demands()["upper"]
    bench.offer("a1")
    bench.outbox.take(OfferReject)
    bench.advance(1)
    bench.presence("a2", online=False)
    second = request(bench)
    assert first is not None
    assert (second.ready, second.serial) == (1, first.serial + 1)
    assert bench.place("a1")


def test_an_agent_that_never_offers_does_not_hold_up_a_step_that_has_failed_elsewhere(bench: Bench) -> None:
    """Its presence says that it serves the job type, and is all that it says."""
    bench.presence("a2", types=["upper"])
    bench.start("one")
    bench.fail(bench.place("a1"))
    bench.advance(1)
    bench.offer("a1")
    bench.advance(OTHERS_FIRST_S - 1)
    bench.offer("a1")
    assert len(bench.outbox.take_all(OfferReject)) == 2
    bench.advance(1)
    assert bench.place("a1")


def test_a_step_waits_anew_for_others_each_time_that_it_has_failed(bench: Bench) -> None:
    bench.presence("a2", types=["upper"])
    bench.start("one")
    bench.fail(bench.place("a1"))
    bench.advance(1)
    bench.offer("a1")
    bench.advance(OTHERS_FIRST_S)
    bench.fail(bench.place("a1"))
    bench.outbox.sent.clear()
    bench.advance(2)
    bench.offer("a1")
    bench.outbox.take(OfferReject)
    assert bench.place("a2")


def test_a_job_type_that_nobody_wants_is_not_spoken_of_when_its_agent_has_dropped_it(bench: Bench) -> None:
    """Whoever names other types in each presence must fill neither the table nor the broker."""
    bench.presence("a1", types=["upper", "unheard-of"])
    bench.presence("a1", types=["upper"])
    bench.settle()
    assert bench.demands() == {}
    assert "unheard-of" not in bench.store.demands.all()


def test_a_placement_that_was_rolled_back_never_was(bench: Bench) -> None:
    bench.start("one")
    bench.demands()
    bench.send(bench.make_offer(), commit=False)
    bench.outbox.sent.clear()
    bench.settle()
    assert bench.demands() == {}, "what was said before still holds"
    assert bench.state("a") is StepState.FULFILLING
    assert bench.place()


def test_a_crowd_of_agents_is_asked_to_spread_its_answers(bench: Bench) -> None:
    bench.start("one")
    assert request(bench).spread == 0.0
    for agents, spread_s in ((20, 0.0), (21, 0.021), (101, 0.101)):
        for number in range(1, agents):
            bench.presence(f"b{number}", types=["upper"])
        bench.advance(60)
        bench.demands()
        bench.advance(60)
        assert request(bench).spread == pytest.approx(spread_s)


# Offers


def test_an_offer_gets_the_best_steps_and_what_is_left_is_freed(bench: Bench) -> None:
    bench.start("one", "w1", priority=2)
    bench.start("one", "w2", priority=8)
    bench.start("one", "w3", priority=2)
    offer = bench.offer(ready=2)
    accept = bench.outbox.take(OfferAccept)
    assert (accept.offer, accept.last) == (offer, True)
    assert [(placed.workflow, placed.priority) for placed in accept.jobs] == [("w2", 8), ("w1", 2)]
    offer = bench.offer(ready=5)
    accept = bench.outbox.take(OfferAccept)
    assert [placed.workflow for placed in accept.jobs] == ["w3"]
    bench.outbox.nothing_else()


def test_an_offer_that_nobody_wants_is_rejected(bench: Bench) -> None:
    offer = bench.offer()
    assert bench.outbox.take(OfferReject).offer == offer
    bench.presence(types=["upper", "never-asked-for"])
    offer = bench.offer(job_type="never-asked-for")
    assert bench.outbox.take(OfferReject).offer == offer
    assert bench.rows("SELECT * FROM offers") == []


def test_a_demand_that_a_lost_database_has_left_at_the_broker_is_taken_back_when_agents_offer_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.presence(types=["of-before", "another"])
    bench.offer(job_type="of-before")
    assert bench.demands() == {"of-before": None}
    bench.offer(job_type="of-before")
    assert bench.demands() == {}, "once a connection"
    monkeypatch.setattr(demand, "SAID_MAX", 1)
    bench.offer(job_type="another")
    assert bench.demands() == {}, "no agent has it said of any number of types"


def test_each_job_has_a_name_of_its_own(bench: Bench) -> None:
    for number in range(20):
        bench.start("one", f"w{number}")
    placed = bench.place_all(ready=20)
    assert len({each.job for each in placed}) == 20


def test_offers_of_one_batch_are_served_as_they_came(bench: Bench) -> None:
    bench.presence("a2")
    for number in range(3):
        bench.start("one", f"w{number}")
    first, second = bench.make_offer("a1", ready=2), bench.make_offer("a2", ready=2)

    def both(at: Moment) -> None:
        bench.reactor.on_message("a1", first, at)
        bench.reactor.on_message("a2", second, at)

    bench.call(both)
    assert len(bench.outbox.take(OfferAccept).jobs) == 2
    accept = bench.outbox.take(OfferAccept, "a2")
    assert (accept.offer, len(accept.jobs)) == (second.offer, 1)
    bench.outbox.nothing_else()


def test_a_policy_may_leave_offers_out(bench: Bench) -> None:
    bench.start("one")
    first, second = bench.make_offer(job_type="lower"), bench.make_offer()
    bench.reactor._placing._policy = LastOnly()
    bench.send(first, second)
    assert bench.outbox.take(OfferAccept).offer == second.offer
    assert bench.outbox.take(OfferReject).offer == first.offer


class LastOnly:
    """Takes the last offer."""

    def order(self, offers: list) -> list:  # type: ignore[type-arg]
        return offers[-1:]


def test_many_jobs_come_in_as_many_messages_as_they_need() -> None:
    bench = Bench(plan("big", step("a", "upper", text=given("message"))))
    bench.presence()
    for number in range(10):
        bench.start("big", f"w{number}", inputs={"message": "x" * 20_000})
    offer = bench.offer(ready=10)
    accepts = [bench.outbox.take(OfferAccept) for _ in range(10)]
    assert [accept.last for accept in accepts] == [False] * 9 + [True]
    assert all(accept.offer == offer for accept in accepts)
    assert len({placed.job for accept in accepts for placed in accept.jobs}) == 10
    assert all(len(encode_message("i" * 16, accept)) <= MESSAGE_LIMIT_BYTES for accept in accepts)
    bench.outbox.nothing_else()


def test_a_message_is_filled_up_to_its_limit() -> None:
    def sized(size_bytes: int) -> Placement:
        made = Placement("j", 1, "upper", "w", "a", 4, True, {"m": ""})
        room = size_bytes - 1 - len(msgspec.json.encode(made))  # one byte is the comma's
        return msgspec.structs.replace(made, inputs={"m": "x" * room})

    half = (TOGETHER_LIMIT_BYTES - ACCEPT_OVERHEAD_BYTES) // 2
    rest = TOGETHER_LIMIT_BYTES - ACCEPT_OVERHEAD_BYTES - half
    assert [len(part) for part in parts([sized(half), sized(rest), sized(half)])] == [2, 1]
    assert [len(part) for part in parts([sized(half), sized(rest + 1)])] == [1, 1]


def test_an_offer_whose_time_is_over_gets_no_answer(bench: Bench) -> None:
    query = bench.reset("a2")
    bench.start("one")
    bench.offer(valid_for=5)
    bench.outbox.nothing_else()
    bench.advance(6)
    bench.answer(query, agent="a2")
    bench.outbox.nothing_else()
    assert bench.rows("SELECT * FROM offers") == []
    assert bench.state("a") is StepState.FULFILLING


def test_offers_from_before_a_restart_are_forgotten(bench: Bench) -> None:
    bench.reset("a2")
    bench.start("one")
    bench.offer(valid_for=10_000)
    bench.restart()
    assert bench.rows("SELECT * FROM offers") == []


def test_every_event_of_an_offer_is_in_the_table() -> None:
    assert {advance(OFFER, OfferState.RECEIVED, event) for event in OfferEvent} == set(OfferState) - {
        OfferState.RECEIVED
    }


# Offers wait for a reconciliation


def test_no_offer_of_an_agent_is_accepted_before_it_has_said_what_it_holds(bench: Bench) -> None:
    bench.start("one")
    query = bench.reset("a1")
    offer = bench.offer("a1", valid_for=600)
    bench.advance(60)
    bench.outbox.nothing_else()
    bench.answer(query)
    assert bench.outbox.take(OfferAccept).offer == offer


def test_offers_of_others_wait_ten_seconds(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    bench.reset("a1")
    offer = bench.offer("a2", valid_for=600)
    bench.advance(9.9)
    bench.outbox.nothing_else()
    bench.advance(0.1)
    assert bench.outbox.take(OfferAccept, "a2").offer == offer


def test_offers_of_others_are_decided_when_all_have_answered(bench: Bench) -> None:
    bench.presence("a3")
    bench.start("one")
    one, two = bench.reset("a1"), bench.reset("a2")
    offer = bench.offer("a3", valid_for=600)
    bench.answer(one)
    bench.outbox.nothing_else()
    bench.answer(two, agent="a2")
    assert bench.outbox.take(OfferAccept, "a3").offer == offer


def test_offers_for_what_an_asked_agent_cannot_hold_do_not_wait(bench: Bench) -> None:
    bench.presence("a2", types=["lower"])
    bench.start("one")
    bench.reset("a2")
    offer = bench.offer("a1")
    assert bench.outbox.take(OfferAccept).offer == offer


def test_an_agent_that_has_never_shown_itself_may_hold_anything(bench: Bench) -> None:
    bench.start("one")
    bench.reset("a9")
    bench.offer("a1", valid_for=600)
    bench.outbox.nothing_else()
    bench.presence("a9", types=["lower"])
    assert bench.outbox.take(OfferAccept)


def test_an_offer_without_steps_is_rejected_whoever_is_asked(bench: Bench) -> None:
    bench.presence("a2")
    bench.reset("a2")
    offer = bench.offer("a1")
    assert bench.outbox.take(OfferReject).offer == offer


def test_who_resets_its_link_on_and_on_and_never_answers_is_waited_for_once(bench: Bench) -> None:
    bench.presence("a2")
    bench.start("one")
    offer = bench.offer("a1", valid_for=600) if bench.reset("a2") else ""
    for _ in range(2):
        bench.advance(4.9)
        bench.reset("a2")
        bench.outbox.nothing_else()
    bench.advance(0.2)
    assert bench.outbox.take(OfferAccept).offer == offer
    bench.start("one", "w2")
    bench.reset("a2")
    assert bench.place("a1")


def test_who_resets_its_link_on_and_on_and_answers_late_is_waited_for_half_of_the_time(bench: Bench) -> None:
    bench.presence("a2")
    query = bench.reset("a2")
    bench.advance(9.0)
    bench.answer(query, agent="a2")
    query = bench.reset("a2")
    bench.start("one")
    assert bench.place("a1")
    bench.advance(9.0)
    bench.answer(query, agent="a2")
    bench.reset("a2")
    bench.start("one", "w2")
    bench.offer("a1")
    bench.outbox.nothing_else()


def test_an_offer_in_the_batch_of_a_reset_is_void(bench: Bench) -> None:
    bench.start("one")
    offer = bench.make_offer()

    def work(at: Moment) -> None:
        bench.reactor.on_message("a1", offer, at)
        bench.database.conn.execute("INSERT INTO peers (peer, reconcile) VALUES ('a1', 1)")

    bench.call(work)
    assert [type(message).__name__ for _, message in bench.outbox.sent] == ["JobsWanted"]
    (query,) = (message for _, message in bench.outbox.sent)
    bench.send(JobsHere(wanted=query.wanted, database="db-a1"))  # type: ignore[attr-defined]
    assert len(bench.outbox.sent) == 1


# A batch


def test_what_a_batch_frees_is_placed_in_the_same_batch(bench: Bench) -> None:
    bench.start("one")
    job = bench.place()
    bench.send(JobAccepted(jobs=(job,)), bench.make_offer(ready=1), JobDecline(job=job, reason="full"))
    assert bench.outbox.take(OfferReject), "declined a moment ago: not before its delay is over"
    bench.send(bench.make_status("unknown00", "running"))
    bench.start("one", "w2")
    assert bench.place()


def test_an_acceptance_names_the_database_that_has_offered() -> None:
    bench = Bench()
    bench.presence()
    bench.start("one")
    bench.offer(database="db-then")
    assert bench.outbox.take(OfferAccept).database == "db-then"
