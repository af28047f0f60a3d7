"""How much the broker lets through is found out by asking it."""

from math import inf

import pytest

from caroni_edge.objects.transfer.probe import ECHO_WITHIN_S, Probe
from caroni_edge.protocol.transfers import CHUNK_SIZES


def run(probe: Probe, limit: int, *, cuts: bool) -> float:
    """Let a broker drop what is larger than `limit`, or cut off who says it; return when all is known."""
    now = 0.0
    while not probe.is_done:
        while (size := probe.to_say(now)) is not None:
            if size <= limit:
                probe.heard(size)
            elif cuts:
                probe.disconnected()
                break
        now += ECHO_WITHIN_S if probe.next_due() > now else 0.0
    return now


@pytest.mark.parametrize("cuts", [False, True])
@pytest.mark.parametrize("limit", [0, *CHUNK_SIZES])
def test_the_largest_that_comes_back_passes(limit: int, *, cuts: bool) -> None:
    probe = Probe()
    assert run(probe, limit, cuts=cuts) <= 3 * ECHO_WITHIN_S
    assert probe.passes == limit
    assert probe.next_due() == inf
    assert probe.to_say(1e9) is None


def test_an_echo_of_another_size_counts_for_nothing() -> None:
    probe = Probe()
    assert probe.to_say(0.0) == CHUNK_SIZES[0]
    probe.heard(CHUNK_SIZES[2])
    assert probe.passes == 0
    assert probe.to_say(0.1) is None
    assert probe.next_due() == ECHO_WITHIN_S
