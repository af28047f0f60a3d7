"""Gives files to the manager that a workflow is submitted to, where only a broker is named, until it has them all."""

from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from caroni_edge.base.errors import CaroniError
from caroni_edge.cli import _by_broker
from caroni_edge.cli._context import Place
from caroni_edge.cli._output import say
from caroni_edge.cli._progress import progress

if TYPE_CHECKING:
    from caroni_edge.client.giving import Files
    from caroni_edge.client.submission import Submission, WorkflowEvent

LOOK_EVERY_S = 10.0
ASKED_WITHIN_S = 60.0
"""So soon a manager asks that lacks files, if the broker carries its questions."""


class NotGiven(CaroniError):
    """{workflow}: {what}."""

    hint = "{advice}"
    exit_status = 3


class Cancelled(CaroniError):
    """{workflow} was cancelled: {reason}."""


def first_event(
    submission: "Submission",
    workflow: str,
    place: Place,
    to_give: "Files",
    timeout_s: float | None,
    *,
    wait: bool,
) -> "WorkflowEvent | None":
    """Return the event by which the manager says that it has the workflow, and its files if there are any to be given.

    None where it has not said so, which is said.

    Raises:
        CaroniError: It is not known that the workflow will start, or it does not.
    """
    if to_give:
        return Giving(submission, workflow, place.manager or "").run(to_give, timeout_s)
    return _by_broker.first_event(submission, workflow, timeout_s, wait=wait)


class Giving:
    """What is said to people while files are given."""

    def __init__(self, submission: "Submission", workflow: str, manager: str) -> None:
        """Give the files of `submission`."""
        assert submission.giver is not None
        self._submission, self._giver, self._workflow, self._manager = submission, submission.giver, workflow, manager
        self._said = ""
        self._begun_at = inf

    def run(self, uploads: "Files", timeout_s: float | None) -> "WorkflowEvent":
        """Stay until the manager has all files; return the event by which it says so.

        Raises:
            NotGiven: It has not got all of them in time.
            Cancelled: It does not wait for them any more.
        """
        give_up_at = inf if timeout_s is None else monotonic() + timeout_s
        names = [path.name for path in uploads.values() if isinstance(path, Path)]
        called = names[0] if len(names) == len(uploads) == 1 else f"{len(names)} files"
        size = sum(each.size for each in uploads)
        with progress(called, size, f"fetched by {self._manager}") as self._giver.advance:
            try:
                return self._until_taken(give_up_at)
            except KeyboardInterrupt:
                self._say("the manager has not fetched all files, so it does not begin")
                raise click.Abort from None

    def _until_taken(self, give_up_at: float) -> "WorkflowEvent":
        while (left_s := give_up_at - monotonic()) > 0:
            event = next(self._submission.events(min(LOOK_EVERY_S, left_s), self._cut), None)
            if event is None:
                self._look()
            elif self._submission.giver is not None:
                self._begun_at = min(self._begun_at, monotonic())
                self._say(str(event.data.get("reason")))
            elif event.type == "caroni.workflow.cancelled":
                raise Cancelled("", workflow=self._workflow, reason=event.data.get("reason") or "by somebody")
            else:
                return event
        what = "the manager has not fetched all files within --timeout"
        raise NotGiven("", workflow=self._workflow, what=what, advice="It does not begin.")

    def _cut(self, why: str) -> None:
        self._say(f"disconnected: {why}")

    def _look(self) -> None:
        """Say what it waits for, if anything."""
        manager, found = self._manager, self._submission
        if found.trouble:
            return
        if found.manager is None:
            self._say(f"nothing was heard of a manager {manager} at this broker; its files wait here for it")
        elif not found.manager.online:
            self._say(f"the manager {manager} is away; its files wait here for it")
        elif self._begun_at == inf:
            topic = found.topic
            self._say(
                f"the manager {manager} is there and does not answer; may you write to {topic}, and read its events?"
            )
        elif not self._giver.was_asked and monotonic() >= self._begun_at + ASKED_WITHIN_S:
            rights = f"the broker must let you read {self._giver.asks} and write to {self._giver.answers}"
            self._say(
                f"no question of the manager {manager} for the files has come; {rights} (caroni-edge broker-config)"
            )

    def _say(self, line: str) -> None:
        if line != self._said:
            say(f"{self._workflow}: {line}", err=True)
        self._said = line
