"""A broker at QoS 0 on simulated time: what it carries may be dropped, doubled, late or damaged."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random

from caroni_edge.objects.transfer.tickets import Peer


class Clock:
    """Simulated time, and what is to happen at which."""

    def __init__(self) -> None:
        self.now = 0.0
        self._count = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, time: float, action: Callable[[], None]) -> None:
        heappush(self._due, (max(time, self.now), next(self._count), action))

    def run(self, until: float, is_over: Callable[[], bool]) -> None:
        """Let happen what is due up to a time, or until it is over."""
        while self._due and self._due[0][0] <= until and not is_over():
            self.now, _, action = heappop(self._due)
            action()
        if not is_over():
            self.now = max(self.now, until)


@dataclass(frozen=True)
class Line:
    """What the lines of all nodes are like.

    Attributes:
        delay_s: From one node to another.
        jitter_s: So much later at most; what is later is overtaken.
        rate: Bytes a second that a node gets.
        drops: Share of what is lost.
        doubles: Share of what comes twice.
        damages: Share of what comes with a bit turned round.
    """

    delay_s: float = 0.02
    jitter_s: float = 0.0
    rate: float = 1e8
    drops: float = 0.0
    doubles: float = 0.0
    damages: float = 0.0


class Network:
    """Carries payloads between nodes that are connected, as a broker does at QoS 0.

    Attributes:
        line: What goes wrong.
        limits: What is larger than this does not reach a node from others.
        echo_limits: What is larger than this does not reach it from itself.
        lost: How many payloads were lost.
    """

    def __init__(self, clock: Clock, random: Random, line: Line) -> None:
        self.clock, self.random, self.line = clock, random, line
        self.limits: dict[Peer, int] = {}
        self.echo_limits: dict[Peer, int] = {}
        self.lost = 0
        self._connected: dict[Peer, tuple[int, Callable[[Peer, bytes], None]]] = {}
        self._free_at: dict[Peer, float] = {}
        self._connections = count()

    def connect(self, node: Peer, hear: Callable[[Peer, bytes], None]) -> None:
        self._connected[node] = next(self._connections), hear

    def disconnect(self, node: Peer) -> None:
        self._connected.pop(node, None)
        self._free_at.pop(node, None)

    def is_connected(self, node: Peer) -> bool:
        return node in self._connected

    def publish(self, sender: Peer, to: Peer, payload: bytes) -> None:
        if sender not in self._connected or to not in self._connected or self._is_hit(self.line.drops):
            self.lost += 1
            return
        limits = self.echo_limits if sender == to else self.limits
        if len(payload) > min(limits.get(sender, 1 << 30), limits.get(to, 1 << 30)):
            self.lost += 1
            return
        for _ in range(2 if self._is_hit(self.line.doubles) else 1):
            self._carry(sender, to, payload)

    def _carry(self, sender: Peer, to: Peer, payload: bytes) -> None:
        if self._is_hit(self.line.damages):
            damaged = bytearray(payload)
            damaged[self.random.randrange(len(damaged))] ^= 1 << self.random.randrange(8)
            payload = bytes(damaged)
        number = self._connected[to][0]
        begins = max(self.clock.now + self.line.delay_s, self._free_at.get(to, 0.0))
        self._free_at[to] = begins + len(payload) / self.line.rate
        arrives = self._free_at[to] + self.line.jitter_s * self.random.random()

        def deliver() -> None:
            connected, hear = self._connected.get(to, (-1, None))
            if connected == number and hear is not None:
                hear(sender, payload)
            else:
                self.lost += 1

        self.clock.at(arrives, deliver)

    def _is_hit(self, share: float) -> bool:
        return share > 0 and self.random.random() < share
