"""The broker in memory: it does what a real one promises, and breaks it by seed when it is told to."""

from math import inf
from random import Random

import pytest

from caroni_edge.transport.base import (
    IN_FLIGHT_MAX,
    Arrived,
    Connected,
    Disconnected,
    Event,
    Published,
    Subscribed,
    Will,
)
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import (
    LAST_PACKET_ID,
    NO_FAULTS,
    Faults,
    MemoryBroker,
    _Message,
    _Session,
)


class Bench:
    """A broker, its clients, and what each of them was told."""

    def __init__(self, faults: Faults = NO_FAULTS, *, seed: int = 1, **limits: int) -> None:
        self.broker = MemoryBroker(Random(seed), faults, **limits)
        self.told: dict[str, list[Event]] = {}

    def client(
        self, client_id: str, *filters: str, will: Will | None = None, reliable: bool = False
    ) -> MemoryTransport:
        """Connect a client; a new one with a known id is the next process of the same node."""
        client = MemoryTransport(self.broker, client_id, will=will, reliable=reliable)
        self.told[client_id] = []
        client.start(self.told[client_id].append)
        self.broker.pump()
        client.subscribe([(topic_filter, 1) for topic_filter in filters])
        self.broker.pump()
        return client

    def arrived(self, client_id: str) -> list[Arrived]:
        return [event for event in self.told[client_id] if isinstance(event, Arrived)]

    def payloads(self, client_id: str) -> list[bytes]:
        return [event.payload for event in self.arrived(client_id)]

    def pump(self, after_s: float = 0.0) -> None:
        self.broker.pump(self.broker.now + after_s)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_message_goes_to_who_subscribed_and_is_acknowledged(bench: Bench) -> None:
    sender = bench.client("sender")
    bench.client("node", "in/+")
    bench.client("other", "out/+")
    token = sender.publish("in/a", b"x", qos=1)
    assert token == 1
    bench.pump()
    assert bench.told["sender"] == [Connected(1, False), Published(1, 1)]
    assert bench.told["node"][1:] == [Subscribed("in/+", 1), Arrived("in/a", b"x", 1, False, False, 1, 1)]
    assert bench.told["other"] == [Connected(1, False), Subscribed("out/+", 1)]


def test_nothing_happens_before_the_pump(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"x", qos=1)
    assert not bench.arrived("node")
    assert bench.broker.step(), "the broker takes it"
    assert bench.broker.pump() == 2, "it arrives, and is acknowledged"
    assert bench.payloads("node") == [b"x"]


def test_the_lower_quality_of_service_holds_and_one_copy_comes(bench: Bench) -> None:
    node = bench.client("node")
    node.subscribe([("low/#", 0), ("both/#", 0), ("both/a", 1)])
    for topic, qos in (("low/a", 1), ("both/a", 1), ("both/a", 0)):
        node.publish(topic, b"", qos=qos)
    bench.pump()
    assert [(event.topic, event.qos) for event in bench.arrived("node")] == [("low/a", 0), ("both/a", 1), ("both/a", 0)]


def test_no_connection_no_token_and_no_queue(bench: Bench) -> None:
    node = bench.client("node", "t")
    bench.broker.stop()
    assert node.publish("t", b"lost", qos=1) == 0
    bench.broker.start()
    bench.pump(1)
    assert bench.told["node"][-1] == Connected(2, True)
    assert not bench.payloads("node")


def test_the_bound_of_what_is_in_flight(bench: Bench) -> None:
    node = bench.client("node")
    assert all(node.publish("t", b"", qos=1) for _ in range(IN_FLIGHT_MAX))
    assert node.publish("t", b"", qos=1) == 0
    assert node.publish("t", b"", qos=0) > 0
    bench.pump()
    assert node.publish("t", b"", qos=1) > 0


def test_what_was_not_acknowledged_comes_again_with_its_packet_id(bench: Bench) -> None:
    node, sender = bench.client("node", "t"), bench.client("sender")
    for payload in (b"1", b"2", b"3"):
        sender.publish("t", payload, qos=1)
    bench.pump()
    node.ack(bench.arrived("node")[1])
    bench.pump()
    bench.broker.cut("node")
    sender.publish("t", b"4", qos=1)
    bench.pump(1)
    again = bench.arrived("node")[3:]
    assert [(event.payload, event.dup, event.packet_id) for event in again] == [
        (b"1", True, 1),
        (b"3", True, 3),
        (b"4", False, 4),
    ]
    assert {event.connection for event in again} == {2}


def test_an_acknowledgement_of_an_earlier_connection_does_nothing(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"x", qos=1)
    bench.pump()
    old = bench.arrived("node")[0]
    bench.broker.cut("node")
    bench.pump(1)
    node.ack(old)
    bench.pump()
    bench.broker.cut("node")
    bench.pump(1)
    assert [event.dup for event in bench.arrived("node")] == [False, True, True]


def test_an_acknowledgement_on_the_way_is_lost_with_the_connection(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"x", qos=1)
    bench.pump()
    node.ack(bench.arrived("node")[0])
    bench.broker.cut("node")
    bench.pump(1)
    assert [event.dup for event in bench.arrived("node")] == [False, True]


