"""A broker that keeps all and in order, until the walk makes it drop, double, repeat, forget or reorder."""

from dataclasses import dataclass

from caroni_edge.protocol.codec import decode_frame
from caroni_edge.protocol.messages import Frame

REMEMBERED = 30


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A frame on its way, or (without payload) the presence of `sender` with its boot.

    Attributes:
        number: Counts all that was ever published.
        is_hello: It asks.
    """

    number: int
    sender: str
    to: str
    payload: bytes = b""
    qos: int = 0
    boot: str = ""
    is_hello: bool = False

    def __str__(self) -> str:
        if self.boot:
            return f"{self.sender} is online, boot {self.boot}"
        return str(Said(decode_frame("", self.payload)))


class TooLarge(Exception):
    """The broker ends the connection of who has published something so large."""


class Broker:
    """Sessions, queues and retained presence.

    Attributes:
        limit_bytes: What is larger does not pass; 0: all does.
        cuts: Who publishes such is cut off; otherwise it is acknowledged and dropped.
        queues: For each node what waits for it; it may be taken from any place.
        seen: What has passed lately and may come again.
        boots: All presences that were ever retained, for each node; an old one may come late.
        online: Who is connected.
        published: Number of frames published.
        hellos: Number of Hellos among them.
    """

    def __init__(self, names: list[str], limit_bytes: int = 0, *, cuts: bool = False) -> None:
        self.limit_bytes, self.cuts = limit_bytes, cuts
        self.queues: dict[str, list[Envelope]] = {name: [] for name in names}
        self.seen: list[Envelope] = []
        self.boots: dict[str, list[str]] = {name: [] for name in names}
        self.online: dict[str, str] = {}
        self.published = self.hellos = self._number = 0
        self._unacked: dict[str, list[Envelope]] = {name: [] for name in names}

    def connect(self, name: str, boot: str, *, presence: bool) -> None:
        """Take a node in: what it has not acknowledged comes again; presences are told both ways."""
        self.online[name] = boot
        self.queues[name][:0] = self._unacked[name]
        self._unacked[name].clear()
        self.boots[name].append(boot)
        if presence:
            for other in sorted(self.queues.keys() - {name}):
                if self.boots[other]:
                    self._queue(other, name, boot=self.boots[other][-1])
                if other in self.online:
                    self._queue(name, other, boot=boot)

    def publish(self, name: str, frame: Frame, payload: bytes, qos: int) -> None:
        """Take a frame; at QoS 0 it is lost if nobody listens."""
        self.published += 1
        self.hellos += frame.ask is not None
        if self.limit_bytes and len(payload) > self.limit_bytes:
            if self.cuts:
                raise TooLarge
            return
        if qos or frame.to in self.online:
            self._queue(name, frame.to, payload, qos, is_hello=frame.ask is not None)

    def take(self, name: str, index: int) -> Envelope:
        """Deliver what stands at `index` of the queue of a node."""
        envelope = self.queues[name].pop(index)
        if envelope.qos:
            self._unacked[name].append(envelope)
        self.seen.append(envelope)
        del self.seen[:-REMEMBERED]
        return envelope

    def puback(self, name: str, envelope: Envelope) -> None:
        """Do not send this again."""
        if envelope in self._unacked[name]:
            self._unacked[name].remove(envelope)

    def lose_session(self, name: str) -> None:
        """Forget all that waits for a node."""
        self.queues[name].clear()
        self._unacked[name].clear()

    def wipe(self) -> None:
        """Begin anew with nothing."""
        self.online.clear()
        for name in self.queues:
            self.lose_session(name)
            self.boots[name].clear()

    def can_deliver(self) -> bool:
        """Tell whether anything waits for a node that is there."""
        return any(self.queues[name] for name in self.online)

    def held(self) -> int:
        """Return how many messages are on their way, or may come again."""
        return sum(map(len, self.queues.values())) + sum(map(len, self._unacked.values()))

    def _queue(self, name: str, to: str, *facts: object, **named: object) -> None:
        self._number += 1
        self.queues[to].append(Envelope(self._number, name, to, *facts, **named))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Said:
    """A frame in a few words, for traces."""

    frame: Frame

    def __str__(self) -> str:
        frame = self.frame
        parts = [f"{frame.from_}>{frame.to} boot {frame.boot} ack {frame.ack[0]}:{frame.ack[1]}"]
        if frame.ask:
            parts.append(f"ask {frame.ask}")
        if frame.answer:
            parts.append(f"answer {frame.answer}")
        if frame.messages:
            parts.append(f"first {frame.first} prev {frame.prev!r}: {b' '.join(map(bytes, frame.messages)).decode()}")
        return " ".join(parts)
