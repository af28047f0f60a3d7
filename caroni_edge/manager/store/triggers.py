"""Triggers that the broker may still repeat."""

from caroni_edge.storage.rows import Rows


class TriggerRows(Rows):
    """Statements about triggers taken: packet id and hash of the payload."""

    GET = "SELECT hash FROM triggers WHERE packet_id = :packet_id"

    def get(self, packet_id: int) -> str | None:
        """Return the hash of the last trigger with this packet id."""
        return self._one(str, self.GET, packet_id=packet_id)

    SET = """
        INSERT INTO triggers (packet_id, hash) VALUES (:packet_id, :hash)
        ON CONFLICT (packet_id) DO UPDATE SET hash = excluded.hash"""

    def set(self, packet_id: int, payload_hash: str) -> None:
        """Remember a trigger."""
        self._run(self.SET, packet_id=packet_id, hash=payload_hash)

    DELETE = "DELETE FROM triggers WHERE packet_id = :packet_id"

    def delete(self, packet_ids: list[int]) -> None:
        """Forget triggers that the broker can no longer repeat."""
        self._run_each(self.DELETE, ({"packet_id": packet_id} for packet_id in packet_ids))

    DELETE_ALL = "DELETE FROM triggers"

    def delete_all(self) -> None:
        """Forget all triggers: the broker can no longer repeat any."""
        self._run(self.DELETE_ALL)
