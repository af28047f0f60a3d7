"""Commands that start workflows, and those that show what can be started and who runs it."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from caroni_edge.cli import _api_client, logs, main
from caroni_edge.cli.run import Steps
from caroni_edge.client import submission
from caroni_edge.client.submission import WorkflowEvent
from caroni_edge.web.server import WebServer
from tests.integration.conftest import Run
from tests.support import free_port, wait_until
from tests.web_bench import TOKEN, Client, ManagerBench, serve_manager


def complete(bench: ManagerBench, agent: str = "a1") -> None:
    for job_type in ("foojob0", "foojob1", "foojob2"):
        job = bench.place(agent, job_type).job
        bench.status(agent, job, "completed", begun=True, outputs={"jobout": "ü"}, ended=5.0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again without waiting."""
    monkeypatch.setattr("caroni_edge.cli._watch.LOOK_EVERY_S", 0.01)


# --- submit and run --------------------------------------------------------------------------------------------------


def test_without_a_broker_the_api_starts_it(bench: ManagerBench, run: Run) -> None:
    answer = run("submit", "test_simple", "-i", "message=x", "--id", "w1")
    assert (answer.exit_code, answer.stdout) == (0, "w1\n")
    assert json.loads(run("submit", "test_simple", "-i", "message=x", "--id", "w1", "--json").stdout)["taken"] is True
    with bench.views() as views:
        found = views.summary("w1")
    assert found is not None
    assert found["inputs"] == {"message": "x"}
    assert run("submit", "test_simple", "-i", "message=y", "--id", "w1").exit_code == 1
    unknown = run("submit", "test_simpel")
    assert (unknown.exit_code, 'did you mean "test_simple"' in unknown.stderr) == (1, True)


def test_nothing_that_is_named_is_told_with_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_api_client, "URLS", {"manager": f"http://127.0.0.1:{free_port()}"})
    answer = CliRunner().invoke(main, ["submit", "test_simple"])
    assert answer.exit_code == 2
    assert "no broker is named, and no manager answers at http://127.0.0.1:" in answer.stderr
    assert "--broker and --manager" in answer.stderr
    assert CliRunner().invoke(main, ["submit", "x", "--broker", "mqtt://127.0.0.1"]).exit_code == 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("words", [("submit", "--wait"), ("run",)])
def test_it_is_followed_to_its_outputs(bench: ManagerBench, run: Run, words: tuple[str, ...]) -> None:
    bench.see("a1", "foojob0", "foojob1", "foojob2")

    def work() -> None:
        wait_until(lambda: workflow(bench, "w1") is not None, what="the workflow")
        complete(bench)

    worker = threading.Thread(target=work)
    worker.start()
    answer = run(*words, "test_simple", "-i", "message=x", "--id", "w1")
    worker.join()
    assert (answer.exit_code, json.loads(answer.stdout)) == (0, {"result": "ü"})
    assert answer.stderr.splitlines()[-1] == "w1: completed"


@pytest.mark.usefixtures("quick")
def test_what_fails_is_shown_with_the_end_of_its_log(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")

    def work() -> None:
        wait_until(lambda: workflow(bench, "w1") is not None, what="the workflow")
        for _ in range(4):
            bench.fail("a1", "foojob0")
        bench.service.now += 100
        job = bench.place("a1", "foojob0").job
        bench.bring_log("a1", job, b"".join(b"line %d\n" % nth for nth in range(30)), end=True)
        bench.status("a1", job, "failed", begun=True, reason="no such file", exit_code=1)

    worker = threading.Thread(target=work)
    worker.start()
    answer = run("run", "test_simple", "-i", "message=x", "--id", "w1")
    worker.join()
    assert (answer.exit_code, answer.stdout) == (1, "")
    lines = answer.stderr.splitlines()
    assert lines[lines.index("==> w1/upper") + 1 :][:20] == [f"line {nth}" for nth in range(10, 30)]
    assert lines[-1].startswith("w1: failed: step upper: no such file")


@pytest.mark.usefixtures("quick")
def test_who_waits_only_so_long_is_told(run: Run) -> None:
    answer = run("run", "test_simple", "-i", "message=x", "--id", "w1", "--timeout", "1ms")
    assert answer.exit_code == 3
    assert "it has not ended within --timeout" in answer.stderr


def workflow(bench: ManagerBench, name: str) -> Any:
    with bench.views() as views:
        return views.summary(name)


def test_over_mqtt_alone_the_steps_are_shown_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"workflow": "w1", "agent": "a1"}
    events = [
        WorkflowEvent("caroni.workflow.started", {"workflow": "w1"}),
        WorkflowEvent("caroni.step.completed", {**step, "step": "scan[0]"}),
        WorkflowEvent("caroni.step.completed", {**step, "step": "scan[1]"}),
        WorkflowEvent("caroni.step.failed", {**step, "step": "join", "reason": "bad\x1b[2J"}),
        WorkflowEvent("caroni.workflow.failed", {"workflow": "w1", "reason": "step join failed"}),
    ]

    class Answered(submission.Submission):
        def __enter__(self) -> "Answered":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def events(self, _give_up_s: float | None, _on_disconnect: Callable[[str], Any]) -> Iterator[WorkflowEvent]:
            while events:
                yield events.pop(0)

    monkeypatch.setattr(submission, "Submission", Answered)
    answer = CliRunner().invoke(main, ["run", "one", "--id", "w1", "--broker", "mqtt://127.0.0.1", "--manager", "m1"])
    lines = answer.stderr.splitlines()
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "scan  2 completed  on a1" in lines
    assert r"join  failed       on a1: bad\x1b[2J" in lines
    assert lines[-1] == "w1: failed: step join failed"


