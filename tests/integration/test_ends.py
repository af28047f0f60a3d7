"""The end of a job is the end of all that came of it, however it ends and whatever its processes have done to stay."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from caroni_edge.agent.keeper import job as keeper_job
from caroni_edge.agent.keeper.records import JOBS
from caroni_edge.agent.keeper.trees import Trees
from tests.escapes import ATTACKS, HIDDEN, asleep, escape, sleeper_in, survivors
from tests.keepers import InProcess, Keeper
from tests.runners import Agent, reason_of
from tests.support import wait_until

MakeKeeper = Callable[..., Keeper]


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    return sleeper_in(tmp_path)


EVERY = pytest.mark.parametrize("what", [*ATTACKS.values(), *HIDDEN.values()], ids=[*ATTACKS, *HIDDEN])
MARKED = pytest.mark.parametrize("what", ATTACKS.values(), ids=ATTACKS)


@EVERY
def test_nothing_outlives_success(keeper: Keeper, sleeper: Path, what: str) -> None:
    end = keeper.script("job12345", escape(sleeper, what) + "exit 0")
    assert survivors(sleeper) == []
    assert (end["kind"], end["status"], end["notes"]) == ("exited", 0, "")


@EVERY
def test_nothing_outlives_a_timeout(keeper: Keeper, sleeper: Path, what: str) -> None:
    end = keeper.script("job12345", escape(sleeper, what) + "sleep 600", timeout_s=1.0)
    assert survivors(sleeper) == []
    assert (end["kind"], end["notes"]) == ("timeout", "")


@EVERY
def test_nothing_outlives_a_kill(keeper: Keeper, sleeper: Path, what: str) -> None:
    keeper.started("job12345", escape(sleeper, what) + "sleep 600")
    keeper.send(do="kill", job="job12345", reason="enough")
    end = keeper.hear("exited", "job12345")
    assert survivors(sleeper) == []
    assert (end["kind"], end["reason"], end["notes"]) == ("killed", "enough", "")


@MARKED
def test_nothing_outlives_a_job_whose_keeper_was_killed(
    make_keeper: MakeKeeper, keeper: Keeper, sleeper: Path, what: str
) -> None:
    keeper.started("job12345", escape(sleeper, what) + "sleep 600")
    keeper.kill()
    second = make_keeper(keeper.state_dir)
    second.send(do="kill", job="job12345", reason="enough")
    assert second.hear("exited", "job12345")["notes"] == ""
    assert survivors(sleeper) == []


@MARKED
def test_nothing_outlives_a_job_that_ended_while_there_was_no_keeper(
    make_keeper: MakeKeeper, keeper: Keeper, sleeper: Path, what: str
) -> None:
    pid = keeper.started("job12345", escape(sleeper, what) + "sleep 600")
    keeper.kill()
    os.kill(pid, 9)
    second = make_keeper(keeper.state_dir)
    wait_until(lambda: second.exit_of("job12345"), what="the record of the end")
    assert survivors(sleeper) == []
    assert second.running() == []


@EVERY
def test_nothing_outlives_a_job_whose_agent_has_gone(
    make_keeper: MakeKeeper, keeper: Keeper, sleeper: Path, what: str
) -> None:
    keeper.started("job12345", escape(sleeper, what) + "while [ ! -e go ]; do sleep 0.01; done")
    keeper.close()
    (keeper.state_dir / JOBS / "job12345" / "work" / "go").touch()
    end = wait_until(lambda: keeper.exit_of("job12345"), what="the record of the end")
    assert survivors(sleeper) == []
    assert end is not None
    assert end.status == 0


def test_what_another_job_has_started_goes_on(keeper: Keeper, tmp_path: Path, sleeper: Path) -> None:
    (tmp_path / "mine").mkdir()
    mine, others = sleeper_in(tmp_path / "mine"), sleeper
    for what in ("two forks, and an empty environment", "a session"):
        keeper.started("other123", escape(others, ATTACKS[what]) + "while [ ! -e go ]; do sleep 0.01; done")
        staying = wait_until(lambda: asleep(others), what="what the other job has started")
        keeper.script("job12345", escape(mine, ATTACKS[what]))
        assert survivors(mine) == []
        assert survivors(others) == staying
        (keeper.state_dir / JOBS / "other123" / "work" / "go").touch()
        keeper.hear("exited", "other123")
        assert survivors(others) == []
        for job in ("other123", "job12345"):
            shutil.rmtree(keeper.state_dir / JOBS / job)


def test_who_has_hidden_whose_it_is_ends_with_the_first_job_that_may_have_started_it(
    keeper: Keeper, sleeper: Path
) -> None:
    keeper.started("other123", "echo ready; sleep 600")
    keeper.script("job12345", escape(sleeper, HIDDEN["all marks taken off"]))
    assert survivors(sleeper) == []
    assert keeper.running() == ["other123"]


def test_what_cannot_be_ended_is_said(in_process: InProcess, sleeper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_job, "ENDING_S", 0.05)
    with monkeypatch.context() as powerless:
        powerless.setattr(Trees, "end_rest_of", lambda *_, **__: None)
        end = in_process.run("job12345", escape(sleeper, ATTACKS["a session"]))
    [left] = wait_until(lambda: survivors(sleeper), what="what it has started to be the sleeper")
    os.kill(left, 9)
    assert end["status"] == 0
    assert end["notes"] == f"what it started could not be ended and may still run: process {left}"


def test_an_attempt_ends_before_the_next_one_begins(agent: Agent, sleeper: Path) -> None:
    text = f"limits: {{timeout: 500ms}}\nscript: |\n  setsid {sleeper} 300 & sleep 60\n"
    assert reason_of(agent.run("job12345", text)) == "ended after its timeout of 0.5s"
    assert survivors(sleeper) == []
