"""What the sentences of reasons are made of."""

from collections.abc import Iterable
from typing import Any

from caroni_edge.manager.pages.shapes import Reason

NAMES_SAID = 5


def listed(names: Iterable[str], last: str = "and") -> str:
    """Return names as a sentence lists them: `a, b and c`, or the first few `and 7 more`."""
    first = list(names)
    shown, rest = first[:NAMES_SAID], len(first) - NAMES_SAID
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def reason_of(condition: str, sentence: str, **facts: Any) -> Reason:
    """Return a reason as data."""
    return Reason(condition=condition, sentence=sentence, facts=facts)
