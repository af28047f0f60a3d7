"""Typed inputs as the fields of a form: how each is asked for, and read back from what was written."""

import json
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from caroni_edge.values.files import FileType
from caroni_edge.values.json import canonical
from caroni_edge.values.types import BOOLEAN, NULL, STRING, AnyType, Array, Enum, Scalar, Type

FieldKind = Literal["text", "number", "check", "choice", "lines", "json", "file", "files"]

TRUE = frozenset({"true", "on", "yes", "1"})
FALSE = frozenset({"false", "off", "no", "0", ""})


class FormField(TypedDict):
    """A field of a form that asks for an input.

    Attributes:
        name: Of the input.
        kind: How it is asked for: `text` as it is, a `number`, a `check` box, a `choice` of some words, `lines` with an
            item each, `json`, or a `file` or several `files`, which may be written as JSON too.
        type: The type of CWL, for people.
        required: There must be a value; an optional field may be left empty, which gives none.
        default: What the field shows at first; empty for nothing.
        choices: The words of a choice.
        help: What may be written there, for people.
    """

    name: str
    kind: FieldKind
    type: str
    required: bool
    default: str
    choices: list[str]
    help: str


def field_of(name: str, kind: Type, value: Any, *, may_be_empty: bool = False) -> FormField:
    """Return the field for an input.

    Args:
        name: Of the input.
        kind: Its type.
        value: What the field shows at first; None for nothing.
        may_be_empty: Nothing need be written, though the type is not optional.
    """
    asked, base = _kind_of(kind), kind.required
    choices = [*base.symbols] if isinstance(base, Enum) else ["true", "false"] if asked == "choice" else []
    return FormField(
        name=name,
        kind=asked,
        type=str(kind),
        required=not kind.optional and not may_be_empty and asked != "check",
        default="" if value is None else _text_of(asked, value),
        choices=choices,
        help=_LIST_HELP if asked == "json" and isinstance(base, Array) else _HELP[asked],
    )


_HELP: Mapping[FieldKind, str] = {
    "text": "",
    "number": "a number",
    "check": "",
    "choice": "one of these words",
    "lines": "an item on each line, or a list as JSON",
    "json": "JSON; a text stands in quotes",
    "file": "a file, as JSON",
    "files": "a list of files, as JSON",
}
_LIST_HELP = "a list as JSON, such as [1.5, 2]; a text in it stands in quotes"


_FILE = FileType("File")
_PLAIN: Mapping[Type, FieldKind] = {STRING: "text", _FILE: "file"}
_LISTS: Mapping[Type, FieldKind] = {STRING: "lines", _FILE: "files"}
"""How lists are asked for, by the type of their items."""


def _kind_of(kind: Type) -> FieldKind:
    base = kind.required
    if base in _PLAIN:
        return _PLAIN[base]
    if isinstance(base, Enum) or (base == BOOLEAN and kind.optional):
        return "choice"
    if base == BOOLEAN:
        return "check"
    if isinstance(base, Scalar) and base != NULL:
        return "number"
    return _LISTS.get(base.items, "json") if isinstance(base, Array) else "json"


def _text_of(asked: FieldKind, value: Any) -> str:
    if asked in ("text", "choice") and isinstance(value, str):
        return value
    if asked == "lines" and isinstance(value, list) and all(_fits_a_line(item) for item in value):
        return "\n".join(value)
    return canonical(value)


def _fits_a_line(item: object) -> bool:
    return isinstance(item, str) and item == item.strip() and len(item.splitlines()) == 1 and not item.startswith("[")


def value_of(kind: Type, text: str) -> Any:
    """Return the value that was written into the field of an input of this type; None for nothing.

    Raises:
        ValueError: It gives none of this type; the message says what may be written.
    """
    asked, word = _kind_of(kind), text.strip()
    if asked == "text":
        return None if kind.optional and not text else text
    if asked == "check":
        return _boolean(word)
    if not word:
        return None
    if asked == "choice":
        return _boolean(word) if kind.required == BOOLEAN else word
    if asked == "lines" and not word.startswith("["):
        return [line.strip() for line in word.splitlines() if line.strip()]
    return _json(kind, word)


def _boolean(word: str) -> bool:
    if word.lower() in TRUE:
        return True
    if word.lower() in FALSE:
        return False
    raise ValueError("must be true or false")


def _json(kind: Type, word: str) -> Any:
    try:
        return json.loads(word)
    except (ValueError, RecursionError):
        if STRING in kind.parts or isinstance(kind.required, AnyType):
            return word  # nothing else that it takes can be written so
        said = "a number" if _kind_of(kind) == "number" else "JSON"
        raise ValueError(f"must be {said}; it takes {kind}") from None
