"""Who a node is, and whether another one has its id."""

from math import inf
from random import Random

import pytest

from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.node.calls import Call
from caroni_edge.node.identity import BOOTS_KEPT, Identity
from caroni_edge.node.node import Node, NodeParts
from caroni_edge.node.store import FactRows
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Presence
from caroni_edge.storage.database import memory_database
from caroni_edge.transport.base import Event, Will
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.unit.node.bench import NOTES, TOPICS, NodeBench, ScriptedReactor


@pytest.fixture
def bench() -> NodeBench:
    """Return a node that has said its presence, and lost its connection once."""
    bench = NodeBench()
    bench.connect()
    bench.transport.take(Presence)
    bench.transport.puback()
    bench.run()
    bench.transport.lose()
    bench.run()
    return bench


def other(boot: str, *, online: bool = True) -> Presence:
    return Presence(online=online, boot=boot, host="elsewhere")


LESS, GREATER = "", "~~~~~"
"""Before and after every boot."""


def test_each_process_has_a_boot_and_the_database_keeps_its_name() -> None:
    bench = NodeBench()
    first, name = bench.node.identity, database_of(bench)
    bench.restart()
    assert bench.node.identity.boot != first.boot
    assert name
    assert database_of(bench) == name
    assert database_of(NodeBench(seed=2)) != name


def test_that_the_database_can_be_written_is_proven_by_the_name_that_it_has() -> None:
    bench = NodeBench()
    FactRows(bench.database.conn).name_database("given later")
    bench.node.identity.prove_writable()
    assert database_of(bench) == "given later"


def test_without_a_connection_no_presence_is_to_be_said(bench: NodeBench) -> None:
    identity = bench.node.identity
    identity.on_connected(100.0, was_said=True)
    assert identity.say_due == 101.0
    identity.on_disconnected()
    assert identity.say_due == inf


def database_of(bench: NodeBench) -> str:
    return FactRows(bench.database.conn).database()


def test_earlier_boots_are_known_and_bounded() -> None:
    facts = FactRows(memory_database("managers").conn)
    names = [f"boot{number:03}" for number in range(BOOTS_KEPT + 5)]
    for name in names:
        found = Identity("managers/m1", facts, lambda name=name: name)  # type: ignore[misc]
    found.on_connected(1.0, was_said=True)
    assert found.found(Presence(online=True, boot=names[-2]), 1.0) == 0.0
    assert found.taken_by is None
    found.on_connected(2.0, was_said=True)
    found.found(Presence(online=True, boot=names[0]), 2.0)
    assert found.taken_by == "an unknown host"


# When presence is said


def test_at_the_first_connect_presence_is_said_at_once(bench: NodeBench) -> None:
    """The one that is retained there is our own, from before."""
    bench.restart()
    bench.connect()
    assert bench.transport.take(Presence).boot == bench.node.identity.boot
    assert TOPICS.presence not in bench.transport.subscriptions
    bench.find(other(GREATER))
    bench.puback()
    assert bench.node.why_not_ready() is None


def test_until_the_broker_has_our_presence_what_is_retained_is_our_own() -> None:
    """A wiped node does not know its earlier boots: reading one of them must not keep it away for ever."""
    bench = NodeBench()
    bench.connect()
    bench.transport.take(Presence)
    bench.transport.lose()
    bench.run()
    bench.connect()
    assert bench.transport.take(Presence).boot == bench.node.identity.boot
    assert TOPICS.presence not in bench.transport.subscriptions


def test_later_what_is_retained_is_read_first(bench: NodeBench) -> None:
    bench.connect()
    bench.transport.assert_nothing_else_sent()
    assert TOPICS.presence in bench.transport.subscriptions
    bench.find(Presence(online=True, boot=bench.node.identity.boot))
    assert bench.transport.take(Presence)
    assert TOPICS.presence not in bench.transport.subscriptions


def test_nothing_retained_is_waited_for_a_second(bench: NodeBench) -> None:
    bench.connect()
    bench.advance(0.9)
    bench.transport.assert_nothing_else_sent()
    bench.advance(0.2)
    assert bench.transport.take(Presence)


def test_our_own_will_is_no_other(bench: NodeBench) -> None:
    bench.connect()
    bench.find(bench.node.will)
    assert bench.node.identity.taken_by is None
    assert bench.transport.take(Presence)


def test_garbage_under_our_id_is_no_other(bench: NodeBench) -> None:
    bench.connect()
    bench.receive(b"garbage", topic=TOPICS.presence, qos=0, retain=True)
    bench.receive(b"", topic=TOPICS.presence, qos=0, retain=True)
    bench.advance(1)
    assert bench.transport.take(Presence)
    bench.puback()
    assert bench.node.why_not_ready() is None


def test_a_presence_of_ours_that_changes_is_said_without_reading(bench: NodeBench) -> None:
    bench.connect()
    bench.advance(1)
    bench.transport.take(Presence)
    bench.reactor.is_presence_changed = True
    bench.reactor.facts = {"slots": 3}
    bench.reactor.due = bench.now
    bench.run()
    assert bench.transport.take(Presence).slots == 3


# Two nodes


