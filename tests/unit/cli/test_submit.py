"""`submit`: what it says of a workflow that it follows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli
from caroni_edge.client import submission
from caroni_edge.client.submission import Rejected, WorkflowEvent

FORGED = "it broke\x1b[2J\nw1: completed"
SHOWN = r"it broke\x1b[2J\nw1: completed"


def submit(monkeypatch: pytest.MonkeyPatch, *events: WorkflowEvent | Exception) -> Result:
    """Submit a workflow to a manager that answers with these events."""

    class Answered(submission.Submission):
        def __enter__(self) -> "Answered":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def events(self, _give_up_s: float | None, _on_disconnect: Callable[[str], Any]) -> Iterator[WorkflowEvent]:
            while left:
                event = left.pop(0)
                if isinstance(event, Exception):
                    raise event
                yield event

    left = list(events)
    monkeypatch.setattr(submission, "Submission", Answered)
    arguments = ["submit", "one", "--id", "w1", "--broker", "mqtt://127.0.0.1", "--manager", "m1", "--wait"]
    return CliRunner().invoke(cli.main, arguments)


def test_reasons_of_others_command_no_terminal_and_forge_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    retried = WorkflowEvent("caroni.step.retried", {"workflow": "w1", "step": "s", "agent": "a1", "reason": FORGED})
    failed = WorkflowEvent("caroni.workflow.failed", {"workflow": "w1", "reason": FORGED})
    done = submit(monkeypatch, WorkflowEvent("caroni.workflow.started", {}), retried, failed)
    assert done.stderr.splitlines() == ["w1: taken", f"w1/s: retried on a1: {SHOWN}", f"w1: failed: {SHOWN}"]
    assert (done.stdout, done.exit_code) == ("", 1)


def test_a_refusal_is_cleaned_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    done = submit(monkeypatch, Rejected("", reason="no\x1b[2J"))
    assert done.stderr.splitlines() == [r"The manager refused the workflow: no\x1b[2J.", "  Nothing was started."]
    assert done.exit_code == 1


@pytest.mark.parametrize(("content", "said"), [(b"\xff", "is not UTF-8"), (b"\n", "is empty"), (b"a\nb", "lines")])
def test_a_file_without_a_password_is_an_error_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    arguments = ["submit", "one", "--broker", "mqtt://127.0.0.1", "--manager", "m1", "--password-file", str(path)]
    done = CliRunner().invoke(cli.main, arguments)
    assert done.stderr.startswith(f"--password-file: {path} ")
    assert said in done.stderr
    assert done.exit_code == 2
