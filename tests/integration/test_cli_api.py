"""The commands that ask a node's API: what they print, and how they end."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from caroni_edge.base.errors import CaroniError
from caroni_edge.cli import logs as logs_command
from caroni_edge.cli import main
from caroni_edge.cli._api_client import Api, Options
from caroni_edge.cli._ids import split_step
from caroni_edge.cli._tables import table
from caroni_edge.cli.drain import drain, finish
from caroni_edge.config import WebConfig
from caroni_edge.manager.pages.views import STEPS_SHOWN
from caroni_edge.manager.templates.library import load_templates
from caroni_edge.manager.workflows import scatters
from caroni_edge.protocol.logs import JobLog
from caroni_edge.web.server import WebServer
from tests.integration.conftest import Run
from tests.support import free_port
from tests.web_bench import TOKEN, AgentBench, ManagerBench, serve_agent, serve_manager

MANY = """\
cwlVersion: v1.2
class: Workflow
inputs: {many: "string[]"}
outputs: {}
steps:
  s:
    in: {p: many}
    scatter: p
    out: [y]
    run: {class: Operation, inputs: {p: string}, outputs: {y: string}, hints: {JobType: {name: foojob0}}}
"""


def fail_all(bench: ManagerBench) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    for _ in range(5):
        bench.fail("a1", "foojob0", stderr="first line\nlast \x1b[31mline")


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_lists_workflows_in_columns(bench: ManagerBench, run: Run) -> None:
    assert run("status").stdout == "no workflows\n"
    bench.trigger(workflow="w1")
    bench.trigger("diamond", "another-one", text="x")
    answer = run("status")
    assert answer.exit_code == 0
    head, first, second = answer.stdout.splitlines()
    assert head.split() == ["WORKFLOW", "STATUS", "TEMPLATE", "CREATED", "TOOK", "PROGRESS"]
    assert first.split()[:3] == ["another-one", "initializing", "diamond"]
    assert second.index("initializing") == head.index("STATUS")


def test_status_by_page_and_filter(bench: ManagerBench, run: Run) -> None:
    for number in range(3):
        bench.trigger(workflow=f"w{number}")
    *_, more = run("status", "--limit", "2").stdout.splitlines()
    assert more.startswith("more with --after ")
    assert "w0" in run("status", "--after", more.rpartition(" ")[2]).stdout
    assert run("status", "--status", "failed").stdout == "no workflows\n"
    assert run("status", "--after", "x").exit_code == 2


def test_status_of_one_workflow_shows_its_steps_and_outputs(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0", "foojob1", "foojob2")
    bench.trigger()
    lines = run("status", "w1", "--utc").stdout.splitlines()
    assert lines[0].startswith("w1: initializing (template test_simple, created 2023-11-14T")
    assert lines[0].endswith("; 0/3 steps)")
    assert lines[1].split() == ["STEP", "STATUS", "AGENT", "TOOK", "ATTEMPTS"]
    assert [line.split()[0] for line in lines[2:]] == ["upper", "prepend", "append"]
    assert lines[4].split() == ["append", "fulfilling", "-", "-", "0", "waits", "for", "prepend"]
    assert " ago, took " in run("status", "w1").stdout
    for job_type in ("foojob0", "foojob1", "foojob2"):
        job = bench.place("a1", job_type).job
        bench.status("a1", job, "completed", begun=True, outputs={"jobout": "ü"}, ended=5.0)
    assert run("status", "w1").stdout.endswith("\noutputs: result (--outputs shows them)\n")
    text = run("status", "w1", "--outputs").stdout
    assert text.partition("outputs:\n")[2] == '{\n  "result": "ü"\n}\n'


def test_json_is_the_answer_of_the_api(bench: ManagerBench, run: Run) -> None:
    bench.trigger()
    assert json.loads(run("status", "--json").stdout)["workflows"][0]["id"] == "w1"
    assert list(json.loads(run("status", "w1", "--json").stdout)["steps"]) == ["append", "prepend", "upper"]
    assert json.loads(run("why", "w1", "--json").stdout)["workflow"] == "w1"
    assert json.loads(run("cancel", "w1", "--json").stdout)["status"] == "cancelled"


def test_the_parts_of_a_step_stand_in_order_and_json_has_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = STEPS_SHOWN + 10
    for name in ("UNTAKEN", "GROWTH"):
        monkeypatch.setattr(scatters, name, more)
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "many.cwl").write_text(MANY)
    bench = ManagerBench(tmp_path, load_templates(templates))
    bench.trigger("many", "short", many=["x"] * 11)
    bench.trigger("many", "long", many=["x"] * more)
    with serve_manager(bench, tmp_path) as server:
        environ = {"CARONI_TOKEN": TOKEN}
        short, long = (
            CliRunner().invoke(main, ["status", *words, "--url", server.url], env=environ).stdout
            for words in (["short/s"], ["long", "--json"])
        )
        whole = CliRunner().invoke(main, ["status", "short", "--url", server.url], env=environ).stdout
        page = CliRunner().invoke(main, ["status", "short/s", "--limit", "2", "--url", server.url], env=environ).stdout
    bench.close()
    names = [line.split()[0] for line in short.splitlines()[2:]]
    assert names == [f"s[{nth}]" for nth in range(11)]
    assert [line.split()[0] for line in whole.splitlines()[2:]] == ["s"]
    assert whole.splitlines()[2].endswith("0 of 11 completed")
    assert page.splitlines()[-1] == "more steps with --after 2"
    found = json.loads(long)
    assert (set(found["steps"]), found["steps_next"]) == ({"s", *(f"s[{nth}]" for nth in range(more))}, None)


def test_what_is_not_there_is_a_sentence_and_status_1(run: Run) -> None:
    answer = run("status", "none")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "there is no workflow none.\n"


# --- why, cancel, retry ----------------------------------------------------------------------------------------------


def test_why_says_which_step_which_agent_and_the_end_of_stderr(bench: ManagerBench, run: Run) -> None:
    fail_all(bench)
    lines = run("why", "w1").stdout.splitlines()
    assert lines[0] == "w1 is failed"
    assert lines[2] == (
        "- step upper failed: its 5 attempts are used up; attempt 5 on agent a1 failed: its exit status was 3"
    )
    assert lines[3:6] == ["  the end of its standard error:", "    first line", r"    last \x1b[31mline"]
    assert lines[-1] == "- `caroni-edge retry w1` gives what failed fresh attempts"
    assert run("why", "w1/upper").stdout.startswith("w1/upper is failed\n")
    assert run("why", "w1/none").exit_code == 1


def test_cancel_and_retry(bench: ManagerBench, run: Run) -> None:
    fail_all(bench)
    answer = run("retry", "w1")
    assert (answer.exit_code, answer.stdout) == (0, "w1 is running\n")
    assert run("cancel", "w1").stdout == "w1 is cancelled\n"
    again = run("cancel", "w1")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "is cancelled, so it cannot be cancelled" in again.stderr


# --- logs ------------------------------------------------------------------------------------------------------------


def test_a_complete_log_goes_to_standard_output(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.fail("a1", "foojob0").job
    bench.bring_log("a1", job, "naïve\n".encode(), end=True)
    answer = run("logs", "w1/upper")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "naïve\n", "")
    found = json.loads(run("logs", "w1/upper", "--json").stdout)
    assert found == {"workflow": "w1", "step": "upper", "state": "complete", "text": "naïve\n"}


def test_a_log_without_a_word_and_a_workflow_without_a_failure_are_said(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    answer = run("logs", "w1", "--failed")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr.startswith("w1: no step has failed that had a job; ")
    job = bench.fail("a1", "foojob0").job
    bench.bring_log("a1", job, b"", end=True)
    answer = run("logs", "w1/upper")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "", "w1/upper: its job has written nothing\n")


def test_a_log_of_an_agent_that_is_away_says_so(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.fail("a1", "foojob0").job
    bench.bring_log("a1", job, b"begin\n")
    bench.lose("a1")
    answer = run("logs", "w1/upper")
    assert answer.stdout == "begin\n"
    assert "its agent is away" in answer.stderr


def api(server: WebServer) -> Api:
    return Api("manager", Options(server.url, TOKEN, None, None), as_json=False)


def test_a_log_is_followed_to_its_end(bench: ManagerBench, server: WebServer) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0").job
    bench.status("a1", job, "running", begun=True, started=1.0)
    coming = [b"one\n", b"two\n", b"three\n"]
    offset = 0

    def write(_seconds: float) -> None:
        nonlocal offset
        data = coming.pop(0)
        bench.message("a1", JobLog(job=job, offset=offset, data=data, end=not coming))
        offset += len(data)

    path = "/api/workflows/w1/steps/upper/log"
    pieces = list(logs_command.collect(api(server), path, None, is_following=True, pause=write))
    assert [piece.text for piece in pieces] == ["", "one\n", "two\n", "three\n"]
    assert pieces[-1].state == "complete"


def test_without_follow_it_ends_when_nothing_more_comes(bench: ManagerBench, server: WebServer) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    job = bench.place("a1", "foojob0").job
    bench.status("a1", job, "running", begun=True, started=1.0)
    bench.bring_log("a1", job, b"one\n")
    pauses: list[float] = []
    path = "/api/workflows/w1/steps/upper/log"
    pieces = list(logs_command.collect(api(server), path, None, is_following=False, pause=pauses.append))
    assert "".join(piece.text for piece in pieces) == "one\n"
    assert len(pauses) == logs_command.QUIET_POLLS


def test_a_log_is_that_of_a_step(run: Run) -> None:
    answer = run("logs", "w1")
    assert answer.exit_code == 2
    assert "w1/STEP" in answer.stderr


# --- Reaching the node -----------------------------------------------------------------------------------------------


def test_an_unreachable_manager_is_a_sentence_with_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = CliRunner().invoke(main, ["status", "--url", url])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"{url}: The manager cannot be reached: ")
    assert "--config" in answer.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://[::", "http://127.0.0.1:99999999"])
def test_an_address_that_is_none_is_a_sentence(url: str) -> None:
    answer = CliRunner().invoke(main, ["status", "--url", url])
    assert answer.exit_code in (1, 2)
    assert "Traceback" not in answer.output
    assert "should not happen" not in answer.output


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_token_it_says_where_it_is(run: Run, token: str | None) -> None:
    answer = run("status", token=token)
    assert answer.exit_code == 2
    assert "web-token" in answer.stderr
    assert "--token-file" in answer.stderr


def test_the_token_from_a_file_or_an_option(bench: ManagerBench, run: Run, tmp_path: Path) -> None:
    bench.trigger()
    (tmp_path / "my-token").write_text(f"{TOKEN}\n")
    assert run("status", "--token-file", str(tmp_path / "my-token"), token="wrong").exit_code == 0
    assert run("status", "--token", TOKEN, token="wrong").exit_code == 0


def configured(tmp_path: Path, more: str = "") -> list[str]:
    config = tmp_path / "manager.yaml"
    config.write_text(f"id: m1\nstate_dir: {tmp_path}\nbroker: {{url: 'mqtt://127.0.0.1'}}\n{more}")
    return ["status", "--config", str(config)]


@pytest.mark.parametrize("with_page", [True, False])
def test_the_configuration_leads_to_the_socket_with_and_without_a_page(
    bench: ManagerBench, tmp_path: Path, with_page: bool
) -> None:
    bench.trigger()
    web = WebConfig(host="127.0.0.1", port=0, username="admin") if with_page else None
    words = configured(tmp_path, "" if with_page else "web: false\n")
    with serve_manager(bench, tmp_path, web):
        answer = CliRunner().invoke(main, words, env={"CARONI_TOKEN": "wrong"})
        assert (answer.exit_code, "w1" in answer.stdout) == (0, True), answer.stderr
        assert CliRunner().invoke(main, ["cancel", "w1", *words[1:]]).stdout == "w1 is cancelled\n"
        assert stat.S_IMODE((tmp_path / "api.sock").stat().st_mode) == 0o600
        both = CliRunner().invoke(main, [*words, "--url", "http://127.0.0.1:1"])
        assert (both.exit_code, "Leave one of them out" in both.stderr) == (2, True)
    assert (tmp_path / "web-token").exists() == with_page


def test_no_token_goes_to_who_listens_on_the_port_of_a_node_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "web-token").write_text("secret\n")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        words = configured(tmp_path, f"web: {{port: {stranger.getsockname()[1]}, token: secret}}\n")
        for command in (words, ["cancel", "w1", *words[1:]], ["logs", "w1/s", *words[1:]]):
            answer = CliRunner().invoke(main, command)
            assert (answer.exit_code, answer.stdout) == (1, "")
            assert answer.stderr.startswith(f"{tmp_path}/api.sock: The manager does not answer on its socket: ")
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_the_socket_is_found_below_a_long_path(bench: ManagerBench, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    with serve_manager(bench, deep, None):
        assert CliRunner().invoke(main, configured(deep)).stdout == "no workflows\n"


def test_a_socket_that_a_killed_node_has_left_gives_way(bench: ManagerBench, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "api.sock"))
    with serve_manager(bench, tmp_path, None):
        assert CliRunner().invoke(main, configured(tmp_path)).exit_code == 0


def test_without_its_socket_a_node_works_and_says_what_does_not(
    bench: ManagerBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "api.sock").mkdir()
    with serve_manager(bench, tmp_path) as server:
        assert api(server).get("/api/node")["ready"]
    assert "api.sock: The socket for commands on this host cannot be made: " in caplog.text
    assert "Commands with --config do not work" in caplog.text
    with serve_manager(bench, tmp_path, None):
        answer = CliRunner().invoke(main, configured(tmp_path))
    assert (answer.exit_code, answer.stdout) == (1, "")


def test_somebody_else_at_that_address(bench: ManagerBench, server: WebServer) -> None:
    client = Api("manager", Options(server.url, TOKEN, None, None), as_json=False)
    with pytest.raises(CaroniError, match="not the API of a Caroni Edge manager: the answer is no JSON"):
        client.get("/login")


# --- drain -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def agent() -> AgentBench:
    return AgentBench(slots=1)


@pytest.fixture
def drain_it(agent: AgentBench, tmp_path: Path) -> Iterator[Run]:
    with serve_agent(agent, tmp_path) as server:

        def run(*words: str) -> Result:
            return CliRunner().invoke(drain, [*words, "--url", server.url, "--token", TOKEN])

        yield run


def test_an_agent_is_drained_and_takes_work_again(agent: AgentBench, drain_it: Run) -> None:
    agent.bench.place(agent.bench.new_job(), agent.bench.new_job())
    answer = drain_it()
    assert (answer.exit_code, answer.stdout) == (
        0,
        "the agent takes no new work; jobs left: 1 queued, 1 running\n",
    )
    assert json.loads(drain_it("--json").stdout)["drained"] is True
    assert drain_it("--off").stdout.startswith("the agent takes work")


def test_waiting_until_an_agent_has_finished(agent: AgentBench, tmp_path: Path) -> None:
    (job,) = agent.bench.place(agent.bench.new_job())

    def end(_seconds: float) -> None:
        agent.bench.end(job)

    with serve_agent(agent, tmp_path) as server:
        client = Api("agent", Options(server.url, TOKEN, None, None), as_json=False)
        answer: Any = finish(client, client.post("/api/drain"), pause=end)
    assert answer == {
        "drained": True,
        "paused": False,
        "jobs": {"pending": 0, "staging": 0, "queued": 0, "running": 0, "collecting": 0},
    }


def test_an_agent_without_jobs_is_not_waited_for(drain_it: Run) -> None:
    assert drain_it("--wait").stdout == "the agent takes no new work; jobs left: none\n"


# --- Text ------------------------------------------------------------------------------------------------------------


def test_columns_stand_below_each_other() -> None:
    assert table(("A", "B"), [["long", 1], ["x", None]]) == ["A     B", "long  1", "x     -"]


def test_nothing_of_somebody_elses_commands_the_terminal() -> None:
    assert "\x1b" not in table(("A",), [["\x1b[2J"]])[1]


@pytest.mark.parametrize(
    ("text", "parts"), [("w1", ("w1", None)), ("w1/s", ("w1", "s")), ("w1/outer/inner", ("w1", "outer/inner"))]
)
def test_workflow_and_step(text: str, parts: tuple[str, str | None]) -> None:
    assert split_step(text) == parts


@pytest.mark.parametrize("name", ["status", "why", "logs", "cancel", "retry"])
def test_each_command_has_an_example(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])
    assert answer.exit_code == 0
    assert f"Example: caroni-edge {name}" in answer.stdout
    assert "--url" in answer.stdout
    assert isinstance(main.get_command(click.Context(main), name), click.Command)


# --- what was meant otherwise ----------------------------------------------------------------------------------------


def test_the_configuration_of_the_other_role_is_told(tmp_path: Path) -> None:
    config = tmp_path / "manager.yaml"
    config.write_text("id: m1\ntemplates: t\nbroker: {url: mqtt://127.0.0.1}\n")
    answer = CliRunner().invoke(main, ["drain", "--config", str(config)], prog_name="caroni-edge")
    assert answer.exit_code == 2
    assert "this is the configuration of a manager, and this command asks the agent" in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "w1/"), '"w1/" lacks the name of the step'),
        (("why", "/upper"), '"/upper" lacks the name of the workflow'),
        (("retry", "w1/upper"), '"w1/upper" is no workflow'),
        (("cancel", "w1/"), '"w1/" is no workflow'),
    ],
)
def test_a_name_that_lacks_a_part_is_told(words: tuple[str, ...], said: str, run: Run) -> None:
    answer = run(*words)
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.stderr


def test_a_step_that_is_tried_again_shows_its_error_as_one_of_before(bench: ManagerBench, run: Run) -> None:
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.fail("a1", "foojob0")
    assert "tried again after: its exit status was 3" in run("status", "w1").stdout
