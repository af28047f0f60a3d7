"""Where the bars of a timeline begin and end."""

from datetime import UTC, datetime, timedelta

import pytest

from caroni_edge.base.dates import rfc3339
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.pages.timeline import Span, TimelineStep
from caroni_edge.manager.pages.timeline_chart import MARKS_MAX, chart

BEGIN = 1_700_000_000.0


def span(status: str, placed: float, started: float | None = None, ended: float | None = None) -> Span:
    """Make an attempt, with its dates in seconds after the beginning."""
    dates = [None if date is None else rfc3339(BEGIN + date) for date in (started, ended)]
    return Span(attempt=1, agent="a1", status=status, placed=rfc3339(BEGIN + placed), started=dates[0], ended=dates[1])


def step(*spans: Span) -> TimelineStep:
    return TimelineStep(path="a", status=StepState.RUNNING, job_type="a", parts=None, spans=[*spans])


def at(after_s: float) -> datetime:
    return datetime.fromtimestamp(BEGIN, UTC) + timedelta(seconds=after_s)


def test_an_attempt_waits_from_its_placing_and_runs_to_its_end() -> None:
    drawn = chart([step(span("failed", 0, 20, 50)), step(span("completed", 50, 60, 100))], at(1000))
    assert (drawn.length_s, drawn.began) == (100, rfc3339(BEGIN))
    ((first,), (second,)) = (row.bars for row in drawn.rows)
    assert first[1:] == (0, 20, 50, 30)
    assert second[1:] == (50, 60, 100, 40)


def test_an_axis_shows_the_whole_run_where_that_is_asked_for() -> None:
    shown = step(span("completed", 50, 75, 100))
    assert bar_of(shown, rfc3339(BEGIN), rfc3339(BEGIN + 200)) == (25, 37.5, 50)
    assert bar_of(shown, rfc3339(BEGIN), None) == (5, 7.5, 10)
    assert bar_of(shown, rfc3339(BEGIN + 60), rfc3339(BEGIN + 70)) == (0, 50, 100)


def bar_of(shown: TimelineStep, began: str, ended: str | None) -> tuple[float, float | None, float]:
    """Return where the bar of a step is on the axis of a run, after 1000 seconds."""
    (bar,) = chart([shown], at(1000), (began, ended)).rows[0].bars
    return bar.x, bar.begun, bar.end


def test_what_goes_on_reaches_to_now() -> None:
    drawn = chart([step(span("running", 0, 10)), step(span("queued", 40))], at(80))
    running, queued = (row.bars[0] for row in drawn.rows)
    assert (running.end, running.duration_s) == (100, None)
    assert (queued.x, queued.begun, queued.end) == (50, None, 100)


def test_an_attempt_that_was_lost_ends_where_it_was_heard_of_last() -> None:
    drawn = chart([step(span("killed", 0, 30), span("completed", 60, 70, 100))], at(500))
    assert drawn.rows[0].bars[0].end == 30


def test_a_clock_that_is_ahead_or_behind_draws_nothing_outside() -> None:
    drawn = chart([step(span("completed", 10, -5000, -4000)), step(span("running", 0, 5))], at(-100))
    for row in drawn.rows:
        for bar in row.bars:
            assert 0 <= bar.x <= 100
            assert 0 <= (bar.begun or 0) <= 100
            assert bar.end <= 101


def test_nothing_that_was_placed_has_no_axis() -> None:
    drawn = chart([step()], at(0))
    assert (drawn.began, drawn.marks, drawn.rows[0].bars) == (None, [], [])


@pytest.mark.parametrize("length_s", [0.01, 0.7, 3, 47, 4000, 86_000, 700_000, 50_000_000])
def test_an_axis_has_few_marks_at_round_times(length_s: float) -> None:
    drawn = chart([step(span("completed", 0, 0, length_s))], at(length_s))
    assert 1 <= len(drawn.marks) <= MARKS_MAX + 1
    assert drawn.marks[0] == (0, 0)
    assert all(0 <= mark.x <= 100 for mark in drawn.marks)
