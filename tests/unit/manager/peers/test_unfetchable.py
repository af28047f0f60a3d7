"""Workflows that wait for files which no agent may fetch are stalled, unless one that may is only away."""

from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.templates.plan import StepInput
from tests.kept import kept
from tests.unit.manager.bench import Bench, given, link, plan
from tests.unit.manager.workflows.test_remote import FILE, TAKES, USE

WHO = StepInput(name="agent", type=None, link=link(given("agent")))
BOUND = plan(
    "bound",
    replace(USE, inputs=(*USE.inputs, WHO), agents=("$(inputs.agent)",)),
    inputs={"file": "File", "agent": "string"},
)


@pytest.fixture
def bench() -> Bench:
    return Bench(TAKES, BOUND, stalled_after_s=60.0)


def stalls(bench: Bench, seconds: float = 200.0) -> bool:
    """Tell whether the workflow is stalled after a while."""
    bench.advance(seconds)
    return bench.workflow_state() is WorkflowState.STALLED


def test_a_workflow_the_file_of_which_no_agent_may_fetch_is_stalled_until_one_may(bench: Bench) -> None:
    bench.presence("a1", hosts=["other.example.org"])
    bench.start("takes", inputs={"file": FILE})
    assert not stalls(bench, 50.0)
    assert stalls(bench)
    said = "no agent that may take a step of the type lower fetches files from data.example.org (files.hosts)"
    assert bench.workflow()["reason"] == said
    assert [each["data"]["reason"] for each in bench.take_events("caroni.workflow.stalled")] == [said]
    bench.restart()
    bench.presence("a1", hosts=["other.example.org"])
    assert bench.take_events("caroni.workflow.resumed") == []
    assert stalls(bench)
    bench.presence("a1", hosts=["data.example.org"])
    assert bench.workflow_state() is WorkflowState.RUNNING
    assert bench.place("a1", "lower")
    assert not stalls(bench)


@pytest.mark.parametrize(
    "others",
    [
        {"hosts": ["*.example.org"]},
        {"hosts": None},
        {"hosts": ["data.example.org"], "online": False},
        {"hosts": ["data.example.org"], "refuses": {"*": "paused"}},
    ],
)
def test_it_waits_for_an_agent_that_may_fetch_it_and_is_away_or_busy(bench: Bench, others: dict[str, Any]) -> None:
    bench.presence("a2", **{**others, "online": True})
    bench.presence("a2", **others)
    bench.presence("a1", hosts=[])
    bench.start("takes", inputs={"file": FILE})
    assert not stalls(bench)


@pytest.mark.parametrize(("bound", "is_stalled"), [("a1", True), ("a2", False)])
def test_of_a_step_that_few_may_take_these_alone_count(bench: Bench, bound: str, *, is_stalled: bool) -> None:
    bench.presence("a1", hosts=[])
    bench.presence("a2", hosts=["data.example.org"])
    bench.start("bound", inputs={"file": FILE, "agent": bound})
    assert stalls(bench) is is_stalled


def test_agents_of_a_release_that_fetches_nothing_stall_it_too(bench: Bench) -> None:
    bench.outbox.versions["a1"] = 1
    bench.presence("a1", speaks=1)
    bench.start("takes", inputs={"file": FILE})
    assert stalls(bench)
    assert bench.workflow()["reason"] == "no agent that may take a step of the type lower fetches files at all"


def test_what_is_stalled_for_two_reasons_goes_on_without_both(bench: Bench) -> None:
    bench.presence("a1", hosts=[])
    bench.start("takes", inputs={"file": FILE})
    assert stalls(bench)
    bench.presence("a1", hosts=[], online=False)
    assert stalls(bench)
    bench.presence("a1", hosts=["data.example.org"])
    assert bench.workflow_state() is WorkflowState.RUNNING


def test_one_that_is_cancelled_is_forgotten(bench: Bench) -> None:
    bench.presence("a1", hosts=[])
    bench.start("takes", inputs={"file": FILE})
    assert stalls(bench)
    bench.cancel()
    bench.advance(60.0)
    assert not {each for each in kept(bench.reactor) if each.startswith("Unfetchable")}
