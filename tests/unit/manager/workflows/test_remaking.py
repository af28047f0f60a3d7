"""Files that are nowhere any more: the step that gave one gives it again, and who needs it waits."""

from typing import Any

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.messages import JobKill, OfferReject
from caroni_edge.values.carried import object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

FIRST = object_value("m31.fits", Object("a" * 64, 5_000_000), "0" * 40)
SECOND = object_value("m42.fits", Object("b" * 64, 7_000_000), "0" * 40)
OTHER = object_value("m31.fits", Object("c" * 64, 5_000_000), "0" * 40)
FIRST_NAME, SECOND_NAME, OTHER_NAME = (Object(digit * 64, 0).id for digit in "abc")

SHIFT = plan(
    "shift",
    step("make", "upper", {"file": "File"}, text=given("message")),
    step("use", "lower", {"file": "File"}, file=("File", out("make", "file"))),
    step("tell", "lower", file=("File", out("use", "file"))),
    outputs={"result": out("tell"), "file": ("File", out("make", "file"))},
)
LOST = 'no agent has the file "m31.fits" (5000000 bytes) any more: a1 has lost it, or it is damaged there'


@pytest.fixture
def bench() -> Bench:
    bench = Bench(SHIFT)
    for agent in ("a1", "a2"):
        bench.presence(agent)
    bench.start("shift")
    return bench


def make(bench: Bench, value: Any = FIRST, agent: str = "a1", **facts: Any) -> str:
    """Let the first step give a file."""
    job = bench.place(agent, **facts)
    bench.complete(job, agent, file=value)
    return job


def lose(bench: Bench, *names: str, agent: str = "a1") -> None:
    bench.send(ObjectsGone(objects=names or (FIRST_NAME,)), agent=agent)


def nothing_for(bench: Bench, agent: str, job_type: str = "upper") -> None:
    """Let an agent offer, and see that nothing is asked of it."""
    bench.offer(agent, job_type)
    bench.outbox.take(OfferReject, agent)


def completed(bench: Bench) -> list[str]:
    """Return the steps of which has been said that they have completed."""
    return [each["subject"] for each in bench.take_events("caroni.step.completed")]


def finish(bench: Bench, agent: str) -> None:
    bench.complete(bench.place(agent, "lower"), agent, file=SECOND)
    bench.complete(bench.place(agent, "lower"), agent, out="7 MB")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert bench.outputs() == {"result": "7 MB", "file": FIRST}


def test_a_lost_file_is_made_again_elsewhere_and_nothing_is_said_a_second_time(bench: Bench) -> None:
    make(bench)
    lose(bench)
    assert bench.state("make") is StepState.FULFILLING
    nothing_for(bench, "a1", "lower")
    assert bench.step("use")["reason"] == (
        'waits for the file "m31.fits" (5000000 bytes), which no agent has any more: step make makes it again'
    )
    make(bench, agent="a2")
    assert bench.state("make") is StepState.COMPLETED
    assert bench.step("use")["agents"] == '["a2"]'
    finish(bench, "a2")
    assert completed(bench) == ["w1/make", "w1/use", "w1/tell"]


def test_what_a_lost_file_was_made_of_is_made_again_too(bench: Bench) -> None:
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=SECOND)
    lose(bench, FIRST_NAME, SECOND_NAME)
    assert [bench.state(each) for each in ("make", "use", "tell")] == [StepState.FULFILLING] * 3
    make(bench, agent="a2")
    bench.complete(bench.place("a2", "lower"), "a2", file=SECOND)
    assert bench.state("use") is StepState.COMPLETED
    bench.complete(bench.place("a2", "lower"), "a2", out="7 MB")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert completed(bench) == ["w1/make", "w1/use", "w1/tell"]