def test_the_one_with_the_greater_boot_stays_away_longer_and_longer(bench: NodeBench) -> None:
    for _ in range(6):
        bench.connect()
        bench.find(other("0"))
        bench.run()
        assert bench.node.why_not_ready() == "id taken: managers/m1 is also running on elsewhere"
        bench.transport.assert_nothing_else_sent()
        bench.connect()
        assert bench.transport.take(Presence)
        bench.transport.lose()
        bench.run()
    assert bench.transport.pauses == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_who_stayed_away_does_not_wait_for_one_that_is_gone_without_a_will(bench: NodeBench) -> None:
    bench.connect()
    bench.find(other("0"))
    bench.run()
    bench.now += 60
    bench.connect()
    assert bench.transport.take(Presence).boot == bench.node.identity.boot
    bench.puback()
    assert bench.node.why_not_ready() is None


def test_the_one_with_the_smaller_boot_stays_and_says_so(bench: NodeBench) -> None:
    bench.connect()
    bench.find(other(GREATER))
    assert bench.transport.pauses == []
    assert bench.transport.take(Presence).boot == bench.node.identity.boot
    assert "elsewhere" in (bench.node.why_not_ready() or "")
    bench.transport.lose()
    bench.connect()
    bench.find(Presence(online=True, boot=bench.node.identity.boot))
    bench.puback()
    assert bench.node.why_not_ready() is None


def test_whoever_stayed_away_comes_back_when_the_other_has_gone(bench: NodeBench) -> None:
    bench.connect()
    bench.find(other("0"))
    bench.run()
    bench.now += 60
    bench.connect()
    assert bench.transport.take(Presence)
    bench.transport.lose()
    bench.connect()
    bench.find(other("0", online=False))
    assert bench.transport.take(Presence)
    bench.puback()
    assert bench.node.why_not_ready() is None
    bench.transport.lose()
    bench.connect()
    bench.find(other("0"))
    assert bench.transport.pauses == [60.0, 60.0], "it begins anew"


class Two:
    """Two nodes with one id, each with a database of its own, on one broker."""

    def __init__(self, seed: int) -> None:
        self.broker = MemoryBroker(Random(seed))
        self.nodes: list[Node] = []
        self.transports: list[MemoryTransport] = []
        self.inboxes: list[list[Event | Call]] = []
        for number in range(2):
            self._add(f"host{number}", SeededChance(f"{seed} {number}"))

    def _add(self, host: str, chance: SeededChance) -> None:
        database = memory_database("managers")
        database.conn.execute(NOTES)
        transport, inbox = MemoryTransport(self.broker, TOPICS.client_id), list[Event | Call]()
        node = Node(NodeParts(TOPICS, database, transport, chance, "1.0", host))
        transport.will = Will(TOPICS.presence, encode(node.will))
        node.attach(ScriptedReactor(node))
        node.start(Moment(0.0, 0.0))
        self.nodes.append(node)
        self.transports.append(transport)
        self.inboxes.append(inbox)

    def start(self, number: int) -> None:
        """Let one of them connect."""
        self.transports[number].start(self.inboxes[number].append)

    def run(self, seconds: int) -> None:
        """Let time pass."""
        until = self.broker.now + seconds
        while self.broker.now < until:
            self.broker.pump(self.broker.now + 0.1)
            for node, inbox in zip(self.nodes, self.inboxes, strict=True):
                arrived = list(inbox)
                inbox.clear()
                node.run_batch(arrived, Moment(self.broker.now, 0.0))

    def connects(self) -> list[int]:
        """Return how often each has connected."""
        return [transport.connection for transport in self.transports]


@pytest.mark.parametrize("seed", range(4))
def test_two_nodes_with_one_id_never_fight(seed: int) -> None:
    two = Two(seed)
    two.start(0)
    two.run(5)
    two.start(1)
    two.run(30)
    stays, goes = sorted(range(2), key=lambda number: two.nodes[number].identity.boot)
    assert two.nodes[stays].why_not_ready() is None
    assert two.nodes[goes].why_not_ready() == f"id taken: managers/m1 is also running on host{stays}"
    before = two.connects()
    two.run(1800)
    assert all(after - earlier <= 10 for earlier, after in zip(before, two.connects(), strict=True))
    assert two.nodes[stays].why_not_ready() is None
    two.transports[stays].kill()
    two.run(620)
    assert two.nodes[goes].why_not_ready() is None
    two.run(600)
    assert two.nodes[goes].why_not_ready() is None


def test_a_log_line_names_the_other_host(bench: NodeBench, caplog: pytest.LogCaptureFixture) -> None:
    bench.connect()
    bench.find(other("0"))
    (record,) = [record for record in caplog.records if getattr(record, "action", "") == "id_taken"]
    assert record.getMessage() == ("id taken: another managers/m1 runs on elsewhere; give each node an id of its own")


def test_a_presence_is_that_of_a_node(bench: NodeBench) -> None:
    bench.connect()
    bench.advance(1)
    said = bench.transport.take(Presence)
    assert (said.online, said.version, said.host) == (True, "1.0", "here")
    assert b'"boot"' in encode(said)
