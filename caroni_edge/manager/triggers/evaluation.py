"""What a message means to a rule: its expressions, worked out before anything is decided."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.config.automation import Rule
from caroni_edge.javascript.interpreter import Answer, Script
from caroni_edge.javascript.texts import ExpressionProblem, JavaScript, Run, Text
from caroni_edge.protocol.fields import is_segment
from caroni_edge.protocol.triggers import TRIGGER_LIMIT_BYTES
from caroni_edge.values.files import with_names_of_files
from caroni_edge.values.json import canonical, shown, why_not_json

Ask = Callable[[Script], Answer]
"""Runs JavaScript, and returns what it gives."""

KEY_MAX_CHARACTERS = 200
_FITTING_KEPT = 23


class Outcome(StrEnum):
    """What became of a message at a rule."""

    FITS = "fits"
    """It is to start a workflow."""
    UNREAD = "unread"
    """It is no JSON, or no text, or too large."""
    UNMET = "unmet"
    """The rule's `when` is false."""
    FAILED = "failed"
    """An expression has no value, or none that can be used."""


@dataclass(frozen=True)
class Reading:
    """A message that rules look at.

    Attributes:
        topic: Where it was published.
        payload: What it says.
        date: When it came, by the wall clock.
        is_retained: The broker had kept it: it is not new.
    """

    topic: str
    payload: bytes
    date: float
    is_retained: bool = False


@dataclass(frozen=True)
class Evaluated:
    """A message, as a rule sees it.

    Attributes:
        rule: The rule.
        reading: The message.
        outcome: What becomes of it.
        said: Why it starts nothing, for people.
        inputs: Those of the workflow.
        id: The workflow's id; None: a random one.
        key: By what it is counted for `at_most`.
    """

    rule: Rule
    reading: Reading
    outcome: Outcome = Outcome.FITS
    said: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    key: str = ""


class _Not(Exception):
    """The message starts nothing at this rule."""

    def __init__(self, outcome: Outcome, said: str = "") -> None:
        self.outcome, self.said = outcome, said
        super().__init__(said)


def evaluate(rule: Rule, reading: Reading, ask: Ask) -> Evaluated:
    """Work out what a message means to a rule."""
    try:
        names = {
            "message": _message(rule, reading.payload),
            "topic": reading.topic.split("/"),
            "received": rfc3339(reading.date),
        }
        return _evaluated(rule, reading, names, ask)
    except _Not as found:
        return Evaluated(rule, reading, found.outcome, found.said)
    except ExpressionProblem as problem:
        return Evaluated(rule, reading, Outcome.FAILED, str(problem))


def workflow_id(text: str) -> str:
    """Return the id of a workflow for any text: itself where it is one, else what fits of it and a hash of it."""
    if is_segment(text):
        return text
    fitting = "".join(char for char in text if is_segment(char))[:_FITTING_KEPT]
    return f"{fitting}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def texts_of(rule: Rule) -> list[Text]:
    """Return the texts of a rule that hold expressions, but for its condition."""
    found = (rule.id, rule.at_most.for_each if rule.at_most else None, *_texts(rule.inputs))
    return [text for text in found if text is not None]


def _message(rule: Rule, payload: bytes) -> Any:
    if len(payload) > TRIGGER_LIMIT_BYTES:
        raise _Not(Outcome.UNREAD, f"it has {len(payload)} bytes, and {TRIGGER_LIMIT_BYTES} are allowed")
    try:
        if rule.payload == "text":
            return payload.decode()
        found = msgspec.json.decode(payload)
    except UnicodeDecodeError:
        raise _Not(Outcome.UNREAD, "it is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Not(Outcome.UNREAD, f"it is no JSON: {error}") from None
    if wrong := why_not_json(found):
        raise _Not(Outcome.UNREAD, f"it {wrong}")
    return found


def _evaluated(rule: Rule, reading: Reading, names: Mapping[str, Any], ask: Ask) -> Evaluated:
    codes = list(dict.fromkeys(script.code for text in texts_of(rule) for script in text.scripts))
    answers: dict[str, Any] = {}

    def work_out(body: str, asked: list[str]) -> None:
        answer = ask(Script(body=body, names=with_names_of_files(names), date_ms=int(reading.date * 1000)))
        if answer.error is not None:
            raise ExpressionProblem(answer.error)
        answers.update(zip(asked, answer.value, strict=False))

    def given(script: JavaScript) -> Any:
        return answers[script.code]

    listed = ", ".join(codes)
    if rule.when is not None and rule.when.scripts:
        condition = rule.when.scripts[0].code
        work_out(f"const met = {condition}; return met === true ? [met, {listed}] : [met];", [condition, *codes])
    if rule.when is not None:
        is_met = rule.when.value(names, given)
        if is_met is False:
            raise _Not(Outcome.UNMET)
        if is_met is not True:
            raise ExpressionProblem(f"when: {rule.when.text} gives {shown(is_met)}, and must give true or false")
    if codes and not answers:
        work_out(f"return [{listed}];", codes)
    inputs = _filled(rule.inputs, names, given)
    limit = rule.at_most and rule.at_most.for_each
    return Evaluated(
        rule,
        reading,
        inputs=inputs,
        id=None if rule.id is None else _id(rule.id, rule.id.value(names, given)),
        key="" if not limit else _key(limit.value(names, given)),
    )


def _texts(value: Any) -> Iterator[Text]:
    match value:
        case Text():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)


def _filled(value: Any, names: Mapping[str, Any], run: Run) -> Any:
    match value:
        case Text():
            return value.value(names, run)
        case list():
            return [_filled(each, names, run) for each in value]
        case dict():
            return {name: _filled(each, names, run) for name, each in value.items()}
    return value


def _id(text: Text, value: Any) -> str:
    if value is None or isinstance(value, list | dict) or value == "":
        raise ExpressionProblem(f"id: {text.text} gives {shown(value)}, and must give a text or a number")
    return workflow_id(value if isinstance(value, str) else canonical(value))


def _key(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return text if len(text) <= KEY_MAX_CHARACTERS else hashlib.sha256(text.encode()).hexdigest()