def test_a_new_process_finds_its_session(bench: Bench) -> None:
    first, sender = bench.client("node", "t"), bench.client("sender")
    first.kill()
    sender.publish("t", b"meanwhile", qos=1)
    bench.pump()
    bench.client("node")
    assert bench.told["node"][0] == Connected(1, True)
    assert bench.payloads("node") == [b"meanwhile"]


def test_the_window_of_unacknowledged_messages(bench: Bench) -> None:
    bench = Bench(most_unacknowledged=2)
    node = bench.client("node", "t")
    for number in range(5):
        node.publish("t", b"%d" % number, qos=1)
    bench.pump()
    assert bench.payloads("node") == [b"0", b"1"]
    node.ack(bench.arrived("node")[0])
    bench.pump()
    assert bench.payloads("node") == [b"0", b"1", b"2"]


def test_a_full_queue_drops_the_newest_and_acknowledges_it() -> None:
    bench = Bench(most_queued=3)
    bench.client("node", "t").kill()
    sender = bench.client("sender")
    for number in range(5):
        sender.publish("t", b"%d" % number, qos=1)
    bench.pump()
    assert len([event for event in bench.told["sender"] if isinstance(event, Published)]) == 5
    bench.client("node")
    assert bench.payloads("node") == [b"0", b"1", b"2"]
    assert bench.broker.seen["queue full"] == 2


def test_retained_messages(bench: Bench) -> None:
    node = bench.client("node", "live")
    node.publish("live", b"now", qos=1, retain=True)
    node.publish("gone", b"then", qos=1, retain=True)
    node.publish("gone", b"", qos=1, retain=True)
    bench.pump()
    late = bench.client("late", "live", "gone")
    assert late.connected
    assert [(event.topic, event.retain) for event in bench.arrived("node")] == [("live", False)]
    assert [(event.topic, event.retain) for event in bench.arrived("late")] == [("live", True)]


def test_the_will(bench: Bench) -> None:
    bench.client("watcher", "wills/+")
    for client_id in ("cut", "killed", "stopped", "away", "silent"):
        bench.client(client_id, will=Will(f"wills/{client_id}", b"gone"))
    bench.broker.cut("cut")
    bench.broker.cut("silent", will=False)
    bench.pump()
    assert [event.topic for event in bench.arrived("watcher")] == ["wills/cut"]
    assert bench.broker.retained == {"wills/cut": b"gone"}


def test_a_killed_client_hears_nothing_more_and_its_will_is_said(bench: Bench) -> None:
    bench.client("watcher", "will")
    node = bench.client("node", "t", will=Will("will", b"gone"))
    node.publish("t", b"on the way", qos=1)
    node.kill()
    bench.pump(10)
    assert bench.told["node"] == [Connected(1, False), Subscribed("t", 1)]
    assert bench.payloads("watcher") == [b"gone"]


def test_stop_leaves_nothing_behind_and_says_no_will(bench: Bench) -> None:
    bench.client("watcher", "#")
    node = bench.client("node", will=Will("will", b"gone"))
    node.publish("t", b"last", qos=1)
    node.stop()
    assert node.publish("t", b"too late", qos=1) == 0
    bench.pump(10)
    assert bench.payloads("watcher") == [b"last"]


def test_disconnect_keeps_away_as_long_as_it_was_told(bench: Bench) -> None:
    node = bench.client("node")
    node.disconnect(60)
    bench.pump(59)
    assert bench.told["node"] == [Connected(1, False), Disconnected(1, "this node ended the connection")]
    assert bench.broker.next_due() == pytest.approx(60)
    bench.pump(1)
    assert bench.told["node"][-1] == Connected(2, True)


def test_one_id_at_a_time(bench: Bench) -> None:
    bench.client("watcher", "will")
    one = bench.client("node", will=Will("will", b"gone"))
    told_one = bench.told["node"]
    other = bench.client("node")
    assert isinstance(told_one[-1], Disconnected)
    assert (one.connected, other.connected) == (False, True)
    bench.pump(1)
    assert (one.connected, other.connected) == (True, False), "as real ones they fight, if nobody gives way"
    assert not bench.arrived("watcher"), "no will is said when a client is replaced"


def test_a_wiped_broker_knows_nobody(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"kept", qos=1, retain=True)
    bench.pump()
    bench.broker.wipe()
    bench.pump(1)
    node.publish("t", b"new", qos=1)
    bench.pump()
    assert bench.told["node"][-2] == Connected(2, False)
    assert bench.payloads("node") == [b"kept"], "neither the subscription nor the retained message is there"


def test_a_broker_restored_from_an_old_file_repeats(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"x", qos=1)
    bench.pump()
    bench.client("away", "t").kill()
    node.publish("t", b"y", qos=1)
    bench.pump()
    old = bench.broker.snapshot()
    bench.client("away")
    node.ack(bench.arrived("node")[0])
    bench.pump()
    bench.broker.restore(old)
    bench.pump(1)
    again = [(event.payload, event.dup) for event in bench.arrived("node") if event.connection == 2]
    assert again == [(b"x", True), (b"y", True)]
    assert bench.payloads("away") == [b"y", b"y"], "what it had taken from the queue is there again"


