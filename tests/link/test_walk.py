"""Random walks over the link: with every fault that can be made, its promises hold (see `walk.py`)."""

import os
import subprocess
import sys

import pytest

from tests.link import schedule as schedules
from tests.link import walk as walks
from tests.link.variants import VARIANTS

CHUNK = 100


def check_seeds(first: int, count: int, *, nodes: int = 2, long: bool = False) -> None:
    """Walk some seeds; the first that fails is made short and shown."""
    for outcome in walks.walk_seeds(range(first, first + count), nodes, long):
        if outcome.problem:
            pytest.fail(walks.explain(schedules.make(outcome.seed, nodes=nodes, long=long)), pytrace=False)


@pytest.mark.parametrize("chunk", range(11))
def test_promises_hold_between_two_nodes(chunk: int) -> None:
    check_seeds(chunk * CHUNK, CHUNK)


@pytest.mark.parametrize("chunk", range(3))
def test_promises_hold_among_three_nodes(chunk: int) -> None:
    check_seeds(chunk * CHUNK, CHUNK, nodes=3)


@pytest.mark.parametrize("chunk", range(4))
def test_promises_hold_for_long(chunk: int) -> None:
    check_seeds(chunk * CHUNK // 4, CHUNK // 4, long=True)


def test_faults_reach_all_that_can_go_wrong() -> None:
    made = [schedules.make(seed) for seed in range(200)]
    assert {operation.name for schedule in made for operation in schedule.operations} == schedules.ALL.keys()
    worlds = [schedules.run(schedule) for schedule in made]
    assert sum(sum(world.resets.values()) for world in worlds) > 20
    said = {str(what) for world in worlds for _, template, facts in world.trace for what in (template, *facts)}
    assert {"{} ends", "connection lost", "storage error", "is the other one now", "goes on from its snapshot"} <= said


def test_same_seed_gives_the_same_trace_in_every_process() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-m", "tests.link.walk", "--seeds", "11", "--nodes", "3"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(traces) == 1
    assert "the faults stop" in traces.pop()


def test_failing_seed_is_made_short() -> None:
    with VARIANTS["no_link_reset"]():
        failed = next(outcome for outcome in walks.walk_seeds(range(200), 2, long=False) if outcome.problem)
        schedule = schedules.make(failed.seed)
        short = walks.shorten(schedule)
        assert walks.walk(short).problem
        assert len(short.operations) < len(schedule.operations) / 2
        assert walks.explain(schedule).startswith(f"seed {failed.seed}: ")


def test_command_prints_the_figures_and_fails_with_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert walks.main(["--seeds", "0:20"]) == 0
    assert capsys.readouterr().out.startswith("20 schedules of 2 nodes in ")
    with VARIANTS["rows_deleted_at_puback"]():
        assert walks.main(["--seeds", "0:20", "--failures", "1"]) == 1
    assert "violations" in capsys.readouterr().out
