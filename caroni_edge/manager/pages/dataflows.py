"""The graph of a workflow, and what flows through it: which output went where, with its value.

The shape comes from the plan, the states from rows. A scattered step is one node, however many instances it has; what
is inside of a nested workflow is a graph of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypedDict

import msgspec

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.pages.shapes import PartsView
from caroni_edge.manager.pages.views import ManagerViews, parts_of
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.manager.templates.plan import Link, Plan, PlanStep, Source
from caroni_edge.values.json import as_text

NODES_MAX = 1000
COUNTED_MAX = 2000
"""So many instances of a scatter are counted that have failed, or that nobody has taken; more are not made at once."""
VALUES_BYTES_MAX = 64 * 1024
"""Values of one step that take more as JSON are not looked at."""
VALUE_CHARS_MAX = 300


class InstanceCounts(TypedDict):
    """How many instances of a scattered step are in which state.

    Attributes:
        waiting: Nobody has them; most of a large scatter are not made yet.
        running: An agent has them; or their steps go on, where each is a workflow.
    """

    waiting: int
    running: int
    completed: int
    failed: int
    cancelled: int


class GraphNode(TypedDict):
    """A step in a graph.

    Attributes:
        name: Its name in its workflow.
        path: Its name in the whole one, as in `outer[3]/inner`.
        kind: What it is: a job, an expression, a scatter (one node for all its instances), or a nested workflow (a
            graph of its own).
        job_type: What an agent runs for it; None where it is no job.
        status: None while it does not exist: the workflow is held, or what it is in has not begun.
        parts: How far its parts are, once it has begun; None where it has none.
        instances: How many of these are in which state, for a scatter that has begun.
        reason: Why it has failed, is in doubt, or was skipped.
    """

    name: str
    path: str
    kind: str
    job_type: str | None
    status: StepState | None
    parts: PartsView | None
    instances: InstanceCounts | None
    reason: str | None


class GraphEdge(TypedDict):
    """What one node takes of another.

    Attributes:
        source: The step that gives it; None for the workflow's own inputs.
        target: The step that takes it; None for the workflow's own outputs.
        flows: What it takes, as `output → input`.
    """

    source: str | None
    target: str | None
    flows: list[str]


class Graph(TypedDict):
    """A workflow, or one that is nested in it, as a graph.

    Attributes:
        within: Path of the step that runs the nested one; None for the workflow itself.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        nodes: Each after all that it takes something of.
        left_out: How many steps more it has than nodes are shown.
    """

    within: str | None
    inputs: list[str]
    outputs: list[str]
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    left_out: int


class ShownValue(TypedDict):
    """A value for people.

    Attributes:
        text: As JSON, or its first characters; None while it is not there, or too large to be looked at.
        cut: There is more of it.
        bytes: Size of what it is kept in, when that is too large to be looked at.
    """

    text: str | None
    cut: bool
    bytes: int | None


class Dataflow(TypedDict):
    """One value that goes from one place to another.

    Attributes:
        source: The step that gives it; None for the workflow's own inputs.
        output: Name of the output, or of the workflow's input.
        target: The step that takes it; None for the workflow's own outputs.
        input: Name of the input, or of the workflow's output.
        scattered: Each instance of the target takes one item of it.
        changed: An expression, or several sources together, make the input of it.
        value: What flows.
    """

    source: str | None
    output: str
    target: str | None
    input: str
    scattered: bool
    changed: bool
    value: ShownValue


class DataflowPage(TypedDict):
    """What flows, in the order of the plan; `next` is the `after` of the next page."""

    within: str | None
    dataflows: list[Dataflow]
    next: str | None


class _Flow(NamedTuple):
    """A link from one place to another, before its value is looked up."""

    source: Source
    target: str | None
    input: str
    scattered: bool
    changed: bool


class Dataflows:
    """Shows the graph of a workflow, and what flows through it."""

    def __init__(self, views: ManagerViews, workflow: ShownWorkflow, within: ShownStep | None = None) -> None:
        """Show a workflow, or the one that its step `within` runs.

        Raises:
            KeyError: That step runs none.
        """
        self._views, self._row, self._within = views, workflow, within
        self._plan: Plan = views.plan(workflow).workflow_at(within.name if within else "")
        self._prefix = f"{within.path}/" if within else ""

    def graph(self) -> Graph:
        """Return the graph."""
        steps = self._plan.steps[:NODES_MAX]
        rows = {row.path: row for row in self._views.step_rows(self._row, [self._prefix + step.name for step in steps])}
        edges: dict[tuple[str | None, str | None], list[str]] = {}
        for flow in self._flows():
            said = f"{flow.source.output or flow.source.workflow_input} → {flow.input}"
            edges.setdefault((flow.source.step, flow.target), []).append(said)
        shown = {None, *(step.name for step in steps)}
        return Graph(
            within=self._within.path if self._within else None,
            inputs=[each.name for each in self._plan.inputs],
            outputs=[each.name for each in self._plan.outputs],
            nodes=[self._node(step, rows.get(self._prefix + step.name)) for step in steps],
            edges=[
                GraphEdge(source=source, target=target, flows=flows)
                for (source, target), flows in edges.items()
                if source in shown and target in shown
            ],
            left_out=len(self._plan.steps) - len(steps),
        )

    def page(self, limit: int, after: int) -> DataflowPage:
        """Return some of what flows; `after` is how many were shown before."""
        flows = list(self._flows())[after : after + limit + 1]
        shown = flows[:limit]
        names = {flow.source.step for flow in shown if flow.source.step is not None}
        kept = self._views.outputs_of(self._row, [self._prefix + name for name in names], VALUES_BYTES_MAX)
        inputs = self._inputs()
        return DataflowPage(
            within=self._within.path if self._within else None,
            dataflows=[
                Dataflow(
                    source=flow.source.step,
                    output=flow.source.output or flow.source.workflow_input or "",
                    target=flow.target,
                    input=flow.input,
                    scattered=flow.scattered,
                    changed=flow.changed,
                    value=_value(
                        inputs if flow.source.step is None else kept.get(self._prefix + flow.source.step, _NOT_THERE),
                        flow.source.output or flow.source.workflow_input or "",
                    ),
                )
                for flow in shown
            ],
            next=str(after + limit) if len(flows) > limit else None,
        )

    def _flows(self) -> Iterator[_Flow]:
        for step in self._plan.steps:
            for each in step.inputs:
                if each.link is not None:
                    changed = each.value_from is not None or _is_changed(each.link)
                    for source in each.link.sources:
                        yield _Flow(source, step.name, each.name, each.name in step.scatter, changed)
        for output in self._plan.outputs:
            for source in output.link.sources:
                yield _Flow(source, None, output.name, scattered=False, changed=_is_changed(output.link))

    def _node(self, step: PlanStep, row: ShownStep | None) -> GraphNode:
        kind = "scatter" if step.scatter else step.kind
        has_parts = row is not None and row.parts is not None
        return GraphNode(
            name=step.name,
            path=self._prefix + step.name,
            kind=kind,
            job_type=step.job_type or None,
            status=row.status if row else None,
            parts=parts_of(row) if row else None,
            instances=count_instances(self._views, row) if row and has_parts and kind == "scatter" else None,
            reason=(row.in_doubt or row.reason) if row else None,
        )

    def _inputs(self) -> tuple[str | None, int]:
        text = self._row.inputs if self._within is None else self._views.inputs_of(self._within)
        return (text if len(text) <= VALUES_BYTES_MAX else None), len(text)


def count_instances(views: ManagerViews, row: ShownStep) -> InstanceCounts:
    """Count the instances of a scattered step that has begun, from what is kept of them: there may be very many."""
    assert row.parts is not None
    untaken, failed = views.count_instances(row, COUNTED_MAX)
    completed, not_made = row.parts - row.parts_left, row.parts - row.made
    others = max(0, row.made - completed - untaken - failed)
    is_cancelled = row.status is StepState.CANCELLED
    return InstanceCounts(
        waiting=0 if is_cancelled else not_made + untaken,
        running=0 if is_cancelled else others,
        completed=completed,
        failed=failed,
        cancelled=row.parts - completed - failed if is_cancelled else 0,
    )


_NOT_THERE = ("{}", 0)


def _is_changed(link: Link) -> bool:
    return len(link.sources) > 1 or link.merge is not None or link.pick is not None


def _value(kept: tuple[str | None, int], name: str) -> ShownValue:
    text, size = kept
    if text is None:
        return ShownValue(text=None, cut=True, bytes=size)
    values: dict[str, msgspec.Raw] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    if name not in values:
        return ShownValue(text=None, cut=False, bytes=None)
    said = as_text(values[name])
    return ShownValue(text=said[:VALUE_CHARS_MAX], cut=len(said) > VALUE_CHARS_MAX, bytes=None)
