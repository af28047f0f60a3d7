"""The runner with large files of real jobs: taken into the store when one has ended, and lent to those that follow."""

import os
import threading
from dataclasses import replace
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import JobCollecting, JobNews, JobOrder, JobRecalled
from caroni_edge.objects import filework
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.filework import NoRoomForFiles, ObjectsLost
from caroni_edge.objects.objects import Object
from caroni_edge.objects.quota import PER_MANAGER, Quota
from caroni_edge.values.carried import object_value
from tests.keepers import keepers_of
from tests.runners import TIMEOUT_S, UPPER, Agent, MakeAgent, again, outputs_of, reason_of
from tests.support import wait_until

DATA = b"stars\n" * 200_000
OBJECT = Object(sha256(DATA).hexdigest(), len(DATA))
FILE = object_value("m31.fits", OBJECT, sha1(DATA, usedforsecurity=False).hexdigest())
GIVES = """
outputs: {file: File, small: File}
script: |
  yes stars | head --lines 200000 > m31.fits
  echo small > small
  echo file=m31.fits >> $CARONI_OUTPUTS
  echo small=small >> $CARONI_OUTPUTS
"""
TAKES = """
inputs: {file: File}
outputs: {bytes: int, again: File}
script: |
  cp "$CARONI_ENV_file" copy
  chmod +w copy
  echo bytes=$(stat --format %s "$CARONI_ENV_file") >> $CARONI_OUTPUTS
  echo again=copy >> $CARONI_OUTPUTS
"""


def stored(agent: Agent) -> Path:
    return Path(ObjectFiles(agent.state_dir).path(OBJECT.id))


def given(agent: Agent, job: str = "giver123") -> None:
    """Let a job give the file."""
    ended = agent.run(job, GIVES)
    assert (outputs_of(ended)["file"], ended.objects) == (FILE, (OBJECT,))
    agent.runner.files.settled(job)


def news(agent: Agent) -> JobNews:
    """Return what is told next of files, beside that some are being taken."""
    while isinstance(found := agent.news.get(timeout=TIMEOUT_S), JobCollecting):
        pass
    return found


def take(agent: Agent, job: str = "taker123") -> None:
    """Start a job that takes it."""
    agent.runner.start(replace(agent.order(job, TAKES, {"file": FILE}), objects=(OBJECT,)))


def held_up(agent: Agent) -> threading.Event:
    """Hold up the work on files until an event."""
    go = threading.Event()

    def wait() -> None:
        go.wait(TIMEOUT_S)

    agent.runner.files.put(wait)
    return go


def test_a_large_file_is_an_object_and_a_small_one_is_in_its_value(agent: Agent) -> None:
    ended = agent.run("giver123", GIVES)
    assert outputs_of(ended)["file"] == FILE
    assert outputs_of(ended)["small"]["contents"] == "small\n"
    assert ended.objects == (OBJECT,)
    assert stored(agent).read_bytes() == DATA
    said = agent.news.get(timeout=TIMEOUT_S)
    assert isinstance(said, JobCollecting)
    assert (said.job, said.date) == ("giver123", ended.date)
    assert said.started is not None


def test_a_job_reads_an_object_and_cannot_change_it(agent: Agent) -> None:
    given(agent)
    take(agent)
    ended = agent.end("taker123")
    assert outputs_of(ended)["bytes"] == len(DATA)
    assert outputs_of(ended)["again"] == {**FILE, "basename": "copy"}
    staged = agent.directory("taker123") / "files" / "0" / "m31.fits"
    assert staged.read_bytes() == DATA
    assert not staged.samefile(stored(agent))


def test_a_damaged_object_is_not_given_to_a_job(agent: Agent) -> None:
    given(agent)
    stored(agent).chmod(0o644)
    with stored(agent).open("r+b") as file:
        file.write(b"S")
    take(agent)
    ended = agent.end("taker123")
    assert reason_of(ended) == f"could not be started: {OBJECT.id} is damaged on this host, or gone"
    assert ended.damaged == OBJECT.id
    assert not stored(agent).exists()


def test_files_that_find_no_room_wait_and_that_is_said(
    make_agent: MakeAgent, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filework, "AGAIN_S", 0.01)
    free_bytes = [1 << 60]
    agent.runner.files.store = ObjectFiles(agent.state_dir, lambda: free_bytes[0])
    agent.start("giver123", GIVES)
    said = news(agent)
    assert isinstance(said, NoRoomForFiles)
    assert "no room for 1200000 bytes" in said.reason
    assert agent.ended.empty()
    free_bytes[0] = 0
    assert outputs_of(agent.end("giver123"))["file"] == FILE


def test_files_beyond_the_quota_wait_without_being_taken_and_that_is_said(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filework, "AGAIN_S", 0.01)
    agent.runner.files.bound(Quota(per_manager=len(DATA), used=1, used_by={"m1": 1}))
    agent.start("giver123", GIVES)
    for _ in range(2):
        said = news(agent)
        assert isinstance(said, NoRoomForFiles)
        assert said.over is not None
        assert (said.over.manager, said.over.short.setting, said.over.short.lacking) == ("m1", PER_MANAGER, 1)
    assert not stored(agent).exists()
    agent.runner.files.bound(Quota(per_manager=len(DATA), used=1, used_by={"m2": 1}))
    assert outputs_of(agent.end("giver123"))["file"] == FILE


