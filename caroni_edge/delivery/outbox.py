"""The rows of the link: positions of each peer, and the outbox."""

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from caroni_edge.protocol.messages import Position

START: Position = (0, "")

POSITIONS = "SELECT acked_seq, acked_id, taken_seq, taken_id FROM peers WHERE peer = ?"
SAVE_POSITIONS = """
    INSERT INTO peers (peer, acked_seq, acked_id, taken_seq, taken_id) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (peer) DO UPDATE SET acked_seq = excluded.acked_seq, acked_id = excluded.acked_id,
        taken_seq = excluded.taken_seq, taken_id = excluded.taken_id"""
# From peer to peer by the index: bodies may be many and large.
WAITING = """
    WITH RECURSIVE waiting (peer) AS (
        SELECT '' UNION ALL
        SELECT (SELECT min(peer) FROM outbox WHERE peer > waiting.peer) FROM waiting WHERE peer NOT NULL
    ) SELECT peer FROM waiting WHERE peer > ''"""
HAS_PEER = "SELECT 1 FROM peers WHERE peer = ?1 UNION ALL SELECT 1 FROM outbox WHERE peer = ?1 LIMIT 1"
LAST = "SELECT seq, id FROM outbox WHERE peer = ? ORDER BY seq DESC LIMIT 1"
ID_AT = "SELECT id FROM outbox WHERE peer = ? AND seq = ?"
BEFORE = "SELECT id FROM outbox WHERE peer = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
ABOVE = "SELECT seq, id, body FROM outbox WHERE peer = ? AND seq > ? ORDER BY seq"
ADD = "INSERT INTO outbox (peer, seq, id, body) VALUES (?, ?, ?, ?)"
DELETE_UPTO = "DELETE FROM outbox WHERE peer = ? AND seq <= ?"
DELETE_ROWS = "DELETE FROM outbox WHERE peer = ?"
DELETE_PEER = "DELETE FROM peers WHERE peer = ?"
MARK = "INSERT INTO peers (peer, reconcile) VALUES (?, 1) ON CONFLICT (peer) DO UPDATE SET reconcile = 1"

ADD_WAITING = f"INSERT OR IGNORE INTO peers (peer) {WAITING}"
AGE = """
    UPDATE peers SET silent_s = CASE WHEN peer IN (SELECT value FROM json_each(?)) THEN 0 ELSE silent_s + ? END"""
SILENT = "SELECT peer FROM peers WHERE silent_s > ?"


class Row(NamedTuple):
    """A message in the outbox."""

    seq: int
    id: str
    body: bytes


class OutboxRows:
    """Every SQL statement of the link; all run inside the batch's transaction.

    The rows are asked each time, never remembered: a savepoint may take back what a handler has put.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on the writing connection of the node."""
        self._conn = conn

    def waiting(self) -> list[str]:
        """Return the peers for whom rows wait."""
        return [peer for (peer,) in self._conn.execute(WAITING)]

    def has(self, peer: str) -> bool:
        """Tell whether there is anything of a peer."""
        return self._conn.execute(HAS_PEER, (peer,)).fetchone() is not None

    def positions(self, peer: str) -> tuple[Position, Position]:
        """Return `acked` and `taken` of a peer."""
        row = self._conn.execute(POSITIONS, (peer,)).fetchone()
        return ((row[0], row[1]), (row[2], row[3])) if row else (START, START)

    def save_positions(self, peer: str, acked: Position, taken: Position) -> None:
        """Keep `acked` and `taken` of a peer."""
        self._conn.execute(SAVE_POSITIONS, (peer, *acked, *taken))

    def last(self, peer: str) -> Position | None:
        """Return the position of the last row."""
        row: Position | None = self._conn.execute(LAST, (peer,)).fetchone()
        return row

    def id_at(self, peer: str, seq: int) -> str | None:
        """Return the id of the row at `seq`."""
        row = self._conn.execute(ID_AT, (peer, seq)).fetchone()
        return row[0] if row else None

    def id_before(self, peer: str, seq: int) -> str | None:
        """Return the id of the row before `seq`."""
        row = self._conn.execute(BEFORE, (peer, seq)).fetchone()
        return row[0] if row else None

    def above(self, peer: str, seq: int, limit_bytes: int) -> list[Row]:
        """Return the first rows above `seq` that fit in `limit_bytes` with a comma each, and at least one."""
        rows: list[Row] = []
        left = limit_bytes
        for found in self._conn.execute(ABOVE, (peer, seq)):
            row = Row(*found)
            left -= len(row.body) + 1
            if rows and left < 0:
                break
            rows.append(row)
        return rows

    def add(self, peer: str, row: Row) -> None:
        """Add a row."""
        self._conn.execute(ADD, (peer, *row))

    def delete_upto(self, peer: str, seq: int) -> None:
        """Delete the rows that the peer has taken."""
        self._conn.execute(DELETE_UPTO, (peer, seq))

    def delete_rows(self, peer: str) -> None:
        """Delete all rows of a peer."""
        self._conn.execute(DELETE_ROWS, (peer,))

    def mark_reconcile(self, peer: str) -> None:
        """Mark a peer as to be reconciled."""
        self._conn.execute(MARK, (peer,))

    def age(self, heard: Iterable[str], seconds: float) -> None:
        """Count on for how long each peer is silent, those too that never spoke, but not those that were heard."""
        self._conn.execute(ADD_WAITING)
        self._conn.execute(AGE, (json.dumps(sorted(heard)), seconds))

    def silent(self, longer_than_s: float) -> list[str]:
        """Return the peers that have been silent for longer."""
        return [peer for (peer,) in self._conn.execute(SILENT, (longer_than_s,))]

    def forget(self, peer: str) -> int:
        """Delete all that the link knows of a peer; return how many rows that were."""
        return sum(self._conn.execute(delete, (peer,)).rowcount for delete in (DELETE_ROWS, DELETE_PEER))
