"""A few hundred real jobs while all is killed and cut off; `make chaos` runs ten thousand."""

from pathlib import Path

import pytest

from tests.chaos.campaign import Plan, run


@pytest.mark.parametrize(("seed", "managers"), [(1, 1), (2, 2)])
def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, seed: int, managers: int) -> None:
    outcome = run(Plan(seed, jobs=250, managers=managers, outage_s=1.0), tmp_path)
    assert not outcome.broken, f"see {outcome.trace}"
