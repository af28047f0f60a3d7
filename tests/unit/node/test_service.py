"""A daemon's one writer: what other threads may ask of it, and when it ends."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from caroni_edge.node.service import Busy, Service, Stop, Stopping
from caroni_edge.transport.base import TransportEnded
from tests.unit.node.bench import TOPICS, NodeBench


class Running:
    """A service in a thread of its own, with a node."""

    def __init__(self, service: Service | None = None) -> None:
        self.bench = NodeBench()
        self.service = service or Service()
        self.bench.transport.start(self.service.deliver)
        self.reloads: list[int] = []
        self._pool = ThreadPoolExecutor(1)
        self._run = self._pool.submit(self.service.run, self.bench.node, lambda: self.reloads.append(1))

    def end(self) -> int:
        """Return the exit status, when the loop has ended."""
        status = self._run.result(60)
        self._pool.shutdown()
        return status


@pytest.fixture
def running() -> Running:
    return Running()


def test_a_call_is_answered_from_the_loop(running: Running) -> None:
    names = running.service.call(lambda _at: threading.current_thread().name)
    assert names != threading.current_thread().name
    running.service.deliver(Stop(0))
    assert running.end() == 0


def test_a_call_raises_what_it_raised(running: Running) -> None:
    def bad(_at: object) -> None:
        raise LookupError("there is none")

    with pytest.raises(LookupError, match="there is none"):
        running.service.call(bad)
    running.service.deliver(Stop(7))
    assert running.end() == 7


def test_a_call_that_takes_too_long_says_so() -> None:
    with pytest.raises(Busy, match=r"has not answered within 0\.01 s"):
        Service().call(lambda _at: None, timeout_s=0.01)


def test_what_arrives_reaches_the_node(running: Running) -> None:
    running.bench.transport.connect()
    running.bench.transport.receive(TOPICS.triggers, b"t")
    running.service.call(lambda _at: None)
    assert "trigger b't'" in running.bench.reactor.said
    running.service.deliver(Stop(0))
    running.end()


def test_who_waits_at_the_end_is_told() -> None:
    service = Service()
    calls = [service.tell(lambda _at: None)]
    service.deliver(Stop(0))
    calls.append(service.tell(lambda _at: None))
    assert Running(service).end() == 0
    assert [type(call.exception(0)) for call in calls] == [Stopping, Stopping]


@pytest.mark.parametrize("work", [lambda: None, lambda: 1 / 0])
def test_a_thread_that_ends_in_any_way_ends_the_service(running: Running, work: Callable[[], None]) -> None:
    running.service.supervise("worker", work)
    assert running.end() == 1


def test_the_end_of_the_connection_ends_the_service(running: Running) -> None:
    running.service.deliver(TransportEnded("it broke"))
    assert running.end() == 1


def test_signals_stop_and_reload(running: Running) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        running.service.stop_on_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        running.service.call(lambda _at: None)
        os.kill(os.getpid(), signal.SIGTERM)
        assert running.end() == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert running.reloads == [1]
