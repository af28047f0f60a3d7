"""A broker in memory, without threads and on simulated time, with faults by seed.

It keeps the promises of a broker with persistent sessions (QoS 0 and 1, retained messages, wills, messages that come
again with DUP until they are acknowledged), and breaks them as real ones do when it is told to: it loses, doubles,
delays and reorders messages, cuts clients off, drops the newest of a full queue, and is wiped. What a publication meets
is decided by one seeded source of chance, so a seed is a schedule.

Nothing happens by itself: `pump(now)` lets everything take effect that is due. Its clients are in `memory.py`.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any, Protocol

from caroni_edge.protocol.topics import covers
from caroni_edge.transport.base import Arrived, Will

LAST_PACKET_ID = 65535


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each fault is, for each message to each subscriber (from 0 to 1), and how late messages may be.

    Attributes:
        drop: The message is lost, though the broker has acknowledged it.
        double: It is delivered twice, as two messages.
        reorder: Messages sent up to `late_s` later may overtake it.
        late_s: The most that a message is late, each way. By itself it changes no order.
        cut: The connection of the subscriber is cut at this message, its acknowledgements on the way are lost.
        wipe: The broker forgets everything.
    """

    drop: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    late_s: float = 0.0
    cut: float = 0.0
    wipe: float = 0.0


NO_FAULTS = Faults()


class Client(Protocol):
    """A client as its broker sees it.

    Attributes:
        client_id: Name of its session.
        will: What is said when it vanishes.
        connection: Number of its connection.
        reliable: Faults spare it, as long as the broker is there.
    """

    client_id: str
    will: Will | None
    connection: int
    reliable: bool

    def down(self, event: Arrived, late_s: float, *, overtaken: bool) -> None:
        """Take a message after `late_s` seconds; those sent after it may come before it if it is `overtaken`."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool = False


@dataclass(slots=True)
class _Session:
    """What the broker keeps for a client while it is away."""

    client_id: str
    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[_Message] = field(default_factory=deque)
    unacknowledged: dict[int, _Message] = field(default_factory=dict)
    last_packet_id: int = 0
    client: Client | None = None
    reliable: bool = False

    def next_packet_id(self) -> int:
        """Return a packet id that no message in flight bears [MQTT-2.3.1-4]."""
        while True:
            self.last_packet_id = self.last_packet_id % LAST_PACKET_ID + 1
            if self.last_packet_id not in self.unacknowledged:
                return self.last_packet_id

    def copy(self) -> "_Session":
        kept = (dict(self.filters), self.waiting.copy(), dict(self.unacknowledged))
        return _Session(self.client_id, *kept, last_packet_id=self.last_packet_id)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a broker held at some time."""

    retained: Mapping[str, bytes]
    sessions: Mapping[str, _Session]


