"""Paused templates: their new workflows are held, and begin in their order when the template is resumed."""

import pytest

from caroni_edge.documents.documents import Problem
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.triggers import pauses
from caroni_edge.manager.triggers.triggers import Refused
from caroni_edge.values.json import hash_of
from tests.unit.manager.bench import Bench

HELD = WorkflowState.HELD


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.presence()
    return bench


def held(bench: Bench) -> list[str]:
    return [row["id"] for row in bench.rows("SELECT id FROM workflows WHERE status = 'held' ORDER BY seq")]


def why(bench: Bench, workflow: str = "w1") -> list[str]:
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row(workflow)
    assert row is not None
    return [each["sentence"] for each in Explainer(views, ManagerNow("m1", None, bench.now)).workflow(row)["why"]]


def test_a_new_workflow_of_a_paused_template_is_held_and_what_runs_goes_on(bench: Bench) -> None:
    bench.start("one", "w0")
    job = bench.place()
    bench.pause("one")
    bench.start("one", "w1")
    bench.start("pair", "w2")
    bench.complete(job)
    assert [bench.workflow_state(f"w{number}") for number in range(3)] == ["completed", "held", "initializing"]
    assert bench.rows("SELECT 1 FROM steps WHERE workflow = 2") == []
    assert bench.workflow("w1")["started"] is None


def test_that_it_is_held_is_said(bench: Bench) -> None:
    bench.pause("one")
    bench.take_events()
    bench.start("one")
    (event,) = bench.take_events()
    assert (event["type"], event["data"]["status"]) == ("caroni.workflow.held", "held")
    assert event["data"]["reason"] == "the template one is paused"
    assert why(bench) == ["it is held until its template one is resumed, which was paused at 2023-11-14T22:13:20.000Z"]


def test_the_same_trigger_again_says_once_more_that_it_is_held(bench: Bench) -> None:
    bench.pause("one")
    bench.start("one")
    bench.take_events()
    bench.start("one")
    assert [event["type"] for event in bench.take_events()] == ["caroni.workflow.held"]


def test_held_workflows_begin_in_their_order_and_new_ones_behind_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "WORKFLOWS_AT_ONCE", 2)
    bench.pause("one")
    for number in range(5):
        bench.start("one", f"w{number}")
    bench.take_events()
    bench.resume("one")
    assert held(bench) == ["w2", "w3", "w4"]
    assert bench.reactor.next_due() <= bench.now
    assert why(bench, "w2") == ["it begins in its turn: its template one was resumed, and others were held before it"]
    bench.start("one", "w5")
    assert held(bench) == ["w4", "w5"]
    bench.settle()
    bench.settle()
    started = [event["data"]["workflow"] for event in bench.take_events("caroni.workflow.started")]
    assert started == [f"w{number}" for number in range(6)]
    bench.start("one", "w6")
    assert bench.workflow_state("w6") == "initializing"
    assert bench.rows("SELECT * FROM pauses") == []


def test_no_more_steps_are_made_at_once_than_a_batch_bears(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "STEPS_AT_ONCE", 4)
    bench.pause("diamond")
    for number in range(3):
        bench.start("diamond", f"w{number}")
    bench.resume("diamond")
    assert held(bench) == ["w1", "w2"]


def test_a_resumed_workflow_runs_with_the_inputs_that_it_was_taken_with(bench: Bench) -> None:
    bench.pause("one")
    bench.start("one")
    bench.advance(60)
    bench.resume("one")
    (placed,) = bench.place_all()
    assert placed.inputs == {"text": "x"}
    bench.complete(placed.job)
    assert bench.outputs() == {"result": "X"}
    row = bench.workflow()
    assert (row["started"] - row["created"], row["reason"]) == (60.0, None)


def test_a_pause_outlives_a_restart_and_so_does_a_resume(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "WORKFLOWS_AT_ONCE", 1)
    bench.pause("one")
    bench.restart()
    for number in range(3):
        bench.start("one", f"w{number}")
    assert len(held(bench)) == 3
    bench.resume("one")
    bench.restart()
    bench.advance(1)
    assert held(bench) == []


def test_a_template_that_is_paused_again_keeps_those_that_have_not_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "WORKFLOWS_AT_ONCE", 1)
    bench.pause("one")
    for number in range(3):
        bench.start("one", f"w{number}")
    bench.resume("one")
    bench.advance(0)
    bench.pause("one")
    left = held(bench)
    bench.advance(60)
    assert held(bench) == left


def test_pausing_again_changes_nothing(bench: Bench) -> None:
    bench.pause("one")
    before = bench.rows("SELECT * FROM pauses")
    bench.advance(60)
    bench.pause("one")
    assert bench.rows("SELECT * FROM pauses") == before


def test_a_held_workflow_can_be_cancelled_and_not_retried(bench: Bench) -> None:
    bench.pause("one")
    bench.start("one")
    with pytest.raises(Refused, match="is held, so there is nothing to retry"):
        bench.retry()
    bench.cancel()
    bench.resume("one")
    assert (bench.workflow_state(), bench.workflow()["started"]) == ("cancelled", None)
    assert bench.rows("SELECT 1 FROM steps") == []


def test_held_workflows_count_among_those_that_have_not_ended() -> None:
    bench = Bench(waiting_workflows=1)
    bench.pause("one")
    bench.start("one")
    bench.start("one", "w2")
    assert "waiting.workflows is 1" in bench.take_event("caroni.workflow.rejected")["data"]["reason"]


def test_what_is_no_template_is_neither_paused_nor_resumed(bench: Bench) -> None:
    for command in (bench.pause, bench.resume):
        with pytest.raises(Refused, match=r'there is no template diamnod \(did you mean "diamond"\?\)'):
            command("diamnod")
    bench.resume("one")  # it is not paused: that is so already
    assert bench.rows("SELECT * FROM pauses") == []


def test_a_broken_template_may_be_paused_and_one_that_is_gone_be_resumed(bench: Bench) -> None:
    bench.reactor.reload(bench.settings, Templates({}, {"one": (Problem("one.cwl:1", "broken"),)}))
    bench.pause("one")
    bench.reactor.reload(bench.settings, Templates({}, {}))
    bench.resume("one")
    assert bench.rows("SELECT * FROM pauses") == []


def test_a_restored_manager_releases_what_an_agent_has_a_job_of(bench: Bench) -> None:
    bench.pause("one")
    bench.start("one")
    query, inputs_hash = bench.reset(), hash_of({"text": "x"})
    here = bench.here("j" * 16, "running", begun=True, inputs_hash=inputs_hash)
    bench.answer(query, here)
    assert (bench.workflow_state(), bench.step("a")["job"]) == ("running", here.job)
    bench.complete(here.job)
    assert bench.workflow_state() == "completed"


@pytest.mark.parametrize("step", ["b", "a/b", "a[0]/b", "/".join("a" * 200)])
def test_a_job_of_a_step_that_a_held_workflow_has_not_releases_nothing(bench: Bench, step: str) -> None:
    bench.pause("one")
    bench.start("one")
    bench.answer(bench.reset(), bench.here("j" * 16, "running", step=step))
    assert bench.workflow_state() == HELD
