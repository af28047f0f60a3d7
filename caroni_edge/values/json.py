"""JSON values as text: the one form for hashes and sizes, what JSON cannot hold, and short forms for people."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from caroni_edge.base.text import is_unicode

VALUE_DEPTH_MAX = 64
"""Levels of lists and objects inside each other that a value may have, so that no reader of JSON gives up on it."""

DEPTH_MAX = 100
"""The same for a whole document: values, and what is around them."""

_SHOWN_MAX_CHARS = 60
_NESTED = frozenset({list, dict})
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def json_objects_in(value: object) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that stand anywhere in a value, each before those that are in it."""
    todo = [value]
    for each in todo:  # what is inside is looked at behind what is there already
        match each:
            case list() as items:
                todo += items
            case dict() as fields:
                todo += fields.values()
                yield fields


def canonical(value: object) -> str:
    """Return a JSON value as compact text with sorted keys.

    Raises:
        ValueError: NaN, infinity, half a surrogate pair, too many levels, or no JSON at all; the message says which.
    """
    if _is_too_deep(value, DEPTH_MAX):
        raise ValueError(f"has more than {DEPTH_MAX} levels inside each other")
    try:
        text = _encoder.encode(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not is_unicode(text):
        raise ValueError("holds half a surrogate pair, which no UTF-8 can")
    return text


def canonical_within(values: Mapping[str, object], limit_bytes: int) -> str:
    """Return the inputs or the outputs of a job as compact text with sorted keys.

    Raises:
        ValueError: They cannot be sent, or are too large; the message goes on behind "the outputs".
    """
    try:
        text = canonical(values)
    except ValueError as error:
        raise ValueError(f"cannot be used: one {error}") from None
    size_bytes = len(text.encode())
    if size_bytes > limit_bytes:
        raise ValueError(f"have {size_bytes} bytes as JSON, and {limit_bytes} are allowed together")
    return text


def as_text(value: object) -> str:
    """Return what was made or checked here as JSON text, to be kept: fast, and with keys as they come."""
    return msgspec.json.encode(value).decode()


def from_text(text: str) -> Any:
    """Return what `as_text` or `canonical` has written."""
    return msgspec.json.decode(text)


def hash_of(value: object) -> str:
    """Return the name of a JSON value: equal values have equal ones, on every machine.

    Raises:
        ValueError: As `canonical`.
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def why_not_json(value: object) -> str | None:
    """Return why a value cannot be sent as JSON, or None."""
    if _is_too_deep(value, VALUE_DEPTH_MAX):
        return f"has more than {VALUE_DEPTH_MAX} levels inside each other"
    try:
        canonical(value)
    except ValueError as error:
        return str(error)
    return None


def shown(value: object) -> str:
    """Return a value for a message: short, and on one line."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    try:
        text = (
            json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or is_unicode(value) else ascii(value)
        )
    except (TypeError, ValueError):
        return f"a {type(value).__name__} that JSON does not have"
    return text if len(text) <= _SHOWN_MAX_CHARS else f"{text[:_SHOWN_MAX_CHARS]}…"


def _is_too_deep(value: object, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            item
            for each in level
            if type(each) in _NESTED
            for item in (each.values() if type(each) is dict else each)  # type: ignore[attr-defined]
            if type(item) in _NESTED
        ]
        if not level:
            return False
    return True
