"""What real jobs use: looked at while they run, and known when they have ended."""

import os

from caroni_edge.agent.processes.usage import usage_of
from tests.runners import WAIT, Agent

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