def test_what_is_no_topic_is_refused(bench: Bench) -> None:
    node = bench.client("node")
    with pytest.raises(ValueError, match="no topic"):
        node.publish("a/+", b"", qos=1)
    with pytest.raises(ValueError, match="no topic filter"):
        node.subscribe([("a/#/b", 1)])


def test_subscriptions_change_for_topics_in_use(bench: Bench) -> None:
    node = bench.client("node", "other")
    node.publish("t", b"too early", qos=1)
    node.subscribe([("t", 1)])
    node.publish("t", b"heard", qos=1)
    node.unsubscribe(["t"])
    node.publish("t", b"too late", qos=1)
    bench.pump()
    assert bench.payloads("node") == [b"heard"]


def test_a_packet_id_in_use_is_left_out() -> None:
    session = _Session("node", unacknowledged={1: _Message("t", b"", 1)}, last_packet_id=LAST_PACKET_ID)
    assert session.next_packet_id() == 2


def test_nothing_on_the_way_reaches_the_next_connection() -> None:
    bench = Bench()
    node = bench.client("node", "t")
    bench.broker.faults = Faults(late_s=1000.0)
    tokens = [node.publish("t", b"%d" % number, qos=1) for number in range(IN_FLIGHT_MAX)]
    bench.broker.publish("t", b"down", 0, False)
    assert all(tokens)
    bench.broker.cut("node")
    bench.broker.faults = NO_FAULTS
    bench.pump(1)
    assert node.publish("t", b"new", qos=1) > 0, "nothing is in flight on a new connection"
    bench.pump(2000)
    assert bench.payloads("node") == [b"new"]


def test_a_stopped_client_is_told_nothing(bench: Bench) -> None:
    node = bench.client("node", "t")
    node.publish("t", b"", qos=1)
    node.stop()
    bench.broker.cut("node")
    bench.pump(10)
    assert bench.told["node"] == [Connected(1, False), Subscribed("t", 1)]


def test_a_pause_holds_for_a_client_that_is_away_already(bench: Bench) -> None:
    node = bench.client("node")
    bench.broker.cut("node")
    node.disconnect(60)
    bench.pump(59)
    assert not node.connected
    bench.pump(1)
    assert node.connected


# Faults


def run(faults: Faults, seed: int, count: int = 300) -> Bench:
    """Let a node hear `count` messages under faults, acknowledging each; then end the faults, and let all arrive."""
    bench = Bench(faults, seed=seed)
    node = bench.client("node", "t")
    bench.client("watcher", "t", reliable=True)
    sender = bench.client("sender", reliable=True)
    acknowledged = 0

    def hear(after_s: float) -> None:
        nonlocal acknowledged
        bench.pump(after_s)
        for event in bench.arrived("node")[acknowledged:]:
            node.ack(event)
            acknowledged += 1

    for number in range(count):
        sender.publish("t", b"%d" % number, qos=1)
        hear(0.01)
    bench.broker.faults = NO_FAULTS
    while bench.broker.next_due() < inf:
        hear(1.0)
    return bench


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_is_a_schedule(seed: int) -> None:
    faults = Faults(drop=0.1, double=0.1, reorder=0.1, late_s=0.5, cut=0.02)
    one, two, other = run(faults, seed), run(faults, seed), run(faults, seed + 1)
    assert one.told == two.told
    assert one.broker.seen == two.broker.seen
    assert one.told != other.told


def test_each_fault_by_itself() -> None:
    everything = [b"%d" % number for number in range(300)]
    dropping = run(Faults(drop=0.2), seed=1)
    assert len(dropping.payloads("node")) == 300 - dropping.broker.seen["dropped"] < 300
    doubling = run(Faults(double=0.2), seed=1)
    assert len(doubling.payloads("node")) == 300 + doubling.broker.seen["doubled"] > 300
    assert sorted(set(doubling.payloads("node"))) == sorted(everything)
    late = run(Faults(late_s=0.5), seed=1)
    assert late.payloads("node") == everything, "late messages keep their order"
    reordering = run(Faults(reorder=0.2, late_s=0.5), seed=1)
    assert reordering.payloads("node") != everything
    assert sorted(reordering.payloads("node")) == sorted(everything)
    cutting = run(Faults(cut=0.05, late_s=0.5), seed=1)
    assert cutting.broker.seen["cut"] > 0
    assert set(cutting.payloads("node")) == set(everything), "what is cut comes again"
    assert any(event.dup for event in cutting.arrived("node"))
    wiping = run(Faults(wipe=0.01), seed=1)
    assert wiping.broker.seen["wiped"] > 0
    assert wiping.told["node"][-1] == Connected(wiping.broker.seen["wiped"] + 1, False)


def test_faults_spare_who_is_reliable() -> None:
    bench = run(Faults(drop=0.5, double=0.5, reorder=0.5, cut=0.2), seed=3)
    assert bench.payloads("watcher")[:20] == [b"%d" % number for number in range(20)]
    assert len([event for event in bench.told["sender"] if isinstance(event, Published)]) == 300
