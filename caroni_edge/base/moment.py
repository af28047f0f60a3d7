"""Time and chance, as they are passed in to everything that decides."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Moment:
    """The time at which a batch runs, on both clocks.

    Attributes:
        now: Seconds on the node's monotonic clock; durations are measured by it, and begin anew at a start.
        date: Unix seconds of the wall clock, for people and retention only.
    """

    now: float
    date: float


class Chance(Protocol):
    """A source of chance and of new ids: seeded in a simulation, the system's in production."""

    def random(self) -> float:
        """Return a number from 0 up to, but not including, 1."""

    def new_id(self) -> str:
        """Return a random name of 16 characters of `a-z 0-9`, never used again."""
