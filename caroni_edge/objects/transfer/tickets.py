"""Tickets: what shows a holder that a manager lets a node have what one of its workflows has there.

A manager has a key with each holder, which nobody else knows; from it the manager makes a ticket for one asker and one
workflow. So a holder can serve while the manager is away, and no asker can make a ticket for itself or for another one.
There is no date in it: it holds for as long as its workflow has a reference at the holder and its key is in force.
"""

from hmac import compare_digest, digest
from typing import NamedTuple

KEY_BYTES = 32


class Peer(NamedTuple):
    """A node that asks for bytes, or holds them.

    Attributes:
        role: `managers` or `agents`.
        node: Its id.
    """

    role: str
    node: str

    def __str__(self) -> str:
        return f"{self.role}/{self.node}"


class Key(NamedTuple):
    """A key of one manager and one holder.

    Attributes:
        generation: Counts the keys of the two; the greater one is the later.
        secret: 32 random bytes.
    """

    generation: int
    secret: bytes


def make_ticket(key: Key, workflow: str, asker: Peer) -> str:
    """Return the ticket by which `asker` gets what `workflow` has at the holder of `key`."""
    # A segment of a topic has no line break, so two of these texts are the same only if all their parts are.
    text = "\n".join(("ticket", str(key.generation), workflow, asker.role, asker.node))
    return digest(key.secret, text.encode(), "sha256").hex()


class Keys(NamedTuple):
    """The keys of one manager at a holder that are in force.

    Attributes:
        present: The newest one.
        last: The one before, for tickets that are on their way while a new one comes.
    """

    present: Key
    last: Key | None = None

    def renewed(self, key: Key) -> "Keys":
        """Return the keys that are in force after `key` has come; one that is not newer changes nothing."""
        return Keys(key, self.present) if key.generation > self.present.generation else self

    def admit(self, ticket: str, generation: int, workflow: str, asker: Peer) -> bool:
        """Tell whether a ticket is one for this workflow and this asker, by a key that is in force."""
        for key in (self.present, self.last):
            if key is not None and key.generation == generation:
                return compare_digest(make_ticket(key, workflow, asker), ticket)
        return False
