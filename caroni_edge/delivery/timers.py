"""When each peer's link has something to do by itself."""

from heapq import heappop, heappush
from math import inf

from caroni_edge.base.memory import Journal


class Timers:
    """For each peer the time at which its link is due; what a transaction has changed of them is undone with it."""

    def __init__(self, journal: Journal) -> None:
        """Begin with none."""
        self._journal = journal
        self._due_of: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # has all of `_due_of`, and entries that have become void

    def set_due(self, peer: str, due: float) -> None:
        """Let something be due for a peer at that time, and no more at another; infinity for never."""
        before = self._due_of.get(peer, inf)
        if due != before:
            self._journal.note(lambda: self._put(peer, before))
            self._put(peer, due)

    def next_due(self) -> float:
        """Return when the next peer is due; infinity for never."""
        while self._heap and self._due_of.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def take_due(self, now: float) -> set[str]:
        """Return the peers that are due, each once."""
        peers = set()
        while self.next_due() <= now:
            peer = self._heap[0][1]
            peers.add(peer)
            self.set_due(peer, inf)
        return peers

    def _put(self, peer: str, due: float) -> None:
        if due == inf:
            self._due_of.pop(peer, None)
        else:
            self._due_of[peer] = due
            heappush(self._heap, (due, peer))