def test_files_that_never_fit_fail_the_attempt_and_the_setting_is_named(agent: Agent) -> None:
    agent.runner.files.bound(Quota(store=len(DATA) - 1))
    reason = reason_of(agent.run("giver123", GIVES))
    assert "output file: there is no room for it at this agent: files.store is 1199999 bytes" in reason


def test_what_was_given_and_is_in_no_row_yet_counts(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filework, "AGAIN_S", 0.01)
    agent.runner.files.bound(Quota(store=2 * len(DATA) - 1))
    agent.run("giver123", GIVES)
    agent.start("giver124", GIVES)
    assert isinstance(news(agent), NoRoomForFiles)
    agent.runner.files.settled("giver123")
    assert outputs_of(agent.end("giver124"))["file"] == FILE


def test_files_are_taken_again_by_the_agent_that_follows(make_agent: MakeAgent, agent: Agent) -> None:
    agent.runner.files.store = ObjectFiles(agent.state_dir, lambda: 1 << 60)
    agent.start("giver123", GIVES)
    wait_until(lambda: not agent.news.empty(), TIMEOUT_S, "the job to be collected")
    agent = again(make_agent, agent, "giver123")
    ended = agent.end("giver123")
    assert (outputs_of(ended)["file"], ended.objects) == (FILE, (OBJECT,))
    assert isinstance(agent.news.get(timeout=TIMEOUT_S), JobCollecting)


def test_a_job_that_is_killed_while_it_waits_for_its_files_never_began(agent: Agent) -> None:
    given(agent)
    go = held_up(agent)
    take(agent)
    agent.runner.kill("taker123", "not wanted")
    go.set()
    assert agent.end("taker123").outcome == NeverBegan("not wanted")
    assert not agent.directory("taker123").exists()


def test_a_job_that_waits_for_its_files_is_had_back_at_once_and_may_come_again(agent: Agent) -> None:
    given(agent)
    go = held_up(agent)
    agent.runner.start(replace(agent.order("taker123", TAKES, {"file": FILE}), objects=(OBJECT,), slots=1))
    agent.runner.recall()
    assert agent.told.get(timeout=TIMEOUT_S) == JobRecalled("taker123")
    take(agent)
    go.set()
    assert outputs_of(agent.end("taker123"))["bytes"] == len(DATA)
    assert agent.told.empty()


def test_one_that_is_had_back_while_its_files_are_laid_before_it_is_not_started(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(agent)
    prepare = agent.runner._launcher.prepare

    def had_back(order: JobOrder) -> Any:
        made = prepare(order)
        agent.runner.recall()
        return made

    monkeypatch.setattr(agent.runner._launcher, "prepare", had_back)
    agent.runner.start(replace(agent.order("taker123", TAKES, {"file": FILE}), objects=(OBJECT,), slots=1))
    assert agent.told.get(timeout=TIMEOUT_S) == JobRecalled("taker123")
    wait_until(lambda: not agent.directory("taker123").exists(), TIMEOUT_S, "its directory to go")
    monkeypatch.undo()
    take(agent)
    assert outputs_of(agent.end("taker123"))["bytes"] == len(DATA)


def test_a_job_that_waits_for_its_files_goes_on_whatever_a_keeper_lists(agent: Agent) -> None:
    given(agent)
    go = held_up(agent)
    take(agent)
    agent.kill_keeper()
    agent.run("another1", UPPER, {"message": "x"})
    go.set()
    assert outputs_of(agent.end("taker123"))["bytes"] == len(DATA)


def test_a_job_that_waits_for_its_files_keeps_no_keeper_there(agent: Agent) -> None:
    given(agent)
    go = held_up(agent)
    take(agent)
    agent.runner.close()
    wait_until(lambda: not keepers_of(agent.state_dir), TIMEOUT_S, "the keeper to end")
    go.set()


def test_what_has_no_row_goes_but_not_what_a_job_has_just_given(agent: Agent) -> None:
    ended = agent.run("giver123", GIVES)
    agent.runner.files.discard([each.id for each in ended.objects])
    agent.runner.files.take_stock([])
    agent.runner.files.settled("giver123")
    done: list[bool] = []
    agent.runner.files.put(lambda: done.append(stored(agent).exists()))
    agent.runner.files.discard([OBJECT.id])
    agent.runner.files.put(lambda: done.append(stored(agent).exists()))
    wait_until(lambda: len(done) == 2, TIMEOUT_S, "the work on files")
    assert done == [True, False]


def test_at_a_start_what_is_gone_is_told_and_what_nobody_knows_goes(agent: Agent) -> None:
    given(agent)
    gone = Object("b" * 64, 5)
    agent.runner.files.take_stock([OBJECT, gone])
    assert news(agent) == ObjectsLost((gone.id,))
    assert stored(agent).exists()
    os.truncate(_writable(stored(agent)), 5)
    agent.runner.files.take_stock([OBJECT])
    assert news(agent) == ObjectsLost((OBJECT.id,))


def _writable(path: Path) -> Path:
    path.chmod(0o644)
    return path
