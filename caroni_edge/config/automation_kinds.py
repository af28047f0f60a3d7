"""The kinds of values that the keys of triggers, schedules and notifications have."""

from collections.abc import Mapping
from typing import Any

from caroni_edge.config.automation import NAMES_READ
from caroni_edge.config.kinds import DURATION, SEGMENT, Kind, Place, plain_text
from caroni_edge.config.timing import read_cron, read_zone
from caroni_edge.javascript.texts import ExpressionProblem, Text, read_text
from caroni_edge.protocol.topics import why_no_filter
from caroni_edge.values.json import shown, why_not_json

SCHEDULE_NAME_MAX = 23
"""The id of a scheduled workflow is the name, and when it was due."""


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


def _inputs(value: object, place: Place) -> Mapping[str, Any]:
    return {name: _with_expressions(each) for name, each in _plain_inputs(value, place).items()}


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


def _plain_inputs(value: object, _place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected inputs and their values, got {shown(value)}")
    if wrong := why_not_json(value):
        raise ValueError(f"one {wrong}")
    return value


def _schedule(value: object, place: Place) -> str:
    name = SEGMENT.read(value, place)
    assert isinstance(name, str)
    if len(name) > SCHEDULE_NAME_MAX:
        raise ValueError(f"{shown(name)} is too long for a schedule: {SCHEDULE_NAME_MAX} characters at most")
    return name


def _cron(value: object, place: Place) -> str:
    return read_cron(plain_text(value, place), "UTC").text


def _zone(value: object, place: Place) -> str:
    return read_zone(plain_text(value, place))


def _pace(value: object, place: Place) -> int:
    seconds = DURATION.read(value, place)
    if not isinstance(seconds, float) or seconds < 1 or seconds != int(seconds):
        raise ValueError(f"{shown(value)} must be whole seconds, 1s at least")
    return int(seconds)


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
SCHEDULE = Kind("name of a schedule", _schedule, written=f"1 to {SCHEDULE_NAME_MAX} of `a-z 0-9 _ -`")
CRON = Kind("five fields of cron", _cron, written="minute, hour, day of month, month, day of week")
ZONE = Kind("time zone", _zone, written="such as `Europe/Prague`")
PACE = Kind("duration of whole seconds", _pace, written="such as `15m`")
PLAIN_INPUTS = Kind("plain inputs", _plain_inputs, as_text=False, written="a value for each name")
