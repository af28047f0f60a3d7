"""What a reactor is given, and what it promises to the node's loop.

A reactor decides and never acts: no network, no clock, no randomness of its own. Time comes in as a `Moment`, messages
go to the outbox, notices to `Notices`; what must happen outside the database happens in `committed`. What it keeps in
memory goes back with the transaction (`base/memory.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from caroni_edge.base.errors import CaroniError
from caroni_edge.base.memory import Journal, MemoryDict
from caroni_edge.base.moment import Moment
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Message, Presence
from caroni_edge.protocol.topics import Request
from caroni_edge.transport.base import Arrived


class UnknownPeer(CaroniError):
    """{node} knows nothing of {peer}."""

    hint = "The node's page and its API name those that it knows."


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted of a peer that will not come back.

    Attributes:
        rows: Rows of the database that said something of it, other than these.
        jobs: Its jobs: those that an agent had for a manager, or those not ended that a manager had at an agent.
        offers: Its offers, or those made to it.
        retained: Topics beside its presence that the broker may still keep something of it on.
    """

    rows: int = 0
    jobs: int = 0
    offers: int = 0
    retained: tuple[str, ...] = ()


class Outbox(Protocol):
    """Where link messages go."""

    @property
    def refuses_over_bytes(self) -> int:
        """Messages larger than this are too large for the broker, and come back by `on_undeliverable`; 0: none is."""

    def put(self, peer: str, message: LinkMessage) -> None:
        """Put a message for `peer`; it leaves after the commit, and takes effect there exactly once, in order.

        Raises:
            MessageTooLarge: No frame can hold it.
        """

    def waiting(self, peer: str) -> int:
        """Return how many messages a peer has not acknowledged."""

    def speaks(self, peer: str) -> int:
        """Return the newest version of the messages that a peer understands; 1 until it has said that."""


class Notices:
    """Notices to publish after the commit: the last one said for each topic; None clears what is retained."""

    def __init__(self, journal: Journal) -> None:
        """Begin with nothing to say."""
        self._said: MemoryDict[str, msgspec.Struct | None] = MemoryDict(journal)

    def say(self, topic: str, notice: msgspec.Struct | None) -> None:
        """Publish `notice`, retained, when the batch has been committed."""
        self._said[topic] = notice

    def take(self) -> Mapping[str, msgspec.Struct | None]:
        """Return what is to be published, and forget it."""
        said = dict(self._said)
        self._said.clear()
        return said


class Reactor(Protocol):
    """The decisions of a role.

    What changes something runs inside the batch's transaction, but for `committed` and `on_trigger_settled`. Questions
    (`next_due`, `subscriptions`) may be asked outside of it too.
    """

    def on_start(self, at: Moment) -> None:
        """The process has started: durations begin anew."""

    def on_connected(self, at: Moment, *, session_present: bool) -> None:
        """The broker took us in: say the notices of the role again.

        Args:
            at: The time.
            session_present: The broker still has our session; otherwise it will repeat nothing that it has sent before.
        """

    def on_presence(self, peer: str, presence: Presence | None, at: Moment) -> None:
        """Take what a peer says of itself; None when its presence was cleared."""

    def on_request(self, topic: Request, payload: bytes, at: Moment) -> None:
        """Take a demand (agents only); an empty payload means that there is none any more.

        Raises:
            Unreadable: It is none; it is logged and dropped.
        """

    def on_message(self, peer: str, message: Message, at: Moment) -> None:
        """Take a link message; if this raises, the message is rejected alone (see `Dispatch`)."""

    def on_rejected_here(self, peer: str, message_type: str, jobs: tuple[str, ...], reason: str, at: Moment) -> None:
        """A message of `peer` raised here and was rejected; `jobs` are those that it named."""

    def on_undeliverable(self, peer: str, message: Message, reason: str, at: Moment) -> None:
        """A message of ours is too large for the broker, and is not sent: what it was about must do without."""

    def on_trigger(self, event: Arrived, at: Moment) -> None:
        """Somebody starts a workflow (managers only); refusing it is an event, not an error."""

    def on_trigger_settled(self, packet_id: int) -> None:
        """The broker cannot repeat the trigger that had this packet id. Told before the transaction of a batch."""

    def forget_peer(self, peer: str, at: Moment) -> Forgotten:
        """A peer will not come back: delete what concerns it."""

    def settle(self, at: Moment) -> None:
        """Decide once for the whole batch, if something was told, and for all that has become due."""

    def next_due(self) -> float:
        """Return when `settle` must run again at the latest, on the monotonic clock; infinity for never."""

    def open_peers(self) -> Iterable[str]:
        """Return the peers with whom jobs or offers are open."""

    def subscriptions(self) -> Iterable[tuple[str, int]]:
        """Return the topic filters that the role needs now, with their QoS."""

    def presence(self) -> Mapping[str, object]:
        """Return what the role adds to the node's presence notice."""

    def presence_changed(self) -> bool:
        """Tell, once for each change, that the presence notice must be said anew."""

    def committed(self) -> None:
        """The batch is committed: do outside the database what it has decided."""
