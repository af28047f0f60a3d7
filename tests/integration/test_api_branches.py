"""The API where workflows branch out: paths with a slash, parts, and what has no log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.manager.templates.library import load_templates
from tests.web_bench import Client, ManagerBench, serve_manager

JOB = "{class: Operation, inputs: {p: string}, outputs: {y: string}, hints: {JobType: {name: foojob0}}}"
INNER = f"""\
cwlVersion: v1.2
class: Workflow
inputs: {{p: string}}
outputs: {{y: {{type: string, outputSource: first/y}}}}
steps: {{first: {{in: {{p: p}}, out: [y], run: {JOB}}}}}
"""
OUTER = """\
cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}
inputs: {many: "string[]"}
outputs: {all: {type: "string[]", outputSource: inner/y}}
steps: {inner: {in: {p: many}, scatter: p, out: [y], run: inner.cwl}}
"""
"""Two instances of a workflow with one step."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "inner.cwl").write_text(INNER)
    (templates / "outer.cwl").write_text(OUTER)
    made = ManagerBench(tmp_path, load_templates(templates))
    made.see("a1", "foojob0")
    made.trigger("outer", many=["a", "b"])
    yield made
    made.close()


@pytest.fixture
def client(bench: ManagerBench, tmp_path: Path) -> Iterator[Client]:
    with serve_manager(bench, tmp_path) as server, Client(server) as client:
        yield client


@pytest.mark.parametrize("step", ["inner[1]/first", "inner%5B1%5D%2Ffirst"])
def test_a_step_is_found_by_its_path(client: Client, step: str) -> None:
    found = client.get(f"/api/workflows/w1/steps/{step}/why")
    assert (found.status_code, found.json()["step"], found.json()["status"]) == (200, "inner[1]/first", "fulfilling")
    log = client.get(f"/api/workflows/w1/steps/{step}/log")
    assert (log.status_code, log.text, log.headers["Caroni-Log"]) == (200, "", "coming")


def test_a_step_with_parts_says_how_far_they_are_and_has_no_log(bench: ManagerBench, client: Client) -> None:
    steps = client.get("/api/workflows/w1").json()["steps"]
    assert list(steps) == ["inner", "inner[0]", "inner[0]/first", "inner[1]", "inner[1]/first"]
    assert steps["inner"]["parts"] == {"count": 2, "made": 2, "completed": 0}
    assert (steps["inner"]["job_type"], steps["inner[0]/first"]["job_type"]) == (None, "foojob0")
    answer = client.get("/api/workflows/w1/steps/inner/log")
    assert answer.status_code == 404
    assert answer.json()["error"] == "the step inner runs no job of its own, so it has no log: its parts have"


@pytest.mark.parametrize("path", ["inner[1]/first", "inner[1]/first/whi", "why"])
def test_a_question_that_there_is_not_is_told(client: Client, path: str) -> None:
    answer = client.get(f"/api/workflows/w1/steps/{path}")
    assert answer.status_code == 404
    assert "/why and" in answer.json()["error"]
