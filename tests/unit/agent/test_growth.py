"""What a message costs an agent does not depend on how many jobs are here, nor on how many managers want some done."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from caroni_edge.agent.offers.shares import Claim, Places, distribute
from caroni_edge.agent.processes.port import ObjectFetched
from caroni_edge.objects.locations import LocationId, Sought
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.protocol.messages import JobOffer
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, FakeRunner, job_type
from tests.work import Work, work_of

FEW, MANY = 10, 200
NO_OFFER = JobOffer(offer="nooffer1", job_type="upper", serial=0)
AT_A2 = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)


def a_job(bench: Bench, manager: str = "m1") -> None:
    """Let a job come, and another one end, with time between."""
    bench.want("upper", manager, ready=1)
    offers = bench.outbox.take_all(JobOffer, manager)
    bench.accept(offers[-1] if offers else NO_OFFER, bench.new_job(), manager=manager)
    bench.advance(1)
    bench.end(min(bench.runner.there))
    bench.advance(1)
    bench.outbox.sent.clear()


def cost(bench: Bench, do: Callable[[Bench], Any] = a_job) -> Work:
    """Return what it takes to do something that was done once before."""
    do(bench)
    return work_of(bench.database.conn, lambda: do(bench))


def placed(size: int, *, ready: bool = True) -> Bench:
    """Return an agent that has so many jobs, beside one that runs."""
    bench = Bench(backlog=10 * MANY, pending=10 * MANY)
    bench.place(bench.new_job(), *(bench.new_job(ready=ready) for _ in range(size)))
    return bench


def test_finished_jobs_cost_nothing() -> None:
    def finished(size: int) -> Bench:
        bench = placed(size)
        while bench.runner.there:
            bench.end(min(bench.runner.there))
        bench.outbox.sent.clear()
        return bench

    few, many = cost(finished(FEW)), cost(finished(MANY))
    assert many.is_like(few), (few, many)


def test_queued_jobs_cost_nothing() -> None:
    few, many = cost(placed(FEW)), cost(placed(MANY))
    assert many.is_like(few), (few, many)


def test_jobs_that_wait_for_their_data_cost_nothing() -> None:
    few, many = cost(placed(FEW, ready=False)), cost(placed(MANY, ready=False))
    assert many.is_like(few), (few, many)


def fill(bench: Bench, lasts_s: float = 2.0) -> None:
    """Let managers place what they are offered, and say that they want more, and let a job end."""
    sent, bench.outbox.sent = bench.outbox.sent, []
    for manager, message in sent:
        if isinstance(message, JobOffer):
            bench.accept(message, *(bench.new_job() for _ in range(message.ready)), manager=manager)
            bench.want("upper", manager, ready=5)
    bench.now, bench.date = bench.now + lasts_s, bench.date + lasts_s
    bench.end(min(bench.runner.there))


def wanted(size: int, do: Callable[[Bench], None] = fill) -> Bench:
    """Return an agent that so many managers have work for."""
    bench = Bench(slots=2, backlog=4, pending=0)
    for number in range(size):
        bench.presence(f"x{number:03}", online=True)
    for number in range(size):
        bench.want("upper", f"x{number:03}", ready=5)
    for _ in range(4 * FEW):
        do(bench)
    return bench


@pytest.mark.parametrize("lasts_s", [2.0, 0.05])
def test_managers_that_have_work_for_it_cost_nothing(lasts_s: float) -> None:
    do = partial(fill, lasts_s=lasts_s)
    few, many = cost(wanted(FEW, do), do), cost(wanted(MANY, do), do)
    assert many.is_like(few), (few, many)


def test_managers_that_had_work_for_it_cost_nothing() -> None:
    def was_wanted(size: int) -> Bench:
        bench = wanted(size)
        for number in range(FEW, size):
            bench.want_nothing("upper", f"x{number:03}")
        for _ in range(FEW):
            fill(bench)
        return bench

    few, many = cost(was_wanted(FEW), fill), cost(was_wanted(MANY), fill)
    assert many.is_like(few), (few, many)


def test_places_that_are_gone_are_offered_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    take = Places.take

    def noted(places: Places, job_type: str) -> bool:
        tried.append(job_type)
        return take(places, job_type)

    monkeypatch.setattr(Places, "take", noted)
    standings = {f"m{number:03}": 0.0 for number in range(MANY)}
    wanted = {"upper": frozenset(standings)}
    given = distribute(Places(2), wanted, lambda manager: [Claim(manager, "upper", 5, 4, 0, 1.0)], standings)
    assert (given, len(tried)) == ({("m000", "upper"): 1, ("m001", "upper"): 1}, 2)


class NotingRunner(FakeRunner):
    """Counts what is to be fetched, each time that it is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[FetchId | LocationId] = []

    def fetch(self, want: Want | Sought) -> None:
        super().fetch(want)
        self.said.append(want.id)


def test_a_file_that_comes_has_none_of_the_others_asked_for_again() -> None:
    bench = Bench(types=[job_type("take", {"file": "File"})], pending=MANY)
    bench.runner = NotingRunner()
    bench.restart()
    files = [Object(f"{number:064x}", 1000) for number in range(FEW)]
    for each in files:
        value = object_value("f", each, "0" * 40)
        bench.place(bench.new_job("take", inputs={"file": value}, places=(AT_A2,)))
    wanted = [FetchId("m1", each.sha256) for each in files]
    assert bench.runner.said == wanted
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(wanted[0], files[0]), at))
    assert bench.runner.fetching.keys() == {*wanted[1:]}
    assert bench.runner.said == wanted
