"""The keys by which managers make tickets for what lies at a holder, as both have them."""

from typing import NamedTuple

from caroni_edge.objects.transfer.tickets import Key, Keys
from caroni_edge.storage.rows import Rows


class _KeyRow(NamedTuple):
    generation: int
    secret: bytes
    last_generation: int | None
    last_secret: bytes | None


class KeyRows(Rows):
    """Statements about keys. At a holder `peer` is the manager's id, at a manager the holder: its role and its id."""

    OF = "SELECT generation, secret, last_generation, last_secret FROM object_keys WHERE peer = :peer"

    def of(self, peer: str) -> Keys | None:
        """Return the keys that are in force with a peer."""
        row = self._one(_KeyRow, self.OF, peer=peer)
        if row is None:
            return None
        has_last = row.last_generation is not None and row.last_secret is not None
        last = Key(row.last_generation or 0, row.last_secret or b"") if has_last else None
        return Keys(Key(row.generation, row.secret), last)

    PUT = """
        INSERT INTO object_keys (peer, generation, secret) VALUES (:peer, :generation, :secret)
        ON CONFLICT (peer) DO UPDATE SET last_generation = generation, last_secret = secret,
            generation = excluded.generation, secret = excluded.secret WHERE secret <> excluded.secret"""

    def put(self, peer: str, key: Key) -> None:
        """Let a key be the present one; the one before it is still good, and none before that."""
        self._run(self.PUT, peer=peer, generation=key.generation, secret=key.secret)

    FORGET = "DELETE FROM object_keys WHERE peer = :peer"

    def forget(self, peer: str) -> int:
        """Take no ticket of a peer any more."""
        return self._run(self.FORGET, peer=peer)
