"""The types of CWL, as objects: `CWLType`, `Any`, arrays, enums and records (CWL v1.2, "Data concepts", "CWLType").

A type says whether a value fits, in words where it does not, and whether all values of one type may flow to a place of
another. An int is a float too, 3.0 is no int, true is no int; int has 32 bits and long 64. Any is every value but null,
as CWL says. `caroni_edge.values.parsing` reads types as people write them.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from caroni_edge.base.text import is_unicode
from caroni_edge.documents.documents import nearest
from caroni_edge.values.json import shown, why_not_json

_FLOAT_MAX = 1.7976931348623157e308
_INT_RANGES = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_WIDER = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "double": frozenset({"float"}),
}


class Type(ABC):
    """What values may stand in a place. Types are immutable and hashable, and equal when they take the same form."""

    __slots__ = ()

    @abstractmethod
    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values have this type; much cheaper than one after the other."""

    @abstractmethod
    def blame(self, value: object) -> tuple[str, str]:
        """Return the path inside a value that does not fit, and what is wrong there."""

    @abstractmethod
    def takes(self, source: "Type") -> bool:
        """Tell whether every value of `source`, which is no union, has this type."""

    @property
    @abstractmethod
    def spec(self) -> object:
        """The type in JSON, as `parse_type` reads it; equal types have equal ones."""

    @property
    def parts(self) -> tuple["Type", ...]:
        """The members of a union; of any other type, the type itself."""
        return (self,)

    @property
    def optional(self) -> bool:
        """Whether null has this type, so that a value need not be given."""
        return NULL in self.parts

    @property
    def required(self) -> "Type":
        """This type without null."""
        return union(part for part in self.parts if part != NULL) if self.optional and self != NULL else self

    def fits(self, value: object) -> bool:
        """Tell whether a value has this type."""
        return self.fits_all([value])

    def mismatch(self, value: object) -> str | None:
        """Return what keeps a value from having this type, as in `[3].name: expected int, got "x"`, or None."""
        if self.fits(value):
            return None
        path, what = self.blame(value)
        return f"{path.lstrip('.')}: {what}" if path else what

    def may_feed(self, sink: "Type") -> bool:
        """Tell whether some values of this type, beside null, may stand where `sink` is asked for."""
        return any(_part_may_feed(part, place) for part in self.parts if part != NULL for place in sink.parts)

    def feeds(self, sink: "Type") -> bool:
        """Tell whether every value of this type may stand where `sink` is asked for.

        Any passes on either side; what it really is, is checked when it is there. Null goes to optional places only.
        """
        return all(any(_part_feeds(part, place) for place in sink.parts) for part in self.parts)

    def __str__(self) -> str:
        return str(self.spec)


def _part_feeds(part: Type, place: Type) -> bool:
    if ANY in {part, place}:
        return NULL not in {part, place}
    return place.takes(part)


def _part_may_feed(part: Type, place: Type) -> bool:
    if isinstance(part, Array) and isinstance(place, Array):
        return part.items.may_feed(place.items)
    if isinstance(part, Record) and isinstance(place, Record):
        given, asked = dict(part.fields), dict(place.fields)
        return all(kind.optional if name not in given else given[name].may_feed(kind) for name, kind in asked.items())
    return _part_feeds(part, place)


