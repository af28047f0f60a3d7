"""What steps are scattered over: apart from their rows, which change with every instance."""

from typing import NamedTuple

import msgspec

from caroni_edge.storage.rows import Rows


class Scattered(NamedTuple):
    """What a step is scattered over.

    Attributes:
        inputs: Its inputs, with the lists, as JSON.
        lengths: How long those lists are that are large values, by input, as JSON; None where none is.
    """

    inputs: str
    lengths: str | None = None

    @property
    def known_lengths(self) -> dict[str, int]:
        """The same, read."""
        found: dict[str, int] = msgspec.json.decode(self.lengths or "{}")
        return found


class ScatteredRows(Rows):
    """Statements about that."""

    KEEP = """
        INSERT INTO scattered (step, inputs, lengths) VALUES (:step, :inputs, :lengths)
        ON CONFLICT (step) DO UPDATE SET inputs = excluded.inputs, lengths = excluded.lengths"""

    def keep(self, step: int, inputs: str, lengths: str | None) -> None:
        """Keep what a step is scattered over."""
        self._run(self.KEEP, step=step, inputs=inputs, lengths=lengths)

    OF = "SELECT inputs, lengths FROM scattered WHERE step = :step"

    def of(self, step: int) -> Scattered:
        """Return what was kept."""
        return self._only(Scattered, self.OF, step=step)