def test_another_file_in_its_place_stalls_the_workflow_until_a_retry(bench: Bench) -> None:
    make(bench)
    lose(bench)
    make(bench, OTHER, "a2")
    assert bench.workflow_state() is WorkflowState.STALLED
    in_doubt = bench.step("make")["in_doubt"]
    assert '"m31.fits"' in in_doubt
    assert FIRST_NAME in in_doubt
    assert OTHER_NAME in in_doubt
    nothing_for(bench, "a2")
    bench.retry()
    assert bench.workflow_state() is WorkflowState.RUNNING
    make(bench, agent="a2")
    finish(bench, "a2")


def test_what_may_not_be_repeated_is_made_again_when_somebody_says_so(bench: Bench) -> None:
    make(bench, repeat=False)
    lose(bench)
    assert bench.workflow_state() is WorkflowState.STALLED
    assert bench.step("make")["in_doubt"] == (f"{LOST}, and its job type is never run again by itself (repeat: false)")
    nothing_for(bench, "a2")
    bench.retry()
    make(bench, agent="a2", repeat=False)
    finish(bench, "a2")


def test_each_time_counts_as_an_attempt(bench: Bench) -> None:
    bench.set(attempts=2)
    make(bench)
    lose(bench)
    make(bench)
    assert bench.step("make")["attempt"] == 2
    lose(bench)
    assert bench.step("make")["in_doubt"] == f"{LOST}, and its attempts are used up"
    assert bench.workflow_state() is WorkflowState.STALLED


def test_an_attempt_that_fails_is_followed_by_another_and_the_last_one_stalls(bench: Bench) -> None:
    bench.set(attempts=3)
    make(bench)
    lose(bench)
    bench.fail(bench.place("a2"), "a2")
    assert bench.workflow_state() is WorkflowState.RUNNING
    bench.advance(60.0)
    bench.fail(bench.place("a1"), "a1", reason="no luck")
    assert (bench.workflow_state(), bench.step("make")["in_doubt"]) == (WorkflowState.STALLED, "no luck")
    assert bench.take_events("caroni.step.failed") == []


def test_a_file_that_is_found_again_need_not_be_made(bench: Bench) -> None:
    make(bench)
    lose(bench)
    bench.send(ObjectsHere(objects=(ObjectHere(workflow="w1", object=FIRST_NAME, size=5_000_000),)))
    assert bench.state("make") is StepState.COMPLETED
    nothing_for(bench, "a2")
    finish(bench, "a1")


def test_when_the_workflow_has_completed_nothing_is_made_for_it_any_more(bench: Bench) -> None:
    make(bench)
    lose(bench)
    again = bench.place("a2")
    bench.send(ObjectsHere(objects=(ObjectHere(workflow="w1", object=FIRST_NAME, size=5_000_000),)))
    finish(bench, "a1")
    assert bench.outbox.take(JobKill, "a2").job == again
    assert bench.state("make") is StepState.COMPLETED
    bench.outbox.take_all(ObjectsDrop, "a2")
    bench.complete(again, "a2", file=FIRST)
    assert bench.outbox.take(ObjectsDrop, "a2") == ObjectsDrop(workflow="w1")


def test_nothing_is_made_again_for_nobody(bench: Bench) -> None:
    make(bench)
    bench.complete(bench.place("a1", "lower"), "a1", file=SECOND)
    lose(bench)
    assert bench.state("make") is StepState.COMPLETED


def test_it_goes_on_after_a_restart(bench: Bench) -> None:
    make(bench)
    lose(bench)
    bench.restart()
    nothing_for(bench, "a1", "lower")
    job = bench.place("a2")
    bench.restart()
    bench.complete(job, "a2", file=FIRST)
    finish(bench, "a2")


def test_it_goes_on_when_its_file_is_there_with_the_first_that_is_heard_after_a_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bench)
    lose(bench)
    job = bench.place("a2")
    monkeypatch.setattr(bench, "settle", lambda: None)
    bench.restart()
    bench.complete(job, "a2", file=FIRST)
    finish(bench, "a2")
