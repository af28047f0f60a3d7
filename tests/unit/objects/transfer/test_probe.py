"""How much the broker lets through is found out by asking it, when there is use for it."""

from math import inf

import pytest

from caroni_edge.objects.transfer.probe import AGAIN_S, ECHO_WITHIN_S, TRIES, Probe
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_MIN, CHUNK_SIZES


def run(probe: Probe, limit: int, *, cuts: bool, wanted: int = CHUNK_MAX, now: float = 0.0) -> float:
    """Let a broker drop what is larger than `limit`, or cut off who says it; return when all is known."""
    while probe.next_due(wanted) <= now + ECHO_WITHIN_S:
        now = max(now, probe.next_due(wanted))
        while (size := probe.to_say(wanted, now)) is not None:
            if size <= limit:
                probe.heard(size)
            elif cuts:
                probe.disconnected()
                break
    return now


@pytest.mark.parametrize("cuts", [False, True])
@pytest.mark.parametrize("limit", [0, *CHUNK_SIZES])
def test_the_largest_that_comes_back_passes(limit: int, *, cuts: bool) -> None:
    probe = Probe()
    assert run(probe, limit, cuts=cuts) <= TRIES * ECHO_WITHIN_S
    assert (probe.passes, probe.limit) == (limit, limit)
    assert probe.is_begun
    assert probe.to_say(CHUNK_MAX, TRIES * ECHO_WITHIN_S + 1.0) is None


@pytest.mark.parametrize(("wanted", "tried"), [(0, 1), (CHUNK_MIN, 1), (CHUNK_MIN + 1, 2), (CHUNK_SIZES[2], 3)])
def test_what_nobody_wants_is_not_tried(wanted: int, tried: int) -> None:
    probe = Probe()
    run(probe, CHUNK_MAX, cuts=False, wanted=wanted)
    assert (probe.passes, probe.limit) == (CHUNK_SIZES[tried - 1], CHUNK_MAX)
    assert probe.next_due(wanted) == inf
    assert probe.to_say(CHUNK_SIZES[tried], 1.0) == CHUNK_SIZES[tried]


def test_bytes_may_flow_as_soon_as_anything_passes() -> None:
    probe = Probe()
    assert not probe.is_begun
    probe.to_say(CHUNK_MAX, 0.0)
    probe.heard(CHUNK_MIN)
    assert probe.is_begun


def test_an_echo_of_another_size_counts_for_nothing() -> None:
    probe = Probe()
    assert probe.to_say(CHUNK_MAX, 0.0) == CHUNK_SIZES[0]
    probe.heard(CHUNK_SIZES[2])
    assert probe.passes == 0
    assert probe.to_say(CHUNK_MAX, 0.1) is None
    assert probe.next_due(CHUNK_MAX) == ECHO_WITHIN_S


def test_an_echo_that_nobody_waits_for_counts_for_nothing() -> None:
    probe = Probe()
    run(probe, CHUNK_MIN, cuts=False)
    probe.heard(CHUNK_SIZES[1])
    assert probe.passes == CHUNK_MIN


def test_what_does_not_come_back_is_tried_again_later() -> None:
    probe = Probe()
    now = run(probe, CHUNK_MIN, cuts=False)
    assert probe.next_due(CHUNK_MAX) == now + AGAIN_S
    run(probe, CHUNK_MAX, cuts=False, now=now + AGAIN_S)
    assert (probe.passes, probe.limit) == (CHUNK_MAX, CHUNK_MAX)


def test_silence_before_the_end_of_a_connection_says_nothing_of_the_next_one() -> None:
    probe = Probe()
    now = run(probe, CHUNK_MIN, cuts=False)
    probe.disconnected()
    run(probe, CHUNK_MAX, cuts=False, now=now)
    assert probe.passes == CHUNK_MAX


def test_what_the_broker_has_cut_off_for_is_remembered() -> None:
    probe = Probe()
    now = run(probe, CHUNK_MIN, cuts=True)
    probe.disconnected()
    assert probe.to_say(CHUNK_MAX, now + 1.0) is None


def test_a_line_that_broke_once_has_cut_off_nobody() -> None:
    probe = Probe()
    probe.to_say(CHUNK_MAX, 0.0)
    probe.disconnected()
    now = run(probe, CHUNK_MIN, cuts=False)
    assert probe.limit == CHUNK_MIN
    probe.disconnected()
    assert probe.to_say(CHUNK_MAX, now) == CHUNK_SIZES[1]
