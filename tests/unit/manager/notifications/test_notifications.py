"""Notifications: who is told of what, in the transaction of the event, and what becomes of what is not taken."""

from typing import Any

import msgspec
import pytest

from caroni_edge.config.notify import Command, Notify, Topic
from caroni_edge.manager.notifications import notifications
from caroni_edge.protocol.messages import Presence
from tests.unit.manager.bench import Bench

PAGE = Command(("/bin/page-me",))


def bench_of(*on: str, templates: tuple[str, ...] = (), target: Any = PAGE, **settings: Any) -> Bench:
    bench = Bench(attempts=1, notify=(Notify(on, templates, target),), **settings)
    bench.presence()
    return bench


def told(bench: Bench) -> list[tuple[str, str]]:
    """Return types and subjects of what waits."""
    events = [msgspec.json.decode(row["body"]) for row in bench.rows("SELECT body FROM notifications ORDER BY id")]
    return [(event["type"], event["subject"]) for event in events]


def fail(bench: Bench, workflow: str, template: str = "one") -> None:
    bench.start(template, workflow)
    bench.fail(bench.place())


def complete(bench: Bench, workflow: str) -> None:
    bench.start("one", workflow)
    bench.complete(bench.place())


def test_a_failure_is_told_and_a_completion_is_not() -> None:
    bench = bench_of("failed")
    fail(bench, "w1")
    complete(bench, "w2")
    assert told(bench) == [("caroni.workflow.failed", "w1")]


def test_the_notification_has_the_id_of_the_event() -> None:
    bench = bench_of("failed")
    fail(bench, "w1")
    event = bench.take_event("caroni.workflow.failed")
    (row,) = bench.rows("SELECT event, body FROM notifications")
    assert row["event"] == event["id"] == msgspec.json.decode(row["body"])["id"]


def test_only_the_templates_that_are_named_are_told_of() -> None:
    bench = bench_of("failed", templates=("night-*", "o?e"))
    fail(bench, "w1")
    assert len(told(bench)) == 1
    other = bench_of("failed", templates=("night-*",))
    fail(other, "w1")
    assert told(other) == []


def test_what_completes_first_after_a_failure_is_told_as_recovered() -> None:
    bench = bench_of("recovered")
    complete(bench, "w0")
    fail(bench, "w1")
    fail(bench, "w2")
    bench.restart()
    bench.presence()
    complete(bench, "w3")
    complete(bench, "w4")
    assert told(bench) == [("caroni.template.recovered", "one")]
    body = msgspec.json.decode(bench.rows("SELECT body FROM notifications")[0]["body"])
    assert body["data"] == {"template": "one", "workflow": "w3"}


def test_refused_triggers_are_told() -> None:
    bench = bench_of("trigger-refused")
    bench.start("nothing", "w1")
    assert told(bench) == [("caroni.workflow.rejected", "w1")]


def test_a_topic_gets_the_same_event() -> None:
    bench = bench_of("failed", target=Topic("ship/alarms"))
    fail(bench, "w1")
    events = bench.take_events("caroni.workflow.failed")
    assert [event["topic"] for event in events] == ["caroni/managers/m1/events/w1", "ship/alarms"]
    assert events[0]["id"] == events[1]["id"]
    assert told(bench) == []


def test_a_batch_that_is_undone_has_told_nobody() -> None:
    bench = bench_of("trigger-refused")
    woken: list[int] = []
    bench.reactor.notifications.wake = lambda: woken.append(1)
    bench.settle()
    woken.clear()
    bench.call(lambda at: bench.reactor._context.events.rejected("w1", "why", "", None, at.date), commit=False)
    assert (told(bench), woken) == ([], [])
    bench.call(lambda at: bench.reactor._context.events.rejected("w1", "why", "", None, at.date))
    assert (len(told(bench)), woken) == (1, [1])


# Agents


def presence(bench: Bench, *, online: bool) -> None:
    said = Presence(online=online, boot="b" * 16)
    bench.call(lambda at: bench.reactor.on_presence("a1", said, at))


