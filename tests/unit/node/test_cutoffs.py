"""What a broker cuts us off for is found, and nothing else is blamed."""

from caroni_edge.node.cutoffs import RIGHT_AFTER_S, STRIKES, SUSPECT_AT, CutOffs, Publication

LARGE = Publication("t/large", 7)


def lose_alone(cut_offs: CutOffs, publication: Publication, times: int) -> list[Publication | None]:
    """Publish one thing and lose the connection, so many times; return what was blamed each time."""
    blamed = []
    for token in range(100, 100 + times):
        cut_offs.sent(token, publication, 0.0)
        blamed.append(cut_offs.cut_off(0.0))
    return blamed


def test_what_is_alone_in_flight_three_times_is_blamed() -> None:
    cut_offs = CutOffs()
    for number in range(10):
        cut_offs.sent(number + 1, Publication("t", number), 0.0)
    cut_offs.sent(20, LARGE, 0.0)
    assert cut_offs.cut_off(0.1) is None
    assert not cut_offs.suspects
    for token in range(30, 33):
        cut_offs.sent(token, Publication("t", token - 30), 1.0)
    cut_offs.sent(40, LARGE, 1.0)
    cut_offs.acknowledged(30)
    assert cut_offs.cut_off(1.1) is None
    assert cut_offs.suspects
    cut_offs.sent(50, Publication("t", 2), 2.0)
    cut_offs.acknowledged(50)
    assert lose_alone(cut_offs, LARGE, 3) == [None, None, LARGE]
    assert not cut_offs.suspects


def test_a_connection_that_also_ends_by_itself_blames_nothing() -> None:
    cut_offs = CutOffs()
    assert lose_alone(cut_offs, LARGE, STRIKES - 1) == [None] * (STRIKES - 1)
    assert cut_offs.cut_off(0.0) is None, "nothing was in flight: it is the line"
    assert lose_alone(cut_offs, LARGE, STRIKES - 1) == [None] * (STRIKES - 1)


def test_what_was_acknowledged_is_not_suspect_any_more() -> None:
    cut_offs = CutOffs()
    lose_alone(cut_offs, LARGE, STRIKES - 1)
    cut_offs.sent(3, LARGE, 0.0)
    cut_offs.acknowledged(3)
    assert not cut_offs.suspects
    assert lose_alone(cut_offs, LARGE, SUSPECT_AT) == [None] * SUSPECT_AT


def test_a_network_that_dies_later_blames_nothing() -> None:
    cut_offs = CutOffs()
    for token in range(1, 6):
        cut_offs.sent(token, LARGE, 0.0)
        assert cut_offs.cut_off(RIGHT_AFTER_S + 1) is None
    assert not cut_offs.has_lost


def test_a_publication_of_some_seconds_ago_may_be_the_reason() -> None:
    cut_offs = CutOffs()
    cut_offs.sent(1, LARGE, 0.0)
    cut_offs.cut_off(RIGHT_AFTER_S)
    assert cut_offs.has_lost
    cut_offs.sent(2, LARGE, 10.0)
    assert cut_offs.cut_off(10.0) is None
    assert cut_offs.suspects
    assert lose_alone(cut_offs, LARGE, 3)[-1] == LARGE
    assert not cut_offs.has_lost


def test_what_is_acknowledged_clears_what_went_before_it_to_the_same_topic_alone() -> None:
    first, later, other = Publication("t", 1), Publication("t", 2), Publication("u", 1)
    for acknowledged, suspect in ((first, later), (other, later), (later, None)):
        cut_offs = CutOffs()
        for _ in range(2):
            for token, each in enumerate((first, later, other)):
                cut_offs.sent(token, each, 0.0)
            if suspect is None:
                cut_offs.acknowledged(2)
            cut_offs.cut_off(0.0)
        assert cut_offs.suspects
        cut_offs.sent(9, acknowledged, 0.0)
        cut_offs.acknowledged(9)
        assert cut_offs.suspects == (suspect is not None)


def test_what_we_ended_ourselves_blames_nothing() -> None:
    cut_offs = CutOffs()
    for token in range(1, 6):
        cut_offs.sent(token, LARGE, 0.0)
        cut_offs.forget()
    assert cut_offs.cut_off(0.0) is None