@dataclass(frozen=True, slots=True)
class Scalar(Type):
    """Null, boolean, a kind of number, or string."""

    name: str

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values have this type, without a loop in Python."""
        return _SCALARS[self.name](values, set(map(type, values)))

    def blame(self, value: object) -> tuple[str, str]:
        """Return what was expected, and which limit the value passes."""
        why = ""
        if self.name in _INT_RANGES and type(value) is int:
            why = f" ({self.name} has {32 if self.name == 'int' else 64} bits)"
        elif self.name == "string" and isinstance(value, str):
            why = ", which holds half a surrogate pair"
        return "", expected(self, value) + why

    def takes(self, source: Type) -> bool:
        """Tell whether every value of `source` has this type: an int is a float too, and a symbol is a string."""
        if isinstance(source, Enum):
            return self == STRING
        return isinstance(source, Scalar) and (self == source or self.name in _WIDER.get(source.name, ()))

    @property
    def spec(self) -> object:
        """The name."""
        return self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AnyType(Type):
    """CWL's `Any`: every value but null."""

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether JSON can hold all values, and none is null."""
        return None not in values and all(why_not_json(value) is None for value in values)

    def blame(self, value: object) -> tuple[str, str]:
        """Return why the value is no JSON, or that something must be there."""
        return "", why_not_json(value) or expected(self, value)

    def takes(self, source: Type) -> bool:
        """Tell whether `source` is not null's type."""
        return source != NULL

    @property
    def spec(self) -> object:
        """The name."""
        return "Any"

    def __str__(self) -> str:
        return "Any"


@dataclass(frozen=True, slots=True)
class Array(Type):
    """A list whose items all have one type."""

    items: Type

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values are lists whose items all fit."""
        return set(map(type, values)) <= {list} and self.items.fits_all(list(chain.from_iterable(values)))

    def blame(self, value: object) -> tuple[str, str]:
        """Return the index, from 0, of the first item that does not fit, and what is wrong with it."""
        if not isinstance(value, list):
            return "", expected(self, value)
        index, item = next((at, item) for at, item in enumerate(value) if not self.items.fits(item))
        path, what = self.items.blame(item)
        return f"[{index}]{path}", what

    def takes(self, source: Type) -> bool:
        """Tell whether `source` is a list whose items may stand here."""
        return isinstance(source, Array) and source.items.feeds(self.items)

    @property
    def spec(self) -> object:
        """`T[]`, or an object where the items have no short form."""
        items = self.items.spec
        return f"{items}[]" if isinstance(items, str) else {"type": "array", "items": items}

    def __str__(self) -> str:
        items = str(self.items)
        return f"({items})[]" if " | " in items and isinstance(self.items, Union) else f"{items}[]"


@dataclass(frozen=True, slots=True)
class Enum(Type):
    """One of a few strings."""

    symbols: tuple[str, ...]

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values are symbols of this enum."""
        return set(map(type, values)) <= {str} and set(values) <= set(self.symbols)

    def blame(self, value: object) -> tuple[str, str]:
        """Return which symbols there are, and which one is most like the value."""
        return "", expected(self, value) + (nearest(value, self.symbols) if isinstance(value, str) else "")

    def takes(self, source: Type) -> bool:
        """Tell whether `source` is an enum without other symbols than these."""
        return isinstance(source, Enum) and set(source.symbols) <= set(self.symbols)

    @property
    def spec(self) -> object:
        """An object with the symbols."""
        return {"type": "enum", "symbols": list(self.symbols)}

    def __str__(self) -> str:
        return f"enum({', '.join(self.symbols)})"


