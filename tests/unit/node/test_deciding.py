"""When a node's reactor decides: after all that it may have been told, in the same batch, and again if that failed."""

from collections.abc import Callable

import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.node.calls import Call
from caroni_edge.protocol.messages import JobKill, JobOffer, Presence
from caroni_edge.storage.database import memory_database
from tests.unit.node.bench import FORGET_AFTER_S, NodeBench
from tests.unit.node.test_carriage import online
from tests.unit.node.test_storage import FailingDatabase, set_broken

OFFER = JobOffer(offer="offer0001", job_type="upper", serial=1)
LARGE = JobKill(job="job000009", reason="x" * 5000)


@pytest.fixture
def times() -> list[float]:
    """Return when the reactor has decided."""
    return []


@pytest.fixture
def bench(times: list[float]) -> NodeBench:
    bench = NodeBench(FailingDatabase(memory_database("managers").conn))
    bench.connect()
    bench.transport.take(Presence)
    bench.puback()
    bench.reactor.at_settle = lambda at: times.append(at.now)
    return bench


def test_at_the_start_though_nothing_has_arrived(times: list[float]) -> None:
    bench = NodeBench()
    bench.reactor.at_settle = lambda at: times.append(at.now)
    bench.advance(0)
    assert times == [bench.now]


def test_at_a_connect(bench: NodeBench, times: list[float]) -> None:
    bench.transport.lose()
    bench.run()
    times.clear()
    bench.connect()
    assert times == [bench.now]


@pytest.mark.parametrize("arrives", [lambda bench: bench.send(OFFER), online])
def test_when_something_was_told(bench: NodeBench, times: list[float], arrives: Callable[[NodeBench], None]) -> None:
    arrives(bench)
    assert times == [bench.now]
    bench.run()
    assert len(times) == 1


def test_in_the_batch_that_forgets_a_silent_peer(bench: NodeBench, times: list[float]) -> None:
    bench.send(OFFER)
    bench.advance(FORGET_AFTER_S)
    times.clear()
    bench.advance(1200)
    assert "forget a1" in bench.notes()
    assert len(times) == 1


def test_of_what_it_has_put_that_is_too_large_it_decides_again(bench: NodeBench, times: list[float]) -> None:
    def settle(at: Moment) -> None:
        times.append(at.now)
        if len(times) == 1:
            bench.node.links.put("a1", LARGE)

    with bench.database.immediate():
        bench.node.links.begin(bench.now)
        bench.node.links._learn(1000)
    bench.node.links.refuses_over_bytes = 1000
    bench.reactor.at_settle = settle
    bench.send(OFFER)
    assert [(peer, message) for peer, message, _ in bench.reactor.undeliverable] == [("a1", LARGE)]
    assert len(times) == 1
    bench.advance(0)
    assert len(times) == 2


def test_of_what_the_broker_has_cut_us_off_for_it_decides_at_once(bench: NodeBench, times: list[float]) -> None:
    with bench.database.immediate():
        bench.node.links.begin(bench.now)
        bench.node.links.put("a1", LARGE)
        bench.node.links.set_timers()
    bench.run()
    [seq] = [row[0] for row in bench.database.conn.execute("SELECT seq FROM outbox")]
    bench.node.links.cut_off("a1", seq, 1)
    bench.transport.lose()
    bench.run()
    assert len(bench.reactor.undeliverable) == 1
    assert times == [bench.now]


def test_anew_after_a_batch_that_could_not_be_kept(bench: NodeBench, times: list[float]) -> None:
    set_broken(bench, True)
    bench.inbox.append(Call(lambda _at: None))
    bench.run()
    set_broken(bench, False)
    times.clear()
    bench.advance(bench.transport.pauses[-1])
    assert len(times) == 1
