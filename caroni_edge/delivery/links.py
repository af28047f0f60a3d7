"""All links of a node: which peers have something to say, and the batch that they share."""

import logging
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import NamedTuple

import msgspec

from caroni_edge.base.memory import Journal, Memory, MemoryDict, MemorySet
from caroni_edge.base.moment import Chance
from caroni_edge.delivery.link import Link
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.delivery.passage import NARROW_FOR_S
from caroni_edge.delivery.timers import Timers
from caroni_edge.protocol.codec import RAISE_LIMIT, encode_message
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import Frame

log = logging.getLogger(__name__)


class Undeliverable(NamedTuple):
    """A message that is too large for the broker, so that it is not in the outbox (any more)."""

    peer: str
    body: bytes


class Links(Memory):
    """The links of a node, made when a peer is first met.

    From `begin` to `set_timers` all happens in one transaction, and goes back with it. Handlers may run in savepoints:
    what they put goes back with those.

    Attributes:
        now: The time of the present batch.
        held_back: Peers for whom frames are due that the last batch had no room for.
        refuses_over_bytes: Messages larger than this are not put, since one such did not pass the broker; 0: all are.
        drops_over_bytes: The broker is known to drop messages larger than this, or even smaller ones; 0: it is not.
    """

    def __init__(
        self,
        me: str,
        boot: str,
        rows: OutboxRows,
        chance: Chance,
        on_reset: Callable[[str], None],
        journal: Journal,
    ) -> None:
        """Begin without peers.

        Args:
            me: Id of this node.
            boot: Random at each start of the process.
            rows: The link's rows.
            chance: Source of ids and jitter.
            on_reset: Called inside the transaction with each peer whose link was begun anew, by either side.
            journal: Of the database that the rows are in.
        """
        super().__init__(journal)
        self._me, self._boot, self._rows, self._chance, self._on_reset = me, boot, rows, chance, on_reset
        self._links: MemoryDict[str, Link] = MemoryDict(journal)
        self._touched: MemorySet[str] = MemorySet(journal)
        self._timers = Timers(journal)
        self._heard: MemorySet[str] = MemorySet(journal)
        self.held_back: frozenset[str] = frozenset()
        self.drops_over_bytes = 0
        self.refuses_over_bytes = 0
        self._known_until = -inf
        self._online: MemorySet[str] = MemorySet(journal)
        self._asked: MemorySet[str] = MemorySet(journal)
        self._owing: MemorySet[str] = MemorySet(journal)  # who is asked and online
        self._undeliverable: tuple[Undeliverable, ...] = ()
        self.now = 0.0

    # A batch

    def begin(self, now: float) -> None:
        """Begin a batch at `now`."""
        self.now = now
        self._touched.clear()
        if self.drops_over_bytes and now >= self._known_until:
            self.drops_over_bytes = self.refuses_over_bytes = 0

    def set_timers(self) -> None:
        """Set the timers of the links that were touched, by their rows: after all else that a batch does with links."""
        for peer in sorted(self._touched):
            link = self._known(peer)
            self._timers.set_due(peer, link.next_due() if link else inf)
            if link and link.question is not None:
                self._asked.add(peer)
            else:
                self._asked.discard(peer)
            self._note_owing(peer)

    # Inside a batch

    def start(self, open_peers: Iterable[str]) -> None:
        """The process has started: a question to every peer with rows, jobs or offers open."""
        for peer in sorted({*open_peers, *self._rows.waiting()}):
            self._link(peer).ask(self.now)

    def put(self, peer: str, message: LinkMessage) -> None:
        """Put a message for `peer` into the outbox, unless it is too large for the broker: see `take_undeliverable`.

        Where too much waits already, all of it is deleted and the link begins anew: reconciling brings what still
        matters, and a peer that takes nothing cannot fill our disk.

        Raises:
            MessageTooLarge: No frame can hold it.
        """
        if self.refuses_over_bytes:
            body = encode_message(self._chance.new_id(), message)
            if len(body) > self.refuses_over_bytes:
                self._undeliverable += (Undeliverable(peer, body),)
                return
        link = self._link(peer)
        if link.put(message, self.now):
            facts = {"action": "outbox_full", "peer": peer}
            log.error("%d messages for it are deleted: it acknowledges none", link.waiting(), extra=facts)
            link.begin_anew(self.now)
            self.was_reset(peer)

    def waiting(self, peer: str) -> int:
        """Return how many messages a peer has not acknowledged."""
        return self._link(peer).waiting()

    def speaks(self, peer: str) -> int:
        """Return the newest version of the messages that a peer understands; 1 until it has said that."""
        link = self._links.get(peer)
        return link.speaks if link else 1

    def receive(self, frame: Frame) -> tuple[msgspec.Raw, ...]:
        """Take a frame, and return the messages that are to be handled."""
        self._heard.add(frame.from_)
        link = self._link(frame.from_)
        messages, was_reset = link.receive(frame, self.now)
        if was_reset:
            self.was_reset(frame.from_)
        self._look_at_passage(link)
        return messages

    def cut_off(self, peer: str, first: int, count: int) -> None:
        """The broker has cut us off for a frame to `peer`, of `count` messages from the seq `first` on."""
        link = self._link(peer)
        link.cut_off(first, count, self.now)
        self._look_at_passage(link)

    def _look_at_passage(self, link: Link) -> None:
        if link.too_large is not None:
            body = link.too_large
            self._undeliverable += (Undeliverable(link.peer, body),)
            self.refuses_over_bytes = len(body) - 1
            self._learn(len(body) - 1)
            link.begin_anew(self.now)
            self.was_reset(link.peer)
        elif link.passage.dropped_bytes:
            self._learn(link.passage.dropped_bytes - 1)
            link.passage.dropped_bytes = 0

    def _learn(self, over_bytes: int) -> None:
        if self.drops_over_bytes and over_bytes >= self.drops_over_bytes:
            return
        self.drops_over_bytes, self._known_until = over_bytes, self.now + NARROW_FOR_S
        log.error("%s", self.carriage_problem, extra={"action": "broker_too_small"})

    @property
    def carriage_problem(self) -> str | None:
        """Why not all that is said arrives, for people; None when nothing is known of that."""
        if not self.drops_over_bytes:
            return None
        return (
            f"the broker drops messages larger than {self.drops_over_bytes} bytes, or smaller ones too: {RAISE_LIMIT}"
        )

    def take_undeliverable(self) -> tuple[Undeliverable, ...]:
        """Return the messages that are too large for the broker, and forget them: who put them must do without."""
        found, self._undeliverable = self._undeliverable, ()
        return found

    def other_broker(self) -> None:
        """The broker may be another one, or have another configuration: nothing is known of what it lets pass."""
        self.drops_over_bytes = self.refuses_over_bytes = 0
        for link in self._links.values():
            link.passage.widen()

    def was_reset(self, peer: str) -> None:
        """One direction of a link was begun anew: mark the peer. What follows is left to the reactor's `settle`."""
        self._rows.mark_reconcile(peer)
        self._on_reset(peer)

    def heard_presence(self, peer: str, boot: str, *, online: bool) -> None:
        """A peer has said that it is there, or its will that it is not."""
        if not online:
            self._online.discard(peer)
            self._owing.discard(peer)
            return
        self._online.add(peer)
        self._note_owing(peer)
        if link := self._known(peer):
            link.heard_boot(boot, self.now)
            link.came_online()

    def connected(self) -> None:
        """We are connected anew: frames may have been lost, so each peer that rows or a question wait for is asked."""
        for peer, link in self._links.items():
            if link.question is not None or link.rows_wait():
                self._link(peer).connected(self.now)

    def ask(self, peers: Iterable[str]) -> None:
        """Ask peers with whom jobs or offers are open for their position; who does not answer is silent."""
        for peer in peers:
            self._link(peer).ask(self.now)

    def silent(self, since_s: float, longer_than_s: float) -> list[str]:
        """Return the peers that have been silent for longer, counted in time that we were connected.

        Who is silent for half of it is asked: it may be there and have nothing to say.

        Args:
            since_s: Seconds since the last call.
            longer_than_s: Who is silent for longer is named.
        """
        self._rows.age(self._heard, since_s)
        self._heard.clear()
        self.ask(self._rows.silent(longer_than_s / 2))
        return self._rows.silent(longer_than_s)

    def forget(self, peer: str) -> int:
        """Delete all that is known of a peer, and return how many rows; if it returns, that is a reset."""
        self._link(peer)  # touched, so that `set_timers` takes its timer away
        del self._links[peer]
        return self._rows.forget(peer)

    def frames(self, limit: int) -> Iterator[tuple[Frame, int]]:
        """Yield at most `limit` frames that are due, with their QoS, to be published after the commit."""
        first, self.held_back = self.held_back, frozenset()
        peers = [*sorted(first), *sorted({*self._timers.take_due(self.now), *self._touched} - first)]
        for link in [link for peer in peers if (link := self._known(peer))]:
            for frame, qos in link.frames(self.now, limit):
                limit -= 1
                yield frame, qos
            if limit <= 0 and link.has_more():
                self.held_back |= {link.peer}

    # Questions

    def next_due(self) -> float:
        """Return when a batch must run because of the links alone, on the monotonic clock."""
        return self._timers.next_due()

    def owes_answers(self) -> bool:
        """Tell whether somebody who is online has not answered yet."""
        return bool(self._owing)

    def unanswered(self, after_s: float, since: float) -> list[str]:
        """Return who is online and owes an answer for `after_s`, counted from `since` at the earliest."""
        asked = {peer: max(since, self.asked_at(peer)) for peer in self._owing}
        return sorted(peer for peer, at in asked.items() if self.now - at >= after_s)

    def _note_owing(self, peer: str) -> None:
        (self._owing.add if peer in self._asked and peer in self._online else self._owing.discard)(peer)

    def asked_at(self, peer: str) -> float:
        """Return since when a question to `peer` is open; infinity when none is."""
        link = self._links.get(peer)
        return link.asked_at if link else inf

    def has_answered(self, peer: str) -> bool:
        """Tell whether a peer has answered a question of this process: what it has is known, or a reset has begun."""
        link = self._links.get(peer)
        return link is not None and link.has_answered

    def _link(self, peer: str) -> Link:
        """Return the link to a peer, made if it is not there; it counts as touched by this batch."""
        self._touched.add(peer)
        link = self._links.get(peer)
        if link is None:
            link = self._links[peer] = Link(peer, self._me, self._boot, self._rows, self._chance, self._journal)
        return link

    def _known(self, peer: str) -> Link | None:
        """Return the link to a peer, as `_link` does; None where there is nothing of it, in memory or in rows."""
        return self._link(peer) if peer in self._links or self._rows.has(peer) else None
