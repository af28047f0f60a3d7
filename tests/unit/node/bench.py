"""A node on a bench: real SQLite and link, a recording transport, and a reactor that does what a test wants."""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

import msgspec

from caroni_edge.base.chance import SeededChance
from caroni_edge.base.moment import Moment
from caroni_edge.node.calls import Call
from caroni_edge.node.node import Node, NodeParts
from caroni_edge.node.reactor import Forgotten
from caroni_edge.protocol.codec import encode, encode_message
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame, Message, Presence
from caroni_edge.protocol.topics import Request, Topics
from caroni_edge.storage.database import Database, memory_database
from caroni_edge.transport.base import Arrived, Event
from caroni_edge.transport.recording import RecordingTransport

DATE = 1_700_000_000.0
TOPICS = Topics("caroni", "managers", "m1")
INBOX = "caroni/managers/m1/inbox/agents/a1"
NOTES = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, words TEXT NOT NULL)"
NOTE = "INSERT INTO notes (words) VALUES (?)"


FORGET_AFTER_S = 86400.0


class ScriptedReactor:
    """Notes in the database what it is told, and does what a test has asked for before.

    Attributes:
        said: What it was told, as words.
        on: What else to do with a message, by type.
        at_settle: What to do at the end of each batch.
        rejected: What it was told about messages that were rejected here.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.said: list[str] = []
        self.on: dict[type, Callable[[Any], None]] = {}
        self.at_settle: Callable[[Moment], None] = lambda _at: None
        self.at_rejected: Callable[[], None] = lambda: None
        self.rejected: list[tuple[str, str, tuple[str, ...], str]] = []
        self.undeliverable: list[tuple[str, Message, str]] = []
        self.settled: list[int] = []
        self.due = inf
        self.peers: list[str] = []
        self.facts: dict[str, object] = {}
        self.is_presence_changed = False
        self.filters = [(TOPICS.triggers, 1)]

    def note(self, words: str) -> None:
        """Write something down, in memory and in the database."""
        self.said.append(words)
        self._node.database.conn.execute(NOTE, (words,))

    def on_start(self, at: Moment) -> None:
        self.note("start")

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        self.note("connected" if session_present else "connected anew")

    def on_presence(self, peer: str, presence: Presence | None, at: Moment) -> None:
        self.note(f"{peer} is {'unknown' if presence is None else 'there' if presence.online else 'away'}")

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> None:
        self.note(f"request {topic} {len(payload)}")

    def on_message(self, peer: str, message: Message, at: Moment) -> None:
        self.note(f"{peer} {type(message).__name__}")
        self.on.get(type(message), lambda _message: None)(message)

    def on_undeliverable(self, peer: str, message: Message, reason: str, at: Moment) -> None:
        self.undeliverable.append((peer, message, reason))

    def on_rejected_here(self, peer: str, message_type: str, jobs: tuple[str, ...], reason: str, at: Moment) -> None:
        self.rejected.append((peer, message_type, jobs, reason))
        self.at_rejected()

    def forget_peer(self, peer: str, at: Moment) -> Forgotten:
        self.note(f"forget {peer}")
        return Forgotten()

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        self.note(f"trigger {event.payload!r}")

    def on_trigger_settled(self, packet_id: int) -> None:
        self.settled.append(packet_id)

    def settle(self, at: Moment) -> None:
        self.at_settle(at)

    def next_due(self) -> float:
        return self.due

    def open_peers(self) -> Iterable[str]:
        return self.peers

    def subscriptions(self) -> Iterable[tuple[str, int]]:
        return self.filters

    def presence(self) -> Mapping[str, object]:
        return self.facts

    def presence_changed(self) -> bool:
        changed, self.is_presence_changed = self.is_presence_changed, False
        return changed

    def committed(self) -> None:
        self.said.append("committed")


class WatchedTransport(RecordingTransport):
    """Asserts that nothing leaves, and nothing is acknowledged, within a transaction."""

    database: Database

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        assert not self.database.conn.in_transaction, "published before the commit"
        return super().publish(topic, payload, qos=qos, retain=retain)

    def ack(self, message: Arrived) -> None:
        assert not self.database.conn.in_transaction, "acknowledged before the commit"
        super().ack(message)


class Peer:
    """Agent a1, as far as its frames go."""

    def __init__(self, boot: str = "boot-a1") -> None:
        self.boot = boot
        self.seq, self.last = 0, ""

    def frame(self, *messages: LinkMessage | bytes, **facts: Any) -> bytes:
        """Return the frame with the next messages; bytes are the JSON of one without its id."""
        first, prev, raws = self.seq + 1, self.last, []
        for message in messages:
            self.seq, self.last = self.seq + 1, f"a1-{self.boot}-{self.seq + 1}"
            if isinstance(message, bytes):
                raws.append(b'{"id":"%s",%s' % (self.last.encode(), message[1:]))
            else:
                raws.append(encode_message(self.last, message))
        chain: dict[str, Any] = {"first": first, "prev": prev, "messages": tuple(map(msgspec.Raw, raws))}
        head: dict[str, Any] = {"v": 1, "from_": "a1", "to": "m1", "boot": self.boot, "ack": (0, "")}
        return encode(Frame(**{**head, **(chain if messages else {}), **facts}))


class NodeBench:
    """Manager m1's node, alone."""

    def __init__(self, database: Database | None = None, seed: int = 1) -> None:
        self.database = database or memory_database("managers")
        self.database.conn.execute(NOTES)
        self.chance = SeededChance(seed)
        self.now = 1000.0
        self.peer = Peer()
        self.restart()

    def restart(self, *, peers: Iterable[str] = ()) -> None:
        """Begin a new process on the same database, which has open business with these peers."""
        self.inbox: list[Event | Call] = []
        self.transport = WatchedTransport()
        self.transport.database = self.database
        self.transport.start(self.inbox.append)
        self.node = Node(
            NodeParts(TOPICS, self.database, self.transport, self.chance, "1.0", "here", forget_after_s=FORGET_AFTER_S)
        )
        self.reactor = ScriptedReactor(self.node)
        self.reactor.peers = [*peers]
        self.node.attach(self.reactor)
        self.node.start(self.at)

    @property
    def at(self) -> Moment:
        return Moment(self.now, DATE + self.now)

    def run(self) -> None:
        """Run a batch of what has arrived."""
        arrived = list(self.inbox)
        self.inbox.clear()
        self.node.run_batch(arrived, self.at)

    def advance(self, seconds: float) -> None:
        """Let time pass; a batch runs whenever one is due."""
        until, rounds = self.now + seconds, 0
        while (due := self.node.next_due()) <= until:
            rounds += 1
            assert rounds < 1000, f"a batch stays due: {due} at {self.now}"
            self.now = max(due, self.now)
            self.run()
        self.now = until

    def connect(self) -> None:
        """Let the broker take the node in."""
        self.transport.connect()
        self.run()

    def puback(self) -> None:
        """Let the broker acknowledge all that was published."""
        self.transport.puback()
        self.run()

    def receive(self, *payloads: bytes, topic: str = INBOX, **facts: Any) -> None:
        """Let messages of one topic arrive in one batch."""
        for payload in payloads:
            self.transport.receive(topic, payload, **facts)
        self.run()

    def send(self, *messages: LinkMessage | bytes) -> None:
        """Let link messages of the agent arrive in one frame."""
        self.receive(self.peer.frame(*messages))

    def find(self, presence: Presence) -> None:
        """Let the node find a presence under its own id."""
        self.receive(encode(presence), topic=TOPICS.presence, qos=0, retain=True)

    def notes(self) -> list[str]:
        """Take what the reactor has written down, and what of it is in the database."""
        rows = self.database.conn.execute("SELECT words FROM notes ORDER BY id").fetchall()
        self.database.conn.execute("DELETE FROM notes")
        return [words for (words,) in rows]

    def value(self, sql: str) -> Any:
        """Return one value."""
        return self.database.conn.execute(sql).fetchone()[0]
