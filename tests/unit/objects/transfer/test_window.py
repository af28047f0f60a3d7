"""The window and the round trip, and what is known of a place."""

from collections import deque

import pytest

from caroni_edge.objects.transfer.places import (
    CHUNK_AGAIN_S,
    ROUNDS_ELSEWHERE,
    ROUNDS_MAX,
    UNREACHABLE_FOR_S,
    Health,
)
from caroni_edge.objects.transfer.window import (
    CHUNKS_MIN,
    FIRST_BYTES,
    MAX_BYTES,
    PATIENCE_MAX,
    STARTS_SHARE,
    TIMEOUT_MAX_S,
    TIMEOUT_MIN_S,
    TIMEOUT_UNKNOWN_S,
    RoundTrip,
    Window,
)
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_MIN


def answered(window: Window, trip: RoundTrip, times: int, took_s: float = 0.1, now: float = 0.0) -> None:
    for _ in range(times):
        window.came(window.chunk, took_s, trip, now)


def test_the_window_grows_to_its_end_while_answers_come_quickly() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    answered(window, trip, 200)
    assert (window.bytes, window.chunk) == (MAX_BYTES, CHUNK_MAX)


def test_a_small_window_is_of_small_chunks() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    assert (window.bytes, window.chunk) == (FIRST_BYTES, CHUNK_MIN)
    window.came(2 * CHUNKS_MIN * CHUNK_MIN - FIRST_BYTES, 0.1, trip, 0.0)
    assert (window.bytes, window.chunk) == (2 * CHUNKS_MIN * CHUNK_MIN, 2 * CHUNK_MIN)
    window.shrink(0.1, 1.0)
    assert (window.bytes, window.chunk) == (CHUNKS_MIN * CHUNK_MIN, CHUNK_MIN)


def test_small_objects_let_the_window_grow_by_what_they_are() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    for _ in range(10):
        window.came(100, 0.1, trip, 0.0)
    assert window.bytes == FIRST_BYTES + 1000


def test_the_window_halves_once_when_answers_stand_in_a_queue() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    answered(window, trip, 40)
    most = window.bytes
    answered(window, trip, 30, took_s=0.5, now=1.0)
    assert window.bytes == most // 2
    answered(window, trip, 1, took_s=0.5, now=1.6)
    assert window.bytes == most // 4


def test_the_window_keeps_its_size_between_the_two() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    answered(window, trip, 1, took_s=0.35)
    assert window.bytes == FIRST_BYTES


def test_a_window_is_never_empty() -> None:
    window = Window()
    for second in range(20):
        window.shrink(0.5, float(second))
    assert window.bytes == window.chunk == CHUNK_MIN


def test_after_a_loss_the_window_grows_by_an_eighth_a_round_trip() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    answered(window, trip, 60)
    window.shrink(0.1, 1.0)
    before = window.bytes
    window.came(before, 0.1, trip, 2.0)
    assert window.bytes == before * 9 // 8


def test_it_doubles_no_more_as_soon_as_a_queue_begins() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.1)
    window.came(FIRST_BYTES, 0.18, trip, 1.0)
    window.came(FIRST_BYTES, 0.1, trip, 2.0)
    assert window.bytes == FIRST_BYTES * 5 // 4


def test_on_a_long_line_it_doubles_longer() -> None:
    window, trip = Window(), RoundTrip()
    trip.measured(0.6)
    window.came(FIRST_BYTES, 0.6 + 0.6 / STARTS_SHARE, trip, 1.0)
    assert window.bytes == 2 * FIRST_BYTES
    window.came(FIRST_BYTES, 0.61 + 0.6 / STARTS_SHARE, trip, 1.0)
    assert window.bytes < 3 * FIRST_BYTES


def longest_queue_s(rate: float, round_trip_s: float, seconds: float) -> float:
    """Let a window be filled with chunks over a line that carries so much; return how long it took all that waited."""
    window, trip = Window(), RoundTrip()
    now = free_at = longest_s = 0.0
    flying: deque[tuple[float, float, int]] = deque()
    while now < seconds:
        while sum(length for _, _, length in flying) < window.bytes:
            free_at = max(free_at, now + round_trip_s) + window.chunk / rate
            longest_s = max(longest_s, free_at - now - round_trip_s)
            flying.append((now, free_at, window.chunk))
        asked_at, now, length = flying.popleft()
        trip.measured(now - asked_at)
        window.came(length, now - asked_at, trip, now)
    return longest_s


@pytest.mark.parametrize("round_trip_s", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("rate", [125_000, 250_000, 1_250_000])
def test_what_else_is_said_on_a_slow_line_waits_for_a_third_of_a_second_at_most(rate: int, round_trip_s: float) -> None:
    assert longest_queue_s(rate, round_trip_s, 30.0) <= 0.35


def test_timeouts_follow_the_round_trip_within_bounds() -> None:
    trip = RoundTrip()
    assert trip.timeout_s() == TIMEOUT_UNKNOWN_S
    trip.measured(0.01)
    assert trip.timeout_s() == TIMEOUT_MIN_S
    trip = RoundTrip()
    trip.measured(10.0)
    assert trip.timeout_s() == 20.0
    for _ in range(10):
        trip.missed()
    assert trip.timeout_s() == 20.0 * PATIENCE_MAX
    trip.measured(1000.0)
    assert trip.timeout_s() <= TIMEOUT_MAX_S


def miss(health: Health, chunk: int, now: float, rounds: int) -> tuple[float, bool]:
    for _ in range(rounds):
        now += health.trip.timeout_s()
        if health.missed(chunk, now):
            return now, True
    return now, False


def test_ten_rounds_without_an_answer_halve_the_chunk_and_then_the_place_is_unreachable() -> None:
    health, now, sizes = Health(), 0.0, []
    is_gone = False
    while not is_gone:
        sizes.append(health.chunk(CHUNK_MAX, now))
        now, is_gone = miss(health, sizes[-1], now, ROUNDS_MAX)
    assert sizes == [CHUNK_MAX, CHUNK_MAX // 2, CHUNK_MAX // 4, CHUNK_MIN]
    assert health.not_before == now + UNREACHABLE_FOR_S


def test_a_small_answer_does_not_show_that_large_ones_pass() -> None:
    health = Health()
    now, _ = miss(health, CHUNK_MAX, 0.0, ROUNDS_MAX - 1)
    health.answered(160)
    now, _ = miss(health, CHUNK_MAX, now, 1)
    assert health.chunk(CHUNK_MAX, now) == CHUNK_MAX // 2
    assert health.chunk(CHUNK_MAX, now + CHUNK_AGAIN_S) == CHUNK_MAX


def test_an_answer_of_that_size_does() -> None:
    health = Health()
    now, _ = miss(health, CHUNK_MAX, 0.0, ROUNDS_MAX - 1)
    health.answered(CHUNK_MAX)
    now, _ = miss(health, CHUNK_MAX, now, ROUNDS_MAX - 1)
    assert health.chunk(CHUNK_MAX, now) == CHUNK_MAX


def test_several_objects_that_miss_an_answer_are_one_round() -> None:
    health = Health()
    health.trip.measured(1.0)
    for _ in range(ROUNDS_MAX):
        assert not health.missed(CHUNK_MAX, 1.0)
    assert not health.is_silent()
    miss(health, CHUNK_MAX, 1.0, ROUNDS_ELSEWHERE - 1)
    assert health.is_silent()
    assert not health.is_trusted()
