"""Waits that grow."""

from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.base.backoff import Backoff


def test_each_wait_is_longer_up_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, max_s=30.0)
    waits = [backoff.first_s]
    for _ in range(6):
        waits.append(backoff.after(waits[-1]))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert [Backoff(first_s=1.0, max_s=9.0, factor=3.0).nth(tries) for tries in range(4)] == [1, 3, 9, 9]


@given(first_s=st.floats(0.001, 1e9), tries=st.integers(0, 2000), most=st.floats(1.0, 1000.0))
def test_a_wait_is_the_same_counted_by_tries_or_by_the_wait_before(first_s: float, tries: int, most: float) -> None:
    backoff = Backoff(first_s, max_s=first_s * most)
    assert backoff.nth(tries + 1) == backoff.after(backoff.nth(tries))


def test_chance_moves_a_wait_within_its_shares() -> None:
    backoff = Backoff(first_s=8.0, max_s=8.0, jitter=(0.75, 1.25))
    assert [backoff.jittered(8.0, chance) for chance in (0.0, 0.5, 1.0)] == [6, 8, 10]
    assert Backoff(first_s=8.0, max_s=8.0).jittered(8.0, 0.3) == 8
