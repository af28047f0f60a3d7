"""Which workflows a list, or a command on many of them, is about: the parameters of its query."""

import time
from datetime import UTC, datetime
from typing import Annotated

from litestar.params import FromQuery, QueryParameter

from caroni_edge.config.units import duration
from caroni_edge.documents.documents import nearest
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.listed import WorkflowFilter
from caroni_edge.protocol.labels import read_label
from caroni_edge.web.problems import Problem

TEXT_MAX_CHARS = 200

Status = Annotated[str | None, QueryParameter(description=f"Their state: {', '.join(WorkflowState)}.")]
Since = Annotated[
    str | None,
    QueryParameter(description="Created then or later: a date as `2026-01-31T12:00:00Z`, or an age as `24h`."),
]
Text = Annotated[
    str | None,
    QueryParameter(max_length=TEXT_MAX_CHARS, description="Is in their inputs, in capitals or not."),
]
Label = Annotated[str | None, QueryParameter(description="They have this label, as `cruise=42`.")]


def read_filter(
    status: Status = None,
    template: FromQuery[str | None] = None,
    agent: FromQuery[str | None] = None,
    since: Since = None,
    text: Text = None,
    label: Label = None,
) -> WorkflowFilter:
    """Return the filter that a query is; an empty parameter, as of a form, is none."""
    if status and status not in [*WorkflowState]:
        raise Problem(
            400, f"status must be one of {', '.join(WorkflowState)}{nearest(status, WorkflowState)}", "status"
        )
    state, date = WorkflowState(status) if status else None, read_since(since or None, time.time())
    return WorkflowFilter(state, template or None, agent or None, date, text or None, read_filter_label(label))


def read_filter_label(text: str | None) -> str | None:
    """Return the label that a text names, as it is kept; None for none.

    Raises:
        Problem: It is no label.
    """
    try:
        return "=".join(read_label(text)) if text else None
    except ValueError as error:
        raise Problem(400, str(error), "label") from None


def read_since(text: str | None, now: float) -> float | None:
    """Return the date that a text names.

    Args:
        text: A date, UTC where it does not say otherwise; or an age as `24h`.
        now: The date now.

    Raises:
        Problem: It is neither.
    """
    if text is None:
        return None
    try:
        return now - duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        said = "since must be a date such as 2026-01-31T12:00:00Z, or an age such as 24h"
        raise Problem(400, said, "since") from None
