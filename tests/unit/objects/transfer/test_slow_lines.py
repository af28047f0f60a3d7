"""What a slow line carries: it is full, and what else has to pass does not wait behind the bytes of files."""

from collections import deque

import pytest

from caroni_edge.objects.transfer.pieces import chunks_of
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import Data
from tests.unit.objects.transfer.test_asker import A, Bench, want_of

SIZE = 4 << 20
RATE = 125_000
"""1 Mbit/s."""


class SlowLine:
    """Brings what a bench asks for, one after the other.

    Attributes:
        longest_queue_s: How long something would have waited that came behind all that was on its way.
    """

    def __init__(self, bench: Bench, round_trip_s: float) -> None:
        self.longest_queue_s = 0.0
        self._bench, self._round_trip_s = bench, round_trip_s
        self._free_at = 0.0
        self._arriving: deque[tuple[float, Peer, Data]] = deque()

    def go_on(self) -> None:
        """Take what was asked for, and bring what comes next, unless something is due before."""
        bench = self._bench
        for holder, ask in bench.asks:
            for piece in chunks_of(ask.ranges, ask.chunk):
                begins = max(bench.now + self._round_trip_s, self._free_at)
                self._free_at = begins + piece.length / RATE
                data = Data(ask.transfer, piece.offset, bytes(piece.length))
                self._arriving.append((self._free_at, holder, data))
        bench.asks.clear()
        self.longest_queue_s = max(self.longest_queue_s, self._free_at - bench.now - self._round_trip_s)
        due = bench.asker.next_due()
        if self._arriving and self._arriving[0][0] <= due:
            due, holder, data = self._arriving.popleft()
            bench.asker.heard(holder, data, due)
        bench.step(due)


@pytest.mark.parametrize("round_trip_s", [0.005, 0.3, 0.6])
def test_a_slow_line_is_full_and_its_queue_short(round_trip_s: float) -> None:
    bench = Bench()
    line = SlowLine(bench, round_trip_s)
    bench.asker.fetch(want_of("x", SIZE, A))
    bench.step()
    while not bench.done:
        line.go_on()
    assert line.longest_queue_s < 0.5
    assert bench.now < 1.2 * SIZE / RATE
