"""Templates over HTTP: their files, forms and versions, checking and writing them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.web_bench import WEB, Client, ManagerBench, serve_manager

HELLO = """\
cwlVersion: v1.2
class: Workflow
inputs:
  name: string
  count: {type: int, default: 3}
outputs:
  greeting: {type: string, outputSource: greet/out}
steps:
  greet:
    in: {text: name}
    out: [out]
    run:
      class: CommandLineTool
      hints: {caroni:JobType: {name: upper}}
      inputs: {text: string}
      outputs: {out: string}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "templates"
    path.mkdir()
    (path / "hello.cwl").write_text(HELLO)
    return path


@pytest.fixture
def manager(tmp_path: Path, directory: Path) -> Iterator[ManagerBench]:
    with closing(ManagerBench(tmp_path, directory=directory, web=WEB)) as bench:
        yield bench


@pytest.fixture
def client(manager: ManagerBench, tmp_path: Path) -> Iterator[Client]:
    with serve_manager(manager, tmp_path) as server, Client(server) as client:
        yield client


def read(client: Client, name: str = "hello") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/templates/{name}").json()
    return found


def test_a_template_with_its_file_its_form_and_its_versions(
    manager: ManagerBench, client: Client, directory: Path
) -> None:
    found = read(client)
    assert (found["source"], found["file"], found["why_not_edited"]) == (HELLO, str(directory / "hello.cwl"), None)
    assert (found["findings"], found["versions"]) == ([], [])
    assert [(each["name"], each["kind"], each["required"], each["default"]) for each in found["form"]] == [
        ("name", "text", True, ""),
        ("count", "number", False, "3"),
    ]
    assert [each["sentence"] for each in found["agents"]] == ["no agent serves upper"]
    assert found["pause"] == {"template": "hello", "paused": False, "since": None, "held": 0}
    manager.trigger("hello", "w1", name="x")
    (version,) = read(client)["versions"]
    assert (version["version"], version["workflows"], version["more"], version["in_force"]) == (
        found["template"]["hash"],
        1,
        False,
        True,
    )
    for name in ("none", "..", ".hidden", "a%2Fb", "a%00b"):
        assert client.get(f"/api/templates/{name}").status_code == 404


def test_a_check_names_lines_and_agents_and_changes_nothing(
    manager: ManagerBench, client: Client, directory: Path
) -> None:
    def check(text: str, name: str = "hello") -> dict[str, Any]:
        found: dict[str, Any] = client.post(f"/api/templates/{name}/check", json={"source": text}).json()
        return found

    assert check(HELLO)["version"] == read(client)["template"]["hash"]
    manager.see("a1", "uper")
    assert [each["sentence"] for each in check(HELLO)["agents"]] == [
        "no agent serves upper; uper is served by a1",
    ]
    (wrong,) = check(HELLO.replace("name: string", "name: strng"))["findings"]
    assert (wrong["line"], wrong["file"], wrong["warning"]) == (4, None, False)
    assert "strng" in wrong["what"]
    (no_yaml,) = check("class: [")["findings"]
    assert no_yaml["line"] is not None
    (tool,) = check("class: CommandLineTool")["findings"]
    assert tool["what"] == "a template is a workflow: it says class: Workflow"
    assert "1 to 80 letters" in check(HELLO, "a$b")["findings"][0]["what"]
    (large,) = check("#" * (300 << 10))["findings"]
    assert "256 KiB" in large["what"]
    assert check(HELLO, "new")["form"] == read(client)["form"]
    assert client.post("/api/templates/hello/check", json={"source": 1}).status_code == 422
    assert client.post("/api/templates/hello/check", content=b"[").status_code == 400
    assert (directory / "hello.cwl").read_text() == HELLO
    assert sorted(path.name for path in directory.iterdir()) == ["hello.cwl"]


def test_what_another_file_says_is_named_with_it(client: Client, directory: Path) -> None:
    (directory / "tool.yaml").write_text("class: CommandLineTool\ninputs: {text: strng}\noutputs: {out: string}\n")
    text = HELLO[: HELLO.index("    run:")] + "    run: tool.yaml\n"
    findings = client.post("/api/templates/hello/check", json={"source": text}).json()["findings"]
    assert ("tool.yaml", 2) in {(each["file"], each["line"]) for each in findings}


