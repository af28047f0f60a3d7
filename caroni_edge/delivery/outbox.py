"""The rows of the link: positions of each peer, and the outbox."""

from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.protocol.fields import Position
from caroni_edge.storage.rows import Page, Rows, columns, parameters
from caroni_edge.values.json import as_text

START: Position = (0, "")
"""Of a peer from whom, or to whom, nothing has come yet."""

# From peer to peer by the index: bodies may be many and large.
_WAITING = """
    WITH RECURSIVE waiting (peer) AS (
        SELECT '' UNION ALL
        SELECT (SELECT min(peer) FROM outbox WHERE peer > waiting.peer) FROM waiting WHERE peer NOT NULL
    ) SELECT peer FROM waiting WHERE peer > ''"""


# Without reading them: their numbers are without gaps.
_WAITING_FOR = """
    coalesce((SELECT seq FROM outbox WHERE peer = p.peer ORDER BY seq DESC LIMIT 1)
    - (SELECT seq FROM outbox WHERE peer = p.peer ORDER BY seq LIMIT 1) + 1, 0)"""


class OutboxRow(NamedTuple):
    """A message in the outbox: its number among those for the peer, its random id, and its encoded body."""

    seq: int
    id: str
    body: bytes


class ShownLink(NamedTuple):
    """What pages show of a link.

    Attributes:
        peer: The other node.
        waiting: How many messages for it are not acknowledged.
        silent_s: For how long nothing has come from it while we were connected, counted every few minutes.
        reconcile: The two must tell each other what jobs they hold.
    """

    peer: str
    waiting: int
    silent_s: float
    reconcile: bool


class _Key(NamedTuple):
    seq: int
    id: str


class _PeerRow(NamedTuple):
    acked_seq: int
    acked_id: str
    taken_seq: int
    taken_id: str


