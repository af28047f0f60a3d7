"""Why a workflow or a step is where it is: one item a condition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.manager.pages import why
from caroni_edge.manager.pages.shapes import Reason, Why
from caroni_edge.protocol.messages import JobAccepted, JobDecline
from tests.web_bench import ManagerBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    bench = ManagerBench(tmp_path, attempts=2, stalled_after_s=60.0)
    yield bench
    bench.close()


def explain(bench: ManagerBench, step: str | None = None) -> Why:
    with bench.views() as look:
        row = look.workflow_row("w1")
        assert row is not None
        explainer = why.Explainer(look, why.ManagerNow("m1", bench.problem, bench.service.now))
        if step is None:
            return explainer.workflow(row)
        step_row = look.step_row(row, step)
        assert step_row is not None
        return explainer.step(row, step_row)


def conditions(found: Why) -> list[str]:
    return [each["condition"] for each in found["why"]]


def only(found: Why) -> Reason:
    (reason,) = found["why"]
    return reason


def facts(found: Why, condition: str) -> dict[str, Any]:
    (reason,) = [each for each in found["why"] if each["condition"] == condition]
    return reason["facts"]


# --- A step that nobody has taken ------------------------------------------------------------------------------------


def test_nobody_was_ever_heard_of(bench: ManagerBench) -> None:
    bench.trigger()
    found = explain(bench, "upper")
    assert (found["workflow"], found["step"], found["status"]) == ("w1", "upper", "fulfilling")
    assert only(found) == {
        "condition": "nobody_has_type",
        "sentence": "step upper waits for an agent: none that this manager has heard of has the job type foojob0",
        "facts": {"step": "upper", "job_type": "foojob0"},
    }


def test_an_agent_that_cannot_take_the_job_type_says_why(bench: ManagerBench) -> None:
    bench.see("a1", "foojob1", refuses={"foojob0": "its file cannot be taken", "*": "it is drained"})
    bench.see("a2", "foojob1", refuses={"foojob2": "its file cannot be taken"})
    bench.trigger()
    found = explain(bench, "upper")
    assert conditions(found) == ["nobody_has_type", "refused"]
    said = "step upper is not taken by agent a1, which offers nothing for foojob0: its file cannot be taken"
    assert found["why"][1]["sentence"] == said


def test_who_has_the_job_type_is_away(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.lose("a1")
    bench.trigger()
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "agents_away"
    assert reason["facts"]["agents"] == ["a1"]


@pytest.mark.parametrize("key", ["*", "m1", "foojob0"])
def test_an_agent_refuses_and_says_why(bench: ManagerBench, key: str) -> None:
    bench.see("a1", "foojob0", refuses={key: "its disk is full"})
    bench.trigger()
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "refused"
    assert reason["sentence"].endswith("its disk is full")
    assert reason["facts"]["reason"] == "its disk is full"


def test_agents_are_there_and_have_no_place(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0", slots=2)
    bench.see("a2", "foojob0", slots=1)
    bench.trigger()
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "waits_for_place"
    assert reason["facts"]["slots"] == {"a1": 2, "a2": 1}
    assert "a1 (2 slots) and a2 (1 slots)" in reason["sentence"]


def test_many_agents_are_not_all_named_in_the_sentence(bench: ManagerBench) -> None:
    for number in range(8):
        bench.see(f"a{number}", "foojob0")
    bench.trigger()
    reason = only(explain(bench, "upper"))
    assert "a4 (2 slots) and 3 more" in reason["sentence"]
    assert len(reason["facts"]["slots"]) == 8


def test_a_step_that_failed_here_goes_elsewhere_first(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.see("a2", "foojob0")
    bench.trigger()
    bench.fail("a1", "foojob0")
    bench.service.now += 100
    bench.service.call(lambda _at: None)
    found = explain(bench, "upper")
    assert conditions(found) == ["attempt_failed", "failed_there", "waits_for_place"]
    assert facts(found, "failed_there")["agents"] == ["a1"]


def test_a_step_that_failed_on_all_goes_where_it_failed_least(tmp_path: Path) -> None:
    bench = ManagerBench(tmp_path)
    bench.see("a1", "foojob0")
    bench.see("a2", "foojob0")
    bench.trigger()

    def fail(agent: str) -> Why:
        bench.fail(agent, "foojob0")
        bench.service.now += 100
        bench.service.call(lambda _at: None)
        return explain(bench, "upper")

    fail("a1")
    assert conditions(fail("a2")) == ["attempt_failed", "waits_for_place"]
    (said,) = [each["sentence"] for each in fail("a1")["why"] if each["condition"] == "failed_there"]
    assert said == "step upper has failed more often on a1, so other agents come first"
    bench.close()


def test_the_manager_itself_cannot_work(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.problem = "not connected to the broker: refused"
    found = explain(bench, "upper")
    assert conditions(found) == ["manager_not_ready", "waits_for_place"]
    assert facts(found, "manager_not_ready")["problem"] == bench.problem


# --- Data ------------------------------------------------------------------------------------------------------------


def test_a_step_waits_for_the_outputs_of_others(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0", "foojob1", "foojob2")
    bench.trigger()
    reason = only(explain(bench, "append"))
    assert reason["condition"] == "waits_for_data"
    assert reason["sentence"] == "step append waits for the outputs of prepend (fulfilling)"
    assert reason["facts"] == {"step": "append", "steps": {"prepend": "fulfilling"}}


def test_a_step_is_placed_before_its_data_is_there(bench: ManagerBench) -> None:
    bench.see("a1", "foojob1")
    bench.trigger()
    bench.place("a1", "foojob1", ready=0, waiting=1)
    assert conditions(explain(bench, "prepend")) == ["waits_for_data", "placed_ahead"]


# --- A step at an agent ----------------------------------------------------------------------------------------------


def test_a_job_waits_for_a_slot_then_runs_then_its_agent_is_away(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0").job
    queued = only(explain(bench, "upper"))
    assert (queued["condition"], queued["facts"]["agent"], queued["facts"]["attempt"]) == ("queued", "a1", 1)
    bench.status("a1", job, "running", begun=True, started=0.0)
    running = only(explain(bench, "upper"))
    assert running["condition"] == "running"
    assert running["sentence"] == "step upper runs on agent a1 since 1970-01-01T00:00:00.000Z (attempt 1)"
    assert "box" not in running["facts"], "an older agent does not say it"
    bench.status("a1", job, "running", begun=True, started=0.0, box="shared: no namespaces")
    boxed = only(explain(bench, "upper"))
    assert boxed["sentence"].endswith("000Z (attempt 1, box: shared: no namespaces)")
    assert boxed["facts"]["box"] == "shared: no namespaces"
    bench.lose("a1")
    away = only(explain(bench, "upper"))
    assert away["condition"] == "agent_away"
    assert "which is offline since 2023" in away["sentence"]
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "X"}, ended=5.0)
    done = only(explain(bench, "upper"))
    assert (
        done["sentence"]
        == "step upper was completed by agent a1 at 1970-01-01T00:00:05.000Z (attempt 1, box: shared: no namespaces)"
    )


# --- Attempts --------------------------------------------------------------------------------------------------------


def test_an_attempt_has_failed_and_the_next_one_has_to_wait(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.fail("a1", "foojob0", reason="it gave no outputs")
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "retry_delay"
    assert reason["sentence"] == (
        "step upper is asked for again in 1.0 s: attempt 1 on agent a1 failed (exit code 3): it gave no outputs"
    )
    assert reason["facts"]["job"] == job.job
    assert (reason["facts"]["stderr"], reason["facts"]["exit_code"]) == ("no such file", 3)


def test_a_job_that_was_given_back_is_asked_for_again(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0").job
    bench.message("a1", JobDecline(job=job, reason="no room"))
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "retry_delay"
    assert reason["sentence"] == "step upper is asked for again in 1.0 s: its last agent gave it back"


def test_an_agent_must_first_say_what_it_holds(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.database.conn.execute("INSERT INTO peers (peer, reconcile) VALUES ('a1', 1)")
    bench.service.call(lambda _at: None)
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "reconciling"
    assert "a1 must first say which jobs are there" in reason["sentence"]


def test_what_may_not_be_repeated_waits_for_somebody(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0", repeat=False)
    bench.status("a1", job.job, "failed", begun=True, reason="it was cut off")
    reason = only(explain(bench, "upper"))
    assert reason["condition"] == "in_doubt"
    assert "`caroni-edge retry w1`" in reason["sentence"]


def test_a_failed_workflow_names_step_agent_exit_code_and_the_end_of_stderr(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.see("a2", "foojob0")
    bench.trigger()
    bench.fail("a1", "foojob0")
    bench.fail("a2", "foojob0")
    found = explain(bench)
    assert found["status"] == "failed"
    assert conditions(found) == ["failed", "attempts_used_up", "retry"]
    assert found["why"][1]["sentence"] == (
        "step upper failed: its 2 attempts are used up; attempt 2 on agent a2 failed: its exit status was 3"
    )
    used = facts(found, "attempts_used_up")
    assert (used["step"], used["agent"], used["exit_code"], used["stderr"]) == ("upper", "a2", 3, "no such file")
    assert used["attempts"] == 2
    assert conditions(explain(bench, "prepend")) == ["waits_for_data", "not_begun"]


# --- Workflows -------------------------------------------------------------------------------------------------------


def test_a_running_workflow_tells_of_each_step_that_has_not_ended(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0").job
    bench.message("a1", JobAccepted(jobs=(job,)))
    found = explain(bench)
    assert (found["workflow"], found["step"], found["status"]) == ("w1", None, "running")
    assert [(each["condition"], each["facts"]["step"]) for each in found["why"]] == [
        ("queued", "upper"),
        ("waits_for_data", "prepend"),
        ("waits_for_data", "append"),
    ]


def test_a_workflow_of_many_steps_is_told_in_part(bench: ManagerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "STEPS_EXPLAINED", 2)
    bench.trigger()
    assert conditions(explain(bench)) == ["nobody_has_type", "waits_for_data", "more"]


def test_a_stalled_workflow_says_what_is_missing(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.lose("a1")
    bench.service.now += 61
    bench.service.call(lambda _at: None)
    found = explain(bench)
    assert found["status"] == "stalled"
    assert conditions(found)[:2] == ["stalled", "agents_away"]
    assert "foojob0" in found["why"][0]["sentence"]


def test_workflows_that_have_ended(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0", "foojob1", "foojob2")
    bench.trigger()
    for job_type in ("foojob0", "foojob1", "foojob2"):
        job = bench.place("a1", job_type).job
        bench.status("a1", job, "completed", begun=True, outputs={"jobout": "X"}, ended=5.0)
    assert conditions(explain(bench)) == ["completed"]
    bench.trigger(workflow="w2")
    bench.service.call(lambda at: bench.reactor.cancel("w2", at))
    with bench.views() as look:
        row = look.workflow_row("w2")
        assert row is not None
        assert conditions(why.Explainer(look, why.ManagerNow("m1", None, 0.0)).workflow(row)) == ["cancelled"]
