"""Whether a broker ends a node's own connection because of its second one: such a broker lets each login connect once.

It ends the own connection alone, as soon as the second one begins. A line that is cut ends both at once.
"""

from math import inf

WITHIN_S = 10.0
"""An own connection that ends later after the beginning of the second one has not ended because of that."""
TOGETHER_S = 0.2
"""What one cut ends is known to have ended within so long; a node that was thrown off is not back by then."""
CERTAIN_AFTER, AGAIN_S = 2, 600.0
"""When it has happened so often in a row, the second connection stays closed for a while."""


class Rivals:
    """What is known of the two connections of a node; the time is passed in.

    Attributes:
        closed_until: The second connection is not to be made before.
    """

    def __init__(self) -> None:
        """Begin without the second connection."""
        self.closed_until = -inf
        self._began_at, self._own_ended_at = inf, inf
        self._times = 0

    def began(self, now: float) -> None:
        """The second connection is there."""
        self._began_at = now
        if self._own_ended_at + TOGETHER_S < now:
            self._own_ended_at = inf

    def ended(self, now: float) -> None:
        """The second connection has ended, or was closed."""
        if now >= self._began_at + WITHIN_S:
            self._times = 0
        self._began_at = self._own_ended_at = inf

    def own_ended(self, now: float) -> None:
        """The node's own connection has ended; its end may be known before the beginning of the second one."""
        if self._began_at == inf or now < self._began_at + WITHIN_S:
            self._own_ended_at = now

    def due(self) -> float:
        """Return when `gives_way` should be asked."""
        return max(self._began_at, self._own_ended_at) + TOGETHER_S

    def gives_way(self, now: float) -> bool:
        """Tell whether the second connection is to be closed now, so that the own one can be there."""
        if now < self.due():
            return False
        self._times += 1
        self.closed_until = now + (AGAIN_S if self.is_certain() else WITHIN_S)
        return True

    def is_certain(self) -> bool:
        """Tell whether it was the second connection again and again."""
        return self._times >= CERTAIN_AFTER
