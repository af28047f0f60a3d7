"""The broker in memory against mosquitto: one story, told to both, must be heard alike."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from caroni_edge.transport.base import Arrived, Connected, Will
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.brokers import Client, Mosquitto
from tests.support import wait_until

Kind = TypeVar("Kind")
Make = Callable[[str], Client]
Heard = list[tuple[str, bytes, int, bool, bool, int, int] | tuple[str, bool]]


class MemoryClient(Client):
    """A client in memory; looking at what it was told lets time pass."""

    def __init__(self, broker: MemoryBroker, client_id: str) -> None:
        super().__init__(MemoryTransport(broker, client_id, will=Will(f"wills/{client_id}", b"gone")), client_id)
        self._broker = broker

    def find(self, kind: type[Kind], condition: Callable[[Kind], bool] = lambda _: True) -> list[Kind]:
        self._broker.pump(self._broker.now + 0.1)
        return super().find(kind, condition)


def heard(client: Client) -> Heard:
    """Return what a client was told, without the probes of `Client.subscribe`."""
    found: Heard = []
    for event in client.events:
        if isinstance(event, Connected):
            found.append(("connected", event.session_present))
        elif isinstance(event, Arrived) and not event.topic.startswith("probe/"):
            facts = (event.qos, event.retain, event.dup, event.packet_id, event.connection)
            found.append((event.topic, event.payload, *facts))
    return found


def story(make: Make) -> list[Heard]:
    node, sender, watcher = make("node"), make("sender"), make("watcher")
    for client in (node, sender, watcher):
        client.connect()
    watcher.subscribe("wills/#", qos=0)
    node.subscribe("t/#")
    node.subscribe("low/+", qos=0)
    for number in range(3):
        sender.publish("t/a", b"%d" % number)
    sender.publish("low/a", b"at most once")
    wait_until(lambda: len(node.arrived("t/a")) == 3 and node.arrived("low/a"), what="four messages")
    node.transport.ack(node.arrived("t/a")[1])
    node.publish("barrier", b"")
    node.transport.disconnect()
    wait_until(lambda: len(node.arrived("t/a")) == 5, what="two of them again")
    for repeat in node.arrived("t/a")[3:]:
        node.transport.ack(repeat)
    node.publish("barrier", b"")
    node.stop()
    sender.publish("t/b", b"meanwhile", retain=True)
    sender.publish("t", b"for t/# too")
    sender.publish("low/a", b"nobody is there")
    again = make("node")
    again.connect()
    wait_until(lambda: again.arrived("t"), what="what was sent meanwhile")
    again.subscribe("t/b")
    wait_until(lambda: len(again.arrived("t/b")) == 2, what="what is retained")
    sender.publish("t/b", b"", retain=True)
    wait_until(lambda: len(again.arrived("t/b")) == 3, what="that it is no more")
    late = make("late")
    late.connect()
    late.subscribe("t/#")
    again.stop()
    third = make("node")
    third.connect()
    wait_until(lambda: len(third.arrived("t/b")) == 3, what="all again, since nothing was acknowledged")
    watcher.publish("wills/none", b"barrier")
    wait_until(lambda: watcher.arrived("wills/none"), what="the barrier")
    return [heard(client) for client in (node, again, late, third, watcher)]


def test_both_brokers_tell_the_same_story(mosquitto: Mosquitto) -> None:
    real: list[Client] = []
    simulated = MemoryBroker(Random(1))

    def make_real(client_id: str) -> Client:
        real.append(Client.of(mosquitto, client_id, will=Will(f"wills/{client_id}", b"gone")))
        return real[-1]

    in_memory = story(lambda client_id: MemoryClient(simulated, client_id))
    on_mosquitto = story(make_real)
    for client in real:
        client.stop(0)
    assert in_memory == on_mosquitto
