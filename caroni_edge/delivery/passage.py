"""How much of what is sent to a peer passes the broker: one that drops or cuts off what is large is found out."""

from math import inf

from caroni_edge.base.memory import Journal, Memory

STRIKES = 3
"""So many answered questions without progress show that the broker drops what is sent."""
SURELY_PASSES_BYTES = 4096
"""A message that is no larger is never the reason: a broker that drops such is of no use."""
NARROW_FOR_S = 3600.0
"""So long frames are smaller, before larger ones are tried again."""
ONE_MESSAGE_BYTES = 1
"""Frames carry one message, whatever its size."""


class Passage(Memory):
    """What is known of the size that the broker lets pass, for one peer.

    Attributes:
        in_doubt: The peer has answered without having taken anything: one frame at a time shows whether it passes.
        dropped_bytes: So large a frame did not pass, and a smaller one then did; 0: there was none.
    """

    def __init__(self, journal: Journal) -> None:
        """Begin without knowing of any limit."""
        super().__init__(journal)
        self.widen()

    def widen(self) -> None:
        """The broker may be another one: frames are as large as ever."""
        self.dropped_bytes = self._suspect_bytes = self._strikes = 0
        self._limit_bytes, self._until = 0, -inf
        self.in_doubt = False

    def limit_bytes(self, most: int, now: float) -> int:
        """Return how much a frame may carry beside one message, `most` where nothing speaks against it."""
        return self._limit_bytes if self.is_narrow(now) else most

    def is_narrow(self, now: float) -> bool:
        """Tell whether frames are smaller than they might be."""
        return now < self._until

    def progressed(self, now: float) -> None:
        """The peer has taken something."""
        self._strikes, self.in_doubt = 0, False
        if self._suspect_bytes and self.is_narrow(now):
            self.dropped_bytes, self._suspect_bytes = self._suspect_bytes, 0

    def strike(self) -> bool:
        """The peer has answered, and nothing has come to it; return whether that is often enough to act on."""
        self._strikes, self.in_doubt = self._strikes + 1, True
        if self._strikes < STRIKES:
            return False
        self._strikes = 0
        return True

    def narrow(self, refused_bytes: int, to_bytes: int, now: float) -> None:
        """A frame of `refused_bytes` does not pass: from now on they carry no more than `to_bytes`, or one message."""
        self._suspect_bytes = refused_bytes
        self._limit_bytes, self._until = to_bytes, now + NARROW_FOR_S
