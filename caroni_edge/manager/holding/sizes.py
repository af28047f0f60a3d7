"""How large the files of values are."""

from collections.abc import Mapping
from typing import Any

from caroni_edge.objects.objects import SIZE_MAX_BYTES


def size_of(value: Mapping[str, Any]) -> int | None:
    """Return how large the value of a file says that it is; None where it says nothing that can be."""
    size = value.get("size")
    return size if isinstance(size, int) and 0 <= size <= SIZE_MAX_BYTES else None
