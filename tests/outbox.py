"""An outbox for reactors under test: it keeps what is put, and the test takes what it expects."""

from typing import TypeVar

from caroni_edge.protocol.codec import decode_message, encode_message
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import MESSAGE_VERSION

Kind = TypeVar("Kind")


class RecordingOutbox:
    """Keeps what was put; a test takes what it expects, and then asserts that nothing else was sent.

    Attributes:
        sent: The node that each message is for, and the message as it comes out of the codec there.
        refuses_over_bytes: What the link would refuse to put.
        versions: What peers speak that speak another version of the messages than we.
        unacknowledged: So many messages wait for each peer, as the link would have it.
    """

    refuses_over_bytes = 0
    unacknowledged = 0

    def __init__(self, peer: str) -> None:
        """Begin empty; messages are taken for `peer` where a test names no other."""
        self.sent: list[tuple[str, LinkMessage]] = []
        self._peer = peer
        self.versions: dict[str, int] = {}

    def put(self, peer: str, message: LinkMessage) -> None:
        self.sent.append((peer, decode_message(encode_message("row", message))))

    def waiting(self, peer: str) -> int:
        return self.unacknowledged

    def speaks(self, peer: str) -> int:
        return self.versions.get(peer, MESSAGE_VERSION)

    def take(self, kind: type[Kind], peer: str = "") -> Kind:
        """Return the next message of a kind to a peer."""
        for index, (to, message) in enumerate(self.sent):
            if to == (peer or self._peer) and isinstance(message, kind):
                del self.sent[index]
                return message
        raise AssertionError(f"no {kind.__name__} to {peer or self._peer}; there is {self.sent}")

    def take_all(self, kind: type[Kind], peer: str = "") -> list[Kind]:
        """Return all messages of a kind to a peer."""
        found = [each for each in self.sent if each[0] == (peer or self._peer) and isinstance(each[1], kind)]
        self.sent = [each for each in self.sent if each not in found]
        return [message for _, message in found]  # type: ignore[misc]

    def nothing_else(self) -> None:
        """Assert that all was taken."""
        assert self.sent == []
