"""The runner and jobs that do something to what is in their reach: each ends, and nothing else is touched."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caroni_edge.agent.keeper.records import RUNNING
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.workspace import Launch, Workspaces
from tests.keepers import is_alive
from tests.runners import TIMEOUT_S, UPPER, WAIT, Agent, MakeAgent, failure_of, outputs_of, reason_of
from tests.support import ordinary_rights, wait_until

TAKE_AWAY = {
    "the log's tail is a pipe": "mkfifo ../log.tail",
    "the log's tail is a directory": "mkdir -p ../log.tail/in",
    "the log's tail is a link": 'ln -s "$VICTIM" ../log.tail',
    "the log's tail is a loop": "ln -s log.tail ../log.tail",
    "standard error is a pipe": "rm -f ../stderr; mkfifo ../stderr",
    "standard output is a link": 'ln -sf "$VICTIM" ../stdout',
    "the record is a pipe": "rm ../record; mkfifo ../record",
    "the record is a directory": "rm ../record; mkdir -p ../record/in",
    "the record is a link": 'ln -sf "$VICTIM" ../record',
    "the record may not be used": "chmod 0 ../record",
    "the directory may not be used": "chmod 0 ..",
    "the directory may not be written to": "chmod 500 .. .",
}
REPLACE = {
    "the directory is gone": 'rm -rf "$HERE"',
    "the directory is a link": 'mv "$HERE" "$FOREIGN"; ln -s "$FOREIGN" "$HERE"',
    "the directory is a file": 'rm -rf "$HERE"; touch "$HERE"',
    "the directory is a loop": 'rm -rf "$HERE"; ln -s "$HERE" "$HERE"',
}
HOSTILE = """
outputs: {{jobout: string}}
environment: {{VICTIM: {victim}, FOREIGN: {foreign}}}
script: |
  echo jobout=done >> "$CARONI_OUTPUTS"
  echo undeclared=x >> "$CARONI_OUTPUTS"
  echo err >&2
  touch ready
  while [ ! -e go ]; do sleep 0.01; done
  HERE=$(cd -P ..; pwd)
  {what}
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[[str], str]:
    """Return job types that do something to what is in their reach."""
    (tmp_path / "victim").write_text("precious")
    return lambda what: HOSTILE.format(victim=tmp_path / "victim", foreign=tmp_path / "foreign", what=what)


def nothing_else_is_touched(agent: Agent, tmp_path: Path) -> None:
    """Hold that nothing outside a job's directory has changed, that it can be deleted, and that the next job runs."""
    assert (tmp_path / "victim").read_text() == "precious"
    if (foreign := tmp_path / "foreign").exists():
        # The keeper may have kept what the job wrote to standard error before it moved the directory, or not.
        assert {*os.listdir(foreign)} - {"stderr"} == {"inputs.json", "outputs", "record", "work"}
        assert '"end"' not in (foreign / "record").read_text()
    assert agent.runner.log_chunk("job12345", 0, 1000)[1]
    agent.runner.remove("job12345")
    agent.all_is_deleted()
    assert os.listdir(agent.state_dir / RUNNING) == []
    assert outputs_of(agent.run("another1", UPPER, {"message": "x"})) == {"jobout": "x"}


@pytest.mark.parametrize("what", TAKE_AWAY.values(), ids=TAKE_AWAY.keys())
def test_a_job_that_takes_its_files_away_ends(
    make_agent: MakeAgent, tmp_path: Path, hostile: Callable[[str], str], what: str
) -> None:
    with ordinary_rights():
        agent = make_agent()
        agent.started("job12345", hostile(what))
        agent.go("job12345")
        assert outputs_of(agent.end("job12345")) == {"jobout": "done"}
        nothing_else_is_touched(agent, tmp_path)


@pytest.mark.parametrize("what", REPLACE.values(), ids=REPLACE.keys())
def test_a_job_that_takes_its_directory_away_ends(
    make_agent: MakeAgent, tmp_path: Path, hostile: Callable[[str], str], what: str
) -> None:
    agent = make_agent()
    agent.started("job12345", hostile(what))
    agent.go("job12345")
    assert reason_of(agent.end("job12345")).startswith("output jobout is missing: nothing was written to")
    nothing_else_is_touched(agent, tmp_path)


EVERYTHING = {**TAKE_AWAY, **REPLACE}


@pytest.mark.parametrize("what", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_what_a_job_did_while_nobody_looked_makes_it_end_too(
    make_agent: MakeAgent, tmp_path: Path, hostile: Callable[[str], str], what: str
) -> None:
    with ordinary_rights():
        agent = make_agent()
        pid = agent.started("job12345", hostile(what))
        agent.stop()
        agent.kill_keeper()
        agent.go("job12345")
        wait_until(lambda: not is_alive(pid), TIMEOUT_S, "the job's end")
        agent = make_agent("job12345")
        assert failure_of(agent.end("job12345")).started is not None
        nothing_else_is_touched(agent, tmp_path)


def test_however_many_directories_a_job_makes_inside_each_other_they_are_deleted(make_agent: MakeAgent) -> None:
    text = f"""
interpreter: [{sys.executable}]
script: |
  import os
  for _ in range(3000):
      os.mkdir("d" * 200)
      os.chdir("d" * 200)
      os.chmod("..", 0o500)
"""
    with ordinary_rights():
        agent = make_agent()
        agent.run("job12345", text)
        agent.runner.remove("job12345")
    assert not agent.directory("job12345").exists()
    agent.all_is_deleted()


def test_a_start_that_the_keeper_does_not_understand_never_began(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.run("another1", UPPER, {"message": "x"})
    monkeypatch.setattr(Workspaces, "make", lambda *_: Launch([], {}, []))
    reason = "could not be started: ValueError('job12345 cannot be started: []')"
    assert agent.run("job12345", WAIT).outcome == NeverBegan(reason)