def test_a_change_is_written_and_in_force(manager: ManagerBench, client: Client, directory: Path) -> None:
    manager.trigger("hello", "w1", name="x")
    text = HELLO.replace("default: 3", "default: 4")
    answer = client.put("/api/templates/hello", json={"source": text, "mark": read(client)["mark"]})
    assert answer.status_code == 200
    assert answer.json()["source"] == (directory / "hello.cwl").read_text() == text
    assert [each["default"] for each in answer.json()["form"]] == ["", "4"]
    assert [each["in_force"] for each in answer.json()["versions"]] == [False]
    manager.trigger("hello", "w2", name="x")
    assert client.get("/api/workflows/w2").json()["inputs"] == {"name": "x", "count": 4}
    assert client.get("/api/workflows/w1").json()["inputs"] == {"name": "x", "count": 3}


def test_a_new_template_is_made(manager: ManagerBench, client: Client, directory: Path) -> None:
    answer = client.put("/api/templates/other", json={"source": HELLO, "mark": None})
    assert (answer.status_code, answer.json()["name"]) == (200, "other")
    assert (directory / "other.cwl").read_text() == HELLO
    manager.trigger("other", "w1", name="x")


@pytest.mark.parametrize(
    ("name", "text", "mark", "status", "said"),
    [
        ("hello", "class: Workflow\n", "right", 422, "line"),
        ("hello", "class: [", "right", 422, "line"),
        ("hello", HELLO, "wrong", 409, "has changed since it was read"),
        ("hello", HELLO, None, 409, "was made since it was read"),
        ("hello", HELLO, 5, 422, "mark"),
        ("other", HELLO, "wrong", 409, "was deleted since it was read"),
        ("a$b", HELLO, None, 422, "cannot name a template"),
        ("a%2Fb", HELLO, None, 404, "a/b"),
    ],
)
def test_what_cannot_be_written_changes_nothing(
    client: Client, directory: Path, name: str, text: str, mark: object, status: int, said: str
) -> None:
    given = read(client)["mark"] if mark == "right" else mark
    answer = client.put(f"/api/templates/{name}", json={"source": text, "mark": given})
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
    assert {path.name: path.read_text() for path in directory.iterdir()} == {"hello.cwl": HELLO}


def test_a_file_that_was_changed_by_hand_meanwhile_is_left_alone(client: Client, directory: Path) -> None:
    mark = read(client)["mark"]
    (directory / "hello.cwl").write_text(f"# by hand\n{HELLO}")
    answer = client.put("/api/templates/hello", json={"source": HELLO, "mark": mark})
    assert answer.status_code == 409
    assert (directory / "hello.cwl").read_text().startswith("# by hand")


def test_a_broken_file_is_shown_with_what_is_wrong_and_can_be_mended(
    manager: ManagerBench, client: Client, directory: Path
) -> None:
    (directory / "odd.cwl").write_text("class: Workflow\ninputs: 3\n")
    manager.reload_templates()
    found = read(client, "odd")
    assert (found["template"], found["source"], found["form"]) == (None, "class: Workflow\ninputs: 3\n", [])
    assert {each["line"] for each in found["findings"]} >= {2}
    assert client.put("/api/templates/odd", json={"source": HELLO, "mark": found["mark"]}).status_code == 200
    assert read(client, "odd")["findings"] == []


def test_the_owner_may_forbid_it(manager: ManagerBench, client: Client, directory: Path) -> None:
    settings = replace(manager.reactor.settings, web=replace(WEB, edit=False))
    manager.service.call(lambda _at: manager.reactor.reload(settings, manager.templates))
    assert "web.edit: false" in read(client)["why_not_edited"]
    answer = client.put("/api/templates/hello", json={"source": HELLO, "mark": read(client)["mark"]})
    assert (answer.status_code, "web.edit" in answer.json()["error"]) == (403, True)


def test_where_the_daemon_may_not_write_it_says_how_to_allow_it(
    client: Client, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caroni_edge.web.editing.why_not_writable", lambda path: f"the daemon may not write {path}")
    found = read(client)
    assert f"ReadWritePaths={directory}" in found["why_not_edited"]
    assert client.put("/api/templates/hello", json={"source": HELLO, "mark": found["mark"]}).status_code == 403
