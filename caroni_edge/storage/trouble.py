"""A state database that cannot be used: it is left alone for a while, longer each time."""

from dataclasses import dataclass
from math import inf

from caroni_edge.base.backoff import Backoff
from caroni_edge.storage.database import StorageFailed

PAUSE = Backoff(first_s=5.0, max_s=300.0)


@dataclass(slots=True)
class StorageTrouble:
    """How long a node leaves its state database alone after a storage error; longer, the more follow each other.

    Attributes:
        failure: Why the database cannot be used; None while it can.
        again_due: When it is tried again, on the monotonic clock.
        pause_s: How long it was left alone the last time; it grows while failures follow each other.
    """

    failure: StorageFailed | None = None
    again_due: float = -inf
    pause_s: float = 0.0

    def begin(self, failure: StorageFailed, now: float) -> float:
        """Note a failure at `now`, on the monotonic clock; return for how long to leave the database alone."""
        follows = now < self.again_due + PAUSE.max_s
        self.pause_s = PAUSE.after(self.pause_s) if follows else PAUSE.first_s
        self.failure, self.again_due = failure, now + self.pause_s
        return self.pause_s

    def is_waiting(self, now: float) -> bool:
        """Tell whether it is too early to try again."""
        return self.failure is not None and now < self.again_due
