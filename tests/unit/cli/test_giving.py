"""What `submit` says while it gives files to a manager by the broker alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from caroni_edge.cli import _giving
from caroni_edge.cli._giving import Cancelled, Giving, NotGiven
from caroni_edge.client.submission import WorkflowEvent
from caroni_edge.objects.objects import Object

FILES = {Object("a" * 64, 5_000_000): Path("m31.fits")}
HELD = WorkflowEvent("caroni.workflow.held", {"reason": "waits for a file from submit-x", "lacks_files": True})
STARTED = WorkflowEvent("caroni.workflow.started", {})
Happening = WorkflowEvent | BaseException | str | None
"""An event, an exception, why the connection is gone, or nothing for a while."""


class FakeSubmission:
    """Lets happen what a test says, one a look."""

    def __init__(self, *happenings: Happening) -> None:
        self._left = [*happenings]
        self.giver: Any = SimpleNamespace(was_asked=False, advance=None, asks="asks/here", answers="answers/there")
        self.manager: Any = SimpleNamespace(online=True)
        self.trouble, self.topic = "", "the/topic"

    def events(self, _give_up_s: float | None, on_disconnect: Callable[[str], object]) -> Iterator[WorkflowEvent]:
        match self._left.pop(0):
            case BaseException() as error:
                raise error
            case str(why):
                on_disconnect(why)
            case WorkflowEvent() as event:
                if "lacks_files" not in event.data:
                    self.giver = None
                yield event


def give(submission: FakeSubmission, timeout_s: float | None = None) -> WorkflowEvent:
    found: Any = submission
    return Giving(found, "w1", "m1").run(FILES, timeout_s)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_it_stays_until_the_manager_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert give(FakeSubmission(HELD, None, STARTED)) is STARTED
    assert said(capsys) == ["w1: waits for a file from submit-x", "m31.fits: 5000000 bytes fetched by m1"]


def test_a_cut_is_said_once_and_survived(capsys: pytest.CaptureFixture[str]) -> None:
    assert give(FakeSubmission(HELD, "gone", "gone", STARTED)) is STARTED
    assert said(capsys)[1:2] == ["w1: disconnected: gone"]


def test_a_workflow_that_is_given_up_ends_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    cancelled = WorkflowEvent("caroni.workflow.cancelled", {"reason": "other bytes"})
    with pytest.raises(Cancelled, match="w1 was cancelled: other bytes"):
        give(FakeSubmission(HELD, cancelled))
    assert "m31.fits: 5000000 bytes fetched by m1" not in said(capsys)


def test_who_ends_it_hears_that_the_workflow_does_not_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.Abort):
        give(FakeSubmission(HELD, KeyboardInterrupt()))
    assert said(capsys)[-1] == "w1: the manager has not fetched all files, so it does not begin"


def test_after_the_time_it_gives_up() -> None:
    with pytest.raises(NotGiven, match="has not fetched all files within --timeout"):
        give(FakeSubmission(), 0.0)


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        (None, "nothing was heard of a manager m1 at this broker; its files wait here for it"),
        (SimpleNamespace(online=False), "the manager m1 is away; its files wait here for it"),
        (SimpleNamespace(online=True), "the manager m1 is there and does not answer; may you write to the/topic, and"),
    ],
)
def test_what_it_waits_for_is_said(capsys: pytest.CaptureFixture[str], manager: Any, words: str) -> None:
    submission = FakeSubmission(None, None, STARTED)
    submission.manager = manager
    give(submission)
    first, done = said(capsys)
    assert first.startswith(f"w1: {words}")
    assert done.startswith("m31.fits")


def test_rights_that_may_lack_at_the_broker_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_giving, "ASKED_WITHIN_S", 0.0)
    give(FakeSubmission(HELD, None, STARTED))
    assert "the broker must let you read asks/here and write to answers/there" in said(capsys)[1]
