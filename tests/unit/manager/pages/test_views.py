"""What is shown of a manager's database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.store.listed import WorkflowFilter
from tests.web_bench import ManagerBench

ALL = WorkflowFilter()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    bench = ManagerBench(tmp_path)
    yield bench
    bench.close()


# --- Workflows -------------------------------------------------------------------------------------------------------


def test_workflows_come_newest_first_and_by_page(bench: ManagerBench) -> None:
    for number in range(5):
        bench.trigger(workflow=f"w{number}")
    with bench.views() as look:
        first = look.workflows(ALL, 2, None)
        assert [each["id"] for each in first["workflows"]] == ["w4", "w3"]
        assert first["next"] is not None
        second = look.workflows(ALL, 3, int(first["next"]))
        assert [each["id"] for each in second["workflows"]] == ["w2", "w1", "w0"]
        assert second["next"] is None


def test_workflows_are_filtered_by_status_and_template(bench: ManagerBench) -> None:
    bench.trigger(workflow="simple")
    bench.trigger("diamond", "cancelled", text="x")
    bench.trigger("diamond", "going", text="x")
    bench.service.call(lambda at: bench.reactor.cancel("cancelled", at))
    with bench.views() as look:

        def found(status: WorkflowState | None, template: str | None) -> list[str]:
            return [each["id"] for each in look.workflows(WorkflowFilter(status, template), 10, None)["workflows"]]

        assert found(None, None) == ["going", "cancelled", "simple"]
        assert found(WorkflowState.INITIALIZING, None) == ["going", "simple"]
        assert found(None, "diamond") == ["going", "cancelled"]
        assert found(WorkflowState.CANCELLED, "diamond") == ["cancelled"]
        assert found(WorkflowState.CANCELLED, "test_simple") == []


def test_a_workflow_that_has_begun_shows_its_steps_and_what_they_wait_for(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0", "foojob1")
    bench.trigger()
    upper = bench.place("a1", "foojob0")
    with bench.views() as look:
        found = look.workflow("w1")
    assert found is not None
    assert (found["status"], found["template"], found["inputs"]) == (
        WorkflowState.INITIALIZING,
        "test_simple",
        {"message": "caronirocks"},
    )
    assert (found["outputs"], found["ended"], found["reason"], found["steps_next"]) == (None, None, None, None)
    assert found["created"] == "2023-11-14T22:30:00.000Z"
    assert list(found["steps"]) == ["append", "prepend", "upper"]
    assert found["steps"]["append"]["waiting_for"] == ["prepend"]
    assert found["steps"]["prepend"]["waiting_for"] == ["upper"]
    assert found["steps"]["prepend"]["attempts"] == []
    assert dict(found["steps"]["upper"]) == {
        "status": StepState.FULFILLED,
        "job_type": "foojob0",
        "parts": None,
        "agents": None,
        "agent": "a1",
        "outputs": None,
        "waiting_for": [],
        "reason": None,
        "attempts": [
            {
                "attempt": 1,
                "job": upper.job,
                "agent": "a1",
                "status": "queued",
                "exit_code": None,
                "reason": None,
                "stderr": None,
                "lost": False,
                "placed": "2023-11-14T22:30:00.000Z",
                "started": None,
                "ended": None,
                "box": None,
            }
        ],
    }


def test_attempts_are_in_order_with_how_each_ended(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    for _ in range(2):
        bench.fail("a1", "foojob0")
    bench.service.now += 100
    third = bench.place("a1", "foojob0")
    bench.status("a1", third.job, "completed", begun=True, outputs={"jobout": "X"}, exit_code=0, started=1.0, ended=2.5)
    with bench.views() as look:
        found = look.workflow("w1")
    assert found is not None
    step = found["steps"]["upper"]
    assert [(each["attempt"], each["status"], each["exit_code"]) for each in step["attempts"]] == [
        (1, "failed", 3),
        (2, "failed", 3),
        (3, "completed", 0),
    ]
    assert step["attempts"][0]["stderr"] == "no such file"
    assert step["attempts"][2]["ended"] == "1970-01-01T00:00:02.500Z"
    assert (step["status"], step["agent"], step["outputs"]) == (StepState.COMPLETED, "a1", {"jobout": "X"})
    assert found["steps"]["prepend"]["waiting_for"] == []


def test_a_step_between_two_attempts_has_no_agent_and_a_failed_one_has_its_last(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    for attempt in range(1, 6):
        bench.fail("a1", "foojob0")
        with bench.views() as look:
            found = look.workflow("w1")
        assert found is not None
        assert found["steps"]["upper"]["agent"] == ("a1" if attempt == 5 else None)
    assert found is not None
    assert found["status"] is WorkflowState.FAILED
    assert "its exit status was 3" in (found["reason"] or "")


def test_steps_beyond_the_first_come_by_page(bench: ManagerBench) -> None:
    bench.trigger("diamond", text="x")
    with bench.views() as look:
        row = look.workflow_row("w1")
        found = look.workflow("w1", 2)
        assert row is not None
        assert found is not None
        assert (list(found["steps"]), found["steps_next"]) == (["count", "report"], "report")
        rest = look.steps(row, None, 100, found["steps_next"] or "")
        assert (list(rest["steps"]), rest["next"]) == (["tidy", "upper"], None)
        assert list(look.steps(row, StepState.FULFILLING, 1, "count")["steps"]) == ["report"]
        assert look.steps(row, StepState.COMPLETED, 100, "") == {"steps": {}, "next": None}


def test_what_is_not_there_is_none(bench: ManagerBench) -> None:
    bench.trigger()
    with bench.views() as look:
        row = look.workflow_row("w1")
        assert row is not None
        assert look.workflow("w2") is None
        assert look.summary("w2") is None
        assert look.step_row(row, "nowhere") is None
        assert look.log("nojob") == (b"", False)


def test_a_request_sees_one_commit_while_the_writer_goes_on(bench: ManagerBench) -> None:
    bench.trigger(workflow="before")
    with bench.views() as look:
        assert len(look.workflows(ALL, 10, None)["workflows"]) == 1
        bench.trigger(workflow="meanwhile")
        assert len(look.workflows(ALL, 10, None)["workflows"]) == 1
    with bench.views() as look:
        assert len(look.workflows(ALL, 10, None)["workflows"]) == 2


def test_a_connection_serves_again_after_an_error_in_a_request(bench: ManagerBench) -> None:
    with pytest.raises(KeyError, match="of the request"), bench.views() as look:
        raise KeyError(f"of the request for {look.workflow('w1')}")
    with bench.views() as look:
        assert look.workflow("w1") is None


# --- Agents and numbers ----------------------------------------------------------------------------------------------


def test_agents_say_what_they_serve_and_refuse(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0", "foojob1", refuses={"foojob1": "it fails always"}, slots=4)
    bench.see("a2", "foojob0")
    bench.lose("a2")
    bench.trigger()
    bench.place("a1", "foojob0")
    with bench.views() as look:
        page = look.roster.page(1, "")
        (one,) = page["agents"]
        (two,) = look.roster.page(10, page["next"] or "")["agents"]
    assert (one["id"], one["online"], one["slots"], one["open_jobs"], one["host"]) == ("a1", True, 4, 1, "there")
    assert one["refuses"] == {"foojob1": "it fails always"}
    assert {name: each["serves"] for name, each in one["job_types"].items()} == {"foojob0": True, "foojob1": True}
    assert one["job_types"]["foojob0"]["inputs"] == {"message": "string"}
    assert (two["id"], two["online"], two["open_jobs"]) == ("a2", False, 0)
    assert two["seen"] == "2023-11-14T22:30:00.000Z"


def test_numbers(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.see("a2")
    bench.lose("a2")
    bench.trigger(workflow="w1")
    bench.trigger(workflow="w2")
    bench.place("a1", "foojob0")
    with bench.views() as look:
        assert look.count_workflows()[WorkflowState.INITIALIZING] == 2
        assert set(look.count_workflows()) == set(WorkflowState)
        assert look.count_unplaced() == {"foojob0": 1, "foojob1": 2, "foojob2": 2}
        assert look.count_open_jobs() == {"queued": 1}
        assert look.count_agents() == {"online": 1, "offline": 1}


def test_the_numbers_of_workflows_follow_each_change(tmp_path: Path) -> None:
    bench = ManagerBench(tmp_path, attempts=1)
    bench.see("a1", "foojob0")
    for workflow in ("w1", "w2", "w3"):
        bench.trigger(workflow=workflow)
    bench.fail("a1", "foojob0")
    bench.service.call(lambda at: bench.reactor.cancel("w2", at))
    with bench.views() as look:
        assert ended_and_begun(look) == (1, 1, 1)
    bench.service.call(lambda at: bench.reactor.retry("w1", at))
    with bench.views() as look:
        assert ended_and_begun(look) == (0, 1, 2)
    bench.database.conn.execute("DELETE FROM workflows WHERE id <> 'w1'")
    with bench.views() as look:
        assert ended_and_begun(look) == (0, 0, 1)
    bench.close()


def ended_and_begun(look: ManagerViews) -> tuple[float, float, float]:
    """Return how many workflows have failed, how many were cancelled, and how many go on."""
    counts = look.count_workflows()
    going_on = sum(counts.values()) - counts[WorkflowState.FAILED] - counts[WorkflowState.CANCELLED]
    return counts[WorkflowState.FAILED], counts[WorkflowState.CANCELLED], going_on
