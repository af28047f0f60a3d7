"""The form that starts a workflow: made of the inputs of a template, and read back into typed values."""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from caroni_edge.manager.pages.templateshapes import FormField
from caroni_edge.manager.templates.plan import Plan, PlanInput
from caroni_edge.values.json import canonical
from caroni_edge.values.types import BOOLEAN, NULL, STRING, AnyType, Array, Enum, Scalar, Type

FieldKind = Literal["text", "number", "check", "choice", "lines", "json"]

TRUE = frozenset({"true", "on", "yes", "1"})
FALSE = frozenset({"false", "off", "no", "0", ""})


class Filled(NamedTuple):
    """What was read from a form: the inputs, and what is wrong with each field where something is."""

    inputs: dict[str, Any]
    errors: dict[str, str]


def form_of(plan: Plan, given: Mapping[str, Any] | None = None) -> list[FormField]:
    """Return the fields for the inputs of a template.

    Args:
        plan: The template.
        given: Values that the fields show at first, as of a workflow that there is; those of the template otherwise.
    """
    return [_field(each, plan.input_types[each.name], given) for each in plan.inputs]


def read_form(plan: Plan, fields: Mapping[str, str]) -> Filled:
    """Return the inputs that a form gives, each with its type.

    Args:
        plan: The template.
        fields: What was written, by the names of the inputs; what is no input is left out.
    """
    inputs: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for each in plan.inputs:
        try:
            value = _read(plan.input_types[each.name], fields.get(each.name, ""))
        except ValueError as error:
            errors[each.name] = str(error)
        else:
            if value is not None:
                inputs[each.name] = value
    for name, words in plan.check_inputs(inputs)[1]:
        errors.setdefault(name, words)
    return Filled(inputs, errors)


def _field(each: PlanInput, kind: Type, given: Mapping[str, Any] | None) -> FormField:
    asked, base = _kind_of(kind), kind.required
    value = each.default if given is None else given.get(each.name)
    choices = [*base.symbols] if isinstance(base, Enum) else ["true", "false"] if asked == "choice" else []
    return FormField(
        name=each.name,
        kind=asked,
        type=str(kind),
        required=not kind.optional and each.default is None and asked != "check",
        default="" if value is None else _text_of(asked, value),
        choices=choices,
        help=_HELP[asked],
    )


_HELP: Mapping[FieldKind, str] = {
    "text": "",
    "number": "a number",
    "check": "",
    "choice": "one of these words",
    "lines": "an item on each line, or a list as JSON",
    "json": "JSON; a text stands in quotes",
}


def _kind_of(kind: Type) -> FieldKind:
    base = kind.required
    if base == STRING:
        return "text"
    if isinstance(base, Enum) or (base == BOOLEAN and kind.optional):
        return "choice"
    if base == BOOLEAN:
        return "check"
    if isinstance(base, Scalar) and base != NULL:
        return "number"
    if isinstance(base, Array) and base.items == STRING:
        return "lines"
    return "json"


def _text_of(asked: FieldKind, value: Any) -> str:
    if asked in ("text", "choice") and isinstance(value, str):
        return value
    if asked == "lines" and isinstance(value, list) and all(_fits_a_line(item) for item in value):
        return "\n".join(value)
    return canonical(value)


def _fits_a_line(item: object) -> bool:
    return isinstance(item, str) and item == item.strip() and len(item.splitlines()) == 1 and not item.startswith("[")


def _read(kind: Type, text: str) -> Any:
    """Return the value that a text gives; None for nothing.

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
