"""Random walks on a broker that drops what is large, or cuts off who publishes it: nothing else waits for it."""

from collections.abc import Iterator

import pytest

from caroni_edge.delivery.link import Link
from caroni_edge.delivery.links import Links
from tests.link import schedule as schedules
from tests.link import walk as walks
from tests.variants import instead

SEEDS = 150


def problems(small: str, seeds: int = SEEDS) -> Iterator[str]:
    for seed in range(seeds):
        schedule = schedules.make(seed, small=small, frame_bytes=63 * 1024)
        if walks.walk(schedule).problem:
            yield walks.explain(schedule)


@pytest.mark.parametrize("small", ["drops", "cuts"])
def test_promises_hold_on_a_broker_that_is_too_small(small: str) -> None:
    if found := next(problems(small), ""):
        pytest.fail(found, pytrace=False)


@pytest.mark.parametrize("small", ["drops", "cuts"])
def test_a_link_that_does_not_find_it_out_is_caught(small: str) -> None:
    with instead(Link, "_refused", lambda *_facts, **_named: None):
        assert next(problems(small), "")


def test_a_link_that_only_makes_frames_smaller_is_caught() -> None:
    with instead(Links, "_look_at_passage", lambda *_facts: None):
        assert next(problems("drops"), "")
