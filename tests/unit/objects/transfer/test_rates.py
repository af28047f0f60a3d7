"""How fast and when bytes flow."""

import pytest

from caroni_edge.base.errors import UsageError
from caroni_edge.objects.transfer.rates import Bucket, Hours, parse_hours


def test_a_bucket_lets_its_rate_through_on_the_average() -> None:
    bucket, now, passed = Bucket(1000.0), 0.0, 0
    while now < 10.0:
        now += bucket.wait_s(now)
        bucket.take(300, now)
        passed += 300
    assert 10_000 <= passed <= 10_000 + 250 + 2 * 300


def test_a_bucket_that_lay_idle_holds_a_moment_only() -> None:
    bucket = Bucket(1000.0)
    bucket.take(250, 0.0)
    bucket.take(1250, 100.0)
    assert bucket.wait_s(100.0) == pytest.approx(1.0)


def test_without_a_rate_nothing_waits() -> None:
    bucket = Bucket()
    bucket.take(1 << 40, 0.0)
    assert bucket.wait_s(0.0) == 0.0


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
    with pytest.raises(UsageError, match="no hours"):
        parse_hours(text)


def test_by_default_bytes_always_flow() -> None:
    assert Hours().wait_s(12345.0) == 0.0
