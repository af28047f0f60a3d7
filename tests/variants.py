"""What is wrong on purpose: patches of the real code, by name, which tests must catch."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import Parameter
from math import inf
from typing import Any
from unittest.mock import patch

Variant = Callable[[], Any]

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Variants(dict[str, Variant]):
    """Ways to be wrong, each a context in which the code is wrong so."""

    def add(self, make: Callable[[], Iterator[None]]) -> Variant:
        """Add what a generator function patches while it waits, under its name."""
        context = self[make.__name__] = contextmanager(make)
        return context


def instead(owner: type, name: str, broken: Callable[..., Any]) -> Any:
    """Put something else in the place of a method; what takes other arguments would be caught by its TypeError."""
    method = inspect.getattr_static(owner, name)
    if inspect.isfunction(method):
        assert takes_all_of(method, broken), f"{owner.__name__}.{name} is called with other arguments"
    return patch.object(owner, name, broken)


def takes_all_of(method: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Tell whether another function takes the arguments of a method."""
    taken = inspect.signature(other).parameters.values()
    positional = [each for each in taken if each.kind in POSITIONAL]
    most = inf if any(each.kind is Parameter.VAR_POSITIONAL for each in taken) else len(positional)
    named = {each.name for each in taken}
    takes_any_name = any(each.kind is Parameter.VAR_KEYWORD for each in taken)
    given = inspect.signature(method).parameters.values()
    count = sum(each.kind in POSITIONAL for each in given)
    least = sum(each.kind in POSITIONAL and each.default is Parameter.empty for each in taken)
    names = {each.name for each in given if each.kind is Parameter.KEYWORD_ONLY}
    return least <= count <= most and (takes_any_name or names <= named)
