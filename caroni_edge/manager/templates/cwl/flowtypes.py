"""The types of what flows: several values together, one item of a list, what all instances of a scatter give."""

from collections.abc import Sequence

from caroni_edge.manager.templates.plan import Merge, Pick, ScatterMethod
from caroni_edge.values.types import ANY, BOOLEAN, NULL, STRING, Array, Enum, Type, union


def merged(kinds: Sequence[Type], merge: Merge | None) -> Type:
    """Return the type of what comes from sources of these types (CWL v1.2, "linkMerge")."""
    if merge is None:
        return kinds[0]
    if merge == "merge_nested":
        return Array(union(kinds))
    return Array(union(item for kind in kinds for item in _items(kind)))


def picked(kind: Type, pick: Pick | None) -> Type:
    """Return the type of what is taken of a list by whether it is null (CWL v1.2, "pickValue")."""
    if pick is None:
        return kind
    items = union(item.required for item in _items(kind))
    return Array(items) if pick == "all_non_null" else items


def item_of(kind: Type) -> Type | None:
    """Return the type of the items of what is scattered over; None where it is no list."""
    parts = kind.parts
    if all(part == ANY or isinstance(part, Array) for part in parts):
        return union(item for part in parts for item in _items(part))
    return None


def scattered(kind: Type, inputs: int, method: ScatterMethod) -> Type:
    """Return the type of what all instances together give for an output of this type."""
    for _ in range(inputs if method == "nested_crossproduct" else min(inputs, 1)):
        kind = Array(kind)
    return kind


def or_null(kind: Type) -> Type:
    """Return the type of what may also be null."""
    return union([NULL, kind])


def may_be_boolean(kind: Type) -> bool:
    """Tell whether a value of this type may be true or false."""
    return any(part in (ANY, BOOLEAN) for part in kind.parts)


def may_name(kind: Type) -> bool:
    """Tell whether a value of this type may be a name, or a list of names."""
    parts = [*kind.parts, *(item for part in kind.parts if isinstance(part, Array) for item in part.items.parts)]
    return any(part in (ANY, STRING) or isinstance(part, Enum) for part in parts)


def _items(kind: Type) -> list[Type]:
    """Return the types of the items of a list; of what is no list, its own."""
    return [part.items if isinstance(part, Array) else part for part in kind.parts]
