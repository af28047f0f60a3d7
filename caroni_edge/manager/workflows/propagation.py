"""What follows from one event in a workflow, as items that are worked off one after the other (`Engine.follow`)."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from caroni_edge.base.moment import Moment
from caroni_edge.manager.lifecycle import ENDED
from caroni_edge.manager.store.jobs import JobRow
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.templates.plan import Plan


class Ready(NamedTuple):
    """To be done: begin a step, all data of which is there."""

    step: StepRow


class Done(NamedTuple):
    """To be done: complete a step with these outputs, of its `job`, parts or expression, or skipped (`reason`)."""

    step: StepRow
    outputs: dict[str, Any]
    job: JobRow | None = None
    reason: str | None = None


class PartsDone(NamedTuple):
    """To be done: put the outputs of a step together, all parts of which have completed."""

    step: int


class StepFailed(NamedTuple):
    """To be done: let a step fail, for a reason that another attempt would not mend."""

    step: StepRow
    reason: str


WorkItem = Ready | Done | PartsDone | StepFailed
"""What is to be done next; `Engine` works such items off until none follows."""


@dataclass
class Propagation:
    """One event in a workflow, while all that follows from it is worked out; keeps what is read on the way.

    Attributes:
        row: The workflow as it is now.
        plan: What it runs by.
        at: The time.
        inputs: Inputs of the workflow (0), and of nested workflows by the id of the step that runs them.
        outputs: Outputs of steps by their paths.
        fed: Jobs that have their inputs already, as the agent says whose job has completed.
    """

    row: WorkflowRow
    plan: Plan
    at: Moment
    inputs: dict[int, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    fed: frozenset[str] = frozenset()

    @property
    def goes_on(self) -> bool:
        """Whether steps of the workflow may begin: it has not ended."""
        return self.row.status not in ENDED
