"""A transport whose other end is the test: it records what a node says, and gives it what the test wants it to hear.

A test takes what it expects, then asserts silence (`assert_nothing_else_sent`). What was sent is decoded by the real
codec, so what no other node could read fails the test.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from caroni_edge.protocol.codec import decode_frame, decode_message, decode_notice, encode
from caroni_edge.protocol.messages import Frame, JobFulfillmentRequest, Presence
from caroni_edge.transport.base import (
    ENDED_BY_US,
    IN_FLIGHT_MAX,
    Arrived,
    Connected,
    Deliver,
    Disconnected,
    Event,
    Published,
    Will,
    check_filter,
    check_topic,
)

Kind = TypeVar("Kind")
NOTICES: dict[str, type[msgspec.Struct]] = {"presence": Presence, "requests": JobFulfillmentRequest}


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was retained for a topic is no more: an empty retained message."""

    topic: str


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the node said: a link message, a frame that carries none, a notice, an event.

    Attributes:
        item: It, decoded: a struct, a `dict` (an event), `Cleared`, or bytes (what is not ours).
        topic: Where it went.
        to: The node that it is for; empty when it is for anybody.
        retain: Whether the broker was to keep it.
    """

    item: Any
    topic: str
    to: str = ""
    retain: bool = False


class RecordingTransport:
    """The transport of a node under test.

    Attributes:
        will: What the broker would say for the node.
        connection: Number of the present or the last connection.
        connected: Whether there is one.
        frames: All frames that were sent.
        acknowledged: The messages that the node acknowledged.
        subscriptions: Topic filters with their QoS, as they stand on this connection.
        pauses: For how long the node wanted to stay away, one for each `disconnect`.
        soon_after: The connections after which the node wanted to come back soon.
        stopped: Whether the node stopped it.
    """

    def __init__(self) -> None:
        """Record from now on; the test lets it `connect`."""
        self.will: Will | None = None
        self.connection = 0
        self.connected = self.stopped = False
        self.frames: list[Frame] = []
        self.acknowledged: list[Arrived] = []
        self.subscriptions: dict[str, int] = {}
        self.pauses: list[float] = []
        self.soon_after: list[int] = []
        self._said: list[Said] = []
        self._in_flight: list[int] = []
        self._tokens = self._packet_ids = 0
        self._deliver: Deliver = _nobody

    # Transport

    def start(self, deliver: Deliver) -> None:
        """Deliver to the node from now on."""
        self._deliver = deliver

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Note what the node has subscribed to."""
        for topic_filter, qos in filters:
            check_filter(topic_filter)
            self.subscriptions[topic_filter] = qos

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Forget subscriptions; the node must have had them."""
        for topic_filter in filters:
            del self.subscriptions[topic_filter]

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Record what is published; see `Transport.publish`."""
        check_topic(topic)
        if not self.connected or (qos and len(self._in_flight) >= IN_FLIGHT_MAX):
            return 0
        self._said += self._read(topic, payload, retain)
        self._tokens += 1
        if qos:
            self._in_flight.append(self._tokens)
        return self._tokens

    def ack(self, message: Arrived) -> None:
        """Note an acknowledgement, unless it is for an earlier connection."""
        if self.connected and message.connection == self.connection:
            self.acknowledged.append(message)

    def together(self) -> AbstractContextManager[None]:
        """Nothing is gained by it here."""
        return nullcontext()

    def disconnect(self, pause_s: float = 0.0) -> None:
        """Note that the node wants to stay away."""
        self.pauses.append(pause_s)
        if self.connected:
            self.lose(ENDED_BY_US)

    def retry_soon(self, connection: int) -> None:
        """Note after which connection the node wants to come back soon."""
        self.soon_after.append(connection)

    def stop(self, timeout_s: float = 0.0) -> None:
        """Note that the node stopped."""
        self.stopped, self.connected = True, False

    # The other end

    def connect(self, *, session_present: bool = False) -> None:
        """Take the node in, as a broker does by its CONNACK."""
        self.connection += 1
        self.connected = True
        self._in_flight.clear()
        self.subscriptions.clear()
        self._deliver(Connected(self.connection, session_present))

    def lose(self, reason: str = "the broker closed the connection") -> None:
        """End the connection."""
        self.connected = False
        self._deliver(Disconnected(self.connection, reason))

    def receive(
        self,
        topic: str,
        payload: bytes | msgspec.Struct,
        *,
        qos: int = 1,
        retain: bool = False,
        dup: bool = False,
        packet_id: int | None = None,
    ) -> Arrived:
        """Let a message arrive, and return it; structs are encoded."""
        if packet_id is None and qos:
            self._packet_ids += 1
        number = packet_id if packet_id is not None else self._packet_ids if qos else 0
        body = payload if isinstance(payload, bytes) else encode(payload)
        event = Arrived(topic, body, qos, retain, dup, number, self.connection)
        self._deliver(event)
        return event

    def puback(self, count: int | None = None) -> None:
        """Acknowledge the oldest `count` of what is in flight (all, if it is not given)."""
        taken = self._in_flight[:count]
        del self._in_flight[: len(taken)]
        for token in taken:
            self._deliver(Published(token, self.connection))

    def tell(self, event: Event) -> None:
        """Deliver an event that none of the other methods makes."""
        self._deliver(event)

    # What the node said

    def take(self, kind: type[Kind], *, to: str = "", where: Callable[[Kind], bool] = lambda _: True) -> Kind:
        """Take the first thing of a kind that the node said; the rest stays.

        Args:
            kind: Type of a link message or of a notice; `Frame` for one without messages; `Cleared`; `dict`: an event.
            to: The node that it must be for; empty takes any.
            where: What else must be true of it.

        Raises:
            AssertionError: There is none; the message lists what there is.
        """
        for index, said in enumerate(self._said):
            if isinstance(said.item, kind) and to in {"", said.to} and where(said.item):
                del self._said[index]
                return said.item
        raise AssertionError(f"no {kind.__name__}{f' to {to}' if to else ''} was sent{self._list(', but')}")

    def take_all(self, kind: type[Kind], *, to: str = "") -> list[Kind]:
        """Take everything of a kind that the node said; there may be nothing."""
        taken = [said for said in self._said if isinstance(said.item, kind) and to in {"", said.to}]
        self._said = [said for said in self._said if said not in taken]
        return [said.item for said in taken]

    def take_event(self, event_type: str) -> dict[str, Any]:
        """Take the first event of a type, such as `caroni.workflow.completed`."""
        event: dict[str, Any] = self.take(dict, where=lambda event: event.get("type") == event_type)
        return event

    def assert_nothing_else_sent(self, *besides: type) -> None:
        """Assert that all that the node said was taken, except for things of the types `besides`."""
        self._said = [said for said in self._said if not isinstance(said.item, besides)]
        assert not self._said, f"something else was sent{self._list(':')}"

    def _list(self, before: str) -> str:
        return "".join([before, *(f"\n  {said.topic}: {said.item!r}" for said in self._said)])

    def _read(self, topic: str, payload: bytes, retain: bool) -> list[Said]:
        parts = ["", "", *topic.split("/")]
        if retain and not payload:
            return [Said(Cleared(topic), topic, retain=True)]
        if parts[-3] == "inbox":
            frame = decode_frame(topic, payload)
            self.frames.append(frame)
            items: list[Any] = [decode_message(raw) for raw in frame.messages] or [frame]
            return [Said(item, topic, frame.to) for item in items]
        notice = NOTICES.get(parts[-3])
        item = decode_notice(notice, topic, payload) if notice else _json_or_bytes(payload)
        return [Said(item, topic, retain=retain)]


def _json_or_bytes(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def _nobody(event: Event) -> None:
    raise AssertionError(f"the node has not started its transport, and missed {event!r}")
