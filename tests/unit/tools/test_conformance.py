"""What is said of each test of a conformance suite."""

import json
from pathlib import Path

import pytest

from tools.conformance import Case, read, report

FLOW = "cwlVersion: v1.2\nclass: Workflow\ninputs: {a: TYPE}\noutputs: {}\nsteps: {}\n"
INDEX = """\
- {id: good, tool: tests/good.cwl, job: tests/job.json, output: {}}
- {$import: tests/more.yaml}
"""
MORE = "- {id: files, tool: files.cwl, output: {}}\n- {id: wrong, tool: wrong.cwl, job: null, should_fail: true}\n"


def test_each_test_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name, kind in (
        ("good", "string"),
        ("files", "{type: File, default: {class: File, path: a}}"),
        ("wrong", "Fil"),
    ):
        (tmp_path / f"tests/{name}.cwl").write_text(FLOW.replace("TYPE", kind))
    (tmp_path / "conformance_tests.yaml").write_text(INDEX)
    (tmp_path / "tests/more.yaml").write_text(MORE)
    cases = list(read(tmp_path))
    assert [(case.name, case.document, case.stands_against) for case in cases] == [
        ("good", "tests/good.cwl", ""),
        ("files", "tests/files.cwl", "files"),
        ("wrong", "tests/wrong.cwl", ""),
    ]
    assert (cases[0].test["tool"], cases[0].test["job"]) == (
        (tmp_path / "tests/good.cwl").as_uri(),
        (tmp_path / "tests/job.json").as_uri(),
    )
    assert cases[2].test["job"] is None


def test_what_became_of_each_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags = {"tags": ["workflow"]}
    cases = [Case("a", "a.cwl", tags, ""), Case("b", "b.cwl", {}, ""), Case("c", "c.cwl", tags, "files")]
    assert report(cases, {"b": "it gave 3"}, tmp_path) == 1
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["id"], row["result"], row["why"]) for row in rows] == [
        ("a", "passed", ""),
        ("b", "failed", "it gave 3"),
        ("c", "not run", "needs files"),
    ]
    badges = {path.stem: json.loads(path.read_text())["status"] for path in (tmp_path / "badges").iterdir()}
    assert badges == {"all": "33%", "workflow": "50%"}
    assert "3 tests: 1 passed, 1 failed, 1 not run" in capsys.readouterr().out
    assert report(cases[:1], {}, tmp_path) == 0
