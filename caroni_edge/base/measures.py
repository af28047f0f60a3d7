"""What the node measures while it works: histograms that cost next to nothing, and that pages read when asked."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

SHORT_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what should take milliseconds."""
LONG_S: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
"""Bounds for what may take hours."""
COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)

LABELS_MAX: Final = 100
OTHER: Final = "(other)"


class Histogram:
    """How many values there were up to each bound. One thread observes; others may read meanwhile."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Count values up to each of these rising bounds, and those above the last one."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each bound, infinity at last, with how many values are no greater."""
        yield from zip((*self._bounds, float("inf")), accumulate([*self._counts]), strict=True)


class Histograms(dict[str, Histogram]):
    """Histograms by name; of too many names the last ones share one."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Make each with these bounds, when its name is first met."""
        super().__init__()
        self._bounds = bounds

    def __missing__(self, name: str) -> Histogram:
        if len(self) >= LABELS_MAX and name != OTHER:
            return self[OTHER]
        self[name] = made = Histogram(self._bounds)
        return made


class LoopMeasures:
    """What the node's loop has done.

    Attributes:
        batch_s: How long each batch took, its commit and what follows it included.
        batch_items: How much had arrived for each.
    """

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self.batch_s, self.batch_items = Histogram(SHORT_S), Histogram(COUNTS)

    def observe(self, seconds: float, items: int) -> None:
        """Note a batch."""
        self.batch_s.observe(seconds)
        self.batch_items.observe(items)
