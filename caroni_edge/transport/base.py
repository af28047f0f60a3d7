"""What the node needs of an MQTT connection, and what it is told by one.

A transport owns a connection with a persistent session and keeps it open: it reconnects by itself, with jitter. All it
learns goes into one callable as small immutable objects, from whichever thread; it never decides anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the broker, not acknowledged yet.

    Attributes:
        topic: As the broker gave it; not checked.
        payload: Raw bytes.
        qos: 0 or 1.
        retain: It was a retained message, sent because of a subscription.
        dup: The broker says that it sends this again.
        packet_id: The MQTT packet id (0 for QoS 0).
        connection: Number of the connection that it came by; an acknowledgement is for that one only.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us in; `session_present` tells whether it still has our session."""

    connection: int
    session_present: bool = False


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended or could not be made; `reason` is for people (and says what to do where it can)."""

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """The broker acknowledged the publication that returned `token` (PUBACK)."""

    token: int
    connection: int


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish (QoS 1, retained)."""

    topic: str
    payload: bytes = field(repr=False)


Event = Arrived | Connected | Disconnected | Published
Deliver = Callable[[Event], None]


class Transport(Protocol):
    """An MQTT 3.1.1 connection with a persistent session. Methods are called by the node's thread only."""

    def start(self, deliver: Deliver) -> None:
        """Begin to connect, and go on for ever; everything that happens is delivered."""

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (topic filter, QoS) pairs on the present connection."""

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish on the present connection, and return a token; 0 when there is none (nothing is queued then)."""

    def ack(self, message: Arrived) -> None:
        """Acknowledge a QoS 1 message (PUBACK); nothing happens when its connection is gone."""

    def disconnect(self, pause_s: float = 0.0) -> None:
        """Cut the present connection, and connect again after `pause_s` seconds at the earliest."""

    def stop(self, timeout_s: float) -> None:
        """Wait for what is in flight (at most `timeout_s`), disconnect cleanly, and end."""
