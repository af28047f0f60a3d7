"""Rules: which messages on any topic start workflows, once for each id, and what is said of the others."""

from dataclasses import replace
from typing import Any

import pytest

from caroni_edge.config.automation import AtMost, Rule
from caroni_edge.manager.triggers import rules
from caroni_edge.manager.triggers.evaluation import Evaluated, Outcome, Reading
from tests.unit.manager.bench import DATE, Bench

RULE = Rule(name="hot", topic="sensors/#", template="one", inputs={})


def bench_of(*made: Rule, **settings: Any) -> Bench:
    return Bench(rules=made or (RULE,), **settings)


def take(
    bench: Bench,
    id_: str | None = None,
    *,
    rule: Rule = RULE,
    payload: bytes = b"{}",
    key: str = "",
    outcome: Outcome = Outcome.FITS,
    said: str = "",
    retained: bool = False,
    commit: bool = True,
    topic: str = "sensors/ida",
) -> None:
    reading = Reading(topic, payload, bench.date, is_retained=retained)
    found = Evaluated(rule, reading, outcome, said, {"message": "x"}, id_, key)
    bench.call(lambda at: bench.reactor.on_reading([found], at), commit=commit)


def counts(bench: Bench) -> dict[str, int]:
    return {each.what: each.times for each in bench.store.rules.counts()}


def said(bench: Bench, what: str) -> str:
    (found,) = [each.said for each in bench.store.rules.counts() if each.what == what]
    return found


def started(bench: Bench) -> list[str]:
    return [row["id"] for row in bench.rows("SELECT id FROM workflows ORDER BY seq")]


def test_a_message_that_fits_starts_a_workflow_that_is_marked() -> None:
    bench = bench_of(replace(RULE, priority=7))
    take(bench, "w1", rule=replace(RULE, priority=7))
    (row,) = bench.rows("SELECT id, template, priority, cause, inputs FROM workflows")
    assert tuple(row.values()) == ("w1", "one", 7, "trigger hot", '{"message":"x"}')
    assert counts(bench) == {"started": 1}
    assert said(bench, "started") == "w1"


def test_the_same_id_starts_nothing_twice_whatever_the_inputs() -> None:
    bench = bench_of()
    take(bench, "w1")
    reading = Reading("sensors/ida", b"{}", DATE)
    other = Evaluated(RULE, reading, inputs={"message": "other"}, id="w1")
    bench.call(lambda at: bench.reactor.on_reading([other], at))
    assert started(bench) == ["w1"]
    assert counts(bench) == {"started": 1, "known": 1}


def test_without_an_id_each_message_starts_one() -> None:
    bench = bench_of()
    take(bench)
    take(bench)
    assert len(set(started(bench))) == 2


def test_a_batch_that_is_undone_has_started_and_counted_nothing() -> None:
    bench = bench_of()
    take(bench, "w1", commit=False)
    bench.settle()
    assert (started(bench), counts(bench)) == ([], {})
    take(bench, "w1")
    assert (started(bench), counts(bench)) == (["w1"], {"started": 1})


@pytest.mark.parametrize("outcome", [Outcome.UNREAD, Outcome.UNMET, Outcome.FAILED])
def test_what_does_not_fit_is_counted_and_the_last_one_shown(outcome: Outcome) -> None:
    bench = bench_of()
    for number in range(3):
        take(bench, outcome=outcome, said=f"reason {number} {'x' * 500}", topic=f"sensors/{number}")
    assert (started(bench), counts(bench)) == ([], {str(outcome): 3})
    assert said(bench, outcome).startswith("sensors/2: reason 2 x")
    assert len(said(bench, outcome)) == rules.SAID_MAX_CHARACTERS


def test_a_message_goes_to_all_rules_that_match_in_one_transaction() -> None:
    other = replace(RULE, name="log", template="pair")
    bench = bench_of(RULE, other)
    reading = Reading("sensors/ida", b"{}", DATE)
    found = [Evaluated(each, reading, inputs={"message": "x"}) for each in (RULE, other)]
    bench.call(lambda at: bench.reactor.on_reading(found, at))
    assert [row["template"] for row in bench.rows("SELECT template FROM workflows ORDER BY seq")] == ["one", "pair"]


def test_a_refused_message_is_counted_and_said_once_a_minute() -> None:
    lost = replace(RULE, template="nothing")
    bench = bench_of(lost)
    for _ in range(3):
        take(bench, "w1", rule=lost)
    assert counts(bench) == {"refused": 3}
    (event,) = bench.take_events("caroni.workflow.rejected")
    assert event["data"]["reason"] == "trigger hot: there is no template nothing"
    assert event["data"]["id"] == "w1"
    bench.advance(61)
    take(bench, "w1", rule=lost)
    assert len(bench.take_events("caroni.workflow.rejected")) == 1


def test_other_rules_are_served_when_one_is_refused() -> None:
    lost = replace(RULE, name="lost", template="nothing")
    bench = bench_of(lost, RULE)
    reading = Reading("sensors/ida", b"{}", DATE)
    found = [Evaluated(each, reading, inputs={"message": "x"}) for each in (lost, RULE)]
    bench.call(lambda at: bench.reactor.on_reading(found, at))
    assert len(started(bench)) == 1


# at_most

LIMIT = replace(RULE, at_most=AtMost(runs=2, per_s=600, for_each=None))


