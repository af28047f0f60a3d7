"""In which order a batch takes what has arrived."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from caroni_edge.node.arrivals import OF_PEOPLE_MAX, TAKEN_MAX, TAKEN_MAX_BYTES, Arrivals
from caroni_edge.node.receipts import Receipts
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import Arrived, Event, Published

TOPICS = Topics("caroni", "managers", "m1")
FRAME = "caroni/managers/m1/inbox/agents/a1"
QUESTION = TOPICS.question_of("ann")


class Bench:
    """What arrives at m1."""

    def __init__(self) -> None:
        self.arrivals: Arrivals[Event] = Arrivals()
        self.receipts = Receipts()
        self.came = 0

    def come(self, *topics: str, payload: bytes = b"") -> list[Arrived]:
        """Let messages arrive at QoS 1."""
        made = [Arrived(topic, payload, 1, packet_id=self.came + 1 + nth) for nth, topic in enumerate(topics)]
        self.came += len(made)
        for message in made:
            self.arrivals.put(message)
        return made

    def take(self, wait_s: float = 0.0) -> list[Event]:
        """Take a batch."""
        return self.arrivals.take(TOPICS, self.receipts, wait_s)

    def acknowledge(self, messages: Iterable[Event]) -> list[int]:
        """Let messages be handled; return the packet ids that are acknowledged then."""
        return [due.packet_id for each in messages if isinstance(each, Arrived) for due in self.receipts.handled(each)]


def test_what_people_ask_goes_last_in_its_order() -> None:
    bench = Bench()
    trigger, frame, question = bench.come(TOPICS.triggers, FRAME, QUESTION)
    assert bench.take() == [frame, trigger, question]


def test_a_thousand_triggers_do_not_keep_a_frame_waiting() -> None:
    bench = Bench()
    triggers = bench.come(*[TOPICS.triggers] * 1000)
    assert bench.take() == triggers[:OF_PEOPLE_MAX]
    (frame,) = bench.come(FRAME)
    assert bench.take() == [frame, *triggers[OF_PEOPLE_MAX : 2 * OF_PEOPLE_MAX]]


def test_what_is_left_is_taken_without_waiting() -> None:
    bench = Bench()
    triggers = bench.come(*[TOPICS.triggers] * (OF_PEOPLE_MAX + 1))
    assert bench.take(wait_s=3600) == triggers[:OF_PEOPLE_MAX]
    assert bench.take(wait_s=3600) == triggers[OF_PEOPLE_MAX:]
    assert bench.take() == []


def test_who_waits_is_woken_by_what_arrives() -> None:
    bench = Bench()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(bench.take, 60.0)
        frames = bench.come(FRAME)
        assert taken.result(60) == frames


def test_a_batch_has_bounds() -> None:
    bench = Bench()
    for token in range(TAKEN_MAX + 1):
        bench.arrivals.put(Published(token, 1))
    assert [len(bench.take()), len(bench.take())] == [TAKEN_MAX, 1]
    large = bench.come(FRAME, FRAME, payload=b"x" * TAKEN_MAX_BYTES)
    assert [bench.take(), bench.take()] == [[large[0]], [large[1]]]


def test_an_agent_knows_nothing_of_people() -> None:
    bench = Bench()
    came = bench.come(TOPICS.triggers, "caroni/agents/a1/inbox/managers/m1")
    assert bench.arrivals.take(Topics("caroni", "agents", "a1"), bench.receipts, 0.0) == came


def test_the_rest_has_what_was_put_off() -> None:
    bench = Bench()
    triggers = bench.come(*[TOPICS.triggers] * (OF_PEOPLE_MAX + 1))
    taken = bench.take()
    more = bench.come(FRAME)
    assert [*taken, *bench.arrivals.rest()] == [*triggers, *more]


def test_it_is_acknowledged_in_the_order_in_which_it_came() -> None:
    bench = Bench()
    bench.come(*[TOPICS.triggers] * (OF_PEOPLE_MAX + 1), FRAME)
    first = bench.take()
    assert bench.acknowledge(first) == list(range(1, OF_PEOPLE_MAX + 1))
    assert bench.acknowledge(bench.take()) == [OF_PEOPLE_MAX + 1, OF_PEOPLE_MAX + 2]


def test_what_a_connection_owes_keeps_nothing_of_the_next_one() -> None:
    receipts = Receipts()
    old, new = (Arrived("t", b"", 1, packet_id=7, connection=number) for number in (1, 2))
    receipts.expect(old)
    receipts.expect(new)
    assert receipts.handled(old) == [old]
    assert receipts.handled(new) == [new]