@dataclass(frozen=True, slots=True)
class Record(Type):
    """An object with declared fields and no others."""

    fields: tuple[tuple[str, Type], ...]

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether all values are objects whose fields are known and fit; a missing field counts as null."""
        if not set(map(type, values)) <= {dict}:
            return False
        names = {name for name, _ in self.fields}
        return all(value.keys() <= names for value in values) and all(
            kind.fits_all([value.get(name) for value in values]) for name, kind in self.fields
        )

    def blame(self, value: object) -> tuple[str, str]:
        """Return the first field that does not fit, is missing, or is not declared, and what is wrong with it."""
        if not isinstance(value, dict):
            return "", expected(self, value)
        for name, kind in self.fields:
            if name not in value and not kind.optional:
                return "", f'the field "{name}" is missing'
            if not kind.fits(value.get(name)):
                path, what = kind.blame(value[name])
                return f".{name}{path}", what
        names = [name for name, _ in self.fields]
        other = next(name for name in value if name not in names)
        return "", f'unknown field "{other}"{nearest(str(other), names)}'

    def takes(self, source: Type) -> bool:
        """Tell whether `source` is a record with all fields that are required here, and none that is not known here."""
        if not isinstance(source, Record):
            return False
        given, asked = dict(source.fields), dict(self.fields)
        return given.keys() <= asked.keys() and all(given.get(n, NULL).feeds(kind) for n, kind in asked.items())

    @property
    def spec(self) -> object:
        """An object with the fields."""
        return {"type": "record", "fields": [{"name": name, "type": kind.spec} for name, kind in self.fields]}

    def __str__(self) -> str:
        return f"record({', '.join(f'{name}: {kind}' for name, kind in self.fields)})"


@dataclass(frozen=True, slots=True)
class Union(Type):
    """One of several types, none of which is a union. Made by `union`; null comes first."""

    members: tuple[Type, ...]

    @property
    def parts(self) -> tuple[Type, ...]:
        """The types of which a value has one."""
        return self.members

    def fits_all(self, values: list[Any]) -> bool:
        """Tell whether each value fits one of the members."""
        # Values of one Python type mostly belong to one member, which looks at all of them at once.
        alike: dict[type, list[Any]] = {}
        for value in values:
            alike.setdefault(type(value), []).append(value)
        return all(
            any(member.fits_all(group) for member in self.members) or self._fit(group) for group in alike.values()
        )

    def _fit(self, values: list[Any]) -> bool:
        return len(values) > 1 and all(any(member.fits(value) for member in self.members) for value in values)

    def blame(self, value: object) -> tuple[str, str]:
        """Return what the member says that the value must be meant for; where there are several, what was expected."""
        others = [member for member in self.members if member != NULL]
        if isinstance(value, list | dict):
            shape = Array if isinstance(value, list) else Record
            others = [member for member in others if isinstance(member, shape)]
        return others[0].blame(value) if len(others) == 1 else ("", expected(self, value))

    def takes(self, source: Type) -> bool:
        """Tell whether one of the members takes `source`."""
        return any(member.takes(source) for member in self.members)

    @property
    def spec(self) -> object:
        """`T?`, or a list."""
        first, *others = (member.spec for member in self.members)
        if first == "null" and len(others) == 1 and isinstance(others[0], str):
            return f"{others[0]}?"
        return [first, *others]

    def __str__(self) -> str:
        others = [str(member) for member in self.members if member != NULL]
        if not self.optional:
            return " | ".join(others)
        return f"{others[0]}?" if len(others) == 1 else " | ".join([*others, "null"])


NULL = Scalar("null")
BOOLEAN = Scalar("boolean")
STRING = Scalar("string")
ANY = AnyType()


def union(members: Iterable[Type]) -> Type:
    """Return the type of what has one of the types; of a single one that type itself."""
    parts = dict.fromkeys(part for member in members for part in member.parts)
    ordered = sorted(parts, key=lambda part: part != NULL)
    return ordered[0] if len(ordered) == 1 else Union(tuple(ordered))


def expected(kind: Type, value: object) -> str:
    """Return what was expected, and what was there."""
    return f"expected {kind}, got {shown(value)}"


_Check = Callable[[list[Any], set[type]], bool]


def _all_ints(name: str) -> _Check:
    low, high = _INT_RANGES[name]
    return lambda values, kinds: not values or (kinds == {int} and low <= min(values) and max(values) <= high)


def _all_floats(values: list[Any], kinds: set[type]) -> bool:
    if not kinds <= {int, float} or any(map(operator.ne, values, values)):  # NaN differs from itself
        return False
    return not values or (min(values) >= -_FLOAT_MAX and max(values) <= _FLOAT_MAX)


_SCALARS: Mapping[str, _Check] = {
    "null": lambda _, kinds: kinds <= {type(None)},
    "boolean": lambda _, kinds: kinds <= {bool},
    "int": _all_ints("int"),
    "long": _all_ints("long"),
    "float": _all_floats,
    "double": _all_floats,
    "string": lambda values, kinds: not values or (kinds == {str} and is_unicode("".join(values))),
}
"""How each scalar type checks a list of values, whose Python types are given too."""

SCALAR_NAMES = tuple(_SCALARS)
