"""The MQTT connection for the bytes of objects: made when it is needed, and what passes through it found out first.

All of it runs in the thread of the data connection; what the network's thread delivers is put there.
"""

import logging
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic
from typing import NamedTuple

from caroni_edge.base.errors import CaroniError
from caroni_edge.node.rivals import Rivals
from caroni_edge.objects.transfer.probe import Probe
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import Unreadable
from caroni_edge.protocol.topics import Answered, Topics
from caroni_edge.protocol.transfers import CHUNK_MAX, Data, No, decode_answer, encode_data
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    Subscribed,
    SubscriptionRefused,
    Transport,
    TransportEnded,
    Writable,
)

log = logging.getLogger(__name__)

OPENED_AGAIN_S = 60.0
"""One that has ended by a fault, or could not be made, is opened again after so long."""
CUTS_OFF = (
    "the broker cuts off the node's own connection when the one for files begins: it lets each login connect once; "
    "let broker.data_url be where it lets it connect twice (docs/brokers.md)"
)
LEAVE_WITHIN_S = 1.0


class Hears(NamedTuple):
    """Who is told of the connection.

    Attributes:
        wants: Returns the size of chunks for which there is use.
        learned: In one message pass so many bytes of an object, and at most so many: more was not tried yet.
        flows: It is there, and bytes may be published.
        answered: A holder has said something, which arrived at a certain time.
        writable: Something that was refused may be published now.
        ended: It has ended, or was closed.
    """

    wants: Callable[[], int]
    learned: Callable[[int, int], None]
    flows: Callable[[], None]
    answered: Callable[[Peer, Data | No, float], None]
    writable: Callable[[], None]
    ended: Callable[[], None]


class DataTransport:
    """The second MQTT connection of a node.

    Attributes:
        problem: What is wrong with it, for people.
        is_flowing: Bytes may be published.
    """

    def __init__(
        self, topics: Topics, connect: Callable[[], Transport], put: Callable[[Callable[[], None]], None], hears: Hears
    ) -> None:
        """Prepare; `open` makes it.

        Args:
            topics: The node's.
            connect: Makes a transport.
            put: Lets something be done in the thread that calls all of this.
            hears: Who is told what happens.
        """
        self._topics, self._connect, self._put, self._hears = topics, connect, put, hears
        self._me, self._probe, self._rivals = Peer(topics.role, topics.node), Probe(), Rivals()
        self._transport: Transport | None = None
        self._is_connected = self._is_subscribed = self.is_flowing = False
        self._opens_at, self._opened, self._known = -inf, 0, (0, CHUNK_MAX)
        self.problem: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was made, and not closed."""
        return self._transport is not None

    def open(self, now: float) -> None:
        """Make it, if it is not there and may be."""
        if self._transport is not None or now < max(self._opens_at, self._rivals.closed_until):
            return
        try:
            transport = self._connect()
        except CaroniError as error:  # a file of certificates
            self.problem, self._opens_at = str(error), now + OPENED_AGAIN_S
            return
        self._opened += 1
        self._transport = transport
        transport.start(partial(self._deliver, self._opened))

    def close(self) -> None:
        """End it, if it is there."""
        if self._transport is not None:
            self._transport.stop(LEAVE_WITHIN_S)
            self._transport = None
            self._disconnected()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish something at QoS 0; return whether it was taken."""
        return self._transport is not None and bool(self._transport.publish(topic, payload, qos=0))

    def own_was_cut_off(self, now: float) -> None:
        """Note that the node's own connection has ended: perhaps because of this one."""
        self._rivals.own_ended(now)

    def step(self, now: float) -> None:
        """Do what is due."""
        if self._rivals.gives_way(now):
            if self._rivals.is_certain():
                self.problem = CUTS_OFF
                log.error("%s", CUTS_OFF, extra={"action": "data_connection_cuts_off"})
            self.close()
        if self._is_subscribed:
            self._try_sizes(now)

    def due(self) -> float:
        """Return when `step` should be called again because of the time alone."""
        return min(self._rivals.due(), self._probe.next_due(self._hears.wants()) if self._is_subscribed else inf)

    def _try_sizes(self, now: float) -> None:
        """Find out what the broker lets through; as soon as it is known whether anything does, let the bytes flow."""
        wanted = self._hears.wants()
        while (size := self._probe.to_say(wanted, now)) is not None:
            self.publish(self._topics.answer_to(*self._me), encode_data(Data(0, 0, bytes(size))))
        if (known := (self._probe.passes, self._probe.limit)) != self._known:
            self._known = known
            self.problem = None if self._probe.limit else "the broker lets no chunk of 8 KiB through"
            self._hears.learned(*known)
        if self._probe.is_begun and not self.is_flowing:
            self.is_flowing = True
            self._hears.flows()

    # What the network's thread delivers

    def _deliver(self, opened: int, event: Event) -> None:
        self._put(partial(self._hear, opened, event, monotonic()))

    def _hear(self, opened: int, event: Event, at: float) -> None:
        if opened != self._opened or self._transport is None:
            return
        match event:
            case Arrived():
                self._arrived(event, at)
            case Connected():
                self._is_connected = True
                self._rivals.began(monotonic())
                self._transport.subscribe([(self._topics.answers, 0)])
            case Subscribed():
                self._is_subscribed = True
            case SubscriptionRefused(topic_filter=topic):
                self.problem = f"the broker does not let this node hear {topic}; look at its ACL"
            case Disconnected(reason=reason):
                self.problem = None if self._is_connected else reason
                self._disconnected()
            case Writable():
                self._hears.writable()
            case TransportEnded(failure):
                log.error("the connection for files has ended: %s", failure, extra={"action": "data_connection_ended"})
                self.problem, self._opens_at = failure, monotonic() + OPENED_AGAIN_S
                self.close()

    def _arrived(self, event: Arrived, at: float) -> None:
        topic = self._topics.read_objects(event.topic)
        if not isinstance(topic, Answered):
            return
        try:
            answer = decode_answer(event.topic, event.payload)
        except Unreadable as error:
            log.debug("%s", error, extra={"action": "answer_unreadable"})
            return
        holder = Peer(topic.role, topic.holder)
        if holder == self._me and isinstance(answer, Data) and answer.transfer == 0:
            self._probe.heard(len(answer.content))
        else:
            self._hears.answered(holder, answer, at)

    def _disconnected(self) -> None:
        self._is_connected = self._is_subscribed = self.is_flowing = False
        self._rivals.ended(monotonic())
        self._probe.disconnected()
        self._hears.ended()
