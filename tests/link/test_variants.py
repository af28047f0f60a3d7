"""A link with one rule broken must be caught, or the walk proves nothing."""

from collections.abc import Iterator

import pytest

from tests.link import schedule as schedules
from tests.link import walk as walks
from tests.link.variants import VARIANTS

SEEDS = 1000
STORMS = "no_limit_of_hellos"
"""Its walks are long where they do not break off, and its own test says more."""


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - {STORMS}))
def test_broken_link_is_caught(name: str) -> None:
    with VARIANTS[name]():
        assert any(problems(SEEDS)), f"{SEEDS} walks have not noticed it"


def test_broker_that_delivers_questions_first_storms_without_a_limit_of_hellos() -> None:
    with VARIANTS[STORMS]():
        assert "a storm of frames" in problems(SEEDS, order="questions")


def problems(seeds: int, **fixed: object) -> Iterator[str]:
    """Walk until the caller has seen enough, and yield what each walk shows."""
    return (walks.walk(schedules.make(seed, **fixed)).problem for seed in range(seeds))  # type: ignore[arg-type]
