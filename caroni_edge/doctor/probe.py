"""A connection for looking: what happened is waited for, within bounds, and only what is our own is acknowledged."""

from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import Self

from caroni_edge.config import BrokerConfig
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    Published,
    SubscriptionRefused,
    TransportEnded,
)
from caroni_edge.transport.mqtt import MqttTransport

ANSWER_WITHIN_S = 5.0
LEAVE_WITHIN_S = 2.0


class Gone(Exception):
    """There is no connection (any more); the text says why."""


class Probe:
    """A connection of the doctor's to the broker, with a session of its own name. Use it in a `with`.

    Attributes:
        own_topic: What comes on it is ours, and acknowledged.
        session_present: The broker had a session for it.
        arrived: What has come.
        refused: Topic filters that the broker has refused.
    """

    def __init__(self, broker: BrokerConfig, client_id: str, *, clean: bool = False, own_topic: str = "") -> None:
        """Prepare. Only a `clean` one ends the session that the broker has for it."""
        self.own_topic = own_topic
        self.session_present = self._connected = False
        self.arrived: list[Arrived] = []
        self.refused: set[str] = set()
        self._published: set[int] = set()
        self._heard: SimpleQueue[Event] = SimpleQueue()
        self._transport = MqttTransport(broker, client_id, clean_session=clean)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            Gone: The broker cannot be reached, or does not take us in.
        """
        self._transport.start(self._heard.put)
        try:
            if not self._wait(lambda event: isinstance(event, Connected), 2 * ANSWER_WITHIN_S):
                raise Gone("the broker does not answer: check the network, and the broker's log")
        except Gone:
            self._transport.stop(0)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._transport.stop(LEAVE_WITHIN_S)

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> None:
        """Subscribe; refusals come into `refused` before the PUBACK of what is published after this."""
        self._transport.subscribe(list(filters))

    def unsubscribe(self, topic_filter: str) -> None:
        """End a subscription."""
        self._transport.unsubscribe([topic_filter])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Publish with QoS 1; tell whether the broker said PUBACK in time.

        Raises:
            Gone: The broker cut us off.
        """
        token = self._transport.publish(topic, payload, qos=1, retain=retain)
        return bool(token) and self._wait(lambda _event: token in self._published)

    def revive(self, filters: Iterable[tuple[str, int]]) -> None:
        """Be connected, again if the broker has cut us off, with these subscriptions.

        Raises:
            Gone: The broker does not take us in again.
        """
        if not self._connected:
            self._wait(lambda _event: self._connected, 2 * ANSWER_WITHIN_S)
            self.subscribe(filters)

    def hear(self, topic: str, least: int = 1, within_s: float = ANSWER_WITHIN_S) -> list[Arrived]:
        """Return what has come on a topic, as soon as there is so much or the time is up.

        Raises:
            Gone: The broker cut us off.
        """

        def found() -> list[Arrived]:
            return [message for message in self.arrived if message.topic == topic]

        self._wait(lambda _event: len(found()) >= least, within_s)
        return found()

    def is_cut_off(self, within_s: float) -> bool:
        """Tell whether the broker ends the connection."""
        try:
            self._wait(lambda _event: False, within_s)
        except Gone:
            return True
        return False

    def _wait(self, condition: Callable[[Event | None], bool], within_s: float = ANSWER_WITHIN_S) -> bool:
        give_up_at = monotonic() + within_s
        event: Event | None = None
        while not condition(event):
            try:
                event = self._heard.get(timeout=max(0.0, give_up_at - monotonic()))
            except Empty:
                return False
            match event:
                case Connected(session_present=present):
                    self.session_present, self._connected = present, True
                case Arrived():
                    self.arrived.append(event)
                    if event.topic == self.own_topic:
                        self._transport.ack(event)
                case Published(token=token):
                    self._published.add(token)
                case SubscriptionRefused(topic_filter=topic_filter):
                    self.refused.add(topic_filter)
                case Disconnected(reason=reason) | TransportEnded(failure=reason):
                    self._connected = False
                    raise Gone(reason)
        return True
