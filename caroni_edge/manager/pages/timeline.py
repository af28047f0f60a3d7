"""When each step of a workflow was placed, began and ended: data for a timeline."""

from collections.abc import Sequence
from typing import TypedDict

from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.pages.shapes import PartsView
from caroni_edge.manager.pages.views import ManagerViews, parts_of
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow


class Span(TypedDict):
    """One attempt of a step: from its placing to its end, as far as it is known; times are RFC 3339, UTC."""

    attempt: int
    agent: str
    status: str
    placed: str
    started: str | None
    ended: str | None


class TimelineStep(TypedDict):
    """A step with its attempts in order; one that has parts has none of its own."""

    path: str
    status: StepState
    job_type: str | None
    parts: PartsView | None
    spans: list[Span]


class Timeline(TypedDict):
    """Steps of a workflow by path, with its own beginning and end; `next` is the `after` of the next page."""

    started: str | None
    ended: str | None
    steps: list[TimelineStep]
    next: str | None


def timeline(views: ManagerViews, workflow: ShownWorkflow, limit: int, after: str) -> Timeline:
    """Return a page of the timeline of a workflow."""
    rows, following = views.step_page(workflow, limit, after)
    summary = views.summaries([workflow])[0]
    steps = timeline_steps(views, rows)
    return Timeline(started=summary["started"], ended=summary["ended"], steps=steps, next=following)


def timeline_steps(views: ManagerViews, rows: Sequence[ShownStep]) -> list[TimelineStep]:
    """Return these steps with their attempts."""
    attempts = views.attempts(row.id for row in rows)
    return [
        TimelineStep(
            path=row.path,
            status=row.status,
            job_type=row.job_type or None,
            parts=parts_of(row),
            spans=[
                Span(
                    attempt=each["attempt"],
                    agent=each["agent"],
                    status=each["status"],
                    placed=each["placed"],
                    started=each["started"],
                    ended=each["ended"],
                )
                for each in attempts.get(row.id, [])
            ],
        )
        for row in rows
    ]