class OutboxRows(Rows):
    """Every SQL statement of the link; all run inside the batch's transaction."""

    WAITING = _WAITING

    def waiting(self) -> list[str]:
        """Return the peers for whom rows wait."""
        return self._all(str, self.WAITING)

    HAS_PEER = """
        SELECT 1 FROM peers WHERE peer = :peer UNION ALL SELECT 1 FROM outbox WHERE peer = :peer LIMIT 1"""

    def has(self, peer: str) -> bool:
        """Tell whether the link has a row of a peer: a message for it, or how far the two have come."""
        return self._one(int, self.HAS_PEER, peer=peer) is not None

    POSITIONS = "SELECT acked_seq, acked_id, taken_seq, taken_id FROM peers WHERE peer = :peer"

    def positions(self, peer: str) -> tuple[Position, Position]:
        """Return what a peer has said to have taken from us, and what we have taken from it."""
        row = self._one(_PeerRow, self.POSITIONS, peer=peer)
        return ((row.acked_seq, row.acked_id), (row.taken_seq, row.taken_id)) if row else (START, START)

    SAVE_POSITIONS = f"""
        INSERT INTO peers (peer, {columns(_PeerRow)}) VALUES (:peer, {parameters(_PeerRow)})
        ON CONFLICT (peer) DO UPDATE SET acked_seq = excluded.acked_seq, acked_id = excluded.acked_id,
            taken_seq = excluded.taken_seq, taken_id = excluded.taken_id"""

    def save_positions(self, peer: str, acked: Position, taken: Position) -> None:
        """Keep what a peer has said to have taken from us, and what we have taken from it."""
        (acked_seq, acked_id), (taken_seq, taken_id) = acked, taken
        self._run(
            self.SAVE_POSITIONS,
            peer=peer,
            acked_seq=acked_seq,
            acked_id=acked_id,
            taken_seq=taken_seq,
            taken_id=taken_id,
        )

    LAST = "SELECT seq, id FROM outbox WHERE peer = :peer ORDER BY seq DESC LIMIT 1"

    def last(self, peer: str) -> Position | None:
        """Return number and id of the last message for a peer; None when no message waits."""
        return self._one(_Key, self.LAST, peer=peer)

    ID_AT = "SELECT id FROM outbox WHERE peer = :peer AND seq = :seq"

    def id_at(self, peer: str, seq: int) -> str | None:
        """Return the id of the message that has this number; None when there is none."""
        return self._one(str, self.ID_AT, peer=peer, seq=seq)

    ID_BEFORE = "SELECT id FROM outbox WHERE peer = :peer AND seq < :seq ORDER BY seq DESC LIMIT 1"

    def id_before(self, peer: str, seq: int) -> str | None:
        """Return the id of the message before this number; None when there is none."""
        return self._one(str, self.ID_BEFORE, peer=peer, seq=seq)

    ABOVE = "SELECT seq, id, body FROM outbox WHERE peer = :peer AND seq > :seq ORDER BY seq"

    def above(self, peer: str, seq: int, limit_bytes: int) -> list[OutboxRow]:
        """Return the first rows above `seq` that fit in `limit_bytes` with a comma each, and at least one."""
        rows: list[OutboxRow] = []
        left = limit_bytes
        for row in self._each(OutboxRow, self.ABOVE, peer=peer, seq=seq):
            left -= len(row.body) + 1
            if rows and left < 0:
                break
            rows.append(row)
        return rows

    ADD = "INSERT INTO outbox (peer, seq, id, body) VALUES (:peer, :seq, :id, :body)"

    def add(self, peer: str, row: OutboxRow) -> None:
        """Let a message wait for a peer."""
        self._run(self.ADD, peer=peer, seq=row.seq, id=row.id, body=row.body)

    DELETE_UPTO = "DELETE FROM outbox WHERE peer = :peer AND seq <= :seq"

    def delete_upto(self, peer: str, seq: int) -> None:
        """Delete the messages up to this number: the peer has taken them."""
        self._run(self.DELETE_UPTO, peer=peer, seq=seq)

    DELETE_ROWS = "DELETE FROM outbox WHERE peer = :peer"

    def delete_rows(self, peer: str) -> int:
        """Delete all messages for a peer, and return how many there were."""
        return self._run(self.DELETE_ROWS, peer=peer)

    DELETE_PEER = "DELETE FROM peers WHERE peer = :peer"

    def forget(self, peer: str) -> int:
        """Delete all that the link knows of a peer; return how many rows that were."""
        return self.delete_rows(peer) + self._run(self.DELETE_PEER, peer=peer)

    MARK = "INSERT INTO peers (peer, reconcile) VALUES (:peer, 1) ON CONFLICT (peer) DO UPDATE SET reconcile = 1"

    def mark_reconcile(self, peer: str) -> None:
        """Mark a peer: the two must tell each other what jobs they hold."""
        self._run(self.MARK, peer=peer)

    ADD_WAITING = f"INSERT OR IGNORE INTO peers (peer) {_WAITING}"
    AGE = """
        UPDATE peers
        SET silent_s = CASE WHEN peer IN (SELECT value FROM json_each(:heard)) THEN 0 ELSE silent_s + :seconds END"""

    def age(self, heard: Iterable[str], seconds: float) -> None:
        """Count on for how long each peer is silent, those too that never spoke, but not those that were heard."""
        self._run(self.ADD_WAITING)
        self._run(self.AGE, heard=as_text(sorted(heard)), seconds=seconds)

    SILENT = "SELECT peer FROM peers WHERE silent_s > :longer_than_s"

    def silent(self, longer_than_s: float) -> list[str]:
        """Return the peers that have been silent for longer."""
        return self._all(str, self.SILENT, longer_than_s=longer_than_s)

    SIZE_BYTES = "SELECT coalesce(sum(length(body)), 0) FROM outbox WHERE peer = :peer"

    def size_bytes(self, peer: str) -> int:
        """Return how large all messages are that wait for a peer."""
        return self._only(int, self.SIZE_BYTES, peer=peer)

    SHOWN = f"""
        SELECT peer, {_WAITING_FOR} AS waiting, silent_s, reconcile FROM peers p
        WHERE peer > :after ORDER BY peer LIMIT :limit"""

    def shown(self, limit: int, after: str) -> Page[ShownLink]:
        """Return a page of the links, by peer."""
        return self._page(ShownLink, self.SHOWN, "peer", limit, after=after)

    COUNT_WAITING = f"SELECT {_WAITING_FOR} FROM peers p"

    def count_waiting(self) -> list[int]:
        """Return how many rows wait for each peer, without reading them: their numbers are without gaps."""
        return self._all(int, self.COUNT_WAITING)
