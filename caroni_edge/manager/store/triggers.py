"""Triggers that the broker may still repeat."""

import sqlite3

GET = "SELECT hash FROM triggers WHERE packet_id = ?"
SET = """
    INSERT INTO triggers (packet_id, hash) VALUES (?, ?) ON CONFLICT (packet_id) DO UPDATE SET hash = excluded.hash"""
DELETE = "DELETE FROM triggers WHERE packet_id = ?"
DELETE_ALL = "DELETE FROM triggers"


class SeenTriggers:
    """Statements about triggers taken: packet id and hash of the payload."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`."""
        self._conn = conn

    def get(self, packet_id: int) -> str | None:
        """Return the hash of the last trigger with this packet id."""
        row = self._conn.execute(GET, (packet_id,)).fetchone()
        return row[0] if row else None

    def set(self, packet_id: int, payload_hash: str) -> None:
        """Remember a trigger."""
        self._conn.execute(SET, (packet_id, payload_hash))

    def delete(self, packet_ids: list[int]) -> None:
        """The broker can no longer repeat these."""
        self._conn.executemany(DELETE, ((packet_id,) for packet_id in packet_ids))

    def delete_all(self) -> None:
        """The broker can no longer repeat any."""
        self._conn.execute(DELETE_ALL)
