"""How long to wait before something that did not work is tried again."""

from dataclasses import dataclass

_POWER_MAX = 64
"""More steps of the factor make no difference to any wait, and too many would be more than a float holds."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow: what has just failed is tried soon, what never works rarely.

    It remembers nothing. Whoever waits keeps its present wait, or the number of its tries, in a field or a row of its
    own, so that a snapshot or a roll-back of those is enough.

    Attributes:
        first_s: The first wait.
        max_s: The waits grow up to this one.
        factor: So many times longer is each wait than the one before.
        jitter: The smallest and the largest share of a wait that `jittered` leaves of it.
    """

    first_s: float
    max_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (1.0, 1.0)

    def after(self, wait_s: float) -> float:
        """Return the wait that follows a wait of `wait_s`."""
        return min(wait_s * self.factor, self.max_s)

    def nth(self, tries: int) -> float:
        """Return the wait after so many tries before the present one; 0 gives the first wait."""
        return min(self.first_s * self.factor ** min(tries, _POWER_MAX), self.max_s)

    def jittered(self, wait_s: float, chance: float) -> float:
        """Return a wait moved by chance, so that those who failed together do not come back together.

        Args:
            wait_s: The wait.
            chance: A number from 0 to 1 that the caller has drawn.
        """
        least, most = self.jitter
        return wait_s * (least + (most - least) * chance)
