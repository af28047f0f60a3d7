"""What real jobs use: looked at while they run, and known when they have ended."""

import os
from dataclasses import replace

import pytest

from caroni_edge.agent.boxes.strength import Choice, Strength
from caroni_edge.agent.processes.usage import usage_of
from tests.runners import TIMEOUT_S, WAIT, Agent
from tests.support import wait_until

BURN = """\
name: burn
interpreter: [/bin/sh]
script: |
  (i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & wait
"""


def test_a_job_that_has_ended_says_what_its_processes_have_used(agent: Agent) -> None:
    ended = agent.run("job12345", BURN)
    assert ended.cpu_s is not None
    assert ended.memory_bytes is not None
    assert 0.01 < ended.cpu_s < 60.0
    assert 100_000 < ended.memory_bytes < 1 << 30


def test_a_job_that_could_not_be_started_has_used_nothing(agent: Agent) -> None:
    ended = agent.run("job12345", "command: [/no/such/program]")
    assert (ended.cpu_s, ended.memory_bytes) == (None, None)


def test_a_job_that_runs_is_seen_with_all_of_its_processes(agent: Agent) -> None:
    pid = agent.started("job12345", WAIT)
    found = agent.runner.usage(["job12345", "job54321"])
    assert list(found) == ["job12345"]
    assert found["job12345"].memory_bytes > 100_000
    assert usage_of({pid: "it"})["it"].cpu_s >= found["job12345"].cpu_s
    agent.runner.kill("job12345", "enough")
    agent.end("job12345")
    assert agent.runner.usage(["job12345"]) == {}


def test_a_job_that_has_hidden_its_record_is_not_seen(agent: Agent) -> None:
    agent.started("job12345", WAIT)
    os.unlink(agent.directory("job12345") / "record")
    assert agent.runner.usage(["job12345"]) == {}


@pytest.mark.parametrize("strength", list(Strength))
def test_what_is_used_in_a_box_is_seen_while_it_runs_and_known_at_its_end(boxed: Agent, strength: Strength) -> None:
    text = BURN.replace("wait", "wait; touch ready; while [ ! -e go ]; do sleep 0.01; done")
    boxed.runner.start(replace(boxed.order("job12345", text), box=Choice(strength)))
    wait_until((boxed.work("job12345") / "ready").exists, TIMEOUT_S, "the job to be ready")
    found = boxed.runner.usage(["job12345"])["job12345"]
    assert found.cpu_s > 0.01
    assert found.memory_bytes > 100_000
    boxed.go("job12345")
    ended = boxed.end("job12345")
    assert ended.cpu_s is not None
    assert ended.cpu_s > 0.01
    assert ended.memory_bytes is not None
    assert ended.memory_bytes > 100_000


def test_jobs_in_boxes_of_their_own_that_run_side_by_side_are_told_apart(boxed: Agent) -> None:
    for job, text in (("job12345", BURN), ("job54321", WAIT)):
        boxed.runner.start(replace(boxed.order(job, text), box=Choice(Strength.EACH)))
    used = {"job12345": boxed.end("job12345").cpu_s}
    boxed.go("job54321")
    used["job54321"] = boxed.end("job54321").cpu_s
    assert (used["job12345"] or 0) > 0.01
