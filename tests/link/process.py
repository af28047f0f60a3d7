"""A running node of the walk: the real links on a real SQLite database, and a handler that notes what it hears."""

import sqlite3
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import msgspec
from sqlite_utils import Database as SqliteUtils

from caroni_edge.base.moment import Chance
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.node.cutoffs import CutOffs, Publication
from caroni_edge.protocol.codec import FRAME_LIMIT_BYTES, decode_envelope, decode_frame, decode_message, encode
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame, JobKill, LinkReset, MessageRejected
from caroni_edge.storage.database import Database, StorageFailed
from caroni_edge.storage.migrations.delivery import delivery
from tests.link.broker import Broker, Envelope, Said, TooLarge

# What the checker compares: all that was put for each peer, and all that took effect from each.
LISTS = """
    CREATE TABLE said (n INTEGER PRIMARY KEY, peer TEXT NOT NULL, what TEXT NOT NULL);
    CREATE TABLE heard (n INTEGER PRIMARY KEY, peer TEXT NOT NULL, what TEXT NOT NULL, UNIQUE (peer, what));
"""
PLAIN, ANSWER, POISON = "plain", "answer", "poison"


class Violation(Exception):
    """A promise was broken."""


class Crashed(BaseException):
    """The process ends here, whatever it was doing."""


class Poison(Exception):
    """A handler has a bug."""


class Surroundings(Protocol):
    """What a process sees of the world that it runs in."""

    now: float
    broker: Broker

    @property
    def chance(self) -> Chance:
        """Where ids and jitter come from."""

    def log(self, template: str, *facts: object) -> None:
        """Add a line to the trace."""

    def new_message(self) -> str:
        """Return a name for a message."""

    def may_reset(self, name: str, peer: str) -> bool:
        """Tell whether a database of the two was lost, restored or cloned."""

    def was_reset(self, name: str) -> None:
        """Count a reset."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong in a batch.

    Attributes:
        kind: `crash`, `cut` (the connection dies) or `storage`; empty for nothing.
        after: How many acknowledgements and publications succeed; -1: it happens before the commit.
        rolled_back: A storage error comes in a handler, and SQLite has rolled all back by itself.
    """

    kind: str = ""
    after: int = -1
    rolled_back: bool = False


Due = tuple[Frame, int]
Action = Callable[[], None]
Work = Callable[["Process"], None]
NO_FAULT = Fault()


def new_database() -> Database:
    """Return an empty database with the tables of the link."""
    conn = _connect()
    conn.deserialize(_template())
    return Database(conn)


def copy_of(database: Database) -> Database:
    """Return a copy, as a backup makes one."""
    conn = _connect()
    database.conn.backup(conn)
    return Database(conn)


