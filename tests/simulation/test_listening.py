"""Messages on any topic, and a manager that crashes at any point: an id starts one workflow, no message is lost."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from caroni_edge.config.automation import NAMES_READ, AtMost, Rule
from caroni_edge.javascript.interpreter import Answer, Script
from caroni_edge.javascript.texts import read_text
from caroni_edge.manager.listening.listener import Listener
from caroni_edge.node.calls import Call
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.storage.database import Database
from caroni_edge.transport.base import Arrived, Event, Published, SubscriptionRefused
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import Faults, MemoryBroker
from tests.configs import manager_config
from tests.simulation.carrier import Carrier
from tests.simulation.holding import ManagerStore
from tests.simulation.hosts import DATE
from tests.simulation.members import FragileTransport, Manager
from tests.simulation.plans import TEMPLATES

MESSAGES = 90
TROUBLE = Faults(double=0.05, reorder=0.05, late_s=2.0, cut=0.03)
INPUTS = {"x": read_text("$(message.n)", NAMES_READ)}
HOT = Rule(
    name="hot",
    topic="sensors/+/t",
    when=read_text("$(message.hot)", NAMES_READ),
    template="chain1",
    inputs=INPUTS,
    id=read_text("hot-$(message.n)", NAMES_READ),
)
EACH = Rule(name="each", topic="sensors/#", template="chain3", inputs=INPUTS)
FEW = Rule(
    name="few",
    topic="sensors/#",
    template="chain5",
    inputs=INPUTS,
    id=read_text("few-$(message.n)", NAMES_READ),
    at_most=AtMost(runs=1, per_s=1e6, for_each=read_text("$(topic[1])", NAMES_READ)),
)
SETTINGS = manager_config(rules=(HOT, EACH, FEW))


def no_script(script: Script) -> Answer:
    raise AssertionError(f"no JavaScript is needed for {script}")


class ListeningManager(Manager):
    """A manager with its second session, and with a thread of its own that is never late."""

    session: FragileTransport | None = None
    kind: type[Listener] = Listener

    def _begin(self, database: Database, now: float) -> None:
        super()._begin(database, now)
        session = self.session = FragileTransport(self._broker, self.topics.rules_client_id)
        session.fuse, session.events = self.fuse, self.events
        inbox = self._inbox

        def tell(work: Any) -> Any:
            call = Call(work)
            inbox.append(call)
            return call.done

        self.listener = self.kind(
            session, self.reactor, no_script, tell, lambda work: work(), lambda: DATE + self._broker.now
        )
        self.listener.use(self.settings.rules)
        session.start(self.listener.take)

    def _gone(self) -> None:
        super()._gone()
        if self.session is not None:
            self.session.end(will=False, is_sent=self._chance.random() < 0.5)


class Stage:
    """A broker, a manager that listens, and sensors."""

    def __init__(self, seed: int, kind: type[Listener] = Listener) -> None:
        self.chance = Random(seed)
        self.broker = MemoryBroker(self.chance)
        carrier = Carrier(self.broker, self.chance)
        self.manager = ListeningManager(
            "m0",
            self.broker,
            self.chance,
            TEMPLATES,
            SETTINGS,
            lambda: ManagerStore(Peer("managers", "m0"), carrier, self.chance),
        )
        self.manager.kind = kind
        self.sensors = MemoryTransport(self.broker, "sensors", reliable=True)
        self.taken: set[int] = set()
        self.sensors.start(self._heard)
        self.now = 0.0

    def run(self, seconds: float) -> None:
        """Let time go on; who is down starts again."""
        end = self.now + seconds
        while self.now < end:
            if not self.manager.up:
                self.manager.start(self.now)
            self.broker.pump(self.now)
            self.manager.run(self.now)
            self.now = min(max(min(self.broker.next_due(), self.manager.next_due(self.now)), self.now + 0.01), end)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Published):
            self.taken.add(event.token)

    def publish(self, number: int) -> None:
        """Let a sensor say something until the broker has taken it."""
        body = json.dumps({"n": str(number), "hot": number % 3 == 0}).encode()
        token = 0
        while token not in self.taken:
            if not token or not self.sensors.connected:
                token = self.sensors.publish(f"sensors/s{number % 7}/t", body, qos=1)
            self.run(0.1)

    def trouble(self, faults: Faults, probability: float) -> None:
        self.broker.faults = faults
        self.manager.fuse.probability, self.manager.fuse.disk_fails = probability, probability / 10

    def started(self, template: str) -> Counter[str]:
        """Return how many workflows of a template there are by the number of their message."""
        sql = "SELECT inputs FROM workflows WHERE template = ?"
        return Counter(json.loads(row[0])["x"] for row in self.manager.disk.database.conn.execute(sql, (template,)))


def play(seed: int, kind: type[Listener] = Listener) -> Stage:
    """Let sensors speak while all goes wrong, and then for a while nothing."""
    stage = Stage(seed, kind)
    stage.run(10)
    assert stage.manager.listener.problem() is None
    stage.trouble(TROUBLE, 0.1)
    for number in range(MESSAGES):
        stage.publish(number)
        stage.run(stage.chance.random() * 0.5)
        if stage.chance.random() < 0.01:
            stage.broker.stop()
            stage.run(2)
            stage.broker.start()
    stage.trouble(Faults(), 0.0)
    stage.run(120)
    return stage


@pytest.mark.parametrize("seed", range(6))
def test_each_message_starts_what_it_is_to_start(seed: int) -> None:
    stage = play(seed)
    assert stage.manager.crashes > 2
    assert stage.started("chain1") == {str(number): 1 for number in range(0, MESSAGES, 3)}
    assert set(stage.started("chain3")) == {str(number) for number in range(MESSAGES)}
    assert len(stage.started("chain5")) == 7


class Hasty(Listener):
    """It acknowledges a message before it is decided on."""

    def take(self, event: Event) -> None:
        if isinstance(event, Arrived):
            assert isinstance(self.transport, MemoryTransport)
            MemoryTransport.ack(self.transport, event)
        super().take(event)


def taken_through_crashes(kind: type[Listener]) -> int:
    """Let the manager crash at each of ten messages, and return how many of them have started something."""
    stage = Stage(1, kind)
    stage.run(10)
    for number in range(10):
        stage.manager.fuse.probability = 1.0
        stage.publish(number)
        stage.manager.fuse.probability = 0.0
        stage.run(10)
    return len(stage.started("chain3"))


def test_a_message_that_is_acknowledged_too_early_is_missed() -> None:
    assert taken_through_crashes(Listener) == 10
    assert taken_through_crashes(Hasty) < 10


def test_a_restored_manager_starts_what_comes_again_once() -> None:
    stage = Stage(1)
    stage.run(10)
    for number in range(20):
        stage.publish(number)
    stage.run(5)
    copy = stage.manager.disk.copy()
    for number in range(20, 40):
        stage.publish(number)
    stage.run(5)
    stage.manager.crash()
    stage.manager.disk.restore(copy)
    stage.run(10)
    for number in range(40):
        stage.publish(number)
    stage.run(10)
    assert stage.started("chain1") == {str(number): 1 for number in range(0, 40, 3)}


def test_what_is_no_longer_wanted_is_unsubscribed_and_the_session_ends_empty() -> None:
    stage = Stage(1)
    stage.run(10)
    assert stage.manager.reactor.listened() == ["sensors/#"]
    stage.manager.crash()
    stage.manager.settings = manager_config(rules=(HOT,))
    stage.run(10)
    assert stage.manager.reactor.listened() == ["sensors/+/t"]
    stage.manager.listener.use(())
    stage.run(10)
    assert stage.manager.reactor.listened() == []
    assert stage.broker._sessions[stage.manager.topics.rules_client_id].filters == {}


def test_a_refused_subscription_is_said() -> None:
    stage = Stage(1)
    stage.run(10)
    session = stage.manager.session
    assert session is not None
    stage.manager.listener.take(SubscriptionRefused("sensors/#", session.connection))
    assert stage.manager.listener.problem() == (
        "the broker does not let triggers subscribe to sensors/#; look at its ACL"
    )
