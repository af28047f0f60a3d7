"""Says, for people, why a payload is no trigger. It is only asked of payloads that the codec could not read."""

import json
from collections import Counter
from collections.abc import Mapping
from math import isinf
from typing import Any, NoReturn, get_args

import msgspec

from caroni_edge.documents.documents import nearest
from caroni_edge.protocol.triggers import MUST_BE, Trigger
from caroni_edge.values.json import VALUE_DEPTH_MAX, shown, why_not_json

_TYPES: Mapping[str, Any] = {field.encode_name: field.type for field in msgspec.structs.fields(Trigger)}
_MUST_BE: Mapping[str, str] = {
    name: next(meta.extra[MUST_BE] for meta in get_args(kind) if isinstance(meta, msgspec.Meta) and meta.extra)
    for name, kind in _TYPES.items()
}


class _Wrong(ValueError):
    """Stops the search: what is wrong, and in which field (None for the whole)."""

    def __init__(self, words: str, field: str | None = None) -> None:
        self.words, self.field = words, field
        super().__init__(words)


def why_malformed(payload: bytes) -> tuple[str, str | None]:
    """Return what is wrong with a payload that is no trigger, and in which field (None for the whole)."""
    try:
        _look_at(_read(payload))
    except _Wrong as wrong:
        return wrong.words, wrong.field
    return "it must be such JSON as every reader can take", None


def key_given_twice(payload: bytes) -> str | None:
    """Return a key that an object of readable JSON has twice, of which readers take one or the other; None for none."""
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice.append(Counter(names).most_common(1)[0][0])

    json.loads(payload, object_pairs_hook=look)
    return twice[0] if twice else None


def _read(payload: bytes) -> object:
    try:
        return json.loads(payload.decode(), parse_constant=_refuse, parse_float=_number)
    except UnicodeDecodeError as error:
        raise _Wrong(f"it must be UTF-8, and its byte {error.start + 1} is not") from None
    except RecursionError:
        raise _Wrong(f"it has more than {VALUE_DEPTH_MAX} levels inside each other") from None
    except json.JSONDecodeError as error:
        raise _Wrong(f"it must be JSON, and is wrong at line {error.lineno}, column {error.colno}") from None
    except _Wrong:
        raise
    except ValueError:
        raise _Wrong("it holds a number that is too long") from None


def _look_at(found: object) -> None:
    if not isinstance(found, dict):
        raise _Wrong(f'it is {shown(found)}, and must be an object like {{"template": "name", "inputs": {{}}}}')
    if wrong := why_not_json(found):
        raise _Wrong(f"it {wrong}")
    for name, value in found.items():
        if name not in _MUST_BE:
            raise _Wrong(
                f"it has a field {shown(name)}, and may have {_listed(_MUST_BE)}{nearest(name, _MUST_BE)}", name
            )
        if not _fits(value, _TYPES[name]):
            raise _Wrong(f"{name} is {shown(value)}, and must be {_MUST_BE[name]}", name)
    if "template" not in found:
        raise _Wrong(f"it has no template, which must be {_MUST_BE['template']}", "template")


def _refuse(constant: str) -> NoReturn:
    raise _Wrong(f"it holds a number that JSON does not have: {constant}")


def _number(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _Wrong(f"it holds a number that is too large: {text[:40]}")
    return number


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _listed(names: Mapping[str, str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}"
