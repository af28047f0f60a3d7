"""What is kept in memory of demand is what the rows say, though each look reads only what has changed."""

from dataclasses import replace
from typing import Any

from caroni_edge.base.moment import Moment
from caroni_edge.node.parts import Part
from caroni_edge.protocol.messages import JobOffer, OfferReject
from tests.unit.agent.bench import Bench
from tests.unit.agent.offers.demand import in_rows, kept


def settled(bench: Bench) -> dict[str, Any]:
    """Return what is kept after a batch, which is what the rows say."""
    found = kept(bench)
    assert found == in_rows(bench)
    return found


def test_it_follows_what_managers_say_and_what_becomes_of_offers() -> None:
    bench = Bench(slots=1, backlog=0, pending=0)
    assert settled(bench)["competing"] == {}
    bench.want(ready=3, waiting=1)
    bench.want(ready=1, manager="m2")
    assert settled(bench)["competing"] == {"upper": {"m1", "m2"}}
    assert settled(bench)["ready"] == {"upper": {"m2"}}, "an offer is open to the other"
    bench.send(OfferReject(offer=bench.outbox.take(JobOffer).offer))
    assert settled(bench)["competing"] == {"upper": {"m2"}}, "what was offered in vain competes no more"
    bench.want_nothing(manager="m2")
    assert settled(bench)["competing"] == {}


def test_it_goes_back_with_a_batch() -> None:
    bench = Bench(slots=1, backlog=0, pending=0)
    bench.want(ready=1)
    before = settled(bench)
    bench.batch(("m1", OfferReject(offer=bench.outbox.take(JobOffer).offer)), commit=False)
    assert settled(bench) == before


def test_what_has_changed_is_still_to_be_looked_at_when_deciding_fails() -> None:
    bench = Bench(slots=1, backlog=0, pending=0)

    class Fails(Part):
        def settle(self, at: Moment) -> None:
            raise ZeroDivisionError

    bench.store.managers.seen("m1", online=True)
    bench.want(ready=1)
    parts = bench.reactor._parts
    with bench.database.immediate():
        bench.store.managers.seen("m1", online=False)
        try:
            with bench.database.savepoint():
                bench.reactor._parts = (*parts, Fails(bench.database.journal))
                bench.reactor.settle(bench.at)
        except ZeroDivisionError:
            bench.reactor._parts = parts
    bench.settle()
    assert settled(bench)["unsure"] == {"m1"}


def test_who_is_not_served_any_more_demands_nothing() -> None:
    bench = Bench(slots=1, backlog=0, pending=0)
    bench.place(bench.new_job(), manager="m2")
    bench.want(ready=1)
    served = bench.settings
    for settings, expected in ((replace(served, managers={"m2": 1.0}), {}), (served, {"upper": {"m1"}})):
        bench.call(lambda _, settings=settings: bench.reactor.reload(settings, bench.types))
        assert settled(bench)["ready"] == expected
