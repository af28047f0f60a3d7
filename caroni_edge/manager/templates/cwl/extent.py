"""How large a template is with all workflows that are nested in it, and whether that is too large."""

from collections.abc import Mapping
from dataclasses import dataclass

from caroni_edge.manager.templates.cwl.drafts import Draft
from caroni_edge.protocol.fields import NAME_MAX_CHARS

STEPS_MAX = 10_000
"""Most steps of a template. Those of a nested workflow count once for each step that runs it, as in the plan."""
INDEX_CHARACTERS = len("[12345678]")
"""What `scatter_index` adds to the path of an instance at most."""


@dataclass(frozen=True)
class Extent:
    """How large a workflow is.

    Attributes:
        steps: How many steps it has, those of nested workflows included.
        longest: Length of the longest path that one of them may have, in characters.
    """

    steps: int = 0
    longest: int = 0


def measure(draft: Draft, nested: Mapping[str, Extent]) -> Extent:
    """Return how large a workflow is, and note where it becomes too large.

    What is too large counts as nothing from there on, so that it is told once.

    Args:
        draft: The workflow.
        nested: How large the workflows are that its steps run, by the names of the steps.
    """
    steps, longest = 0, 0
    for name, step in draft.steps.items():
        inner = nested.get(name, Extent())
        before, steps = steps, steps + 1 + inner.steps
        if before <= STEPS_MAX < steps:
            words = f"here the template comes to {steps} steps, and {STEPS_MAX} are the most"
            step.place.at("run").error(f"{words}: those of a workflow count once for each step that runs it")
        length = len(name) + (INDEX_CHARACTERS if step.scatter else 0) + (1 + inner.longest if inner.steps else 0)
        if length > NAME_MAX_CHARS:
            words = f"the paths of the steps inside may have {length} characters, and {NAME_MAX_CHARS} are the most"
            step.place.at("run").error(f"{words}: shorten the names of the steps")
            length = 0
        longest = max(longest, length)
    return Extent(steps if steps <= STEPS_MAX else 0, longest)
