"""Slots of schedules: by cron, in a time zone whose clocks change, and by a steady pace."""

import re
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.config.timing import Cron, Every, Timing, read_cron, read_zone

PRAGUE = "Europe/Prague"


def date(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def after(timing: Timing, text: str, count: int) -> list[str]:
    return [f"{datetime.fromtimestamp(slot, UTC):%dT%H:%M}" for slot in islice(timing.after(date(text)), count)]


def test_a_fixed_time_comes_once_a_day_whatever_the_clocks_do() -> None:
    nightly = read_cron("30 2 * * *", PRAGUE)
    assert after(nightly, "2026-03-28T00:00Z", 3) == ["28T01:30", "29T01:00", "30T00:30"]
    assert after(nightly, "2026-10-24T00:00Z", 3) == ["24T00:30", "25T00:30", "26T01:30"]


def test_a_pace_of_cron_goes_on_through_both_changes() -> None:
    half_hours = read_cron("*/30 * * * *", PRAGUE)
    assert after(half_hours, "2026-10-25T00:15Z", 4) == ["25T00:30", "25T01:00", "25T01:30", "25T02:00"]
    assert after(half_hours, "2026-03-29T00:15Z", 4) == ["29T00:30", "29T01:00", "29T01:30", "29T02:00"]


@pytest.mark.parametrize("timing", [Every(60), Every(7), Cron("*/20 1-3 * * *", PRAGUE), Cron("30 2 * * *", PRAGUE)])
@given(begin=st.floats(1_700_000_000, 1_800_000_000))
def test_what_comes_after_is_what_was_before(timing: Timing, begin: float) -> None:
    following = list(islice(timing.after(begin), 5))
    assert following == sorted(set(following))
    assert following[0] > begin
    last = following[-1]
    assert list(islice(timing.until(last), 5)) == following[::-1]
    assert next(timing.until(last + 0.5)) == last
    assert next(timing.until(following[0] - 1)) <= begin


def test_a_pace_is_counted_from_1970_on() -> None:
    assert list(islice(Every(900).after(1000.5), 2)) == [1800, 2700]
    assert list(Every(900).until(1800)) == [1800, 900, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "expected five fields"),
        ("* * * * * *", "expected five fields"),
        ("61 * * * *", '"61 * * * *": bad minute'),
        ("0 0 30 2 *", '"0 0 30 2 *": bad day-of-month'),
        ("", "expected five fields"),
    ],
)
def test_what_is_no_cron_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read_cron(text, "UTC")


@pytest.mark.parametrize("text", ["Prague", "Europe/Nowhere", "../etc/passwd", "/etc/passwd", "", "a\0b"])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        read_zone(text)
