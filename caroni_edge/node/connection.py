"""What a node says on its present connection, within a bound of what is in flight: frames, notices, events."""

import logging
from collections.abc import Iterable, Mapping
from itertools import takewhile
from math import inf

import msgspec

from caroni_edge.delivery.events import Events
from caroni_edge.node.cutoffs import CutOffs, Publication
from caroni_edge.node.receipts import Receipts
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Frame
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import ENDED_BY_US, Arrived, Connected, Disconnected, SubscriptionRefused, Transport

log = logging.getLogger(__name__)

IN_FLIGHT_MAX = 90
"""So many QoS 1 publications may be without their PUBACK; the transport's own bound is above it."""

FREE_FOR_EVENTS = 0.25
"""Events wait until this part of what may be in flight is free: many go then, not one after each PUBACK."""

LEFT_OUT_FOR_S = 600.0
"""So long nothing is published to a topic for which the broker cuts us off, before it is tried again."""


class Connection:
    """The connection as the node sees it. What a reconnect makes anew is forgotten by it.

    The broker takes what we send in its order: the bytes come in order [MQTT-4.2.0-1], and a PUBACK for the last of it
    tells that it has had all before. So nobody waits for a SUBACK, and nobody asks whether our own PUBACK came.

    Attributes:
        number: The transport's number of the present connection, None while there is none.
        reason: Why there is none, for people.
        refused: The topic filters that the broker does not let us subscribe to, and without which we cannot work.
        presence_known: The broker has acknowledged our presence, on this connection or an earlier one.
        settled_in: It has acknowledged it on this one; so it has our subscriptions too, which went before.
        now: The time of the present batch.
        since: When the present connection began.
        blamed: What the broker has cut us off for, until somebody has taken care of it.
        receipts: The order in which messages have come, and are acknowledged.
        was_cut_off: The last connection may have ended because of something that was published.
    """

    def __init__(self, transport: Transport, topics: Topics, events: Events) -> None:
        """Begin without a connection."""
        self.number: int | None = None
        self.reason = "not connected yet"
        self.refused: set[str] = set()
        self.presence_known = self.settled_in = False
        self.now = self.since = 0.0
        self.blamed: Publication | None = None
        self.was_cut_off = False
        self._cut_offs = CutOffs()
        self._left_out: dict[str, float] = {}
        self._problems: frozenset[str] = frozenset()
        self._presence_token = 0
        self._transport, self._topics, self._events = transport, topics, events
        self._subscribed: set[tuple[str, int]] = set()
        self._notices: dict[str, bytes] = {}
        self._in_flight: set[int] = set()
        self._last_token = 0
        self.receipts = Receipts()
        self._acks: dict[int, int] = {}  # by packet id: the last token that we had published before our PUBACK

    @property
    def connected(self) -> bool:
        """Whether the broker has taken us in."""
        return self.number is not None

    def why_not_ready(self) -> str | None:
        """Return why nothing can be said or heard on it, for people; None when all can."""
        if not self.connected:
            return f"not connected to the broker: {self.reason}"
        if self.refused:
            return f"the broker does not let us subscribe to {', '.join(sorted(self.refused))}; look at its ACL"
        return None if self.settled_in else "the broker has not acknowledged our subscriptions and presence yet"

    @property
    def capacity(self) -> int:
        """How many more QoS 1 messages may be published now: one at a time, while we look what cuts us off."""
        return max(0, self._most_in_flight - len(self._in_flight)) if self.connected else 0

    @property
    def _most_in_flight(self) -> int:
        return 1 if self._cut_offs.suspects else IN_FLIGHT_MAX

    @property
    def capacity_for_frames(self) -> int:
        """How many frames may be sent now; notices go first where only one message goes at a time."""
        return 0 if self._cut_offs.suspects and self._sayable() else self.capacity

    def next_due(self) -> float:
        """Return when a notice may be published whose topic is left out for now; infinity when there is none."""
        return min((self._left_out[topic] for topic in self._notices if self._is_left_out(topic)), default=inf)

    def problem(self) -> str | None:
        """Return to what nothing is published for a while, because the broker cuts us off for it."""
        if left_out := sorted(topic for topic in self._problems if self.now < self._left_out[topic]):
            return f"the broker cuts us off when we publish to {', '.join(left_out)}: look at its ACL and its limits"
        return None

    def leave_out(self, topic: str, *, is_problem: bool = True) -> None:
        """Publish nothing to a topic for a while; `is_problem`: the node cannot do its work without it.

        The last notice for it waits until then: it may be the one that clears what was said before.
        """
        self._left_out[topic] = self.now + LEFT_OUT_FOR_S
        if is_problem:
            self._problems |= {topic}

    def on_connected(self, event: Connected) -> None:
        """Note a new connection, on which nothing is subscribed to, said or in flight yet."""
        self._forget()
        self.number, self.reason, self.since = event.connection, "", self.now

    def on_disconnected(self, event: Disconnected) -> bool:
        """Note that the connection is gone; return whether it was the present one."""
        self.reason = event.reason
        if event.connection != self.number:
            return False
        self.number = None
        if event.reason == ENDED_BY_US:
            self._cut_offs.forget()
        else:
            self.blamed = self._cut_offs.cut_off(self.now)
            self.was_cut_off = self._cut_offs.has_lost or self.blamed is not None
            if self._cut_offs.suspects or self.blamed:
                self._transport.retry_soon(event.connection)
        return True

    def on_refused(self, event: SubscriptionRefused) -> None:
        """Note that the broker refuses a subscription."""
        if event.connection == self.number:
            if (
                event.topic_filter != self._topics.asks
            ):  # without it others get no files from here, and all else goes on
                self.refused.add(event.topic_filter)
            facts = {"action": "subscription_refused", "topic": event.topic_filter}
            log.error("the broker refuses the subscription to %s", event.topic_filter, extra=facts)

    def on_published(self, token: int) -> list[int]:
        """Take a PUBACK; return the packet ids of messages that the broker can no longer send again.

        The broker has had our own PUBACKs for them, since it has had what we sent after those. From then on it may
        give their packet ids to other messages [MQTT-2.3.1-4].
        """
        self._in_flight.discard(token)
        self._cut_offs.acknowledged(token)
        self._events.published(token)
        if self._presence_token and token >= self._presence_token:
            self.presence_known = self.settled_in = True
        settled = list(takewhile(lambda packet_id: self._acks[packet_id] < token, self._acks))
        for packet_id in settled:
            del self._acks[packet_id]
        return settled

    def subscribe(self, subscriptions: Iterable[tuple[str, int]]) -> None:
        """Bring the subscriptions of this connection to these: topic filters, each with its QoS."""
        if not self.connected:
            return
        now = set(subscriptions)
        if gone := [topic for topic, _ in self._subscribed - now]:
            self._transport.unsubscribe(gone)
        if new := sorted(now - self._subscribed):
            self._transport.subscribe(new)
        self._subscribed = now

    def ack(self, message: Arrived) -> None:
        """Acknowledge a message, when all that came before it is; `on_published` tells when the broker has had that."""
        for each in self.receipts.handled(message):
            self._transport.ack(each)
            if each.connection == self.number and each.packet_id:
                self._acks.pop(each.packet_id, None)  # the newest goes last, and only it counts
                self._acks[each.packet_id] = self._last_token

    def say(self, notices: Mapping[str, msgspec.Struct | None]) -> None:
        """Let notices be published, retained (None clears what is retained); the last one said for a topic wins."""
        if self.connected:
            self._notices.update((topic, b"" if said is None else encode(said)) for topic, said in notices.items())

    def send(self, frames: Iterable[tuple[Frame, int]]) -> None:
        """Publish frames; who makes them has looked at `capacity`."""
        for frame, qos in frames:
            topic, payload = self._topics.inbox_of(frame.to), encode(frame)
            publication = Publication(topic, frame.first or 0, len(payload), frame=frame if frame.messages else None)
            # Without a PUBACK nobody knows whether the broker has taken it.
            self._publish(publication, payload, qos=1 if self._cut_offs.suspects else qos)

    def answer(self, topic: str, payload: bytes) -> None:
        """Publish an answer to a person; where there is no room now it is lost, and the person asks again."""
        if self.capacity > IN_FLIGHT_MAX // 2:  # what nodes say to each other goes first
            self._publish(Publication(topic, 0, len(payload)), payload)

    def pump(self) -> None:
        """Publish notices, then events, until nothing waits or as much is in flight as may be."""
        for topic in self._sayable():
            payload = self._notices[topic]
            token = self.capacity and self._publish(Publication(topic, 0, len(payload)), payload, retain=True)
            if not token:
                return
            if topic == self._topics.presence:
                self._presence_token = token
            del self._notices[topic]
        if (room := self.capacity) < max(1, self._most_in_flight * FREE_FOR_EVENTS):
            return
        for seq, topic, body in self._events.unsent(room):
            token = self._publish(Publication(topic, seq, len(body), is_event=True), body)
            if token is None:
                self._events.drop(seq)
                facts = {"action": "event_dropped", "topic": topic}
                log.warning("an event is dropped: the broker cuts us off when we publish there", extra=facts)
                continue
            if not token:
                return
            self._events.sent(seq, token)

    def _sayable(self) -> list[str]:
        """Return the topics of the notices that may be published now."""
        return [topic for topic in self._notices if not self._is_left_out(topic)]

    def _is_left_out(self, topic: str) -> bool:
        return self._left_out.get(topic, -inf) > self.now

    def _publish(self, what: Publication, payload: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """Publish; return the transport's token, 0 when it takes nothing now, None when the topic is left out."""
        if self._is_left_out(what.topic):
            return None
        token = self._transport.publish(what.topic, payload, qos=qos, retain=retain)
        if token and qos:
            self._in_flight.add(token)
            self._last_token = token
            self._cut_offs.sent(token, what, self.now)
        return token

    def _forget(self) -> None:
        self.settled_in = False
        self._presence_token = 0
        self.refused.clear()
        self._subscribed.clear()
        self._notices.clear()
        self._in_flight.clear()
        self._acks.clear()
        self._events.disconnected()
