"""Some hundred schedules at each run of the tests, and the broken variants, which must be caught."""

from dataclasses import replace

import pytest

from tests.objects.variants import FITTING, VARIANTS
from tests.objects.world import Setting, play, setting_of

SEEDS, SEEDS_OF_VARIANTS = 150, 400


def test_every_file_arrives_and_goes_to_nobody_else() -> None:
    problems = {seed: problem for seed in range(SEEDS) if (problem := play(seed)[0])}
    assert not problems


def test_a_seed_gives_the_same_run() -> None:
    seed = next(seed for seed in range(SEEDS) if setting_of(seed).crashes > 2)
    assert play(seed) == play(seed)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_what_is_broken_is_caught(name: str) -> None:
    fitting = FITTING.get(name, {})
    with VARIANTS[name]():
        assert any(is_caught(replace(setting_of(seed), **fitting)) for seed in range(SEEDS_OF_VARIANTS)), (
            f"{SEEDS_OF_VARIANTS} have not noticed it"
        )


def is_caught(setting: Setting) -> bool:
    """Tell whether a schedule shows that something is wrong."""
    try:
        return bool(play(setting.seed, setting)[0])
    except (AssertionError, KeyError):
        return True
