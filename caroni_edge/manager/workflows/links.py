"""What flows along a link: the values of its sources, merged and picked as the template says.

A large value is no null, and goes into a list as it is. Where its items are to be merged with others, or picked, this
manager must look inside: what that takes is raised, and done outside of the loop (`LargeLists`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from caroni_edge.manager.templates.plan import Link, Source, StepInput
from caroni_edge.manager.workflows.loading import LookDue, Looked
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import called, objects_in
from caroni_edge.values.large import NOT_LOOKED_INTO, is_large, may_be_list
from caroni_edge.values.lists import item_type
from caroni_edge.values.parsing import parse_type

Look = Callable[[Source], Any]
"""Returns the value of a source: of an input of the workflow, or of an output of a step that has completed."""


class Unfit(ValueError):
    """Values are not what the template says, or expressions cannot be worked out; the text is for people."""


class Combining(NamedTuple):
    """Values into which must be looked so that they become one.

    Attributes:
        values: Of the sources; where there is one source alone, its value.
        link: Along which they flow.
    """

    values: list[Any]
    link: Link

    @property
    def looks(self) -> dict[ObjectId, dict[str, Any]]:
        """The objects into which must be looked, each with what stands in its place."""
        return {name: value for name, value in objects_in(self.values).items() if is_large(value)}


class Combined(Unfit):
    """Values are to be merged or picked into which must be looked for that; who cannot wait takes it for a misfit."""

    @property
    def due(self) -> Combining:
        """What is to be done."""
        found: Combining = self.args[1]
        return found

    def __str__(self) -> str:
        """Return why nobody does it here, for people."""
        return str(self.args[0])


class MergeDue(LookDue):
    """What flows to an input, or is an output of a workflow, is to be put together of large values."""

    @property
    def name(self) -> str:
        """The input or output."""
        return str(self.args[1])

    @property
    def due(self) -> Combining:
        """What is to be done."""
        found: Combining = self.args[2]
        return found


def merge_due(name: str, due: Combining) -> MergeDue:
    """Return what says into what must be looked so that an input or output has its value."""
    return MergeDue({each: Looked(name, value) for each, value in due.looks.items()}, name, due)


def value_of(link: Link, look: Look) -> Any:
    """Return the value that flows along a link: of its sources, merged and picked as it says.

    CWL v1.2, "Merging multiple inbound data links" and "Picking non-null values among inbound data links".

    Raises:
        Unfit: `the_only_non_null` or `first_non_null` has not found what it looks for.
        Combined: Somebody must look into large values for that.
    """
    values = [look(source) for source in link.sources]
    if not values and link.merge is None:  # of an output that has no source
        return None
    if large := _looked_into(values, link):
        word = link.merge or link.pick
        raise Combined(f"{word} looks into {called('', large)}: {NOT_LOOKED_INTO}", Combining(values, link))
    value = values[0] if link.merge is None else _merged(values, link)
    return value if link.pick is None or not isinstance(value, list) else _picked(value, link.pick)


def input_value(each: StepInput, look: Look) -> Any:
    """Return what flows to an input of a step.

    Raises:
        Unfit: Values do not go together as the template says.
        MergeDue: Somebody must look into large values for that.
    """
    try:
        value = value_of(each.link, look) if each.link else None
    except Combined as combined:
        raise merge_due(each.name, combined.due) from None
    except Unfit as unfit:
        raise Unfit(f"input {each.name}: {unfit}") from unfit
    return each.default if value is None else value


def nothing_found(pick: str) -> str:
    """Return how people hear that there is nothing to be picked."""
    return f"{pick} finds nothing that is not null"


def too_many_found(count: int) -> str:
    """Return how people hear that there is more than one."""
    return f"the_only_non_null finds {count} values that are not null"


def _looked_into(values: list[Any], link: Link) -> Mapping[str, Any] | None:
    """Return a large value into which must be looked for a link; None where there is none."""
    if link.merge == "merge_flattened":
        return next(filter(is_large, values), None)
    if link.merge is not None or link.pick is None or not is_large(values[0]) or not may_be_list(values[0]):
        return None
    has_nulls = item_type(parse_type(values[0]["type"])).optional
    return values[0] if has_nulls or link.pick != "all_non_null" else None


def _merged(values: list[Any], link: Link) -> list[Any]:
    if link.merge != "merge_flattened":
        return values
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _picked(values: list[Any], pick: str) -> Any:
    found = [value for value in values if value is not None]
    if pick == "all_non_null":
        return found
    if not found:
        raise Unfit(nothing_found(pick))
    if pick == "the_only_non_null" and len(found) > 1:
        raise Unfit(too_many_found(len(found)))
    return found[0]
