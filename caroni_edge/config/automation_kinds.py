"""The kinds of values that the keys of triggers, schedules and notifications have."""

from collections.abc import Mapping
from typing import Any

from caroni_edge.config.automation import NAMES_READ
from caroni_edge.config.kinds import Kind, Place, plain_text
from caroni_edge.javascript.texts import ExpressionProblem, Text, read_text
from caroni_edge.protocol.topics import why_no_filter
from caroni_edge.values.json import shown, why_not_json


def _filter(value: object, place: Place) -> str:
    text = plain_text(value, place)
    first = text.split("/")[0]
    if first.startswith("$") or first in ("", "+", "#"):
        raise ValueError(f"{shown(text)} must begin with a plain name, neither a wildcard nor $, such as sensors/#")
    if problem := why_no_filter(text):
        raise ValueError(problem)
    return text


def _expression(value: object, _place: Place) -> Text:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, such as $(message.id), got {shown(value)}")
    return _read(value)


def _condition(value: object, place: Place) -> Text:
    text = _expression(value, place)
    if len(text.parts) > 1 or text.is_plain:
        raise ValueError(f"expected one expression that gives true or false, such as $(message.celsius > 40): {value}")
    return text


def _inputs(value: object, _place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected inputs and their values, got {shown(value)}")
    if wrong := why_not_json(value):
        raise ValueError(f"one {wrong}")
    return {name: _with_expressions(each) for name, each in value.items()}


def _with_expressions(value: Any) -> Any:
    match value:
        case str():
            text = _read(value)
            return value if text.is_plain and text.parts == (value,) else text
        case list():
            return [_with_expressions(each) for each in value]
        case dict():
            return {name: _with_expressions(each) for name, each in value.items()}
    return value


def _read(text: str) -> Text:
    try:
        return read_text(text, NAMES_READ)
    except ExpressionProblem as problem:
        raise ValueError(str(problem)) from None


ANY_FILTER = Kind(
    "topic filter", _filter, written="such as `sensors/+/temperature`; its first level is a plain name, not topic_root"
)
EXPRESSION = Kind(
    "text with expressions",
    _expression,
    written="`$(…)` and `${…}` of CWL over `message`, `topic` (a list of its levels) and `received`",
)
CONDITION = Kind("expression", _condition, written="one such expression, which gives true or false")
INPUTS = Kind("inputs", _inputs, as_text=False, written="a value for each name; texts may hold expressions")
