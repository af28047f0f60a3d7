"""The connection for the bytes of objects finds out what passes, as far as there is use for it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest

from caroni_edge.node.datatransport import DataTransport, Hears
from caroni_edge.objects.transfer.probe import ECHO_WITHIN_S
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_SIZES, Data, No, decode_answer
from caroni_edge.transport.base import Arrived, Connected, Deliver, Disconnected, Subscribed, Will

TOPICS = Topics("c", "agents", "a1")


class EchoingTransport:
    """A broker that lets through what is not larger than `limit`."""

    will: Will | None = None

    def __init__(self, limit: int) -> None:
        self.limit, self.said = limit, list[int]()

    def start(self, deliver: Deliver) -> None:
        self.deliver = deliver
        deliver(Connected(1))

    def stop(self, leave_within_s: float = 0.0) -> None:
        pass

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        for topic, _ in filters:
            self.deliver(Subscribed(topic, 1))

    def unsubscribe(self, filters: Sequence[str]) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        answer = decode_answer(topic, payload)
        assert isinstance(answer, Data)
        self.said.append(len(answer.content))
        if len(answer.content) <= self.limit:
            self.deliver(Arrived(topic, payload, qos, retain, False, 0, 1))
        return 1

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def ack(self, message: Arrived) -> None:
        pass

    def disconnect(self, pause_s: float = 0.0) -> None:
        self.deliver(Disconnected(1, "cut"))

    def retry_soon(self, connection: int) -> None:
        pass


class Bench:
    def __init__(self, limit: int = CHUNK_MAX) -> None:
        self.wanted, self.known, self.flows = 0, (0, CHUNK_MAX), 0
        self.heard: list[tuple[Peer, float]] = []
        self.broker = EchoingTransport(limit)
        hears = Hears(lambda: self.wanted, self._learned, self._flow, self._hear, lambda: None, lambda: None)
        self.transport = DataTransport(TOPICS, lambda: self.broker, lambda work: work(), hears)

    def _learned(self, passes: int, limit: int) -> None:
        self.known = passes, limit

    def _flow(self) -> None:
        self.flows += 1

    def _hear(self, holder: Peer, _answer: Data | No, at: float) -> None:
        self.heard.append((holder, at))


def test_bytes_flow_as_soon_as_the_smallest_chunk_has_come_back_and_larger_ones_are_tried_when_they_are_wanted() -> (
    None
):
    bench = Bench()
    bench.transport.open(0.0)
    bench.transport.step(0.0)
    assert (bench.broker.said, bench.known, bench.flows) == (list(CHUNK_SIZES[:1]), (CHUNK_SIZES[0], CHUNK_MAX), 1)
    bench.wanted = CHUNK_SIZES[1]
    assert bench.transport.due() < 0.0
    bench.transport.step(1.0)
    assert (bench.broker.said, bench.known, bench.flows) == (list(CHUNK_SIZES[:2]), (CHUNK_SIZES[1], CHUNK_MAX), 1)


def test_what_does_not_come_back_holds_nothing_up() -> None:
    bench = Bench(limit=CHUNK_SIZES[0])
    bench.wanted = CHUNK_MAX
    bench.transport.open(0.0)
    bench.transport.step(0.0)
    assert bench.transport.is_flowing
    assert bench.known == (CHUNK_SIZES[0], CHUNK_MAX)
    bench.transport.step(ECHO_WITHIN_S)
    bench.transport.step(2 * ECHO_WITHIN_S)
    assert bench.known == (CHUNK_SIZES[0], CHUNK_SIZES[0])
    assert bench.transport.problem is None


@pytest.mark.parametrize("wanted", [0, CHUNK_MAX])
def test_a_broker_that_lets_nothing_through_is_said(wanted: int) -> None:
    bench = Bench(limit=0)
    bench.wanted = wanted
    bench.transport.open(0.0)
    for now in (0.0, ECHO_WITHIN_S, 2 * ECHO_WITHIN_S):
        assert not bench.transport.is_flowing
        bench.transport.step(now)
    assert (bench.known, bench.flows) == ((0, 0), 1)
    assert bench.transport.problem == "the broker lets no chunk of 8 KiB through"


def test_what_is_known_is_known_on_the_next_connection() -> None:
    bench = Bench()
    bench.transport.open(0.0)
    bench.transport.step(0.0)
    bench.broker.disconnect()
    assert not bench.transport.is_flowing
    bench.broker.start(bench.broker.deliver)
    bench.transport.step(1.0)
    assert (len(bench.broker.said), bench.flows) == (1, 2)
