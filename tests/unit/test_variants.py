"""What is put in the place of a method can be called as it is."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.variants import instead, takes_all_of


class Subject:
    """Something with a method."""

    def method(self, one: int, two: int = 2, *, three: int = 3) -> int:
        """Add."""
        return one + two + three


@pytest.mark.parametrize(
    ("other", "takes"),
    [
        (lambda _self, _one, _two=0, *, three=0: three, True),
        (lambda *_args, **_facts: 0, True),
        (lambda _self, _one, *_rest, **_facts: 0, True),
        (lambda _self, _one, _two, **_facts: 0, True),
        (lambda _self, _one, _two=0: 0, False),
        (lambda _self, _one, *, three=0: three, False),
        (lambda _self, _one, _two, _four, **_facts: 0, False),
    ],
)
def test_it_takes_the_same_arguments(other: Callable[..., Any], takes: bool) -> None:
    assert takes_all_of(Subject.method, other) is takes


def test_a_variant_that_would_fail_by_its_arguments_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"Subject\.method is called with other arguments"):
        instead(Subject, "method", lambda _self: 0)
    with instead(Subject, "method", lambda _self, _one, _two=0, *, three=0: three):
        assert Subject().method(1, three=7) == 7
