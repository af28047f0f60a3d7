"""The manager's API over HTTP: shapes, statuses, paging and logs."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from caroni_edge.documents.documents import Problem
from caroni_edge.manager.templates.library import Templates
from caroni_edge.node.service import Busy
from caroni_edge.protocol.logs import JobLog, JobLogRequest
from caroni_edge.storage.database import StorageFailed
from tests.web_bench import Client, ManagerBench, serve_manager


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Ask a manager in which nothing changes, whatever it is asked: it has one workflow, w1."""
    path = tmp_path_factory.mktemp("still")
    bench = ManagerBench(path)
    bench.trigger()
    with serve_manager(bench, path) as server, Client(server) as client:
        yield client
    bench.close()


def start(client: Client, **trigger: Any) -> Any:
    facts = {"template": "test_simple", "inputs": {"message": "x"}} | trigger
    return client.post("/api/workflows", json=facts)


# --- Starting workflows ----------------------------------------------------------------------------------------------


def test_a_workflow_is_started_once(client: Client) -> None:
    first = start(client, id="w1")
    assert first.status_code == 201
    assert first.headers["Location"] == "/api/workflows/w1"
    assert (first.json()["id"], first.json()["status"]) == ("w1", "initializing")
    again = start(client, id="w1")
    assert (again.status_code, again.json()["id"]) == (200, "w1")
    other = start(client, id="w1", inputs={"message": "another"})
    assert (other.status_code, other.json()["field"]) == (409, "id")
    assert len(client.get("/api/workflows").json()["workflows"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        (b"no JSON", 400, None, "must be JSON"),
        (b"", 400, None, "must be JSON"),
        (b"\xff", 400, None, "must be UTF-8"),
        (b'{"inputs": {}}', 400, "template", "it has no template"),
        (b'{"template": "test_simple", "colour": 1}', 400, "colour", 'a field "colour"'),
        (b'{"template": "test_simpel", "inputs": {"message": "x"}}', 404, "template", "test_simple"),
        (b'{"template": "test_simple"}', 422, "inputs.message", "is missing"),
        (b'{"template": "test_simple", "inputs": {"message": 1}}', 422, "inputs.message", "string"),
        (b'{"template": "test_simple", "inputs": {"message": "x", "more": 1}}', 422, "inputs.more", "more"),
        (b'{"template": "test_simple", "inputs": {"message": "x"}, "id": "rejected"}', 422, "id", "rejected"),
        (b'{"template": "test_simple", "inputs": {"message": "x"}, "id": "a/b"}', 400, "id", "1 to 40 characters"),
        (b'{"template": "t", "reply_to": "caroni/agents/a1/inbox"}', 422, "reply_to", "replies"),
        (b'{"template": "' + b"x" * (1 << 20) + b'"}', 413, None, "too large"),
    ],
)
def test_a_wrong_trigger_is_refused_in_words(
    still: Client, body: bytes, status: int, field: str | None, words: str
) -> None:
    answer = still.post("/api/workflows", content=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "field"}
    assert answer.json()["field"] == field
    assert words in answer.json()["error"]
    assert [each["id"] for each in still.get("/api/workflows").json()["workflows"]] == ["w1"]


def test_without_room_on_the_disk_nothing_is_started(bench: ManagerBench, client: Client) -> None:
    bench.reactor.set_disk_problem("the disk is full")
    answer = start(client)
    assert (answer.status_code, answer.json()["error"]) == (503, "the disk is full")


def test_too_many_workflows_are_refused_in_words_and_a_known_id_is_answered(
    bench: ManagerBench, client: Client
) -> None:
    bench.reactor.reload(replace(bench.reactor.settings, waiting_workflows=1), bench.templates)
    assert start(client, id="w1").status_code == 201
    answer = start(client, id="w2")
    assert answer.status_code == 503
    assert "waiting.workflows is 1, and so many have not ended; try again later" in answer.json()["error"]
    assert start(client, id="w1").status_code == 200


# --- Looking ---------------------------------------------------------------------------------------------------------


def test_workflows_by_page_and_filter(client: Client) -> None:
    for number in range(4):
        start(client, id=f"w{number}")
    client.post("/api/workflows/w0/cancel")
    page = client.get("/api/workflows", params={"limit": 2}).json()
    assert [each["id"] for each in page["workflows"]] == ["w3", "w2"]
    rest = client.get("/api/workflows", params={"limit": 2, "after": page["next"]}).json()
    assert ([each["id"] for each in rest["workflows"]], rest["next"]) == (["w1", "w0"], None)
    assert "steps" not in rest["workflows"][0]
    found = client.get("/api/workflows", params={"status": "cancelled", "template": "test_simple"}).json()
    assert [each["id"] for each in found["workflows"]] == ["w0"]


