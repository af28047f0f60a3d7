"""What is wrong on purpose: patches of the real code, by name, which tests must catch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

Variant = Callable[[], Any]


class Variants(dict[str, Variant]):
    """Ways to be wrong, each a context in which the code is wrong so."""

    def add(self, make: Callable[[], Iterator[None]]) -> Variant:
        """Add what a generator function patches while it waits, under its name."""
        context = self[make.__name__] = contextmanager(make)
        return context


def instead(owner: type, name: str, broken: Callable[..., Any]) -> Any:
    """Put something else in the place of a method."""
    return patch.object(owner, name, broken)
