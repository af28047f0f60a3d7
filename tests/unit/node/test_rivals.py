"""A broker that lets each login connect once is told from a line that is cut."""

from math import inf

from caroni_edge.node.rivals import AGAIN_S, CERTAIN_AFTER, TOGETHER_S, WITHIN_S, Rivals


def thrown_off(rivals: Rivals, now: float) -> None:
    """The second connection begins, and the own one ends."""
    rivals.began(now)
    rivals.own_ended(now + 0.01)


def test_the_second_connection_gives_way_when_the_own_one_ends_alone() -> None:
    rivals = Rivals()
    thrown_off(rivals, 100.0)
    assert not rivals.gives_way(100.1)
    assert rivals.gives_way(rivals.due())
    rivals.ended(rivals.due())
    assert rivals.closed_until == 100.01 + TOGETHER_S + WITHIN_S
    assert not rivals.is_certain()
    assert rivals.due() == inf


def test_it_does_so_too_where_the_end_is_known_before_the_beginning() -> None:
    rivals = Rivals()
    rivals.own_ended(100.0)
    rivals.began(100.01)
    assert rivals.gives_way(100.01 + TOGETHER_S)


def test_a_line_that_is_cut_ends_both() -> None:
    rivals = Rivals()
    for now in range(100, 200, 3):
        thrown_off(rivals, float(now))
        rivals.ended(now + 0.1)
        assert not rivals.gives_way(now + 1.0)
        rivals.began(now + 1.5)
        rivals.ended(now + 2.0)
        rivals.own_ended(now + 2.1)
        assert not rivals.gives_way(now + 2.5)


def test_what_ends_much_later_has_another_reason() -> None:
    rivals = Rivals()
    rivals.began(100.0)
    rivals.own_ended(100.0 + WITHIN_S)
    assert not rivals.gives_way(200.0)


def test_what_happens_again_and_again_is_certain_and_what_was_there_in_between_is_not() -> None:
    rivals, now = Rivals(), 100.0
    for _ in range(CERTAIN_AFTER):
        assert not rivals.is_certain()
        thrown_off(rivals, now)
        now = rivals.due()
        assert rivals.gives_way(now)
        rivals.ended(now)
        now += WITHIN_S
    assert rivals.is_certain()
    assert rivals.closed_until == now - WITHIN_S + AGAIN_S
    rivals.began(now)
    rivals.ended(now + WITHIN_S)
    assert not rivals.is_certain()