class Process:
    """One process of a node, from its start to its end."""

    def __init__(self, name: str, database: Database, world: Surroundings) -> None:
        self.name, self.database, self.world = name, database, world
        self.boot = world.chance.new_id()
        self.links = Links(name, self.boot, OutboxRows(database.conn), world.chance, self._on_reset, database.journal)
        self._takes_reset = False
        self._may_send = False
        self._cut_offs, self._publications = CutOffs(), 0
        self._blamed: Publication | None = None

    def with_database(self, database: Database) -> "Process":
        """Return this process as it is now on another database: a virtual machine's snapshot."""
        twin = Process(self.name, database, self.world)
        twin.boot = self.boot
        known = {
            id(self.links._rows): OutboxRows(database.conn),
            id(self.world.chance): self.world.chance,
            id(self.database.journal): database.journal,
        }
        twin.links = deepcopy(self.links, {id(self): twin, **known})
        return twin

    @property
    def online(self) -> bool:
        return self.name in self.world.broker.online

    def is_due(self) -> bool:
        return bool(self.links.held_back) or self.links.next_due() <= self.world.now

    def run_batch(
        self, arrived: Sequence[Envelope] = (), work: Work | None = None, fault: Fault = NO_FAULT, limit: int = 90
    ) -> None:
        """Let a batch take effect, then acknowledge and publish.

        Raises:
            Crashed: As `fault` says.
        """
        by_itself = not arrived and work is None and not self._may_send
        try:
            with self.database.immediate():
                frames = self._inside(arrived, work, fault, limit)
        except StorageFailed:
            self._may_send = True
            self._cut("storage error")
            return
        self._may_send = bool(self.links.held_back) or not self.online
        if by_itself and any(frame.messages for frame, _ in frames):
            raise Violation(f"{self.name} sent messages again because of the time alone")
        for done, action in enumerate(self.after_commit(arrived, frames)):
            if fault.kind == "crash" and done == fault.after:
                raise Crashed
            if fault.kind == "cut" and done == fault.after:
                self._cut("connection lost")
                return
            try:
                action()
            except TooLarge:
                self._blamed = self._cut_offs.cut_off(self.world.now)
                self._cut("cut off for what was published")
                return

    def after_commit(self, arrived: Sequence[Envelope], frames: Sequence[Due]) -> list[Action]:
        """Return what is done after the commit, each of which may be the last thing done."""
        acks = [partial(self.puback, envelope) for envelope in arrived if envelope.qos]
        return [*acks, *(partial(self.publish, frame, qos) for frame, qos in frames)]

    def published(self, frame: Frame) -> None:
        """The broker has acknowledged a frame, which means nothing."""

    def puback(self, envelope: Envelope) -> None:
        if self.database.conn.in_transaction:
            raise Violation(f"{self.name} acknowledged before the commit")
        self.world.broker.puback(self.name, envelope)

    def publish(self, frame: Frame, qos: int) -> None:
        payload = encode(frame)
        if len(payload) > FRAME_LIMIT_BYTES:
            raise Violation(f"a frame of {len(payload)} bytes")
        self.world.log("{} publishes {}", self.name, Said(frame))
        self._publications += 1
        self._cut_offs.sent(self._publications, Publication(frame.to, frame.first or 0, frame=frame), self.world.now)
        self.world.broker.publish(self.name, frame, payload, qos)
        self._cut_offs.acknowledged(self._publications)
        if qos:
            self.published(frame)

    def put(self, peer: str, kind: str, padding: int = 0) -> None:
        """Put a message, in a transaction."""
        what = self.world.new_message()
        self._say(peer, what, JobKill(job=what, reason=kind + "." * padding))

    def forget(self, peer: str) -> None:
        """Forget a peer, and all that was said and heard."""
        self.links.forget(peer)
        for table in ("said", "heard"):
            self.database.conn.execute(f"DELETE FROM {table} WHERE peer = ?", (peer,))

    def outbox(self) -> int:
        """Return how many rows are left."""
        count: int = self.database.conn.execute("SELECT count(*) FROM outbox").fetchone()[0]
        return count

    def list_of(self, table: str, peer: str) -> list[str]:
        """Return all that was `said` to a peer, or `heard` from it."""
        rows = self.database.conn.execute(f"SELECT what FROM {table} WHERE peer = ? ORDER BY n", (peer,))
        return [what for (what,) in rows]

    def _inside(self, arrived: Sequence[Envelope], work: Work | None, fault: Fault, limit: int) -> list[Due]:
        self.links.begin(self.world.now)
        for envelope in arrived:
            self.world.log("{} takes {}", self.name, envelope)
            self.take(envelope)
        if self._blamed and self._blamed.frame:
            self.links.cut_off(self._blamed.topic, self._blamed.number, len(self._blamed.frame.messages))
            self._blamed = None
        if work:
            work(self)
        if fault.rolled_back:
            self._lose_transaction()
        frames = list(self.links.frames(limit)) if self.online else []
        self.links.set_timers()
        if fault.after < 0 and fault.kind == "crash":
            raise Crashed
        if fault.after < 0 and fault.kind == "storage":
            raise StorageFailed("", reason="disk full")
        return frames

    def take(self, envelope: Envelope) -> None:
        if envelope.boot:
            self.links.heard_presence(envelope.sender, envelope.boot, online=True)
            return
        frame = decode_frame("", envelope.payload)
        for raw in self.links.receive(frame):
            self._handle(frame.from_, raw)

    def _handle(self, peer: str, raw: msgspec.Raw) -> None:
        try:
            with self.database.savepoint():
                self._take_message(peer, raw)
        except Poison:
            message_id = decode_envelope(raw).id
            self._hear(peer, decode_message(raw).job)  # type: ignore[union-attr]
            what = self.world.new_message()
            self._say(peer, what, MessageRejected(id=message_id, reason=what))

    def _take_message(self, peer: str, raw: msgspec.Raw) -> None:
        match decode_message(raw):
            case LinkReset():
                self._takes_reset = True
                self.links.was_reset(peer)
                self._takes_reset = False
                self._hear(peer, decode_envelope(raw).id)
            case MessageRejected(reason=what):
                self._hear(peer, what)
            case JobKill(job=what, reason=reason):
                self._hear(peer, what)
                if reason.startswith((ANSWER, POISON)):
                    self.put(peer, PLAIN)
                if reason.startswith(POISON):
                    raise Poison

    def _say(self, peer: str, what: str, message: LinkMessage) -> None:
        self.database.conn.execute("INSERT INTO said (peer, what) VALUES (?, ?)", (peer, what))
        self.links.put(peer, message)
        if any(what.encode() in each.body for each in self.links.take_undeliverable()):
            self.database.conn.execute("DELETE FROM said WHERE peer = ? AND what = ?", (peer, what))

    def _hear(self, peer: str, what: str) -> None:
        try:
            self.database.conn.execute("INSERT INTO heard (peer, what) VALUES (?, ?)", (peer, what))
        except sqlite3.IntegrityError:
            raise Violation(f"{self.name} took {what} of {peer} twice") from None

    def _on_reset(self, peer: str) -> None:
        self.world.log("{} begins anew with {}", self.name, peer)
        if not self.world.may_reset(self.name, peer):
            raise Violation(f"{self.name} reset the link with {peer}, though no database was lost")
        self.world.was_reset(self.name)
        if not self._takes_reset:
            last = self.links._rows.last(peer)
            self.database.conn.execute("INSERT INTO said (peer, what) VALUES (?, ?)", (peer, last[1] if last else "-"))

    def _lose_transaction(self) -> None:
        with self.database.savepoint():
            self.database.conn.execute("ROLLBACK")  # as SQLite does by itself on a full disk
            raise Poison

    def _cut(self, why: str) -> None:
        self.world.log("{}: {}", self.name, why)
        self.world.broker.online.pop(self.name, None)


def _connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=512)


@cache
def _template() -> bytes:
    conn = _connect()
    delivery.apply(SqliteUtils(conn))
    conn.executescript(LISTS)
    return conn.serialize()
