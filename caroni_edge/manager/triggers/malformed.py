"""Why something that was to be a trigger is none, for people. It is only asked of what could not be read."""

import json
from collections.abc import Mapping
from math import isinf
from typing import Any, NoReturn, get_type_hints

import msgspec

from caroni_edge.documents.documents import nearest
from caroni_edge.protocol.messages import Trigger
from caroni_edge.values.json import MAX_VALUE_DEPTH, shown, why_not_json

RIGHT: Mapping[str, str] = {
    "template": "the name of a template, a string",
    "inputs": "an object with a value for each input",
    "id": "1 to 40 characters of a-z 0-9 _ -",
    "priority": "an integer from 0 to 9",
    "reply_to": "a topic, a string",
}
"""What each field of a trigger must be."""

_TYPES = get_type_hints(Trigger, include_extras=True)


class _Wrong(ValueError):
    """What is wrong, and in which field."""

    def __init__(self, words: str, field: str | None = None) -> None:
        self.words, self.field = words, field
        super().__init__(words)


def why_malformed(payload: bytes) -> tuple[str, str | None]:
    """Return what is wrong with a trigger that cannot be read, and the field that it is wrong in."""
    try:
        _look_at(_read(payload))
    except _Wrong as wrong:
        return wrong.words, wrong.field
    return "it must be such JSON as every reader can take", None


def _read(payload: bytes) -> object:
    try:
        return json.loads(payload.decode(), parse_constant=_refuse, parse_float=_number)
    except UnicodeDecodeError as error:
        raise _Wrong(f"it must be UTF-8, and its byte {error.start + 1} is not") from None
    except RecursionError:
        raise _Wrong(f"it has more than {MAX_VALUE_DEPTH} levels inside each other") from None
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
        if name not in RIGHT:
            raise _Wrong(f"it has a field {shown(name)}, and may have {_listed(RIGHT)}{nearest(name, RIGHT)}", name)
        if not _fits(value, _TYPES[name]):
            raise _Wrong(f"{name} is {shown(value)}, and must be {RIGHT[name]}", name)
    if "template" not in found:
        raise _Wrong(f"it has no template, which must be {RIGHT['template']}", "template")


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
