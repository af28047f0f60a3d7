"""Clients of a broker in memory: the transport of simulations, and of tests of several nodes in one process."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from caroni_edge.base.backoff import Backoff
from caroni_edge.transport.base import (
    ENDED_BY_US,
    IN_FLIGHT_MAX,
    Arrived,
    Connected,
    Deliver,
    Disconnected,
    Published,
    Subscribed,
    Will,
    check_filter,
    check_topic,
)
from caroni_edge.transport.memory_broker import MemoryBroker

RETRY = Backoff(first_s=1.0, max_s=1.0, jitter=(0.2, 1.0))


class MemoryTransport:
    """A client of a `MemoryBroker`. It comes back by itself after a while (`RETRY`), like the real one.

    Attributes:
        client_id: Name of its session.
        will: What the broker says when it vanishes.
        connection: Number of the present or the last connection.
        connected: Whether it has one.
        reliable: The broker's faults spare it.
    """

    def __init__(
        self, broker: MemoryBroker, client_id: str, *, will: Will | None = None, reliable: bool = False
    ) -> None:
        """Prepare a client; `start` lets it connect.

        Args:
            broker: The broker.
            client_id: Name of the session.
            will: What the broker says when the client vanishes; may be set until `start`.
            reliable: The broker's faults spare it; for what only watches.
        """
        self.client_id, self.will, self.reliable = client_id, will, reliable
        self.connection = 0
        self.connected = False
        self._broker = broker
        self._tokens = 0
        self._in_flight: set[int] = set()
        self._not_before = 0.0
        self._up_due = self._down_due = 0.0
        self._ended = False

    # Transport

    def start(self, deliver: Deliver) -> None:
        """Connect when the broker is pumped next."""
        self._deliver = deliver
        self._broker.at(self._broker.now, self._connect)

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (topic filter, QoS) pairs on the present connection."""
        for topic_filter, _ in filters:
            check_filter(topic_filter)
        self._up(self._subscribed, tuple(filters))

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End the subscriptions to these topic filters."""
        self._up(self._broker.unsubscribe, self.client_id, tuple(filters))

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish on the present connection; see `Transport.publish`."""
        check_topic(topic)
        if not self.connected or self._ended or (qos and len(self._in_flight) >= IN_FLIGHT_MAX):
            return 0
        self._tokens += 1
        if qos:
            self._in_flight.add(self._tokens)
        self._up(self._published, self._tokens, topic, payload, qos, retain)
        return self._tokens

    def ack(self, message: Arrived) -> None:
        """Acknowledge a QoS 1 message; nothing happens when its connection is gone."""
        if message.qos and message.connection == self.connection:
            self._up(self._broker.acknowledge, self.client_id, message.packet_id)

    def together(self) -> AbstractContextManager[None]:
        """Nothing is gained by it here."""
        return nullcontext()

    def disconnect(self, pause_s: float = 0.0) -> None:
        """End the present connection, and connect again after `pause_s` seconds at the earliest."""
        self._not_before = self._broker.now + pause_s
        if self.connected:
            self._broker.leave(self.client_id, will=False)
            self.lost(ENDED_BY_US)

    def retry_soon(self, connection: int) -> None:
        """Change nothing: no wait is longer than the shortest."""

    def stop(self, timeout_s: float = 0.0) -> None:
        """End. What was published before still reaches the broker, and no will is said."""
        self._up(self._left, False)
        self._ended = True

    # Faults

    def kill(self, *, will: bool = True) -> None:
        """End at once, as a process that is killed: what is on the way is lost."""
        if self.connected:
            self._broker.leave(self.client_id, will=will)
        self._ended, self.connected = True, False

    # Called by the broker

    def down(self, event: Arrived | Published | Subscribed, late_s: float = 0.0, *, overtaken: bool = False) -> None:
        """Deliver an event when it is due; events keep their order, except those that are overtaken."""
        due = self._broker.now + late_s
        if not overtaken:
            due = self._down_due = max(due, self._down_due)
        self._broker.at(due, self._arrive, event)

    def lost(self, reason: str) -> None:
        """The connection is gone; come back later."""
        self.connected = False
        self._in_flight.clear()
        self._give(Disconnected(self.connection, reason))
        self._connect_later()

    # Inside

    def _up(self, action: Callable[..., None], *arguments: Any) -> None:
        if self.connected and not self._ended:
            self._up_due = max(self._broker.now + self._broker.lateness_s(), self._up_due)
            self._broker.at(self._up_due, self._take_up, self.connection, action, arguments)

    def _take_up(self, connection: int, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if self.connected and connection == self.connection:
            action(*arguments)

    def _published(self, token: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        connection = self.connection
        self._broker.publish(topic, payload, qos, retain)
        if qos and self.connected and connection == self.connection:
            self.down(Published(token, connection))

    def _subscribed(self, filters: Sequence[tuple[str, int]]) -> None:
        connection = self.connection
        self._broker.subscribe(self.client_id, filters)
        for topic_filter, _ in filters:
            if self.connected and connection == self.connection:
                self.down(Subscribed(topic_filter, connection))

    def _left(self, will: bool) -> None:
        self._broker.leave(self.client_id, will=will)
        self.connected = False

    def _connect_later(self) -> None:
        retry_s = RETRY.jittered(RETRY.first_s, self._broker.chance.random())
        due = max(self._broker.now + retry_s, self._not_before)
        self._broker.at(due, self._connect)

    def _connect(self) -> None:
        if self._ended or self.connected:
            return
        if self._not_before > self._broker.now:
            self._broker.at(self._not_before, self._connect)
            return
        self.connection += 1
        if not self._broker.running:
            self._give(Disconnected(self.connection, "nothing listens at the broker's address"))
            self._connect_later()
            return
        present = self._broker.connect(self)
        self.connected = True
        self._up_due = self._down_due = self._broker.now
        self._give(Connected(self.connection, present))
        self._broker.resume(self.client_id)

    def _arrive(self, event: Arrived | Published | Subscribed) -> None:
        if not self.connected or event.connection != self.connection:
            return
        if isinstance(event, Published):
            self._in_flight.discard(event.token)
        self._give(event)

    def _give(self, event: Connected | Disconnected | Arrived | Published | Subscribed) -> None:
        if not self._ended:
            self._deliver(event)
