"""The end of a job in a box is the end of all that came of it; and so is the end of its keeper."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from caroni_edge.agent.boxes.strength import Choice, Strength
from tests.escapes import ATTACKS, HIDDEN, escape, sleeper_in, survivors
from tests.runners import TIMEOUT_S, Agent, failure_of, outputs_of, reason_of
from tests.support import wait_until

PYTHON = "/usr/bin/python3"
STRENGTHS = pytest.mark.parametrize("strength", [Strength.SHARED, Strength.EACH])


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    (tmp_path / "programs").mkdir()
    return sleeper_in(tmp_path / "programs")


def start(agent: Agent, sleeper: Path, strength: Strength, then: str, limits: str = "{}", bounds: str = "") -> None:
    """Start a job that does all that keeps something alive, and then something else."""
    lines = [
        line for what in (*ATTACKS.values(), *HIDDEN.values()) for line in escape(sleeper, what, PYTHON).split("\n")
    ]
    script = "".join(f"  {line}\n" for line in [*lines, "touch ready", then])
    alone = f"read: [{sleeper.parent}]" if strength is Strength.EACH else ""
    text = f"limits: {limits}\nsandbox: {{{bounds}{alone}}}\ninterpreter: [/bin/bash]\nscript: |\n{script}"
    agent.runner.start(replace(agent.order("job12345", text), box=Choice(strength)))


def started(agent: Agent, sleeper: Path, strength: Strength, then: str, bounds: str = "") -> None:
    """The same, and wait until all of that is there."""
    start(agent, sleeper, strength, then, bounds=bounds)
    wait_until((agent.work("job12345") / "ready").exists, TIMEOUT_S, "the job to be ready")


@STRENGTHS
def test_nothing_outlives_success(boxed: Agent, sleeper: Path, strength: Strength) -> None:
    started(boxed, sleeper, strength, "exit 0")
    assert outputs_of(boxed.end("job12345")) == {}
    assert survivors(sleeper) == []


@STRENGTHS
def test_nothing_outlives_a_timeout(boxed: Agent, sleeper: Path, strength: Strength) -> None:
    start(boxed, sleeper, strength, "sleep 600", limits="{timeout: 3s}")
    assert reason_of(boxed.end("job12345")) == "ended after its timeout of 3s"
    assert survivors(sleeper) == []


@STRENGTHS
def test_nothing_outlives_a_kill(boxed: Agent, sleeper: Path, strength: Strength) -> None:
    started(boxed, sleeper, strength, "sleep 600")
    boxed.runner.kill("job12345", "enough")
    assert reason_of(boxed.end("job12345")) == "enough"
    assert survivors(sleeper) == []


@STRENGTHS
def test_a_box_has_no_more_processes_than_it_may(boxed: Agent, sleeper: Path, strength: Strength) -> None:
    then = "for i in $(seq 60); do sleep 600 & done; wait"
    started(boxed, sleeper, strength, then, bounds="processes: 80, ")
    assert failure_of(boxed.end("job12345")).reason.endswith(" processes, and may have 80")
    assert survivors(sleeper) == []


def test_nothing_outlives_the_keeper_of_a_box(boxed: Agent, sleeper: Path) -> None:
    """What nobody would find by a mark ends too: the kernel ends all that is in the box."""
    started(boxed, sleeper, Strength.SHARED, "sleep 600")
    box = boxed.runner._keepers.shared
    assert box is not None
    os.kill(box.first, signal.SIGKILL)
    assert failure_of(boxed.end("job12345")).exit_code is None
    assert survivors(sleeper) == []
