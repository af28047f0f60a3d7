"""Two nodes on a real broker: what one says takes effect at the other, once and in order, also over a kill of it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caroni_edge.base.chance import SystemChance
from caroni_edge.base.moment import Moment
from caroni_edge.node.node import Node, NodeParts
from caroni_edge.node.service import Service, Stop
from caroni_edge.protocol.codec import MESSAGE_LIMIT_BYTES, encode
from caroni_edge.protocol.messages import JobKill
from caroni_edge.protocol.topics import Role, Topics
from caroni_edge.storage.database import open_database
from caroni_edge.transport.base import Will
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import BrokerProcess, RunningBroker, config_of
from tests.support import wait_until
from tests.unit.node.bench import NOTES, ScriptedReactor

MOST_S = 60.0


class RunningNode:
    """A node with its loop in a thread, and a reactor that keeps what it hears."""

    def __init__(self, directory: Path, role: Role, name: str, broker: RunningBroker) -> None:
        self.heard: list[str] = []
        topics = Topics("caroni", role, name)
        self._database = open_database(directory / f"{name}.db", role)
        self._database.conn.execute(NOTES)
        self._transport = MqttTransport(config_of(broker, username=name), topics.client_id, retry_first_s=0.05)
        self.node = Node(NodeParts(topics, self._database, self._transport, SystemChance(), "1.0", "here"))
        self._transport.will = Will(topics.presence, encode(self.node.will))
        reactor = ScriptedReactor(self.node)
        reactor.on[JobKill] = lambda message: self.heard.append(message.job)
        reactor.filters = []
        self.node.attach(reactor)
        self._service = Service()
        self._thread = threading.Thread(target=self._service.run, args=(self.node, lambda: None), daemon=True)

    def start(self) -> "RunningNode":
        self._transport.start(self._service.deliver)
        self._thread.start()
        wait_until(lambda: self.node.why_not_ready() is None, MOST_S, "the node to be ready")
        return self

    def say(self, peer: str, *jobs: str, padding: int = 0) -> None:
        """Put messages for `peer` in one batch."""

        def put(_at: Moment) -> None:
            for job in jobs:
                self.node.links.put(peer, JobKill(job=job, reason="." * padding))

        self._service.call(put, MOST_S)

    def stop(self) -> None:
        self._service.deliver(Stop(0))
        self._thread.join(MOST_S)
        self._transport.stop(1)
        self._database.close()


MakeNode = Callable[[Role, str], RunningNode]


@pytest.fixture
def make_node(tmp_path: Path, broker: BrokerProcess) -> Iterator[MakeNode]:
    """Start nodes on each broker for production."""
    made: list[RunningNode] = []

    def make(role: Role, name: str) -> RunningNode:
        made.append(RunningNode(tmp_path, role, name, broker).start())
        return made[-1]

    yield make
    for node in made:
        node.stop()


def test_messages_arrive_once_and_in_order_in_frames_of_any_size(make_node: MakeNode) -> None:
    manager, agent = make_node("managers", "m1"), make_node("agents", "a1")
    small = [f"small{number:04}" for number in range(500)]
    large = [f"large{number:04}" for number in range(20)]
    manager.say("a1", *small)
    agent.say("m1", *small)
    for job in large:
        manager.say("a1", job, padding=MESSAGE_LIMIT_BYTES - 200)
    wait_until(lambda: len(agent.heard) >= len(small + large), MOST_S, "what the manager says")
    wait_until(lambda: len(manager.heard) >= len(small), MOST_S, "what the agent says")
    assert agent.heard == small + large
    assert manager.heard == small


def test_what_is_said_while_the_broker_is_killed_arrives_once(make_node: MakeNode, broker: BrokerProcess) -> None:
    manager, agent = make_node("managers", "m1"), make_node("agents", "a1")
    before, meanwhile, after = (
        [f"{kind}{number:04}" for number in range(200)] for kind in ("before", "meanwhile", "after")
    )
    manager.say("a1", *before, padding=1000)
    broker.kill()
    manager.say("a1", *meanwhile)
    broker.start()
    manager.say("a1", *after)
    wait_until(lambda: len(agent.heard) >= 600, MOST_S, "all that was said")
    assert agent.heard == before + meanwhile + after
