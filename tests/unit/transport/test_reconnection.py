"""How long a node waits before it connects again."""

from math import inf

import pytest

from caroni_edge.transport.network import RETRY_MAX_S, SOON_MAX, STABLE_AFTER_S, Reconnection


@pytest.fixture
def reconnection() -> Reconnection:
    """Waits as long as it may."""
    return Reconnection(1.0, lambda: 1.0)


def test_a_broker_that_is_there_and_does_not_take_us_is_tried_rarely(reconnection: Reconnection) -> None:
    assert [reconnection.next_s(0.0, reached=True) for _ in range(7)] == [1, 2, 4, 8, 16, RETRY_MAX_S, RETRY_MAX_S]


def test_the_wait_does_not_grow_while_nothing_listens(reconnection: Reconnection) -> None:
    """However long a broker was away, it is found within a second of its return."""
    assert [reconnection.next_s(0.0, reached=False) for _ in range(1000)] == [1.0] * 1000
    assert [reconnection.next_s(0.0, reached=True) for _ in range(3)] == [1, 2, 4]
    assert reconnection.next_s(0.0, reached=False) == 1.0
    assert reconnection.next_s(0.0, reached=True) == 8.0, "it is there again, and still does not take us"


def test_a_connection_that_breaks_at_once_is_no_good_one(reconnection: Reconnection) -> None:
    assert [reconnection.next_s(STABLE_AFTER_S / 4, reached=True) for _ in range(5)] == [1, 2, 4, 8, 16]


def test_a_line_that_breaks_every_few_seconds_is_tried_again_soon(reconnection: Reconnection) -> None:
    for _ in range(10):
        reconnection.next_s(0.0, reached=True)
    assert [reconnection.next_s(5.0, reached=True) for _ in range(5)] == [1, 1, 1, 1, 1]


def test_who_asks_for_it_comes_back_soon_a_few_times_in_a_row(reconnection: Reconnection) -> None:
    """A broker that cannot take thousands who come at once must not have them all come soon for ever."""
    for _ in range(2):
        waits = []
        for _ in range(SOON_MAX + 2):
            reconnection.next_s(0.0, reached=True)
            waits.append(reconnection.soon_s())
        assert waits == [1.0] * SOON_MAX + [inf] * 2
        reconnection.next_s(STABLE_AFTER_S, reached=True)


def test_waits_differ() -> None:
    assert Reconnection(1.0, lambda: 0.0).next_s(0.0, reached=True) == pytest.approx(0.2)
