"""Schedules: each slot starts one workflow or is counted as missed, whatever crashes and however clocks jump."""

from datetime import UTC, datetime
from itertools import takewhile
from random import Random
from typing import Any

import pytest

from caroni_edge.config.automation import Schedule
from caroni_edge.config.timing import Cron, Every, Timing
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.schedules import schedules
from tests.unit.manager.bench import DATE, Bench

PRAGUE = "Europe/Prague"
HOUR = 3600
DAY = 24 * HOUR


MINUTES = Every(60)


def bench_of(timing: Timing = MINUTES, date: float = DATE, **facts: Any) -> Bench:
    facts = {"inputs": {"message": "x"}, "template": "one"} | facts
    bench = Bench()
    bench.date = date
    bench.set(schedules=(Schedule(name="s", timing=timing, **facts),))
    bench.settle()
    return bench


def started(bench: Bench) -> list[str]:
    return [row["id"] for row in bench.rows("SELECT id FROM workflows ORDER BY seq")]


def slots(bench: Bench) -> list[int]:
    """Return the slots that have started a workflow, by the ids of the workflows."""
    return [int(datetime.strptime(f"{each[2:-1]}+0000", "%Y%m%dt%H%M%S%z").timestamp()) for each in started(bench)]


def missed(bench: Bench) -> tuple[int, str | None]:
    row = bench.store.schedules.get("s")
    assert row is not None
    return row.missed, row.missed_why


def run_on(bench: Bench, seconds: float) -> None:
    """Let time go on, with a batch whenever one is due."""
    end = bench.now + seconds
    while bench.now < end:
        due = min(max(bench.reactor.next_due(), bench.now + 0.01), end)
        bench.date += due - bench.now
        bench.now = due
        bench.settle()


def pass_slots(bench: Bench, timing: Timing, end: float) -> None:
    """Let time go on, with a batch at each slot, and at the end."""
    for date in [*takewhile(lambda slot: slot <= end, timing.after(bench.date)), end]:
        bench.now, bench.date = bench.now + date - bench.date, date
        bench.settle()


def end_all(bench: Bench) -> None:
    for each in bench.rows("SELECT id FROM workflows WHERE ended IS NULL"):
        bench.call(lambda at, workflow=each["id"]: bench.reactor.cancel(workflow, at))  # type: ignore[misc]


def test_a_schedule_begins_when_it_is_first_read_and_starts_each_slot() -> None:
    bench = bench_of(overlap="allow")
    assert started(bench) == []
    run_on(bench, 150)
    assert started(bench) == ["s-20231114t221400z", "s-20231114t221500z"]
    (row, _) = bench.rows("SELECT template, inputs, cause, priority FROM workflows")
    assert tuple(row.values()) == ("one", '{"message":"x"}', "schedule s", 4)
    assert missed(bench) == (0, None)


def test_a_batch_that_is_undone_leaves_the_slot_to_the_next() -> None:
    bench = bench_of(overlap="allow")
    bench.now, bench.date = bench.now + 41, bench.date + 41
    bench.call(lambda _at: None, commit=False)
    assert started(bench) == []
    bench.settle()
    bench.restart()
    assert started(bench) == ["s-20231114t221400z"]


