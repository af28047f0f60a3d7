"""The keeper with jobs that it starts by itself, when others have ended."""

import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.keeper.ahead import Ahead
from caroni_edge.agent.keeper.records import read
from caroni_edge.agent.processes.outcome import Completed, Failed, NeverBegan
from caroni_edge.agent.processes.port import JobRecalled, JobStarted
from tests.keepers import TIMEOUT_S, Keeper
from tests.runners import WAIT, Agent, MakeAgent
from tests.support import wait_until

MakeKeeper = Callable[..., Keeper]
SHORT = "command: [/bin/true]"


def hand_over(keeper: Keeper, job: str, text: str, slots: int = 1, **more: Any) -> None:
    keeper.start(job, "/bin/bash", "-c", text, slots=slots, **more)


def test_what_is_handed_over_is_started_one_after_the_other(keeper: Keeper) -> None:
    for number in range(5):
        hand_over(keeper, f"job{number}", "date +%s.%N; sleep 0.01; date +%s.%N", slots=2)
    for number in range(5):
        assert keeper.hear_of(f"job{number}")["status"] == 0
    times = [[float(line) for line in keeper.stdout(f"job{number}").splitlines()] for number in range(5)]
    for begin, _ in times:
        assert sum(began <= begin < end for began, end in times) <= 2
    begun = [start.date for number in range(5) if (start := read(str(keeper.state_dir), f"job{number}").start)]
    assert begun == sorted(begun)


def test_that_one_was_started_is_told_when_it_has_run_for_a_moment(keeper: Keeper) -> None:
    hand_over(keeper, "short", "true")
    assert keeper.hear("exited")["job"] == "short"
    hand_over(keeper, "long", "sleep 60")
    started = keeper.hear("started")
    record = read(str(keeper.state_dir), "long").start
    assert record is not None
    assert (started["job"], started["date"]) == ("long", record.date)


def test_what_waits_can_be_recalled_and_what_was_started_is_told_before(keeper: Keeper) -> None:
    hand_over(keeper, "one", "echo ready; sleep 60")
    for job in ("two", "three"):
        hand_over(keeper, job, "sleep 60")
    wait_until(lambda: "ready" in keeper.stdout("one"), TIMEOUT_S, "the first job")
    keeper.send(do="recall")
    assert keeper.hear("started")["job"] == "one"
    assert keeper.hear("recalled")["jobs"] == ["two", "three"]
    assert keeper.running() == ["one"]
    assert read(str(keeper.state_dir), "two").start is None
    keeper.send(do="kill", job="one", reason="enough")
    assert keeper.hear("exited")["job"] == "one"
    keeper.send(do="recall")
    assert keeper.hear("recalled")["jobs"] == []


def test_one_that_waits_and_is_killed_never_begins(keeper: Keeper) -> None:
    hand_over(keeper, "one", "sleep 60")
    hand_over(keeper, "two", "true")
    keeper.send(do="kill", job="two", reason="not wanted")
    said = keeper.hear("unstarted")
    assert (said["job"], said["reason"]) == ("two", "not wanted")
    keeper.send(do="kill", job="one", reason="enough")
    keeper.hear("exited", "one")
    assert read(str(keeper.state_dir), "two").start is None


def test_the_time_of_one_counts_from_its_start(keeper: Keeper) -> None:
    hand_over(keeper, "one", "until [ -e go ]; do sleep 0.01; done")
    hand_over(keeper, "two", "true", timeout_s=60.0)
    wait_until(lambda: keeper.running() == ["one"], what="the first one to be started, and the second to wait")
    before = time.monotonic()
    (keeper.state_dir / "jobs" / "one" / "work" / "go").touch()
    assert keeper.hear_of("two")["kind"] == "exited"
    start = read(str(keeper.state_dir), "two").start
    assert start is not None
    assert start.deadline is not None
    assert start.deadline >= before + 60.0


