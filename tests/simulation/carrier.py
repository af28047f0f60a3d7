"""What carries the bytes of objects between the nodes of the simulation: each may be lost, doubled, late or damaged."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import Ask
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.objects.network import Line
from tests.simulation.web import Web

CALM = Line()


class DataNode(Protocol):
    """A node as the carrier sees it.

    Attributes:
        peer: Its role and id; a twin has the same.
        connection: Number of its connection; 0 for none.
    """

    peer: Peer
    connection: int

    def hear(self, sender: Peer, payload: bytes) -> None:
        """Take what another node says."""


class Carrier:
    """A broker at QoS 0, for data connections alone.

    Attributes:
        line: What goes wrong.
        web: Hosts outside, from which bytes come by another way.
        made: Whose the objects are that jobs have made, or that have come from outside: pairs of a manager and a hash.
        may_ask: Tells whether a liar was given a job that lets it have what it asks for.
        wrong: What must never be, and was.
        came_bytes: So many bytes have come to those who asked.
    """

    def __init__(self, broker: MemoryBroker, chance: Random) -> None:
        """Carry while the broker runs, on its time."""
        self._broker, self._chance = broker, chance
        self.line, self.web = CALM, Web()
        self.made: set[tuple[str, str]] = set()
        self.may_ask: Callable[[Peer, Ask], bool] = lambda _asker, _ask: True
        self.wrong: list[str] = []
        self.came_bytes = 0
        self._nodes: list[DataNode] = []
        self._connections = 0

    @property
    def now(self) -> float:
        """The simulated time."""
        return self._broker.now

    @property
    def is_there(self) -> bool:
        """Whether the broker runs."""
        return self._broker.running

    def add(self, node: DataNode) -> None:
        """Let a node be reached, whenever it is connected."""
        self._nodes.append(node)

    def remove(self, node: DataNode) -> None:
        """Let a node be reached no more."""
        self._nodes.remove(node)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while."""
        self._broker.at(self.now + seconds, action)

    def new_connection(self) -> int:
        """Return a number that no connection has had."""
        self._connections += 1
        return self._connections

    def say(self, sender: DataNode, to: Peer, payload: bytes) -> None:
        """Carry something to all that are connected under an id, or do not."""
        if not sender.connection or self._is_hit(self.line.drops):
            return
        for node in [each for each in self._nodes if each.peer == to and each.connection]:
            for _ in range(2 if self._is_hit(self.line.doubles) else 1):
                self._carry(sender.peer, node, payload)

    def _carry(self, sender: Peer, node: DataNode, payload: bytes) -> None:
        if self._is_hit(self.line.damages):
            damaged = bytearray(payload)
            damaged[self._chance.randrange(len(damaged))] ^= 1 << self._chance.randrange(8)
            payload = bytes(damaged)
        connection, line = node.connection, self.line

        def deliver() -> None:
            if node.connection == connection:
                self.came_bytes += len(payload)
                node.hear(sender, payload)

        takes_s = line.delay_s + line.jitter_s * self._chance.random() + len(payload) / line.rate
        self._broker.at(self._broker.now + takes_s, deliver)

    def _is_hit(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share
