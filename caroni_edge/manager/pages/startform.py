"""The form that starts a workflow: made of the inputs of a template, and read back into typed values."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from caroni_edge.manager.templates.plan import Plan
from caroni_edge.values.fields import FormField, field_of, value_of
from caroni_edge.values.types import Array, Type

NO_FILES: Mapping[str, Sequence[dict[str, Any]]] = {}


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
    return [
        field_of(
            each.name,
            plan.input_types[each.name],
            each.default if given is None else given.get(each.name),
            may_be_empty=each.default is not None,
        )
        for each in plan.inputs
    ]


def read_form(
    plan: Plan, fields: Mapping[str, str], files: Mapping[str, Sequence[dict[str, Any]]] = NO_FILES
) -> Filled:
    """Return the inputs that a form gives, each with its type.

    Args:
        plan: The template.
        fields: What was written, by the names of the inputs; what is no input is left out.
        files: The values of files that were chosen, likewise; they go before what was written.
    """
    inputs: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for each in plan.inputs:
        try:
            kind, chosen = plan.input_types[each.name], files.get(each.name)
            value = _chosen(kind, chosen) if chosen else value_of(kind, fields.get(each.name, ""))
        except ValueError as error:
            errors[each.name] = str(error)
        else:
            if value is not None:
                inputs[each.name] = value
    for name, words in plan.check_inputs(inputs, objects=True)[1]:
        errors.setdefault(name, words)
    return Filled(inputs, errors)


def _chosen(kind: Type, files: Sequence[dict[str, Any]]) -> Any:
    """Return the value of an input of this type that these files give.

    Raises:
        ValueError: They are too many for it.
    """
    if isinstance(kind.required, Array):
        return list(files)
    if len(files) > 1:
        raise ValueError(f"takes one file, and {len(files)} were chosen")
    return files[0]
