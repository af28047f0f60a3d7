"""How long a node waits before it connects again."""

import pytest

from caroni_edge.transport.network import RETRY_MOST_S, STABLE_AFTER_S, Backoff


@pytest.fixture
def backoff() -> Backoff:
    """Waits as long as it may."""
    return Backoff(1.0, lambda: 1.0)


def test_a_broker_that_is_there_and_does_not_take_us_is_tried_rarely(backoff: Backoff) -> None:
    assert [backoff.next_s(0.0, reached=True) for _ in range(7)] == [1, 2, 4, 8, 16, RETRY_MOST_S, RETRY_MOST_S]


def test_the_wait_does_not_grow_while_nothing_listens(backoff: Backoff) -> None:
    """However long a broker was away, it is found within a second of its return."""
    assert [backoff.next_s(0.0, reached=False) for _ in range(1000)] == [1.0] * 1000
    assert [backoff.next_s(0.0, reached=True) for _ in range(3)] == [1, 2, 4]
    assert backoff.next_s(0.0, reached=False) == 1.0
    assert backoff.next_s(0.0, reached=True) == 8.0, "it is there again, and still does not take us"


def test_a_connection_that_breaks_at_once_is_no_good_one(backoff: Backoff) -> None:
    assert [backoff.next_s(STABLE_AFTER_S / 4, reached=True) for _ in range(5)] == [1, 2, 4, 8, 16]


def test_a_line_that_breaks_every_few_seconds_is_tried_again_soon(backoff: Backoff) -> None:
    for _ in range(10):
        backoff.next_s(0.0, reached=True)
    assert [backoff.next_s(5.0, reached=True) for _ in range(5)] == [1, 1, 1, 1, 1]


def test_waits_differ() -> None:
    assert Backoff(1.0, lambda: 0.0).next_s(0.0, reached=True) == pytest.approx(0.2)