@pytest.mark.parametrize(
    ("catch_up", "starts"),
    [("none", [2]), ("last", [1, 2]), ("all", [*range(-59, 3)])],
)
def test_slots_missed_while_the_manager_was_off(catch_up: str, starts: list[int]) -> None:
    bench = bench_of(catch_up=catch_up, overlap="allow")
    noon = int(DATE // 60 + 60) * 60
    bench.now, bench.date = 5.0, noon + 2 * 60 + 30
    bench.restart()
    assert [slot - noon for slot in slots(bench)] == [60 * each for each in starts if noon + 60 * each > DATE]
    count, why = missed(bench)
    assert count + len(starts) == len([each for each in range(-60, 3) if noon + 60 * each > DATE])
    assert (why is None) == (catch_up == "all")


def test_no_more_than_the_newest_hundred_are_caught_up() -> None:
    bench = bench_of(catch_up="all", overlap="allow")
    bench.date += 500 * 60
    bench.restart()
    assert len(started(bench)) == 101
    assert missed(bench)[0] == 500 - 101


def test_years_are_not_counted_slot_by_slot() -> None:
    bench = bench_of(Every(1), catch_up="none", overlap="skip")
    bench.date += 10 * 365 * DAY
    bench.restart()
    assert missed(bench)[0] <= schedules.LOOKED_AT_MAX


def test_a_slot_is_skipped_while_the_last_one_runs() -> None:
    bench = bench_of()
    run_on(bench, 200)
    assert len(started(bench)) == 1
    assert missed(bench) == (2, "a workflow of the schedule had not ended, and overlap is skip")
    end_all(bench)
    run_on(bench, 60)
    assert len(started(bench)) == 2


def test_held_workflows_count_for_overlap_too() -> None:
    bench = bench_of()
    bench.pause("one")
    run_on(bench, 200)
    assert [bench.workflow_state(each) for each in started(bench)] == ["held"]


def test_a_slot_waits_for_the_one_before_and_starts_in_its_turn() -> None:
    bench = bench_of(overlap="queue")
    run_on(bench, 200)
    assert len(started(bench)) == 1
    bench.restart()
    end_all(bench)
    bench.settle()
    assert len(started(bench)) == 2
    end_all(bench)
    bench.settle()
    assert started(bench) == ["s-20231114t221400z", "s-20231114t221500z", "s-20231114t221600z"]
    assert missed(bench) == (0, None)


def test_the_slots_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "WAITING_MAX", 2)
    bench = bench_of(overlap="queue")
    run_on(bench, 300)
    assert missed(bench) == (2, "2 slots wait already")


def test_each_schedule_waits_and_is_served_by_itself() -> None:
    bench = Bench()
    names = [f"s{number:02}" for number in range(11)]
    facts: dict[str, Any] = {"timing": Every(60), "template": "one", "inputs": {"message": "x"}, "overlap": "queue"}
    bench.set(schedules=tuple(Schedule(name=each, **facts) for each in names))
    bench.settle()
    run_on(bench, 60 * (schedules.WAITING_MAX + 15))
    waiting = bench.rows("SELECT schedule, count(*) AS slots FROM slots WHERE waiting GROUP BY schedule")
    assert waiting == [{"schedule": each, "slots": schedules.WAITING_MAX} for each in names]
    (first,) = [each for each in started(bench) if each.startswith("s10-")]
    bench.cancel(first)
    bench.settle()
    assert len([each for each in started(bench) if each.startswith("s10-")]) == 2
    assert len(started(bench)) == len(names) + 1


def test_a_slot_that_comes_as_the_workflow_ends_does_not_overtake_those_that_wait() -> None:
    bench = bench_of(overlap="queue")
    run_on(bench, 125)
    (running,) = started(bench)
    bench.now, bench.date = bench.now + 60, bench.date + 60
    bench.cancel(running)
    bench.settle()
    assert started(bench) == ["s-20231114t221400z", "s-20231114t221500z"]


def test_a_slot_need_not_wait_for_more_when_the_clock_alone_has_ended_the_workflow() -> None:
    bench = bench_of(overlap="queue")
    bench.set(lost_after_s=60.0)
    bench.presence("a1")
    run_on(bench, 125)
    (running,) = started(bench)
    bench.silent["a1"] = 1e6
    while bench.workflow_state(running) is not WorkflowState.FAILED:
        if bench.is_ready("upper"):
            bench.place()
        run_on(bench, max(bench.reactor.next_due() - bench.now, 0.01))
    assert len(started(bench)) == 1
    assert bench.reactor.next_due() <= bench.now
    bench.settle()
    assert len(started(bench)) == 2


def test_what_is_refused_is_missed_and_said() -> None:
    bench = bench_of(template="nothing")
    run_on(bench, 60)
    assert missed(bench) == (1, "there is no template nothing")
    (event,) = bench.take_events("caroni.workflow.rejected")
    assert event["data"]["reason"] == "schedule s: there is no template nothing"


