"""How a scattered step falls into instances, and how their outputs go together (CWL v1.2, "Scatter/gather").

Whatever the method, each instance has a number (`scatter_index`, from 0), from which its inputs follow: no list of all
combinations is ever made.
"""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from caroni_edge.manager.templates.plan import PlanStep
from caroni_edge.values.large import NOT_LOOKED_INTO, is_large

INSTANCES_MAX = 1_000_000


class NotScattered(ValueError):
    """A step cannot be scattered over these inputs; the text is for people."""


def dimensions(step: PlanStep, inputs: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the lengths of the lists that a step is scattered over: one for each, or one for all of a `dotproduct`.

    Raises:
        NotScattered: Something is no list, or the lists of a `dotproduct` differ in length.
    """
    lengths = []
    for name in step.scatter:
        value = inputs.get(name)
        if is_large(value):
            size_bytes = value["size"]
            raise NotScattered(
                f"input {name} is scattered over, and is a value of {size_bytes} bytes: {NOT_LOOKED_INTO}"
            )
        if not isinstance(value, list):
            raise NotScattered(f"input {name} is scattered over, and is no list")
        lengths.append(len(value))
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


def inputs_of(step: PlanStep, inputs: Mapping[str, Any], scatter_index: int) -> dict[str, Any]:
    """Return the inputs of one instance: an item of each list that is scattered over, and all else as it is.

    Args:
        step: The step.
        inputs: Of the step, with the lists.
        scatter_index: Number of the instance; in a cross product the last list named in `scatter` turns fastest.
    """
    given = dict(inputs)
    for name in reversed(step.scatter):
        values = inputs[name]
        if step.method == "dotproduct":
            given[name] = values[scatter_index]
        else:
            scatter_index, at = divmod(scatter_index, len(values))
            given[name] = values[at]
    return given


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
