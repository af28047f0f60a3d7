"""What a manager keeps in memory goes when it is over: it runs for years."""

from caroni_edge.protocol.logs import JobLog
from tests.kept import kept
from tests.unit.manager.bench import Bench


def test_little_is_kept_of_what_is_over() -> None:
    bench = Bench()
    bench.start("pair")
    bench.connect()
    bench.presence("a1")
    job = bench.place()
    bench.call(lambda _at: bench.reactor.request_log(job, whole=True))
    assert {"Demand.nonempty", "JobLogs.asked", "JobLogs.whole"} <= {*kept(bench.reactor)}
    bench.send(JobLog(job=job, offset=0, data=b"all", end=True))
    bench.complete(job)
    bench.complete(bench.place("a1", "lower"))
    bench.advance(1)
    types = ["lower", "upper"]
    assert kept(bench.reactor) == {"Fleet.heard": ["a1"], "Fleet.serving": types, "Demand.said_at": types}
    bench.presence("a1", online=False)
    assert kept(bench.reactor) == {"Demand.said_at": types}


def test_nothing_is_kept_of_a_forgotten_agent() -> None:
    bench = Bench()
    bench.presence("a1")
    bench.reset("a1")
    assert {"Fleet.heard", "Holds.since", "Reconciliation.unanswered"} <= {*kept(bench.reactor)}
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    bench.advance(1)
    assert kept(bench.reactor) == {}