def test_no_more_workflows_are_started_than_at_most() -> None:
    bench = bench_of(LIMIT)
    for number in range(5):
        take(bench, f"w{number}", rule=LIMIT)
    assert started(bench) == ["w0", "w1"]
    assert counts(bench) == {"started": 2, "limited": 3}
    bench.advance(601)
    take(bench, "w9", rule=LIMIT)
    assert started(bench) == ["w0", "w1", "w9"]


def test_each_key_is_counted_by_itself_and_over_restarts() -> None:
    bench = bench_of(LIMIT)
    for number in range(6):
        take(bench, f"w{number}", rule=LIMIT, key="ab"[number % 2])
        bench.restart()
    assert started(bench) == ["w0", "w1", "w2", "w3"]


def test_a_date_ahead_of_the_clock_counts_as_now() -> None:
    bench = bench_of(LIMIT)
    bench.date += 1e6
    take(bench, "w0", rule=LIMIT)
    bench.date -= 1e6
    take(bench, "w1", rule=LIMIT)
    take(bench, "w2", rule=LIMIT)
    bench.advance(601)
    take(bench, "w3", rule=LIMIT)
    assert started(bench) == ["w0", "w1", "w3"]


def test_what_is_refused_does_not_count_for_the_limit() -> None:
    bench = bench_of(LIMIT)
    bench.reactor.set_disk_problem("no room")
    take(bench, "w0", rule=LIMIT)
    bench.reactor.set_disk_problem(None)
    for number in range(3):
        take(bench, f"w{number}", rule=LIMIT)
    assert started(bench) == ["w0", "w1"]


def test_keys_are_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "KEYS_MAX", 3)
    bench = bench_of(LIMIT)
    for number in range(5):
        take(bench, f"w{number}", rule=LIMIT, key=f"k{number}")
        bench.advance(1)
    assert [row["key"] for row in bench.rows("SELECT key FROM rule_runs ORDER BY key")] == ["k2", "k3", "k4"]


def test_a_rule_has_a_bound_of_workflows_that_have_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "UNENDED_MAX", 2)
    bench = bench_of()
    bench.pause("one")
    for number in range(4):
        take(bench, f"w{number}")
    assert started(bench) == ["w0", "w1"]
    assert counts(bench) == {"started": 2, "full": 2}
    bench.call(lambda at: bench.reactor.cancel("w0", at))
    take(bench, "w4")
    assert started(bench) == ["w0", "w1", "w4"]


def test_what_looks_like_a_loop_is_said_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OFTEN", 3)
    bench = bench_of(RULE, LIMIT)
    for number in range(8):
        take(bench, f"w{number}")
    assert counts(bench)["often"] == 1
    assert "do they start each other?" in said(bench, "often")
    bench.advance(3600)
    for number in range(8, 12):
        take(bench, f"w{number}")
    assert counts(bench)["often"] == 2


# Retained values


def test_what_was_retained_is_ignored_where_nothing_else_is_said() -> None:
    bench = bench_of()
    take(bench, "w1", retained=True)
    assert (started(bench), counts(bench)) == ([], {"retained": 1})


def test_each_retained_value_is_taken_once_however_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    taking = replace(RULE, retained="take")
    bench = bench_of(taking)
    take(bench, "w0", rule=taking, payload=b"1", retained=True)
    take(bench, "w1", rule=taking, payload=b"1", retained=True)
    take(bench, "w2", rule=taking, payload=b"1")
    take(bench, "w3", rule=taking, payload=b"2")
    bench.restart()
    take(bench, "w4", rule=taking, payload=b"2", retained=True)
    take(bench, "w5", rule=taking, payload=b"2", retained=True, topic="sensors/vera")
    take(bench, "w6", rule=taking, payload=b"3", retained=True)
    assert started(bench) == ["w0", "w2", "w3", "w5", "w6"]
    monkeypatch.setattr(rules, "KEYS_MAX", 2)
    bench.advance(1)
    take(bench, "w7", rule=taking, payload=b"1", topic="sensors/nova")
    assert [row["topic"] for row in bench.rows("SELECT topic FROM rule_values")] != []
    assert len(bench.rows("SELECT topic FROM rule_values")) == 2


# What is kept


def test_a_rule_that_is_gone_is_forgotten() -> None:
    taking = replace(LIMIT, retained="take")
    bench = bench_of(taking)
    take(bench, "w0", rule=taking)
    bench.set(rules=())
    bench.settle()
    assert [bench.rows(f"SELECT * FROM {table}") for table in ("rule_counts", "rule_runs", "rule_values")] == [
        [],
        [],
        [],
    ]
    assert started(bench) == ["w0"]


def test_since_when_a_filter_is_listened_to_is_known() -> None:
    bench = bench_of()
    bench.call(lambda at: bench.reactor.on_listening(["a/#", "b"], at, is_session_new=True))
    bench.advance(10)
    bench.call(lambda at: bench.reactor.on_listening(["b", "c"], at, is_session_new=False))
    assert [(each.filter, each.since - DATE) for each in bench.store.rules.filters()] == [("b", 0.0), ("c", 10.0)]
    bench.advance(10)
    bench.call(lambda at: bench.reactor.on_listening(["b", "c"], at, is_session_new=True))
    assert [each.since - DATE for each in bench.store.rules.filters()] == [20.0, 20.0]
    assert bench.reactor.listened() == ["b", "c"]