def test_who_takes_over_ends_what_others_have_asked_for(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    before = make_keeper(tmp_path)
    before.started("one", "echo ready; sleep 60")
    hand_over(before, "two", "true")
    before.send(do="list")
    assert before.hear("running")["ahead"] == ["two"]
    after = make_keeper(tmp_path)
    after.send(do="list", takes_over=True)
    said = after.hear("running")
    assert (said["jobs"], said["ahead"]) == (["one"], [])
    with pytest.raises(AssertionError, match="has ended"):
        before.hear("recalled")
    after.send(do="kill", job="one", reason="enough")
    after.hear("exited", "one")
    assert read(str(tmp_path), "two").start is None


def test_without_an_agent_it_goes_on_with_what_it_has(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    agent = make_keeper(tmp_path)
    agent.started("one", "echo ready; while [ ! -e go ]; do sleep 0.01; done")
    hand_over(agent, "two", "true")
    assert agent.running() == ["one"]
    agent.close()
    (tmp_path / "jobs" / "one" / "work" / "go").touch()
    wait_until(lambda: read(str(tmp_path), "two").end is not None, TIMEOUT_S, "the end of the second job")


def test_one_that_stops_starts_first_what_waits(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper(tmp_path)
    hand_over(keeper, "one", "sleep 0.1")
    hand_over(keeper, "two", "true")
    keeper.send(do="stop")
    assert keeper.hear_of("two")["status"] == 0
    keeper.wait()


@pytest.mark.parametrize(
    "wrong", [{"slots": "many"}, {"slots": 1, "argv": []}, {"slots": 1, "serial": "x", "database": "d"}]
)
def test_an_order_that_makes_no_sense_ends_nothing(keeper: Keeper, wrong: dict[str, Any]) -> None:
    (keeper.state_dir / "jobs" / "one" / "work").mkdir(parents=True)
    keeper.send(**{"do": "start", "job": "one", "argv": ["/bin/true"], "env": {}, **wrong})
    assert keeper.hear("unknown")["job"] == "one"
    assert keeper.script("two", "true")["status"] == 0


def test_while_others_wait_the_ends_of_jobs_are_told_together() -> None:
    told: list[dict[str, Any]] = []
    ahead = Ahead(told.append)
    for job in ("one", "two", "three"):
        ahead.add({"do": "start", "job": job, "argv": ["/bin/true"], "slots": 2})
    for job in ("one", "two"):
        assert (ahead.take(1) or {})["job"] == job
        ahead.say({"event": "exited", "job": job})
    assert told == []
    assert ahead.next_due() < inf
    ahead.settle(ahead.next_due())
    assert told == [{"event": "ended", "ends": [{"event": "exited", "job": "one"}, {"event": "exited", "job": "two"}]}]
    assert ahead.next_due() == inf


def test_ends_are_told_when_as_many_jobs_have_ended_as_wait() -> None:
    told: list[dict[str, Any]] = []
    ahead = Ahead(told.append)
    for job in ("one", "two", "three"):
        ahead.add({"do": "start", "job": job, "argv": ["/bin/true"], "slots": 1})
    ahead.take(0)
    ahead.say({"event": "exited", "job": "one"})
    ahead.settle(0.0)
    assert told == []
    ahead.take(0)
    ahead.settle(0.0)
    assert told == [{"event": "ended", "ends": [{"event": "exited", "job": "one"}]}]


def test_of_one_that_ends_soon_only_the_end_is_told() -> None:
    told: list[dict[str, Any]] = []
    ahead = Ahead(told.append)
    ahead.add({"do": "start", "job": "one", "argv": ["/bin/true"], "slots": 1})
    ahead.take(0)
    ahead.say({"event": "started", "job": "one"})
    assert told == []
    ahead.say({"event": "exited", "job": "one"})
    ahead.settle(inf)
    assert told == [{"event": "exited", "job": "one"}]


def test_the_ends_of_jobs_are_told_before_all_else_and_when_nothing_waits() -> None:
    told: list[dict[str, Any]] = []
    ahead = Ahead(told.append)
    for job in ("one", "two"):
        ahead.add({"do": "start", "job": job, "argv": ["/bin/true"], "slots": 1})
    ahead.take(0)
    ahead.say({"event": "exited", "job": "one"})
    ahead.recall()
    assert [event["event"] for event in told] == ["ended", "recalled"]
    ahead.add({"do": "start", "job": "two", "argv": ["/bin/true"], "slots": 1})
    ahead.say({"event": "exited", "job": "zero"})
    ahead.take(0)
    ahead.settle(0.0)
    assert [event["event"] for event in told[2:]] == ["ended"]


# The runner


def test_a_runner_hands_over_and_hears_of_most_only_the_end(agent: Agent) -> None:
    for number in range(4):
        agent.hand_over(f"job{number}", SHORT)
    for number in range(4):
        assert isinstance(agent.end(f"job{number}").outcome, Completed)
    while not agent.told.empty():  # on a host that is slow, one may have run for long enough
        assert isinstance(agent.told.get(), JobStarted)


def test_a_runner_tells_that_one_was_started(agent: Agent) -> None:
    agent.hand_over("one", WAIT)
    told = agent.told.get(timeout=TIMEOUT_S)
    assert isinstance(told, JobStarted)
    agent.go("one")
    outcome = agent.end("one").outcome
    assert isinstance(outcome, Completed)
    assert outcome.started == told.date


def test_a_runner_has_back_what_was_not_started_and_deletes_what_it_has_made(agent: Agent) -> None:
    agent.started("one", WAIT)
    agent.hand_over("two", WAIT)
    agent.hand_over("three", WAIT)
    agent.runner.recall()
    assert [agent.told.get(timeout=TIMEOUT_S) for _ in range(2)] == [JobRecalled("two"), JobRecalled("three")]
    assert not agent.directory("two").exists()
    agent.go("one")
    agent.end("one")
    agent.hand_over("two", SHORT)
    assert isinstance(agent.end("two").outcome, Completed)


def test_one_that_is_killed_while_it_waits_never_began(agent: Agent) -> None:
    agent.started("one", WAIT)
    agent.hand_over("two", WAIT)
    agent.runner.kill("two", "not wanted")
    assert agent.end("two").outcome == NeverBegan("not wanted")


def test_what_waits_is_handed_over_anew_when_the_keeper_has_died(agent: Agent) -> None:
    agent.started("one", WAIT)
    agent.hand_over("two", SHORT)
    agent.kill_keeper()
    agent.go("one")
    ended = {ended.job: ended.outcome for ended in (agent.ended.get(timeout=TIMEOUT_S) for _ in range(2))}
    assert isinstance(ended["one"], Failed)
    assert isinstance(ended["two"], Completed)


def test_an_agent_that_comes_back_finds_what_was_started_and_nothing_else_will_be(make_agent: MakeAgent) -> None:
    agent = make_agent()
    agent.started("one", WAIT)
    for job in ("two", "three"):
        agent.hand_over(job, WAIT)
    agent.stop()
    agent.go("one")
    wait_until((agent.work("two") / "ready").exists, TIMEOUT_S, "the second job")
    after = make_agent("one", waiting=("two", "three"), ahead=("two", "three"), boot=agent.known.boot)
    assert [begun.job for begun in after.known.begun] == ["two"]
    assert isinstance(after.end("one").outcome, Completed)
    after.go("two")
    assert isinstance(after.end("two").outcome, Completed)
    after.hand_over("three", SHORT)
    assert isinstance(after.end("three").outcome, Completed)


def test_in_another_boot_what_has_no_record_may_have_begun(make_agent: MakeAgent) -> None:
    agent = make_agent("one", waiting=("two",), ahead=("two",), boot="another")
    for job in ("one", "two"):
        assert isinstance(agent.end(job).outcome, Failed)
    again = make_agent("three", waiting=("four",), ahead=("four",), boot=agent.known.boot)
    assert isinstance(again.end("three").outcome, NeverBegan)
    assert again.ended.empty()
