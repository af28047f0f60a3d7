"""What has arrived from other threads, and in which order batches take it.

What people ask for goes last, and only so much of it in a batch: where somebody hands in a thousand workflows at once,
results and offers would else wait behind all of them, and agents idle.
"""

from collections import deque
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from caroni_edge.node.receipts import Receipts
from caroni_edge.protocol.topics import Topics
from caroni_edge.transport.base import Arrived

Item = TypeVar("Item")

TAKEN_MAX = 500
TAKEN_MAX_BYTES = 8 << 20
OF_PEOPLE_MAX = 64
"""So many triggers and questions are taken in one batch: 20 ms of work, or thereabouts."""


class Arrivals(Generic[Item]):
    """A queue that any thread fills and one empties, in batches."""

    def __init__(self) -> None:
        """Begin empty."""
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._of_people: deque[Item] = deque()

    def put(self, item: Item) -> None:
        """Add something that has happened, from any thread."""
        self._queue.put(item)

    def take(self, topics: Topics, receipts: Receipts, wait_s: float) -> list[Item]:
        """Return the next batch, after `wait_s` seconds at most; empty when nothing has arrived."""
        taken: list[Item] = []
        size = 0
        of_people = topics.of_people
        try:
            item = self._queue.get(timeout=wait_s) if wait_s and not self._of_people else self._queue.get_nowait()
            while True:
                if isinstance(item, Arrived):
                    size += len(item.payload)
                    if item.qos:
                        receipts.expect(item)
                is_of_people = isinstance(item, Arrived) and item.topic.startswith(of_people)
                (self._of_people if is_of_people else taken).append(item)
                if len(taken) >= TAKEN_MAX or size >= TAKEN_MAX_BYTES:
                    break
                item = self._queue.get_nowait()
        except Empty:
            pass
        return taken + [self._of_people.popleft() for _ in range(min(OF_PEOPLE_MAX, len(self._of_people)))]

    def rest(self) -> list[Item]:
        """Return all that is left, at the end."""
        left = [*self._of_people]
        while not self._queue.empty():
            left.append(self._queue.get())
        return left
