"""The lines of a list of steps: how each stands, since when, and how long it took."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from caroni_edge.manager.lifecycle import STEP, StepState
from caroni_edge.manager.pages.dataflows import InstanceCounts, count_instances
from caroni_edge.manager.pages.shapes import AttemptView, PartsView, StepView, WorkflowSummary
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.manager.templates.plan import Plan


class Counts(NamedTuple):
    """How many parts of a step are in which state; `running` is known of instances alone."""

    total: int
    completed: int
    failed: int = 0
    running: int = 0

    @property
    def sentence(self) -> str:
        """The same for people."""
        others = ((self.failed, "failed"), (self.running, "running"))
        said = [f"{count:,} {word}" for count, word in others if count]
        return ", ".join([f"{self.completed:,} of {self.total:,} completed", *said])

    @property
    def short(self) -> str:
        """The same where there is little room."""
        return f"{self.completed}/{self.total}" + (f", {self.failed} failed" if self.failed else "")


class StepLine(NamedTuple):
    """A step in a list.

    Attributes:
        path: Its path in the run.
        job_type: What its jobs, or those of its instances, run; empty where they are no jobs.
        view: What there is to say of it.
        runs: That, or `workflow`, or `expression`.
        kind: `job`, `scatter`, `workflow` or `expression`: what is inside.
        counts: How many of its parts are in which state; None where it has none.
        waits_since: Since when it is in its state, while it waits for something and that is known.
        began: When the job began that counts, or runs.
        ended: When that ended.
        duration_s: Between these.
    """

    path: str
    job_type: str
    runs: str
    view: StepView
    kind: str
    counts: Counts | None
    waits_since: str | None
    began: str | None
    ended: str | None
    duration_s: float | None


def lines_of(
    views: ManagerViews, workflow: ShownWorkflow, run: WorkflowSummary, rows: Iterable[ShownStep]
) -> list[StepLine]:
    """Return the lines for steps, in their order."""
    plan, kept = views.plan(workflow), [row._replace(outputs=None) for row in rows]  # which may be large
    shown = views.step_views(workflow, kept)
    lines = []
    for row in kept:
        view, kind, step = shown[row.path], kind_of(plan, row), plan.step_at(row.name)
        attempt = _counting(view)
        began, ended = (attempt["started"], attempt["ended"]) if attempt else (None, None)
        instances = count_instances(views, row) if kind == "scatter" and row.parts is not None else None
        lines.append(
            StepLine(
                path=row.path,
                job_type=step.job_type,
                runs=step.job_type or step.kind,
                view=view,
                kind=kind,
                counts=counts_of(view["parts"], instances),
                waits_since=_waits_since(view, run, is_first=not step.waits_for and row.path == row.name),
                began=began,
                ended=ended,
                duration_s=seconds_between(began, ended),
            )
        )
    return lines


def kind_of(plan: Plan, row: ShownStep) -> str:
    """Tell whether a step is a job or an expression, has instances, or runs a workflow, as `GraphNode` says it."""
    step = plan.step_at(row.name)
    if step.scatter and not row.path.endswith("]"):
        return "scatter"
    return step.kind


def counts_of(parts: PartsView | None, instances: InstanceCounts | None) -> Counts | None:
    """Return how many parts are in which state, as far as that is counted."""
    if parts is None:
        return None
    if instances is None:
        return Counts(parts["count"], parts["completed"])
    return Counts(parts["count"], instances["completed"], instances["failed"], instances["running"])


def _counting(view: StepView) -> AttemptView | None:
    """Return the attempt that has decided the state of a step, or is the present one."""
    attempts = view["attempts"]
    return next((each for each in attempts if each["status"] == "completed"), attempts[-1] if attempts else None)


def _waits_since(view: StepView, run: WorkflowSummary, *, is_first: bool) -> str | None:
    """Return since when a step waits; without an attempt that is known of those that wait for no other one."""
    status, attempts = view["status"], view["attempts"]
    if not STEP[status] or status in (StepState.RUNNING, StepState.FAILED) or view["waiting_for"]:
        return None
    if status is StepState.FULFILLED:
        return attempts[-1]["placed"] if attempts else None
    if not attempts:
        return run["started"] if is_first else None
    return attempts[-1]["ended"] or attempts[-1]["placed"]


def seconds_between(began: str | None, ended: str | None) -> float | None:
    """Return the seconds between two dates; None while one of them is not known."""
    if began is None or ended is None:
        return None
    return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