def test_a_lost_connection_is_said_while_it_lasts() -> None:
    steps = Steps("w1")
    steps.say_trouble("cut off")
    assert steps.lines() == ["w1: waiting: disconnected: cut off"]
    steps.take(WorkflowEvent("caroni.workflow.started", {}))
    assert steps.lines() == ["w1: running"]


# --- rerun, pause, resume --------------------------------------------------------------------------------------------


def test_another_one_with_some_inputs_changed(bench: ManagerBench, run: Run) -> None:
    bench.trigger()
    assert run("rerun", "w1", "--id", "w2", "-i", "message=bye").stdout == "w2\n"
    assert workflow(bench, "w2")["inputs"] == {"message": "bye"}
    assert run("rerun", "w1", "--id", "W 2").exit_code == 2
    assert run("rerun", "last").exit_code == 0


def test_a_template_is_paused_and_resumed(bench: ManagerBench, run: Run) -> None:
    assert run("pause", "test_simple").stdout == "test_simple is paused; 0 workflows are held\n"
    bench.trigger()
    assert workflow(bench, "w1")["status"] == "held"
    assert run("pause", "test_simple").stdout == "test_simple is paused; 1 workflow is held\n"
    assert "test_simple  paused, 1 held  message: string" in run("templates").stdout
    assert run("resume", "test_simple").stdout.startswith("test_simple is resumed")
    assert 'did you mean "test_simple"' in run("pause", "test_simpl").stderr


# --- agents and templates --------------------------------------------------------------------------------------------


def test_agents_with_what_they_have_and_refuse(bench: ManagerBench, server: WebServer, run: Run) -> None:
    assert run("agents").stdout == "no agents have been heard of\n"
    bench.see("a1", "foojob0", "foojob1", refuses={"foojob1": "disk full"})
    bench.see("b1", "foojob0")
    bench.lose("b1")
    bench.trigger()
    bench.place("a1", "foojob0")
    head, first, second = run("agents").stdout.splitlines()
    assert head.split() == ["AGENT", "STATE", "HEARD", "JOBS/SLOTS", "VERSION", "HOST", "LABELS", "JOB", "TYPES"]
    assert first.split()[:2] == ["a1", "online"]
    assert "  1/2  " in first
    assert first.endswith("foojob0 foojob1  refuses foojob1: disk full")
    assert second.split()[:2] == ["b1", "offline"]
    assert [line.split()[0] for line in run("agents", "--job-type", "foojob1").stdout.splitlines()[1:]] == ["a1"]
    lines = run("agents", "a1").stdout.splitlines()
    assert lines[0].startswith("a1: online (host there, version , heard of ")
    assert "  refuses foojob1: disk full" in lines
    assert lines[-2].split() == ["foojob0", "yes", "message:", "string"]
    assert [each["id"] for each in json.loads(run("agents", "--json").stdout)["agents"]] == ["a1", "b1"]
    unknown = run("agents", "a11")
    assert (unknown.exit_code, 'did you mean "a1"' in unknown.stderr) == (1, True)
    with Client(server) as client:
        assert client.get("/api/agents/a1").json()["open_jobs"] == 1


def test_templates_with_inputs_and_last_runs(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    source = (Path(__file__).parents[2] / "config" / "templates" / "test_simple.cwl").read_text()
    (templates / "good.cwl").write_text(source.replace("message: string", 'message: {type: string, default: "hi"}', 1))
    (templates / "bad.cwl").write_text("class: Workflow\n")
    bench = ManagerBench(tmp_path, directory=templates)
    bench.trigger("good", "w1")
    with serve_manager(bench, tmp_path) as server:

        def run(*words: str) -> Result:
            return CliRunner().invoke(main, [*words, "--url", server.url, "--token", TOKEN])

        head, bad, good = run("templates", "--utc").stdout.splitlines()
        shown, broken = run("templates", "good").stdout, run("templates", "bad").stdout
    bench.close()
    assert head.split() == ["TEMPLATE", "STATE", "INPUTS", "LAST", "RUN"]
    assert (bad.split()[:2], "bad.cwl:1" in bad) == (["bad", "broken"], True)
    assert good.split()[:2] == ["good", "ready"]
    assert 'message: string = "hi"' in good
    assert good.endswith(", initializing")
    assert "good: ready (" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("prepend")] == [
        ["prepend", "foojob1", "upper"]
    ]
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("w1")] == [["w1", "initializing"]]
    assert broken.startswith("bad: broken (")


# --- logs ------------------------------------------------------------------------------------------------------------


def test_the_log_of_a_job_that_has_not_begun_is_waited_for_by_follow_alone(
    bench: ManagerBench, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    answer = run("logs", "last/upper")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr.startswith("w1/upper: its job has not begun; --follow waits for it, and `caroni-edge why w1/")

    def ask(*words: Any, **asked: Any) -> Any:
        answer = asks(*words, **asked)
        if not calls:
            calls.append(1)
            job = bench.place("a1", "foojob0").job
            bench.bring_log("a1", job, b"at last\n", end=True)
            bench.status("a1", job, "failed", begun=True, reason="no such file", exit_code=1)
        return answer

    calls, asks = list[int](), logs._ask
    monkeypatch.setattr(logs, "_ask", ask)
    followed = run("logs", "w1/upper", "--follow")
    assert followed.stdout == "at last\n"
    assert followed.stderr.startswith("w1/upper: its job has not begun; waiting for it\n")


# --- completion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_needs_to_complete(shell: str) -> None:
    answer = CliRunner().invoke(main, ["completion", shell], prog_name="caroni-edge")
    assert (answer.exit_code, "_CARONI_EDGE_COMPLETE" in answer.stdout) == (0, True)