def test_workflows_of_an_agent_and_with_a_text_in_their_inputs(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    bench.fail("a1", "foojob0")
    start(client, id="w2", inputs={"message": "the other"})

    def found(**query: str) -> list[str]:
        return [each["id"] for each in client.get("/api/workflows", params=query).json()["workflows"]]

    assert found(agent="a1") == ["w1"]
    assert found(text="OTHER") == ["w2"]
    assert found(text="other", agent="a1") == []
    assert found(since="2023-11-14") == ["w2", "w1"]
    assert found(since="1h") == []
    assert found(status="", agent="", text="", since="", template="") == ["w2", "w1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=well", "status"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("since=x", "since"),
        (f"text={'x' * 201}", "text"),
    ],
)
def test_a_wrong_query_names_its_parameter(still: Client, query: str, field: str) -> None:
    answer = still.get(f"/api/workflows?{query}")
    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_a_workflow_with_its_steps(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0", "foojob1", "foojob2")
    start(client, id="w1", inputs={"message": 'naïve $(x) "q"\n'})
    for job_type in ("foojob0", "foojob1", "foojob2"):
        job = bench.place("a1", job_type).job
        bench.status("a1", job, "completed", begun=True, outputs={"jobout": "ü"}, exit_code=0, started=1.0, ended=2.0)
    found = client.get("/api/workflows/w1").json()
    assert (found["status"], found["outputs"], found["inputs"]) == (
        "completed",
        {"result": "ü"},
        {"message": 'naïve $(x) "q"\n'},
    )
    step = found["steps"]["upper"]
    assert (step["status"], step["agent"], step["outputs"], step["waiting_for"]) == (
        "completed",
        "a1",
        {"jobout": "ü"},
        [],
    )
    (attempt,) = step["attempts"]
    assert (attempt["attempt"], attempt["agent"], attempt["status"]) == (1, "a1", "completed")
    assert (attempt["exit_code"], attempt["started"], attempt["ended"]) == (
        0,
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:02.000Z",
    )
    page = client.get("/api/workflows/w1/steps", params={"status": "completed", "limit": 2}).json()
    assert (list(page["steps"]), page["next"]) == (["append", "prepend"], "prepend")


@pytest.mark.parametrize(
    "path",
    [
        "/api/workflows/none",
        "/api/workflows/none/why",
        "/api/workflows/none/steps",
        "/api/workflows/none/steps/upper/why",
        "/api/workflows/none/steps/upper/log",
        "/api/workflows/w1/steps/none/why",
        "/api/workflows/w1/steps/none/log",
        "/api/nothing",
    ],
)
def test_what_is_not_there_is_404(still: Client, path: str) -> None:
    answer = still.get(path)
    assert answer.status_code == 404
    assert "none" in answer.json()["error"] or "nothing" in answer.json()["error"]


def test_templates_with_what_is_wrong_with_others(bench: ManagerBench, client: Client) -> None:
    bench.templates = Templates(bench.templates.loaded, {"broken": (Problem("broken.cwl:3", "no steps"),)})
    found = client.get("/api/templates").json()
    assert [each["name"] for each in found["templates"]] == ["diamond", "test_simple"]
    assert found["errors"] == {"broken": ["broken.cwl:3: no steps"]}
    diamond = found["templates"][0]
    assert diamond["inputs"][1] == {"name": "title", "type": "string", "default": "Report"}
    assert {each["name"]: each["waits_for"] for each in diamond["steps"]}["report"] == ["count", "upper"]


def test_agents(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    bench.see("a2", "foojob0")
    page = client.get("/api/agents?limit=1").json()
    assert (page["agents"][0]["id"], page["next"]) == ("a1", "a1")
    (last,) = client.get("/api/agents?after=a1").json()["agents"]
    assert (last["id"], last["online"], list(last["job_types"])) == ("a2", True, ["foojob0"])


def test_why(bench: ManagerBench, client: Client) -> None:
    start(client, id="w1")
    bench.problem = "not connected to the broker: refused"
    found = client.get("/api/workflows/w1/why").json()
    assert (found["workflow"], found["step"], found["status"]) == ("w1", None, "initializing")
    assert found["why"][0]["sentence"].endswith("not connected to the broker: refused")
    step = client.get("/api/workflows/w1/steps/upper/why").json()
    assert step["why"][1]["condition"] == "nobody_has_type"


def test_a_template_is_paused_and_resumed(client: Client) -> None:
    paused = client.post("/api/templates/test_simple/pause")
    assert (paused.status_code, paused.json()["paused"], paused.json()["held"]) == (200, True, 0)
    assert paused.json()["since"].startswith("2023-11-14")
    held = start(client, id="w1")
    assert (held.status_code, held.json()["status"], held.json()["started"]) == (201, "held", None)
    assert held.json()["reason"] == "the template test_simple is paused"
    found = client.get("/api/templates").json()["paused"]
    assert found == {"test_simple": {**paused.json(), "held": 1}}
    (reason,) = client.get("/api/workflows/w1/why").json()["why"]
    assert reason["condition"] == "held"
    resumed = client.post("/api/templates/test_simple/resume")
    assert resumed.json() == {"template": "test_simple", "paused": False, "since": None, "held": 0}
    assert client.get("/api/workflows/w1").json()["status"] == "initializing"
    assert client.get("/api/templates").json()["paused"] == {}
    unknown = client.post("/api/templates/simple/pause")
    assert (unknown.status_code, unknown.json()["field"]) == (404, "template")


def test_the_shape_of_a_workflow(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    job = bench.place("a1", "foojob0").job
    bench.status("a1", job, "completed", begun=True, outputs={"jobout": "ü"}, started=1.0, ended=2.0)
    graph = client.get("/api/workflows/w1/graph").json()
    assert [(node["name"], node["status"]) for node in graph["nodes"]] == [
        ("upper", "completed"),
        ("prepend", "fulfilling"),
        ("append", "fulfilling"),
    ]
    page = client.get("/api/workflows/w1/dataflows", params={"limit": 1, "after": 1}).json()
    (flow,) = page["dataflows"]
    assert (flow["source"], flow["target"], flow["value"]["text"], page["next"]) == ("upper", "prepend", '"ü"', "2")
    found = client.get("/api/workflows/w1/timeline", params={"limit": 1, "after": "prepend"}).json()
    assert [each["ended"] for each in found["steps"][0]["spans"]] == ["1970-01-01T00:00:02.000Z"]
    for path in ("none/graph", "none/dataflows", "none/timeline", "w1/graph?within=none", "w1/graph?within=upper"):
        assert client.get(f"/api/workflows/{path}").status_code == 404


# --- Changing --------------------------------------------------------------------------------------------------------


def test_cancel_and_retry_where_the_state_allows_it(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    assert client.post("/api/workflows/w1/retry").status_code == 409
    for _ in range(5):
        bench.fail("a1", "foojob0")
    assert client.get("/api/workflows/w1").json()["status"] == "failed"
    retried = client.post("/api/workflows/w1/retry")
    assert (retried.status_code, retried.json()["status"]) == (200, "running")
    cancelled = client.post("/api/workflows/w1/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["steps"]["upper"]["status"] == "cancelled"
    again = client.post("/api/workflows/w1/cancel")
    assert again.status_code == 409
    assert "cancelled" in again.json()["error"]
    assert client.post("/api/workflows/none/cancel").status_code == 404


def test_another_workflow_like_one(client: Client) -> None:
    start(client, id="w1")
    same = client.post("/api/workflows/w1/rerun")
    assert (same.status_code, same.json()["inputs"]) == (201, {"message": "x"})
    assert same.headers["Location"] == f"/api/workflows/{same.json()['id']}"
    other = client.post("/api/workflows/w1/rerun", json={"inputs": {"message": "y"}, "id": "w2"})
    assert (other.status_code, other.json()["id"], other.json()["inputs"]) == (201, "w2", {"message": "y"})
    assert client.post("/api/workflows/w1/rerun", json={"inputs": {"message": "y"}, "id": "w2"}).status_code == 200
    wrong = client.post("/api/workflows/w1/rerun", json={"inputs": {"message": 1}})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "inputs.message")
    assert client.post("/api/workflows/none/rerun").status_code == 404
    for body in ("[]", "{", '{"colour": 1}', '{"id": "a/b"}'):
        unread = client.post("/api/workflows/w1/rerun", content=body)
        assert (unread.status_code, "cannot be read" in unread.json()["error"]) == (400, True)


def test_what_has_ended_is_deleted(client: Client) -> None:
    start(client, id="w1")
    refused = client.delete("/api/workflows/w1")
    assert (refused.status_code, "only what has ended" in refused.json()["error"]) == (409, True)
    client.post("/api/workflows/w1/cancel")
    gone = client.delete("/api/workflows/w1")
    assert (gone.status_code, gone.json()) == (200, {"id": "w1", "deleted": True})
    assert client.delete("/api/workflows/w1").status_code == 404
    assert client.get("/api/workflows").json()["workflows"] == []


def test_many_workflows_at_once_after_their_number_was_confirmed(bench: ManagerBench, client: Client) -> None:
    for number in range(3):
        start(client, id=f"w{number}")
    counted = client.post("/api/workflows/cancel", params={"template": "test_simple"})
    assert (counted.status_code, counted.json()) == (
        200,
        {"action": "cancel", "count": 3, "more": False, "begun": False},
    )
    wrong = client.post("/api/workflows/cancel", params={"template": "test_simple", "count": 2})
    assert (wrong.status_code, wrong.json()["field"]) == (409, "count")
    assert wrong.json()["error"] == "there are 3 by now, and 2 were confirmed: look again"
    begun = client.post("/api/workflows/cancel", params={"template": "test_simple", "count": 3})
    assert begun.json() == {"action": "cancel", "count": 3, "more": False, "begun": True}
    bench.service.call(lambda _at: None)
    assert {each["status"] for each in client.get("/api/workflows").json()["workflows"]} == {"cancelled"}
    assert client.post("/api/workflows/retry").json()["count"] == 0
    assert client.post("/api/workflows/delete", params={"count": 3}).json()["begun"] is True
    for _ in range(12):
        bench.service.call(lambda _at: None)
    assert client.get("/api/workflows").json()["workflows"] == []
    assert client.post("/api/workflows/delete", params={"status": "x"}).status_code == 400


@pytest.mark.parametrize("failure", [Busy("", timeout_s=10), StorageFailed("state.db", reason="disk is full")])
def test_what_the_node_cannot_do_now_is_503(bench: ManagerBench, client: Client, failure: Exception) -> None:
    bench.service.failure = failure
    answer = start(client)
    assert answer.status_code == 503
    assert answer.json()["error"] == str(failure)
    assert "Retry-After" in answer.headers


def test_an_error_of_ours_shows_no_traceback(
    bench: ManagerBench, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    bench.service.failure = RuntimeError("secret details")
    answer = start(client)
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error; see the log", "field": None})
    assert "secret details" in caplog.text


def test_a_database_that_cannot_be_read_is_503(
    bench: ManagerBench, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(bench.readers, "_take", lambda: fail(None))
    answer = client.get("/api/workflows")
    assert answer.status_code == 503
    assert "disk I/O error" in answer.json()["error"]


# --- Logs ------------------------------------------------------------------------------------------------------------

LOG = "/api/workflows/w1/steps/upper/log"


def test_a_log_is_asked_for_and_comes_piece_by_piece(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    assert client.get(LOG).headers["Caroni-Log"] == "coming"
    job = bench.place("a1", "foojob0").job
    bench.outbox.sent.clear()
    assert client.get(LOG).headers["Caroni-Log"] == "coming"
    assert bench.outbox.sent == []  # a job that has not begun has no log yet
    bench.status("a1", job, "running", begun=True, started=1.0)
    first = client.get(LOG)
    assert (first.status_code, first.text, first.headers["Caroni-Log"]) == (200, "", "coming")
    assert bench.outbox.sent == [("a1", JobLogRequest(job=job, offset=0))]
    text = "naïve\n".encode()
    bench.message("a1", JobLog(job=job, offset=0, data=text[:3]))  # the ï has come in part
    cut = client.get(LOG)
    assert (cut.text, cut.headers["Caroni-Log-Next"]) == ("na", "2")
    assert cut.headers["Content-Type"] == "text/plain; charset=utf-8"
    bench.message("a1", JobLog(job=job, offset=3, data=text[3:], end=True))
    rest = client.get(LOG, params={"offset": 2})
    assert (rest.text, rest.headers["Caroni-Log"]) == ("ïve\n", "complete")
    sent = len(bench.outbox.sent)
    assert client.get(LOG).text == "naïve\n"
    assert len(bench.outbox.sent) == sent  # all is there: nobody is asked


def test_the_log_of_an_agent_that_is_away(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    job = bench.fail("a1", "foojob0").job
    assert client.get(LOG).text == ""
    bench.message("a1", JobLog(job=job, offset=0, data=b"begin"))
    bench.lose("a1")
    answer = client.get(LOG)
    assert (answer.text, answer.headers["Caroni-Log"]) == ("begin", "agent-away")


def test_the_log_of_one_attempt(bench: ManagerBench, client: Client) -> None:
    bench.see("a1", "foojob0")
    start(client, id="w1")
    for name in (b"first", b"second"):
        job = bench.fail("a1", "foojob0").job
        assert client.get(LOG).text == ""
        bench.message("a1", JobLog(job=job, offset=0, data=name, end=True))
    assert client.get(LOG).text == "second"
    assert client.get(LOG, params={"attempt": 1}).text == "first"
    assert client.get(LOG, params={"attempt": 3}).status_code == 404


def test_a_step_that_never_ran_has_an_empty_log(client: Client) -> None:
    start(client, id="w1")
    client.post("/api/workflows/w1/cancel")
    answer = client.get(LOG)
    assert (answer.text, answer.headers["Caroni-Log"]) == ("", "complete")
