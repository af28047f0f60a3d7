"""The hours of a day in which something may be done."""

import pytest

from caroni_edge.config.hours import Hours, parse_hours


@pytest.mark.parametrize(
    ("text", "hour", "wait_h"),
    [
        ("22:00-06:00", 23, 0),
        ("22:00-06:00", 5.5, 0),
        ("22:00-06:00", 6, 16),
        ("22:00-06:00", 21.5, 0.5),
        ("08:00-18:00", 8, 0),
        ("08:00-18:00", 18, 14),
        ("08:00-18:00", 7, 1),
        ("00:00-00:00", 13, 0),
    ],
)
def test_hours_may_go_over_midnight(text: str, hour: float, wait_h: float) -> None:
    assert parse_hours(text).wait_s(hour * 3600) == wait_h * 3600


@pytest.mark.parametrize("text", ["", "22-06", "24:00-01:00", "22:60-01:00", "22:00-06:00\n", "22:00 - 06:00"])
def test_what_is_no_hours_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="no hours"):
        parse_hours(text)


def test_by_default_it_is_always() -> None:
    assert Hours().wait_s(12345.0) == 0.0


@pytest.mark.parametrize("text", ["22:00-06:00", "00:05-12:00"])
def test_when_they_begin_is_said_as_it_was_written(text: str) -> None:
    assert parse_hours(text).begins == text[:5]
