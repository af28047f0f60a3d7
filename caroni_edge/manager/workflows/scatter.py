"""How a scattered step falls into instances, and how their outputs go together (CWL v1.2, "Scatter/gather").

Whatever the method, each instance has a number (`scatter_index`, from 0), from which its inputs follow: no list of all
combinations is ever made.
"""

from collections.abc import Iterable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.manager.workflows.loading import Looked
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import objects_in
from caroni_edge.values.large import is_large

INSTANCES_MAX = 1_000_000


class NotScattered(ValueError):
    """A step cannot be scattered over these inputs; the text is for people."""


def large_lists(step: PlanStep, inputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lists that a step is scattered over and that are large values, as what stands in their places."""
    return {name: value for name in step.scatter if is_large(value := inputs.get(name))}


def looked(lists: Mapping[str, dict[str, Any]]) -> dict[ObjectId, Looked]:
    """Return the objects that lists are, to be looked into."""
    return {each: Looked(name, value) for name, value in lists.items() for each in objects_in(value)}


def dimensions(
    step: PlanStep, inputs: Mapping[str, Any], known: Mapping[str, int] = MappingProxyType({})
) -> tuple[int, ...]:
    """Return the lengths of the lists that a step is scattered over: one for each, or one for all of a `dotproduct`.

    Args:
        step: The step.
        inputs: Of the step, with the lists.
        known: The lengths of those that are large values.

    Raises:
        NotScattered: Something is no list, or the lists of a `dotproduct` differ in length.
    """
    lengths = []
    for name in step.scatter:
        value = inputs.get(name)
        if name in known:
            lengths.append(known[name])
        elif isinstance(value, list):
            lengths.append(len(value))
        else:
            raise NotScattered(f"input {name} is scattered over, and is no list")
    if step.method != "dotproduct":
        return tuple(lengths)
    if len(set(lengths)) > 1:
        each = ", ".join(f"{name} has {length}" for name, length in zip(step.scatter, lengths, strict=True))
        raise NotScattered(f"the lists of a dotproduct must have one length: {each}")
    return (lengths[0],)


def count(lengths: tuple[int, ...]) -> int:
    """Return how many instances there are.

    Raises:
        NotScattered: There would be too many.
    """
    instances = prod(lengths)
    if instances > INSTANCES_MAX:
        raise NotScattered(f"it would have {instances} instances, and {INSTANCES_MAX} are allowed")
    return instances


def positions(step: PlanStep, lengths: tuple[int, ...], scatter_index: int) -> dict[str, int]:
    """Return which item of each list one instance takes.

    Args:
        step: The step.
        lengths: As from `dimensions`.
        scatter_index: Number of the instance; in a cross product the last list named in `scatter` turns fastest.
    """
    if step.method == "dotproduct":
        return dict.fromkeys(step.scatter, scatter_index)
    found = {}
    for name, length in reversed([*zip(step.scatter, lengths, strict=True)]):
        scatter_index, found[name] = divmod(scatter_index, length)
    return found


def inputs_of(
    step: PlanStep,
    inputs: Mapping[str, Any],
    scatter_index: int,
    known: Mapping[str, int] = MappingProxyType({}),
    items: Mapping[str, Mapping[int, Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the inputs of one instance: an item of each list that is scattered over, and all else as it is.

    Args:
        step: The step.
        inputs: Of the step, with the lists.
        scatter_index: Number of the instance.
        known: The lengths of those lists that are large values.
        items: Those of large values, by input and position.
    """
    taken = positions(step, dimensions(step, inputs, known), scatter_index)
    return {**inputs, **{name: items.get(name, inputs[name])[at] for name, at in taken.items()}}


def gathered(step: PlanStep, lengths: tuple[int, ...], values: Iterable[Any]) -> list[Any]:
    """Return one output of a scattered step: what its instances gave for it, in their order.

    Args:
        step: The step.
        lengths: As from `dimensions`; a `nested_crossproduct` has a list within a list for each of them.
        values: What the instances gave, by their numbers.
    """
    found = list(values)
    if step.method == "nested_crossproduct":
        for position, length in reversed(list(enumerate(lengths))[1:]):
            lists = prod(lengths[:position])
            found = [found[at * length : (at + 1) * length] for at in range(lists)]
    return found