def test_the_ids_of_schedules_are_refused_from_elsewhere() -> None:
    bench = bench_of()
    bench.start("one", "s-20231114t221400z")
    reason = bench.take_event("caroni.workflow.rejected")["data"]["reason"]
    assert reason == "id s-20231114t221400z is one of those that schedules give: name it otherwise"


# The clock


def test_a_clock_that_goes_back_starts_nothing_twice() -> None:
    bench = bench_of(overlap="allow")
    run_on(bench, 200)
    before = started(bench)
    bench.date -= 150
    run_on(bench, 160)
    assert started(bench) == before
    run_on(bench, 60)
    assert len(started(bench)) == len(before) + 1


def test_what_a_clock_jumps_over_is_missed() -> None:
    bench = bench_of(overlap="allow", catch_up="none")
    run_on(bench, 60)
    bench.date += HOUR
    run_on(bench, 60)
    assert len(started(bench)) in (2, 3)
    assert missed(bench)[0] in (58, 59, 60)


def test_a_clock_that_was_years_ahead_does_not_keep_slots_from_their_time() -> None:
    bench = bench_of(overlap="allow", catch_up="none")
    bench.date += 1000 * DAY
    bench.settle()
    run_on(bench, 60)
    ahead = len(started(bench))
    bench.date -= 1000 * DAY
    run_on(bench, 180)
    assert len(started(bench)) >= ahead + 2


def test_another_time_is_another_schedule() -> None:
    bench = bench_of(overlap="allow")
    run_on(bench, 60)
    bench.set(
        schedules=(Schedule(name="s", timing=Every(7), template="one", inputs={"message": "x"}, overlap="allow"),)
    )
    bench.date += HOUR
    bench.settle()
    assert len(started(bench)) == 1
    assert missed(bench) == (0, None)


def test_a_schedule_that_is_gone_is_forgotten() -> None:
    bench = bench_of()
    run_on(bench, 60)
    bench.set(schedules=())
    bench.settle()
    assert (bench.rows("SELECT * FROM schedules"), bench.rows("SELECT * FROM slots")) == ([], [])


def test_the_oldest_slots_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SLOTS_KEPT", 3)
    bench = bench_of(overlap="allow")
    run_on(bench, 600)
    assert len(bench.rows("SELECT * FROM slots")) == 3


# A week


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
@pytest.mark.parametrize("monday", ["2026-03-25T00:00Z", "2026-10-21T00:00Z"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 * * * *", "15 1-4 * * *"])
def test_a_week_with_a_change_of_clocks_and_hours_off(cron: str, monday: str, catch_up: str) -> None:
    """Each slot starts one workflow, or is counted as missed by the policy; those when it ran start in any case."""
    chance = Random(f"{cron} {monday} {catch_up}")
    timing, begin = Cron(cron, PRAGUE), datetime.fromisoformat(monday).timestamp()
    bench = bench_of(timing, begin, overlap="allow", catch_up=catch_up)
    while bench.date < begin + 7 * DAY:
        pass_slots(bench, timing, bench.date + chance.uniform(1, 20) * HOUR)
        off_s = chance.uniform(0, 6) * HOUR
        bench.now, bench.date = chance.uniform(0, 1e6), bench.date + off_s
        bench.restart()
        if chance.random() < 0.3:
            bench.call(lambda _at: None, commit=False)
    pass_slots(bench, timing, bench.date + HOUR)
    wanted = list(takewhile(lambda slot: slot <= bench.date, timing.after(begin)))
    found = slots(bench)
    assert len(found) == len(set(found))
    assert set(found) <= set(wanted)
    assert len(found) + missed(bench)[0] == len(wanted)
    if catch_up == "all":
        assert sorted(found) == wanted


def test_dates_are_utc_in_ids() -> None:
    assert schedules.slot_id("nightly", int(datetime(2026, 11, 28, 1, 30, tzinfo=UTC).timestamp())) == (
        "nightly-20261128t013000z"
    )
