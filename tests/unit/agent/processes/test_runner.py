"""The runner without a keeper: what becomes of a job that is killed while its files are staged."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from caroni_edge.agent.jobtypes import parse_job_type
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import JobEnded, JobNews, JobOrder
from caroni_edge.agent.processes.runner import Runner
from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import object_value

JOB = "job12345"
OBJECT = Object(sha256(b"").hexdigest(), 0)


def order(tmp_path: Path) -> JobOrder:
    job_type = parse_job_type("name: take\ninputs: {file: File}\nscript: cat\n", tmp_path / "take.yaml")
    inputs = {"file": object_value("a.fits", OBJECT, "0" * 40)}
    return JobOrder(JOB, job_type, inputs, "w1", "s1", 1, "m1", objects=(OBJECT,))


def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Runner], None]) -> list[JobNews]:
    """Return what is told of a job while whose only file is staged something happens."""
    told: list[JobNews] = []
    runner = Runner(tmp_path, "a1", told.append, lambda _: None, {})

    def lend(_found: Object, path: str, *, link: bool, executable: bool) -> None:
        assert not link
        assert not executable
        Path(path).touch()
        meanwhile(runner)

    monkeypatch.setattr(runner.files.store, "lend", lend)
    runner.start(order(tmp_path))
    runner.files.put(runner.files.close)
    runner.files.run()
    return told


def test_a_job_that_is_killed_while_its_files_are_staged_never_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ended] = staged(tmp_path, monkeypatch, lambda runner: runner.kill(JOB, "not wanted"))
    assert isinstance(ended, JobEnded)
    assert (ended.job, ended.outcome) == (JOB, NeverBegan("not wanted"))
    assert not (tmp_path / "jobs" / JOB).exists()


def test_the_log_of_a_job_whose_files_are_staged_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[bytes, bool]] = []
    staged(tmp_path, monkeypatch, lambda runner: read.append(runner.log_chunk(JOB, 0, 100)))
    assert read == [(b"", False)]
