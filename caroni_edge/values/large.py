"""Values that are too large to travel with others: objects, of which a value names hash, size and type.

`{"location": "caroni:sha256:…", "size": …, "type": …}` stands in the place of such a value, wherever it flows to. The
type is the one that it was checked against by whoever made it: so who has not its bytes knows where it may flow. What
is in the object is the value as canonical JSON. Values in which files may stand are never such: their files count.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from caroni_edge.objects.objects import Object, parse_id
from caroni_edge.values.files import file_in
from caroni_edge.values.json import json_objects_in
from caroni_edge.values.parsing import TypeProblem, parse_type
from caroni_edge.values.types import STRING, AnyType, Array, Enum, Record, Scalar, Type, Union

LARGE_MIN_BYTES = 16 * 1024
"""No smaller value is an object before all larger ones are."""
LARGE_MAX_BYTES = 64 << 20
"""No value is larger, nor are all of one job together."""

NOT_LOOKED_INTO = "it is so large that it lies with agents alone, and flows from step to step only as it is"
"""Why a manager looks into no such value, for people."""

CARONI = "caroni:"
"""How the locations of all objects begin."""
_KEYS = {"location", "size", "type"}


def is_large(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether what stands in the place of a value is an object."""
    if not isinstance(value, dict) or value.keys() != _KEYS:
        return False
    location, size = value["location"], value["size"]
    is_named = isinstance(location, str) and location.startswith(CARONI)
    is_sized = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= LARGE_MAX_BYTES
    return is_named and is_sized and parse_id(location.removeprefix(CARONI)) is not None


def large_value(found: Object, kind: Type) -> dict[str, Any]:
    """Return what stands in the place of a value that is an object."""
    return {"location": f"{CARONI}{found.id}", "size": found.size, "type": kind.spec}


def may_be_large(kind: Type) -> bool:
    """Tell whether a value of a type may be too large to be told, so that it, or a file of it, is an object."""
    return any(each == STRING or not isinstance(each, Scalar | Enum) for each in kind.parts)


def may_be_list(value: Mapping[str, Any]) -> bool:
    """Tell whether an object may be a list, by what stands in its place."""
    return any(isinstance(each, Array | AnyType) for each in parse_type(value["type"]).parts)


def large_in(value: object) -> Iterator[dict[str, Any]]:
    """Yield what stands in the place of values, wherever it is inside a value."""
    return filter(is_large, json_objects_in(value))


def filled(value: Any, read: Mapping[str, Any]) -> Any:
    """Return a value with the values themselves, by their locations, in the places of those that are objects."""
    if is_large(value):
        return read[value["location"]]
    if isinstance(value, list):
        return [filled(each, read) for each in value]
    return {key: filled(each, read) for key, each in value.items()} if isinstance(value, dict) else value


def read_large(data: bytes) -> Any:
    """Return the value that an object is.

    Raises:
        ValueError: It is none; the message is for people.
    """
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None


def _no_number(word: str) -> None:
    raise ValueError(word)


def mismatch_of(kind: Type, value: Any) -> str | None:
    """Return why a value has not a type, in words; None when it has, as far as is known of what in it is an object."""
    wrong = kind.mismatch(value)
    return _by_types(kind, value) if wrong is not None and any(large_in(value)) else wrong


def _by_types(kind: Type, value: Any) -> str | None:
    if is_large(value):
        return _misfit(kind, value)
    inner: list[tuple[str, Type, Any]] = []
    match kind:
        case Union():
            found = [_by_types(each, value) for each in kind.members]
            return None if None in found else found[-1]
        case Array() if isinstance(value, list):
            inner = [(f"[{index}]", kind.items, each) for index, each in enumerate(value)]
        case Record() if isinstance(value, dict) and value.keys() <= dict(kind.fields).keys():
            inner = [(name, field, value.get(name)) for name, field in kind.fields]
        case _:
            return kind.mismatch(value)
    return next((f"{where}: {words}" for where, each, part in inner if (words := _by_types(each, part))), None)


def _misfit(kind: Type, value: dict[str, Any]) -> str | None:
    try:
        given = parse_type(value["type"])
    except TypeProblem as problem:
        return f"the type of a value that is an object: {problem}"
    if file_in(given):
        return f"a value with files is no object, and this one is said to be {given}"
    if given.feeds(kind):
        return None
    seen = f"a value of {value['size']} bytes, into which nobody can look here to see whether it fits"
    return f"expected {kind}, got {given}: {seen}"