def pass_time(bench: Bench, seconds: float) -> None:
    for _ in range(int(seconds // 15)):
        bench.advance(15)
        bench.settle()


def test_an_agent_that_is_away_is_told_of_once_until_it_is_back() -> None:
    bench = bench_of("agent-silent", "agent-back", silent_after_s=600.0)
    presence(bench, online=True)
    presence(bench, online=False)
    pass_time(bench, 585)
    assert told(bench) == []
    pass_time(bench, 1200)
    assert told(bench) == [("caroni.agent.silent", "a1")]
    bench.restart()
    pass_time(bench, 1200)
    presence(bench, online=True)
    pass_time(bench, 30)
    assert told(bench) == [("caroni.agent.silent", "a1"), ("caroni.agent.back", "a1")]


def test_a_short_absence_and_a_new_connection_are_no_silence() -> None:
    bench = bench_of("agent-silent", silent_after_s=600.0)
    presence(bench, online=False)
    pass_time(bench, 500)
    bench.connect()
    pass_time(bench, 500)
    presence(bench, online=True)
    pass_time(bench, 1000)
    assert told(bench) == []


def test_an_agent_that_is_forgotten_is_not_back() -> None:
    bench = bench_of("agent-silent", "agent-back", silent_after_s=600.0)
    presence(bench, online=False)
    pass_time(bench, 700)
    bench.call(lambda at: bench.reactor.forget_peer("a1", at))
    pass_time(bench, 30)
    assert told(bench) == [("caroni.agent.silent", "a1")]
    assert bench.rows("SELECT * FROM silent") == []


# What becomes of them


def first(bench: Bench) -> Any:
    found = bench.reactor.notifications.first(bench.settings.notify[0].target_key)
    assert found is not None
    return found


def hand_over(bench: Bench, result: notifications.Result, said: str = "no") -> None:
    number = first(bench).id
    bench.call(lambda at: bench.reactor.notifications.handed_over(number, "it", result, said, at))


def outcome(bench: Bench) -> tuple[int, int, str | None]:
    (row,) = bench.store.notifications.targets()
    return row.taken, row.dropped, row.said


def test_they_are_taken_in_order() -> None:
    bench = bench_of("trigger-refused")
    for name in ("w1", "w2"):
        bench.start("nothing", name)
    hand_over(bench, "again")
    assert (first(bench).tries, len(told(bench))) == (1, 2)
    hand_over(bench, "taken")
    assert told(bench) == [("caroni.workflow.rejected", "w2")]
    assert outcome(bench) == (1, 0, "no")


def test_one_that_is_refused_for_good_is_given_up_at_once() -> None:
    bench = bench_of("trigger-refused")
    bench.start("nothing", "w1")
    hand_over(bench, "never", "it answers with status 410")
    assert (told(bench), outcome(bench)) == ([], (0, 1, "given up: it answers with status 410"))


def test_one_that_nobody_takes_is_given_up_after_three_days() -> None:
    bench = bench_of("trigger-refused")
    bench.start("nothing", "w1")
    bench.advance(3 * 86400 - 10)
    hand_over(bench, "again")
    assert len(told(bench)) == 1
    bench.advance(20)
    hand_over(bench, "again")
    assert told(bench) == []


def test_the_oldest_go_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "WAITING_MAX", 3)
    bench = bench_of("trigger-refused")
    for number in range(5):
        bench.start("nothing", f"w{number}")
    assert [subject for _, subject in told(bench)] == ["w2", "w3", "w4"]
    assert outcome(bench)[1] == 2


def test_what_waits_for_a_target_that_is_gone_is_dropped() -> None:
    bench = bench_of("trigger-refused")
    bench.start("nothing", "w1")
    hand_over(bench, "again")
    bench.set(notify=())
    bench.settle()
    assert (told(bench), bench.store.notifications.targets()) == ([], [])
