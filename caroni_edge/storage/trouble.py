"""A state database that cannot be used: it is left alone for a while, longer each time."""

from dataclasses import dataclass
from math import inf

from caroni_edge.storage.database import StorageFailed

PAUSE_FIRST_S, PAUSE_MOST_S = 5.0, 300.0


@dataclass(slots=True)
class StorageTrouble:
    """How long a node leaves its state database alone after a storage error.

    Attributes:
        failure: Why the database cannot be used; None while it can.
        again_due: When it is tried again, on the monotonic clock.
        pause_s: How long it was left alone the last time; it doubles while failures follow each other.
    """

    failure: StorageFailed | None = None
    again_due: float = -inf
    pause_s: float = 0.0

    def begin(self, failure: StorageFailed, now: float) -> float:
        """Note a failure; return for how long to pause."""
        follows = now < self.again_due + PAUSE_MOST_S
        self.pause_s = min(self.pause_s * 2, PAUSE_MOST_S) if follows else PAUSE_FIRST_S
        self.failure, self.again_due = failure, now + self.pause_s
        return self.pause_s

    def is_waiting(self, now: float) -> bool:
        """Tell whether it is too early to try again."""
        return self.failure is not None and now < self.again_due
