"""Events for people and other programs, as CloudEvents."""

import json
import re
from typing import get_args

import pytest

from caroni_edge.manager.events import OUTPUTS_LIMIT_BYTES
from caroni_edge.protocol.events import EventType
from tests.unit.manager.bench import DATE, Bench, given, out, plan, step


def everything() -> Bench:
    """Let all happen that is said."""
    bench = Bench(attempts=2)
    bench.presence()
    bench.start("one", "done")
    bench.complete(bench.place())
    bench.start("one", "bad")
    for _ in range(2):
        bench.fail(bench.place())
        bench.advance(1)
    bench.start("one", "ended")
    bench.cancel("ended")
    bench.start("nix", "refused")
    bench.pause("pair")
    bench.start("pair", "held")
    bench.presence(online=False)
    bench.start("one", "late")
    bench.advance(61)
    bench.presence()
    return bench


def test_there_are_these_events_and_no_others() -> None:
    assert {event["type"] for event in everything().take_events()} == set(get_args(EventType))


def test_each_event_is_a_cloud_event() -> None:
    events = everything().take_events()
    assert len({event["id"] for event in events}) == len(events)
    for event in events:
        assert event["specversion"] == "1.0"
        assert event["source"] == "caroni/managers/m1"
        assert event["datacontenttype"] == "application/json"
        assert re.fullmatch(r"2023-11-14T22:1[34]:\d\d\.\d{3}Z", event["time"])
        assert all(value is not None for value in event["data"].values())


def test_the_subject_is_the_workflow_or_its_step() -> None:
    subjects = {(event["type"].split(".")[1], event["subject"]) for event in everything().take_events()}
    assert ("workflow", "done") in subjects
    assert ("step", "bad/a") in subjects
    assert ("workflow", "refused") in subjects


def test_each_event_goes_to_the_topic_of_its_workflow() -> None:
    topics = {event["topic"].removeprefix("caroni/managers/m1/events/") for event in everything().take_events()}
    assert topics == {"done", "bad", "ended", "rejected", "held", "late"}


def test_a_failed_step_says_where_and_how_it_failed() -> None:
    bench = Bench(attempts=1)
    bench.presence()
    bench.start("one")
    job = bench.place()
    bench.fail(job, reason="exit status 3")
    data = bench.take_event("caroni.step.failed")["data"]
    assert data == {
        "workflow": "w1",
        "template": "one",
        "step": "a",
        "status": "failed",
        "reason": "exit status 3",
        "job": job,
        "agent": "a1",
        "attempt": 1,
        "exit_code": 1,
        "stderr": "no luck",
    }
    assert bench.take_event("caroni.workflow.failed")["data"] == {
        "workflow": "w1",
        "template": "one",
        "status": "failed",
        "reason": "step a: exit status 3",
    }


@pytest.mark.parametrize(("steps", "is_left_out"), [(2, False), (4, True)])
def test_outputs_that_are_too_large_for_an_event_are_left_out(steps: int, is_left_out: bool) -> None:
    names = [f"s{number}" for number in range(steps)]
    big = plan(
        "big", *(step(name, "upper", text=given("message")) for name in names), outputs={n: out(n) for n in names}
    )
    bench = Bench(big)
    bench.presence()
    bench.start("big")
    for placed in bench.place_all(ready=steps):
        bench.complete(placed.job, out="x" * 45_000)
    event = bench.take_event("caroni.workflow.completed")
    assert ("outputs" in event["data"]) is not is_left_out
    assert event["data"].get("outputs_left_out", False) is is_left_out
    assert len(json.dumps(event)) < OUTPUTS_LIMIT_BYTES
    assert set(bench.outputs()) == set(names), "they are kept all the same"
    bench.start("big", "w1")
    assert bench.take_event("caroni.workflow.completed")["id"] == event["id"]


def test_events_of_one_workflow_come_in_the_order_in_which_things_happened() -> None:
    bench = Bench()
    bench.presence()
    bench.start("diamond")
    bench.complete(bench.place())
    for placed in bench.place_all(job_type="lower", ready=2):
        bench.complete(placed.job)
    bench.complete(bench.place())
    said = [(event["type"].rpartition(".")[2], event["data"].get("step")) for event in bench.take_events()]
    assert said == [
        ("started", None),
        ("completed", "top"),
        ("completed", "left"),
        ("completed", "right"),
        ("completed", "end"),
        ("completed", None),
    ]


def test_dates_are_those_of_the_wall_clock() -> None:
    bench = Bench()
    bench.date = DATE + 0.25
    bench.start("one")
    assert bench.take_event("caroni.workflow.started")["time"] == "2023-11-14T22:13:20.250Z"
