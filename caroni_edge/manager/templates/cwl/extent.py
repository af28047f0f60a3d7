"""How large a template is with all the workflows that are nested in it, and whether it is too large."""

from collections.abc import Mapping
from dataclasses import dataclass

from caroni_edge.manager.templates.cwl.drafts import Draft
from caroni_edge.protocol.messages import LONGEST_NAME

STEPS_MAX = 10_000
"""Of a template, those of a nested workflow counted once for each step that runs it: its plan holds them so often."""
INDEX_CHARACTERS = len("[12345678]")
"""What the number of an instance adds to a path."""


@dataclass(frozen=True)
class Extent:
    """How large a workflow is.

    Attributes:
        steps: How many it has, with those of nested workflows.
        longest: So many characters may the path of one of them have.
    """

    steps: int = 0
    longest: int = 0


def measure(draft: Draft, nested: Mapping[str, Extent]) -> Extent:
    """Return how large a workflow is, and note where it becomes too large; that is told once, and not counted on.

    Args:
        draft: The workflow.
        nested: What its steps run, by their names, where these are workflows.
    """
    steps, longest = 0, 0
    for name, step in draft.steps.items():
        inner = nested.get(name, Extent())
        before, steps = steps, steps + 1 + inner.steps
        if before <= STEPS_MAX < steps:
            words = f"here the template comes to {steps} steps, and {STEPS_MAX} are the most"
            step.place.at("run").error(f"{words}: those of a workflow count once for each step that runs it")
        length = len(name) + (INDEX_CHARACTERS if step.scatter else 0) + (1 + inner.longest if inner.steps else 0)
        if length > LONGEST_NAME:
            words = f"the paths of the steps inside may have {length} characters, and {LONGEST_NAME} are the most"
            step.place.at("run").error(f"{words}: shorten the names of the steps")
            length = 0
        longest = max(longest, length)
    return Extent(steps if steps <= STEPS_MAX else 0, longest)
