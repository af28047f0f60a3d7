"""Job types over HTTP: their files, versions, checking, writing, deleting and trying them."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.bench import completed
from tests.web_bench import WEB, AgentBench, Client, serve_agent

EDITING_IS_OFF = "the agent's configuration says web.edit: false, so files are changed on the host alone"

UPPER = """\
name: upper
inputs: {message: string}
outputs: {out: string}
script: echo out=X >> "$CARONI_OUTPUTS"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "jobtypes"
    path.mkdir()
    (path / "upper.yaml").write_text(UPPER)
    return path


@pytest.fixture
def agent(directory: Path) -> AgentBench:
    bench = AgentBench(slots=1, job_types=directory, web=WEB)
    bench.api.reload_types()
    return bench


@pytest.fixture
def client(agent: AgentBench, tmp_path: Path) -> Iterator[Client]:
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        yield client


def read(client: Client, name: str = "upper") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/job-types/{name}").json()
    return found


def test_a_job_type_with_its_file_and_its_versions(agent: AgentBench, client: Client, directory: Path) -> None:
    agent.bench.place(agent.bench.new_job())
    found = client.get("/api/job-types/upper").json()
    assert (found["source"], found["file"], found["why_not_edited"]) == (UPPER, str(directory / "upper.yaml"), None)
    assert found["job_type"]["inputs"] == {"message": "string"}
    newest, *others = found["versions"]
    assert (newest["jobs"], newest["in_force"], [each["in_force"] for each in others]) == (1, True, [False])
    text = client.get(f"/api/job-types/upper/versions/{newest['version']}").json()
    assert text == {"version": newest["version"], "source": UPPER}
    assert client.get("/api/job-types/upper/versions/none").status_code == 404
    for name in ("none", "..", ".hidden", "a%2Fb", "a%00b"):
        assert client.get(f"/api/job-types/{name}").status_code == 404


def test_a_viewer_sees_no_text(client: Client, agent: AgentBench, tmp_path: Path) -> None:
    version = agent.bench.reactor.job_types.loaded["upper"].version
    client.headers.pop("Authorization")
    client.post("/login", data={"username": "viola", "password": "looks"})
    assert (read(client)["source"], read(client)["mark"]) == (None, None)
    assert client.get(f"/api/job-types/upper/versions/{version}").json()["source"] is None


def test_a_check_names_lines_and_changes_nothing(client: Client, directory: Path) -> None:
    def check(text: str, name: str = "upper") -> dict[str, Any]:
        found: dict[str, Any] = client.post(f"/api/job-types/{name}/check", json={"source": text}).json()
        return found

    assert check(UPPER)["problems"] == []
    assert check(UPPER)["version"] == read(client)["versions"][0]["version"]
    (wrong,) = check(UPPER.replace("message: string", "message: strng"))["problems"]
    assert wrong["line"] == 2
    assert "strng" in wrong["what"]
    (twice,) = check(UPPER, "other")["problems"]
    assert twice["what"] == '"upper" is the name of upper.yaml already'
    (none,) = check("x" * (300 << 10))["problems"]
    assert "256 KiB" in none["what"]
    assert client.post("/api/job-types/upper/check", json={"source": 1}).status_code == 422
    assert client.post("/api/job-types/upper/check", content=b"[").status_code == 400
    assert (directory / "upper.yaml").read_text() == UPPER


def test_a_change_is_written_and_in_force_and_jobs_run_by_it(
    agent: AgentBench, client: Client, directory: Path
) -> None:
    before = read(client)
    text = UPPER.replace("out=X", "out=Y")
    answer = client.put("/api/job-types/upper", json={"source": text, "mark": before["mark"]})
    assert answer.status_code == 200
    assert answer.json()["source"] == (directory / "upper.yaml").read_text() == text
    assert answer.json()["job_type"]["script"] == 'echo out=Y >> "$CARONI_OUTPUTS"'
    assert [each["in_force"] for each in answer.json()["versions"][:2]] == [True, False]
    (job,) = agent.bench.place(agent.bench.new_job())
    assert client.get(f"/api/jobs/{job}").json()["version"] == answer.json()["versions"][0]["version"]


@pytest.mark.parametrize(
    ("text", "mark", "status", "said"),
    [
        ("name: upper\n", "right", 422, "nothing to run"),
        ("name: [", "right", 422, "line"),
        (UPPER, "wrong", 409, "has changed since it was read"),
        (UPPER, None, 409, "was made since it was read"),
        (UPPER, 5, 422, "mark"),
    ],
)
def test_what_cannot_be_written_changes_nothing(
    client: Client, directory: Path, text: str, mark: object, status: int, said: str
) -> None:
    given = read(client)["mark"] if mark == "right" else mark
    answer = client.put("/api/job-types/upper", json={"source": text, "mark": given})
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert (directory / "upper.yaml").read_text() == UPPER