class MemoryBroker:
    """An MQTT broker in memory: sessions, retained messages, and the faults that it was told to have.

    Attributes:
        now: The simulated time, in seconds.
        chance: Decides all that is left to chance.
        faults: What goes wrong; may be changed at any time.
        running: False while the broker is down.
        seen: How often what has happened: `published`, `delivered`, `dropped`, `doubled`, `reordered`, `queue full`,
            `cut`, `wiped`, `again` (with DUP).
        retained: The retained messages by topic.
    """

    def __init__(
        self, chance: Random, faults: Faults = NO_FAULTS, *, most_queued: int = 1000, most_unacknowledged: int = 20
    ) -> None:
        """Make a broker that is up, and that nobody has connected to.

        Args:
            chance: Decides all that is left to chance.
            faults: What goes wrong.
            most_queued: QoS 1 messages that wait for one client; the newest beyond are dropped.
            most_unacknowledged: QoS 1 messages that one client has and has not acknowledged.
        """
        self.now = 0.0
        self.faults, self.running = faults, True
        self.seen: Counter[str] = Counter()
        self.retained: dict[str, bytes] = {}
        self.chance = chance
        self._most_queued, self._most_unacknowledged = most_queued, most_unacknowledged
        self._sessions: dict[str, _Session] = {}
        self._routes: dict[str, list[tuple[_Session, int]]] = {}
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._entries = 0

    # Time

    def pump(self, now: float | None = None) -> int:
        """Let everything take effect that is due at `now` (default: the present time); return how much it was."""
        if now is not None:
            self.now = max(self.now, now)
        count = 0
        while self.step():
            count += 1
        return count

    def step(self) -> bool:
        """Let the next thing take effect that is due; return whether there was one."""
        if not self._agenda or self._agenda[0][0] > self.now:
            return False
        _, _, action, arguments = heapq.heappop(self._agenda)
        action(*arguments)
        return True

    def next_due(self) -> float:
        """Return when the next thing is due; infinity for never."""
        return self._agenda[0][0] if self._agenda else inf

    def at(self, due: float, action: Callable[..., None], *arguments: Any) -> None:
        """Let `action` take effect when it is due; what is due at one time keeps its order."""
        self._entries += 1
        heapq.heappush(self._agenda, (due, self._entries, action, arguments))

    # Faults by hand

    def cut(self, client_id: str, *, will: bool = True) -> None:
        """Cut a client off: what is on the way is lost, and its will is said (unless `will` is false)."""
        session = self._sessions.get(client_id)
        if session and (client := session.client):
            self.seen["cut"] += 1
            self._drop(session, will=will)
            client.lost("the broker closed the connection")

    def wipe(self) -> None:
        """Forget all sessions and retained messages, as a broker that was replaced."""
        self.seen["wiped"] += 1
        for client_id in list(self._sessions):
            self.cut(client_id, will=False)
        self._sessions.clear()
        self._routes.clear()
        self.retained.clear()

    def snapshot(self) -> Snapshot:
        """Return what the broker holds now, as a copy of its files."""
        return Snapshot(dict(self.retained), {name: s.copy() for name, s in self._sessions.items()})

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: what was acknowledged since then may come again, what was new is forgotten."""
        self.wipe()
        self.retained.update(snapshot.retained)
        self._sessions.update((name, session.copy()) for name, session in snapshot.sessions.items())

    def stop(self) -> None:
        """Go down. Sessions and retained messages are kept; no wills are said."""
        self.running = False
        for client_id in list(self._sessions):
            self.cut(client_id, will=False)

    def start(self) -> None:
        """Come up again after `stop`; the clients come back by themselves."""
        self.running = True

    # From clients; called by `MemoryTransport`, when it is due

    def connect(self, client: Client) -> bool:
        """Take a client in, and tell whether it has a session; who was there with its id is cut off [MQTT-3.1.4-2].

        Its will is not said, as mosquitto has it.
        """
        present = client.client_id in self._sessions
        session = self._sessions.setdefault(client.client_id, _Session(client.client_id))
        self.cut(client.client_id, will=False)
        session.client, session.reliable = client, client.reliable
        return present

    def resume(self, client_id: str) -> None:
        """Send again what was not acknowledged, with DUP and its packet id [MQTT-4.4.0-1], then what waits."""
        session = self._sessions[client_id]
        self.seen["again"] += len(session.unacknowledged)
        for packet_id, message in session.unacknowledged.items():
            self._deliver(session, message, packet_id, dup=True)
        self._fill(session)

    def leave(self, client_id: str, *, will: bool) -> None:
        """A client has gone; its session stays, and what it is subscribed to waits for it [MQTT-3.1.2-5]."""
        self._drop(self._sessions[client_id], will=will)

    def subscribe(self, client_id: str, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe a client, and send it what is retained, also if it was subscribed before [MQTT-3.8.4-3]."""
        session = self._sessions[client_id]
        self._routes.clear()
        session.filters.update(filters)
        for topic_filter, qos in filters:
            for topic, payload in self.retained.items():
                if covers(topic_filter, topic):
                    self._offer(session, _Message(topic, payload, qos, retain=True))

    def unsubscribe(self, client_id: str, filters: Sequence[str]) -> None:
        """End a client's subscriptions to these topic filters; what waits for it already still comes."""
        self._routes.clear()
        for topic_filter in filters:
            self._sessions[client_id].filters.pop(topic_filter, None)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Give a message to all who are subscribed to its topic, each at the lower QoS of the two [MQTT-3.8.4-6].

        A retained one is kept for those who subscribe later [MQTT-3.3.1-5]; an empty one clears it [MQTT-3.3.1-10].
        """
        self.seen["published"] += 1
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        if (routes := self._routes.get(topic)) is None:
            routes = self._routes[topic] = self._route(topic)
        for session, most_qos in routes:
            self._offer(session, _Message(topic, payload, min(qos, most_qos)))
        if self._happens(self.faults.wipe):
            self.wipe()

    def acknowledge(self, client_id: str, packet_id: int) -> None:
        """Forget a message that the client has taken, and send what waits."""
        session = self._sessions[client_id]
        if session.unacknowledged.pop(packet_id, None):
            self._fill(session)

    def lateness_s(self) -> float:
        """Return by how much something is late now: a matter of chance, up to what `faults` says."""
        return self.faults.late_s * self.chance.random() if self.faults.late_s else 0.0

    # Inside

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.chance.random() < probability

    def _route(self, topic: str) -> list[tuple[_Session, int]]:
        """Return who is subscribed to a topic, each with the best QoS of its matching filters [MQTT-3.3.5-1]."""
        found = []
        for session in self._sessions.values():
            granted = [qos for topic_filter, qos in session.filters.items() if covers(topic_filter, topic)]
            if granted:
                found.append((session, max(granted)))
        return found

    def _offer(self, session: _Session, message: _Message) -> None:
        """Send a message, or keep it, or let a fault befall it."""
        if session.reliable:
            self._send(session, message)
            return
        if self._happens(self.faults.drop):
            self.seen["dropped"] += 1
            return
        if self._happens(self.faults.cut):
            self.cut(session.client_id, will=self.chance.random() < 0.5)  # a real broker often says none
        self._send(session, message)
        if self._happens(self.faults.double):
            self.seen["doubled"] += 1
            self._send(session, message)

    def _send(self, session: _Session, message: _Message) -> None:
        if message.qos == 0:
            self._deliver(session, message, 0)
        elif len(session.waiting) >= self._most_queued:
            self.seen["queue full"] += 1
        else:
            session.waiting.append(message)
            self._fill(session)

    def _fill(self, session: _Session) -> None:
        while session.client and session.waiting and len(session.unacknowledged) < self._most_unacknowledged:
            packet_id = session.next_packet_id()
            message = session.unacknowledged[packet_id] = session.waiting.popleft()
            self._deliver(session, message, packet_id)

    def _deliver(self, session: _Session, message: _Message, packet_id: int, *, dup: bool = False) -> None:
        if session.client is None:
            return
        self.seen["delivered"] += 1
        overtaken = not session.reliable and self._happens(self.faults.reorder)
        self.seen["reordered"] += overtaken
        facts = (message.topic, message.payload, message.qos, message.retain, dup, packet_id)
        session.client.down(Arrived(*facts, session.client.connection), self.lateness_s(), overtaken=overtaken)

    def _drop(self, session: _Session, *, will: bool) -> None:
        client, session.client = session.client, None
        if client and client.will and will:
            said = client.will
            self.at(self.now, self.publish, said.topic, said.payload, 1, True)
