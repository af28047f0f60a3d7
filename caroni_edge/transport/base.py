"""What the node needs of an MQTT connection, and what it is told by one.

A transport owns a connection and its session, and keeps it open: it reconnects by itself, with jitter. All it
learns goes into one callable as small immutable objects, from whichever thread; it never decides anything. It queues
nothing either: what cannot be published now stays where it is kept, in the outbox.

`[MQTT-x.y.z-n]` names a rule of MQTT 3.1.1 (https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

IN_FLIGHT_MAX = 100
"""QoS 1 publications on a connection whose PUBACK has not come; beyond this `publish` returns 0."""
TOPIC_MAX_BYTES = 65535
ENDED_BY_US = "this node ended the connection"
"""The reason of a `Disconnected` that `disconnect` or `stop` has caused."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the broker, not acknowledged yet.

    Attributes:
        topic: As the broker gave it; not checked.
        payload: Raw bytes.
        qos: 0 or 1.
        retain: It was kept by the broker, and is sent because of a new subscription [MQTT-3.3.1-8]; what is published
            while we are subscribed comes without this flag [MQTT-3.3.1-9].
        dup: The broker says that it sends this again [MQTT-3.3.1-1].
        packet_id: The MQTT packet id (0 for QoS 0). Another message may bear it after our PUBACK [MQTT-2.3.1-4].
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
    """The broker took us in; `session_present` tells whether it still has our session [MQTT-3.2.2-2]."""

    connection: int
    session_present: bool = False


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended or could not be made; `reason` is for people (and says what to do where it can).

    Attributes:
        is_login_refused: The broker knows no such login; the next attempt will hardly go better.
    """

    connection: int
    reason: str
    is_login_refused: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """The broker has taken over the publication that returned `token` (PUBACK, [MQTT-4.3.2-2])."""

    token: int
    connection: int


@dataclass(frozen=True, slots=True)
class SubscriptionRefused:
    """The broker does not let us subscribe to `topic_filter` (its ACL, most likely); the others hold.

    MQTT 3.1.1 says so by the return code 0x80 of that topic filter in the SUBACK (section 3.9.3).
    """

    topic_filter: str
    connection: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker has taken the subscription to `topic_filter`: what is published from now on is for us."""

    topic_filter: str
    connection: int


@dataclass(frozen=True, slots=True)
class Writable:
    """The network keeps up again: what `publish` has not taken at QoS 0 may be tried again."""

    connection: int


@dataclass(frozen=True, slots=True)
class TransportEnded:
    """The network thread has died by a fault of the program; nothing will come any more. The node must end."""

    failure: str


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we vanish without a DISCONNECT [MQTT-3.1.2-8] (QoS 1, retained)."""

    topic: str
    payload: bytes = field(repr=False)


Event = Arrived | Connected | Disconnected | Published | Subscribed | SubscriptionRefused | Writable | TransportEnded
Deliver = Callable[[Event], None]


class Transport(Protocol):
    """An MQTT 3.1.1 connection. The session is persistent, but for the connection that is for the bytes of objects.

    Methods are called by one thread at a time.

    Attributes:
        will: What the broker is to say when we vanish; it is read at each connect.
    """

    will: Will | None

    def start(self, deliver: Deliver) -> None:
        """Begin to connect, and go on for ever; everything that happens is delivered.

        `Connected` comes before all else of a connection [MQTT-3.2.0-1]. A broker that still has our session sends its
        messages right after it [MQTT-4.4.0-1], before anything is subscribed.
        """

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (topic filter, QoS) pairs on the present connection.

        `Subscribed` names those that the broker has taken, `SubscriptionRefused` the others.

        What is retained for them comes again, also for a filter that was subscribed to before [MQTT-3.8.4-3].

        Raises:
            ValueError: One is no topic filter.
        """

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End the subscriptions to these topic filters, on the present connection."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish on the present connection.

        Returns:
            A positive token, greater than all before. With QoS 1, `Published` names it when the broker has the message.
            0 when it was not taken: there is no connection, or `IN_FLIGHT_MAX` are in flight, or (QoS 0) the network
            does not keep up. Nothing is queued then; a `Published`, `Writable` or `Connected` tells when to try
            again.

        Raises:
            ValueError: `topic` is none that can be published to.
        """

    def ack(self, message: Arrived) -> None:
        """Acknowledge a QoS 1 message (PUBACK); nothing happens when its connection is gone."""

    def together(self) -> AbstractContextManager[None]:
        """Within it what is to be sent is gathered, and goes out at its end; nothing waits for its beginning."""

    def disconnect(self, pause_s: float = 0.0) -> None:
        """End the present connection, and connect again after `pause_s` seconds at the earliest.

        It ends by a DISCONNECT, so the broker discards our will [MQTT-3.14.4-3].

        Nothing that comes by it is delivered after this call, except its `Disconnected`.
        """

    def retry_soon(self, connection: int) -> None:
        """Let the wait that follows the end of `connection` be the shortest, a few times in a row at most.

        The node looks which of its publications the broker cuts it off for, and nothing else goes on meanwhile.
        """

    def stop(self, timeout_s: float) -> None:
        """Wait for what is in flight (at most `timeout_s`), disconnect cleanly, and end."""


def check_topic(topic: str) -> None:
    """Refuse what is no topic to publish to.

    Raises:
        ValueError: It is empty [MQTT-4.7.3-1], too long [MQTT-4.7.3-3], has a wildcard [MQTT-4.7.1-1] or a NUL
            [MQTT-4.7.3-2], or cannot be encoded [MQTT-1.5.3-1].
    """
    if not topic or len(topic.encode()) > TOPIC_MAX_BYTES or any(c in topic for c in "+#\0"):
        raise ValueError(f"{topic[:200]!r} is no topic to publish to")


def check_filter(topic_filter: str) -> None:
    """Refuse what is no topic filter to subscribe to.

    Raises:
        ValueError: As for a topic, except that `+` may be a whole level [MQTT-4.7.1-3], and `#` the last one
            [MQTT-4.7.1-2].
    """
    *levels, last = topic_filter.split("/")
    plain = [level for level in (*levels, "" if last == "#" else last) if level != "+"]
    if (
        not topic_filter
        or len(topic_filter.encode()) > TOPIC_MAX_BYTES
        or any(c in level for level in plain for c in "+#\0")
    ):
        raise ValueError(f"{topic_filter[:200]!r} is no topic filter")
