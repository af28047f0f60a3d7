"""How fast bytes flow."""

import pytest

from caroni_edge.objects.transfer.rates import Bucket


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
