"""What an object keeps in memory, and all that it is put together from: what has ended must not stay in it."""

from collections.abc import Iterator
from typing import Any

from caroni_edge.base.memory import MemoryDict, MemorySet


def kept(whole: object) -> dict[str, list[Any]]:
    """Return what is in each `MemoryDict` (its keys) and `MemorySet` below an object that is not empty.

    But for notices: it is the node that takes them.
    """
    found = _containers(whole, set())
    return {name: sorted(items) for name, items in found if items and name != "Notices.said"}


def _containers(owner: object, seen: set[int]) -> Iterator[tuple[str, MemoryDict[Any, Any] | MemorySet[Any]]]:
    if id(owner) in seen or not type(owner).__module__.startswith("caroni_edge."):
        return
    seen.add(id(owner))
    for name, value in getattr(owner, "__dict__", {}).items():
        if isinstance(value, MemoryDict | MemorySet):
            yield f"{type(owner).__name__}.{name.lstrip('_')}", value
        for part in value if isinstance(value, tuple) else (value,):
            yield from _containers(part, seen)
