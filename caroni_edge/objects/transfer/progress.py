"""How far the bytes are that a node fetches, and how fast they come: for people, by any thread."""

from collections import deque
from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from caroni_edge.objects.locations import NONE_MOVING, LocationsMoving
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.tickets import Peer

LOOK_EVERY_S = 1.0
RATE_OVER_S = 10.0


class Progress(NamedTuple):
    """How far an object is.

    Attributes:
        left_bytes: How many of its bytes are missing.
        holder: The node that it comes from now; None while it waits.
        is_direct: It comes straight from there, and not over the broker.
    """

    left_bytes: int
    holder: Peer | None
    is_direct: bool = False


class Moving(NamedTuple):
    """What a node moves.

    Attributes:
        fetches: All that is wanted, as it was a second ago at most while bytes come.
        came_bytes: So many bytes have come since the process started, those that nobody wanted too.
        gave_bytes: So many bytes have left.
        rate: Bytes a second that came lately.
        problem: Why nothing comes and goes, for people; None when nothing is wrong.
        locations: The files that come from addresses.
    """

    fetches: Mapping[FetchId, Progress] = MappingProxyType({})
    came_bytes: int = 0
    gave_bytes: int = 0
    rate: float = 0.0
    problem: str | None = None
    locations: LocationsMoving = NONE_MOVING


class Meter:
    """Counts the bytes that come and leave.

    Attributes:
        came_bytes: All that have come.
        gave_bytes: All that have left.
    """

    def __init__(self) -> None:
        """Begin at 0."""
        self.came_bytes = self.gave_bytes = 0
        self._looks: deque[tuple[float, int]] = deque()
        self._rate = 0.0

    def rate(self, now: float) -> float:
        """Return how many bytes a second have come lately, by a look now and then."""
        if self.is_due(now):
            self._rate = self.look(now)
        return self._rate

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for another look: each costs a step for each object."""
        return now >= (self._looks[-1][0] if self._looks else -inf) + LOOK_EVERY_S

    def look(self, now: float) -> float:
        """Return how many bytes a second have come since the looks of `RATE_OVER_S` ago."""
        self._looks.append((now, self.came_bytes))
        while self._looks[0][0] < now - RATE_OVER_S and len(self._looks) > 2:
            self._looks.popleft()
        began, came_bytes = self._looks[0]
        return (self.came_bytes - came_bytes) / (now - began) if now > began else 0.0
