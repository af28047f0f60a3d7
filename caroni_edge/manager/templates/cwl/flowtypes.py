"""Types of what flows along a link: of several values together, of one item of a list, of all that instances give."""

from collections.abc import Sequence

from caroni_edge.manager.templates.plan import Merge, Pick, ScatterMethod
from caroni_edge.values.types import ANY, BOOLEAN, NULL, STRING, Array, Enum, Type, union


def merged(kinds: Sequence[Type], merge: Merge | None) -> Type:
    """Return the type of the values of these types together (CWL v1.2, "Merging multiple inbound data links")."""
    if merge is None:
        return kinds[0]
    if merge == "merge_nested":
        return Array(union(kinds))
    return Array(union(item for kind in kinds for item in _items(kind)))


def picked(kind: Type, pick: Pick | None) -> Type:
    """Return the type of what is picked of a list ("Picking non-null values among inbound data links")."""
    if pick is None:
        return kind
    return union(_picked(part, pick) if isinstance(part, Array) else part for part in kind.parts)


def _picked(kind: Array, pick: Pick) -> Type:
    return Array(kind.items.required) if pick == "all_non_null" else kind.items.required


def item_of(kind: Type) -> Type | None:
    """Return the type of one item of a list that is scattered over; None where no value of the type is a list."""
    parts = [part for part in kind.parts if part == ANY or isinstance(part, Array)]
    return union(item for part in parts for item in _items(part)) if parts else None


def is_list(kind: Type) -> bool:
    """Tell whether every value of a type may be a list."""
    return all(part == ANY or isinstance(part, Array) for part in kind.parts)


def scattered(kind: Type, inputs: int, method: ScatterMethod) -> Type:
    """Return the type of an output of all instances together ("Scatter/gather"), by that of one instance."""
    for _ in range(inputs if method == "nested_crossproduct" else min(inputs, 1)):
        kind = Array(kind)
    return kind


def or_null(kind: Type) -> Type:
    """Return the type of a value that may be null as well."""
    return union([NULL, kind])


def may_be_boolean(kind: Type) -> bool:
    """Tell whether a value of this type may be true or false."""
    return any(part in (ANY, BOOLEAN) for part in kind.parts)


def may_name(kind: Type) -> bool:
    """Tell whether a value of this type may be a name, or a list of names."""
    parts = [*kind.parts, *(item for part in kind.parts if isinstance(part, Array) for item in part.items.parts)]
    return any(part in (ANY, STRING) or isinstance(part, Enum) for part in parts)


def _items(kind: Type) -> list[Type]:
    """Return the types of the items of a list; where it is no list, the type itself."""
    return [part.items if isinstance(part, Array) else part for part in kind.parts]