def test_a_new_one_is_made_and_deleted(agent: AgentBench, client: Client, directory: Path) -> None:
    text = UPPER.replace("name: upper", "name: lower")
    answer = client.put("/api/job-types/other", json={"source": text, "mark": None})
    assert (answer.status_code, answer.json()["error"]) == (422, 'the text names the job type "lower", not "other"')
    answer = client.put("/api/job-types/lower", json={"source": text, "mark": None})
    assert (answer.status_code, sorted(os.listdir(directory))) == (200, ["lower.yaml", "upper.yaml"])
    assert agent.bench.reactor.job_types.names() == ["lower", "upper"]
    assert client.delete("/api/job-types/lower?mark=wrong").status_code == 409
    assert client.delete("/api/job-types/none?mark=x").status_code == 404
    assert client.delete("/api/job-types/lower", params={"mark": answer.json()["mark"]}).status_code == 204
    assert agent.bench.reactor.job_types.names() == ["upper"]
    assert os.listdir(directory) == ["upper.yaml"]


def test_a_broken_file_can_be_mended_and_even_renamed(agent: AgentBench, client: Client, directory: Path) -> None:
    (directory / "my type.yaml").write_text("name: My Type\n")
    agent.api.reload_types()
    found = client.get("/api/job-types/my type").json()
    assert found["job_type"] is None
    assert found["problems"][0]["line"] == 1
    text = UPPER.replace("name: upper", "name: my_type")
    answer = client.put("/api/job-types/my type", json={"source": text, "mark": found["mark"]})
    assert (answer.status_code, answer.json()["name"]) == (200, "my_type")
    assert answer.json()["file"] == str(directory / "my type.yaml")


def test_an_owner_can_forbid_it(agent: AgentBench, client: Client, directory: Path) -> None:
    agent.bench.reload(web=replace(WEB, edit=False))
    found = read(client)
    assert found["why_not_edited"] == EDITING_IS_OFF
    for answer in (
        client.put("/api/job-types/upper", json={"source": UPPER + "\n", "mark": found["mark"]}),
        client.delete("/api/job-types/upper", params={"mark": found["mark"]}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (403, EDITING_IS_OFF)
    assert (directory / "upper.yaml").read_text() == UPPER


def test_where_the_daemon_may_not_write_it_says_how_to_allow_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caroni_edge.web.editing.why_not_writable", lambda _: "the daemon may not write /etc/it")
    answer = client.put("/api/job-types/upper", json={"source": UPPER, "mark": read(client)["mark"]})
    assert answer.status_code == 403
    assert "ReadWritePaths=" in answer.json()["error"]


def test_a_trial_runs_and_shows_what_it_gave(agent: AgentBench, client: Client) -> None:
    answer = client.post("/api/job-types/upper/try", json={"inputs": {"message": "x"}})
    assert answer.status_code == 201
    job = answer.json()["id"]
    assert (answer.json()["manager"], answer.json()["status"]) == ("", "running")
    again = client.post("/api/job-types/upper/try", json={"inputs": {"message": "x"}})
    assert again.status_code == 409
    assert "another trial runs" in again.json()["error"]
    agent.bench.end(job, completed({"out": "X"}))
    assert client.get(f"/api/jobs/{job}").json()["outputs"] == {"out": "X"}
    agent.bench.outbox.nothing_else()


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("upper", {"inputs": {"message": 1}}, 422),
        ("upper", {"inputs": []}, 422),
        ("upper", [], 400),
        ("none", {"inputs": {}}, 404),
    ],
)
def test_a_wrong_trial_starts_nothing(agent: AgentBench, client: Client, name: str, body: object, status: int) -> None:
    assert client.post(f"/api/job-types/{name}/try", json=body).status_code == status
    assert agent.bench.runner.started == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("needs: {camera: 1}", "its jobs need camera, which the agent's configuration does not name"),
        ("secrets: {KEY: {file: /nowhere/key}}\nsandbox: off", "its secret KEY cannot be read: /nowhere/key: No such"),
        ("secrets: {KEY: {credential: key}}\nsandbox: off", "systemd hands over no credential key"),
        ("sandbox: {read: [/]}", "its sandbox is to show /, which holds the agent's state_dir"),
    ],
)
def test_what_this_host_cannot_run_is_said_before_it_is_written(
    client: Client, directory: Path, section: str, said: str
) -> None:
    wrong = f"{UPPER}{section}\n"
    checked = client.post("/api/job-types/upper/check", json={"source": wrong}).json()
    assert [said in each["what"] for each in checked["problems"]] == [True]
    answer = client.put("/api/job-types/upper", json={"source": wrong, "mark": read(client)["mark"]})
    assert (answer.status_code, said in answer.json()["error"]) == (422, True)
    assert (directory / "upper.yaml").read_text() == UPPER
