"""All links of a node: which peers have something to say, and the batch that they share."""

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from math import inf

import msgspec

from caroni_edge.delivery.link import Link
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.protocol.messages import Frame, LinkMessage, Position
from caroni_edge.reactor import Chance


class Links:
    """The links of a node, made when a peer is first met.

    Between `begin` and `commit` all happens in one transaction; after `roll_back` the memory of each link is what it
    was before, as the rows are.
    """

    def __init__(self, me: str, boot: str, rows: OutboxRows, chance: Chance, on_reset: Callable[[str], None]) -> None:
        """Begin without peers.

        Args:
            me: Id of this node.
            boot: Random at each start of the process.
            rows: The link's rows.
            chance: Source of ids and jitter.
            on_reset: Called inside the transaction with each peer whose link was begun anew, by either side.
        """
        self._me, self._boot, self._rows, self._chance, self._on_reset = me, boot, rows, chance, on_reset
        self._links: dict[str, Link] = {}
        self._before: dict[str, Link | None] = {}
        self._saved: dict[str, tuple[Position, Position]] = {}
        self._timers: list[tuple[float, str]] = []
        self._timer_of: dict[str, float] = {}
        self._held_back: set[str] = set()
        self.now = 0.0

    # A batch

    def begin(self, now: float) -> None:
        """Begin a batch at `now`."""
        self.now = now
        self._before.clear()

    def flush(self) -> None:
        """Write the positions that have changed; the last thing before the commit."""
        changed = [
            (peer, link.acked, link.taken)
            for peer in self._before
            if (link := self._links.get(peer)) and self._saved.get(peer) != (link.acked, link.taken)
        ]
        self._rows.save_positions(changed)

    def commit(self) -> None:
        """Keep what the batch has changed in memory."""
        for peer in self._before:
            if link := self._links.get(peer):
                self._saved[peer] = (link.acked, link.taken)
                self._set_timer(link)
        self._before.clear()

    def roll_back(self) -> None:
        """Go back to what was in memory before the batch."""
        for peer, link in self._before.items():
            if link is None:
                self._links.pop(peer, None)
            else:
                self._links[peer] = link
                self._set_timer(link)
        self._before.clear()

    # Inside a batch

    def start(self, open_peers: Iterable[str]) -> None:
        """The process has started: a question to every peer with rows, jobs or offers open."""
        for peer in {*open_peers, *self._rows.waiting()}:
            self._link(peer).ask(self.now)

    def put(self, peer: str, message: LinkMessage) -> None:
        """Put a message for `peer` into the outbox.

        Raises:
            MessageTooLarge: No frame can hold it.
        """
        self._link(peer).put(message, self.now)

    def receive(self, frame: Frame) -> tuple[msgspec.Raw, ...]:
        """Take a frame, and return the messages that are to be handled."""
        link = self._link(frame.from_)
        messages, was_reset = link.receive(frame, self.now)
        if was_reset:
            self.was_reset(frame.from_)
        return messages

    def was_reset(self, peer: str) -> None:
        """One direction of a link was begun anew: mark the peer, which cannot fail."""
        link = self._link(peer)
        self._rows.save_positions([(peer, link.acked, link.taken)])
        self._rows.mark_reconcile(peer)
        self._on_reset(peer)

    def heard_presence(self, peer: str, boot: str, *, online: bool) -> None:
        """A peer has said that it is there, or its will that it is not."""
        if not online or (peer not in self._links and not self._rows.has(peer)):
            return
        link = self._link(peer)
        link.heard_boot(boot, self.now)
        link.came_online()

    def connected(self) -> None:
        """We are connected anew."""
        for peer, link in list(self._links.items()):
            if link.rows_wait or link.question is not None:
                self._link(peer).connected(self.now)

    def ask(self, peers: Iterable[str]) -> None:
        """Ask peers with whom jobs or offers are open what they have; it also tells whether they are silent."""
        for peer in peers:
            self._link(peer).ask(self.now)

    def forget(self, peer: str) -> None:
        """Delete all that is known of a peer; if it returns, that is a reset."""
        self._link(peer)
        del self._links[peer]
        self._saved.pop(peer, None)
        self._rows.forget(peer)

    def frames(self, limit: int) -> Iterator[tuple[Frame, int]]:
        """Yield at most `limit` frames that are due, with their QoS, to be published after the commit."""
        due = self._held_back | set(self._before)
        while self._timers and self._timers[0][0] <= self.now:
            when, peer = heappop(self._timers)
            if self._timer_of.get(peer) == when:
                del self._timer_of[peer]
                due.add(peer)
        self._held_back = set()
        for peer in sorted(due):
            if peer not in self._links and not self._rows.has(peer):
                continue
            link = self._link(peer)
            for frame in link.frames(self.now, limit):
                limit -= 1
                yield frame
            if limit <= 0 and link.has_more():
                self._held_back.add(peer)

    # Questions

    def next_due(self) -> float:
        """Return when a batch must run because of the links alone, on the monotonic clock."""
        return self._timers[0][0] if self._timers else inf

    def asked_at(self, peer: str) -> float:
        """Return since when a question to `peer` is open; infinity when none is."""
        link = self._links.get(peer)
        return link.asked_at if link else inf

    def boot_of(self, peer: str) -> str | None:
        """Return the peer's process last heard."""
        link = self._links.get(peer)
        return link.boot if link else None

    def _link(self, peer: str) -> Link:
        link = self._links.get(peer)
        if peer not in self._before:
            self._before[peer] = link.snapshot() if link else None
        if link is None:
            link = self._links[peer] = Link(peer, self._me, self._boot, self._rows, self._chance)
            self._saved[peer] = (link.acked, link.taken)
        return link

    def _set_timer(self, link: Link) -> None:
        due = link.next_due()
        if due < inf and self._timer_of.get(link.peer) != due:
            self._timer_of[link.peer] = due
            heappush(self._timers, (due, link.peer))
