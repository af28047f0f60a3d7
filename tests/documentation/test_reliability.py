"""docs/reliability.md names tests that there are."""

import re
from pathlib import Path

import pytest

from tests.link import variants as link
from tests.simulation import variants as simulation

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+)`", TEXT)))
PLACES = sorted(set(re.findall(r"\btests/[\w/]+(?:\.py)?", TEXT)))


@pytest.fixture(scope="module")
def defined() -> set[str]:
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for text in files for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_it_counts_the_broken_variants_as_they_are() -> None:
    assert f"| {len(simulation.VARIANTS)} of {len(simulation.VARIANTS)}, and" in TEXT
    assert f"| {len(link.VARIANTS)} of {len(link.VARIANTS)} |" in TEXT
    assert f"; {len(link.VARIANTS)} broken variants of the link" in TEXT


def test_it_names_some() -> None:
    assert len(NAMED) > 10
    assert len(PLACES) > 5


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_is_named_is_there(name: str, defined: set[str]) -> None:
    assert name in defined


@pytest.mark.parametrize("place", PLACES)
def test_each_file_that_is_named_is_there(place: str) -> None:
    assert (ROOT / place).exists()
