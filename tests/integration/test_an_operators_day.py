"""An operator's day: each task of docs/commands.md is one command, which does what is asked."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from caroni_edge.cli import main
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.web.server import WebServer
from tests.web_bench import TOKEN, ManagerBench, serve_manager

ROOT = Path(__file__).parents[2]
TASKS = [
    shlex.split(each) for each in re.findall(r"\| `caroni-edge ([^`]+)` \|", (ROOT / "docs/commands.md").read_text())
]
ELSEWHERE = ("drain", "doctor", "run", "check-config", "fetch")
"""Commands that no manager's page is asked by, or that wait for agents."""
LOOKS = ("status", "why", "logs", "agents", "templates", "triggers", "schedules", "completion")
"""Commands that change nothing."""
ENDLESS = ("--watch", "--follow")


TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {message: string, parts: {type: "string[]", default: [a, b]}}
outputs: {}
steps:
  upper:
    in: {message: message}
    out: [y]
    run: &job {class: Operation, inputs: {message: string}, outputs: {y: string}}
    hints: {caroni:JobType: {name: foojob0}}
  scan:
    in: {message: parts}
    scatter: message
    out: [y]
    run: *job
    hints: {caroni:JobType: {name: foojob1}}
"""
LOOK = """\
cwlVersion: v1.2
class: Workflow
inputs: {image: File}
outputs: {}
steps: {}
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """Serve a manager with a workflow that goes on, w1, and a newer one that has failed."""
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "test_simple.cwl").write_text(TEMPLATE)
    (templates / "look.cwl").write_text(LOOK)
    (tmp_path / "m31.fits").write_bytes(bytes(20_000))
    monkeypatch.chdir(tmp_path)
    bench = ManagerBench(tmp_path, directory=templates, disk_floor_bytes=0)
    bench.see("a1", "foojob0")
    bench.trigger(workflow="w1")
    bench.status("a1", bench.place("a1", "foojob0").job, "running", begun=True, started=1.0)
    urgent = Trigger(template="test_simple", inputs={"message": "x"}, id="w2", priority=9)
    bench.service.call(lambda at: bench.reactor.start_workflow(urgent, at))
    for _ in range(5):
        bench.fail("a1", "foojob0")
    with serve_manager(bench, tmp_path) as server:
        yield server
    bench.close()


def test_there_are_tasks_for_a_day() -> None:
    assert len(TASKS) >= 20


@pytest.mark.parametrize("words", TASKS, ids=" ".join)
def test_each_task_is_a_command_that_there_is(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("agent.yaml", "scan.cwl"):
        (tmp_path / name).write_text("")
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    assert command.make_context(words[0], words[1:])


def do(server: WebServer, words: list[str]) -> None:
    environ = {"CARONI_URL": server.url, "CARONI_TOKEN": TOKEN}
    answer = CliRunner().invoke(main, words, env=environ, prog_name="caroni-edge")
    assert answer.exit_code == 0, f"{' '.join(words)}: {answer.stderr}"


def test_each_task_that_looks_is_done(server: WebServer) -> None:
    looking = [each for each in TASKS if each[0] in LOOKS and each[-1] not in ENDLESS]
    assert len(looking) > 10
    for words in looking:
        do(server, words)


@pytest.mark.parametrize("words", [each for each in TASKS if each[0] not in (*ELSEWHERE, *LOOKS)], ids=" ".join)
def test_each_task_that_changes_something_is_done(words: list[str], server: WebServer) -> None:
    do(server, words)
