"""What the recorded end of a process says of its job."""

from pathlib import Path

import pytest

from caroni_edge.agent.keeper.records import EXITED, JOBS, TIMEOUT, Exit
from caroni_edge.agent.processes import logfiles
from caroni_edge.agent.processes.ends import About, conclude
from caroni_edge.agent.processes.outcome import Completed, Failed
from caroni_edge.agent.processes.outputs import Declared

LEFT = "what it started could not be ended and may still run: process 4711"
NOTHING = About(Declared({}, 1000), ["a note"])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / JOBS / "job12345"
    made.mkdir(parents=True)
    (made / "stderr").write_text("err\n")
    return made


def end(kind: str, status: int, reason: str = "", notes: str = "") -> Exit:
    return Exit("job12345", "boot", 2.0, kind, status, reason, 1.0, notes=notes)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (end(EXITED, 3), "exit status 3"),
        (end(EXITED, 3, notes=LEFT), f"exit status 3; {LEFT}"),
        (end(TIMEOUT, -15, "ended after its timeout of 1s", LEFT), f"ended after its timeout of 1s; {LEFT}"),
        (end(EXITED, 3, notes=f"one\n{LEFT}"), f"exit status 3; one; {LEFT}"),
    ],
)
def test_what_could_not_be_ended_is_said_of_an_attempt_that_failed(
    tmp_path: Path, directory: Path, ended: Exit, reason: str
) -> None:
    outcome = conclude(str(tmp_path), ended, NOTHING).outcome
    assert outcome == Failed(reason, ended.status, "err\n", 1.0)


def test_what_could_not_be_ended_is_in_the_log_of_one_that_completed(tmp_path: Path, directory: Path) -> None:
    assert conclude(str(tmp_path), end(EXITED, 0, notes=LEFT), NOTHING).outcome == Completed("{}", 1.0)
    text, _ = logfiles.chunk(str(directory), 0, 1000, has_ended=True)
    assert text.decode() == f"err\ncaroni-edge: a note\ncaroni-edge: {LEFT}\n"
