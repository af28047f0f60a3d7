"""What both roles serve of the node itself: who has done what, and what could not be handled."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from caroni_edge.config import Setting
from caroni_edge.node.store import DeadLetterRows
from caroni_edge.protocol.messages import JobAccepted, JobKill, JobOffer
from caroni_edge.web.audit import FACT_MAX, LOGINS_AT_ONCE
from caroni_edge.web.server import WebServer
from tests.node_bench import ServedNode
from tests.support import wait_until
from tests.web_bench import PASSWORD, AgentBench, Client, ManagerBench, serve_agent, serve_manager

ACCEPTED = JobAccepted(jobs=("job000001",))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    with closing(ServedNode(tmp_path)) as node:
        yield node


@pytest.fixture
def server(node: ServedNode) -> Iterator[WebServer]:
    with node.serve() as server:
        yield server


def entries(client: Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/audit", params=query).json()["entries"]
    return found


def noted_by(client: Client, count: int) -> list[dict[str, Any]]:
    """Wait until so many entries are there: what was refused is noted a moment after its answer."""
    wait_until(lambda: len(entries(client)) >= count)
    return entries(client)


def said(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["who"], entry["address"], entry["action"], entry["about"], entry["outcome"]


# --- Who has done what -----------------------------------------------------------------------------------------------


def test_what_is_done_is_noted_with_it(tmp_path: Path) -> None:
    with closing(ManagerBench(tmp_path)) as bench, serve_manager(bench, tmp_path) as server, Client(server) as client:
        bench.trigger()
        assert client.post("/api/workflows/w1/cancel").status_code == 200
        rows = bench.database.conn.execute("SELECT who, address, action, about, outcome FROM audit").fetchall()
        assert rows == [("token", "127.0.0.1", "cancel", '{"workflow":"w1"}', "done")]
        assert client.post("/api/workflows/w1/cancel").status_code == 409
        assert client.get("/api/workflows").status_code == 200
        noted = noted_by(client, 2)
        assert [said(each)[2:] for each in noted] == [
            ("cancel", {"workflow": "w1"}, "refused"),
            ("cancel", {"workflow": "w1"}, "done"),
        ]
        assert noted[0]["date"].endswith("Z")


def test_what_is_done_to_many_is_noted_with_what_was_asked_for(tmp_path: Path) -> None:
    with closing(ManagerBench(tmp_path)) as bench, serve_manager(bench, tmp_path) as server, Client(server) as client:
        assert client.post("/api/workflows", json={"template": "test_simple", "inputs": {"message": "x"}}).is_success
        counted = client.post("/api/workflows/cancel?template=test_simple").json()
        assert client.post(f"/api/workflows/cancel?template=test_simple&count={counted['count']}").json()["begun"]
        noted = entries(client)
        assert [said(each)[2:] for each in noted] == [("cancel many", {"runs": "1", "template": "test_simple"}, "done")]


def test_an_agent_notes_whether_it_was_drained_or_let_go_on(tmp_path: Path) -> None:
    with serve_agent(AgentBench(), tmp_path) as server, Client(server) as client:
        client.post("/api/drain")
        client.post("/api/drain", json={"on": False})
        assert [said(each)[2:] for each in entries(client)] == [
            ("drain", {"on": "no"}, "done"),
            ("drain", {"on": "yes"}, "done"),
        ]


def test_a_change_that_is_undone_is_not_noted_as_done(tmp_path: Path) -> None:
    with closing(ManagerBench(tmp_path)) as bench, serve_manager(bench, tmp_path) as server, Client(server) as client:
        bench.trigger()
        bench.service.settle = fail
        assert client.post("/api/workflows/w1/cancel").status_code == 500
        assert entries(client) == []


def fail(_at: object) -> None:
    raise RuntimeError("the disk is gone")


def test_people_are_noted_by_their_names_and_viewers_who_are_refused_are_not(client: Client, server: WebServer) -> None:
    with Client(server, token=None) as person:
        login = person.post("/login", data={"username": "admin", "password": PASSWORD})
        person.headers["X-CSRF-Token"] = login.json()["csrf"]
        assert person.post("/api/dead-letters/7/retry").status_code == 404
        assert person.post("/logout").status_code == 204
    with Client(server, token=None) as viewer:
        login = viewer.post("/login", data={"username": "viola", "password": "looks"})
        viewer.headers["X-CSRF-Token"] = login.json()["csrf"]
        assert viewer.post("/api/dead-letters/7/retry").status_code == 403
        assert viewer.get("/api/audit").status_code == 200
    noted = noted_by(client, 4)
    assert [said(each) for each in noted] == [
        ("viola", "127.0.0.1", "login", {}, "done"),
        ("admin", "127.0.0.1", "logout", {}, "done"),
        ("admin", "127.0.0.1", "retry dead letter", {"letter": "7"}, "refused"),
        ("admin", "127.0.0.1", "login", {}, "done"),
    ]


def test_wrong_logins_are_noted_and_any_number_of_them_pushes_nothing_out(client: Client, server: WebServer) -> None:
    with Client(server, token=None) as stranger:
        for number in range(LOGINS_AT_ONCE + 5):
            name = "admin" if number == 0 else f"secret-{number}"
            assert stranger.post("/login", data={"username": name, "password": "guess"}).status_code == 401
        assert stranger.post("/login", data={"username": "admin", "password": PASSWORD}).status_code == 200
    noted = noted_by(client, LOGINS_AT_ONCE + 1)
    assert len(noted) == LOGINS_AT_ONCE + 1
    assert said(noted[-1]) == ("admin", "127.0.0.1", "login", {}, "wrong")
    assert {each["who"] for each in noted[1:-1]} == {""}, "what is no name here may be a password"


def test_of_what_somebody_has_named_only_so_much_is_noted(tmp_path: Path) -> None:
    with closing(ManagerBench(tmp_path)) as bench, serve_manager(bench, tmp_path) as server, Client(server) as client:
        assert client.post(f"/api/workflows/{'x' * 20_000}/cancel").status_code == 404
        (entry,) = noted_by(client, 1)
        assert entry["about"] == {"workflow": "x" * FACT_MAX}


def test_the_list_has_pages(client: Client) -> None:
    for number in range(3):
        client.post(f"/api/dead-letters/{number}/retry")
    noted_by(client, 3)
    first = client.get("/api/audit", params={"limit": 2}).json()
    assert [entry["about"]["letter"] for entry in first["entries"]] == ["2", "1"]
    assert [entry["about"]["letter"] for entry in entries(client, limit=2, after=first["next"])] == ["0"]


# --- Dead letters ----------------------------------------------------------------------------------------------------


def bury(node: ServedNode) -> None:
    """Let a message of agent a1 arrive that cannot be handled."""
    node.reactor.on[JobAccepted] = refuse
    node.send(ACCEPTED)


def refuse(_message: object) -> None:
    raise ValueError("no such luck")


def test_a_dead_letter_is_shown_retried_and_gone(node: ServedNode, client: Client) -> None:
    bury(node)
    (letter,) = client.get("/api/dead-letters").json()["dead_letters"]
    assert (letter["peer"], letter["topic"], letter["type"]) == ("a1", None, "JobAccepted")
    assert letter["reason"] == "ValueError: no such luck"
    where = f"/api/dead-letters/{letter['id']}"
    shown = client.get(where).json()
    assert "job000001" in shown["body"]
    assert "Traceback" in shown["traceback"]
    again = client.post(f"{where}/retry")
    assert again.status_code == 409
    assert "no such luck" in again.json()["error"]
    node.reactor.on.clear()
    node.notes()
    assert client.post(f"{where}/retry").status_code == 204
    assert node.notes() == ["a1 JobAccepted"]
    assert client.get("/api/dead-letters").json() == {"dead_letters": [], "next": None}
    for answer in (client.get(where), client.post(f"{where}/retry"), client.delete(where)):
        assert answer.status_code == 404
        assert "dead letter" in answer.json()["error"]


def test_a_dead_letter_is_dropped(node: ServedNode, client: Client) -> None:
    bury(node)
    (letter,) = client.get("/api/dead-letters").json()["dead_letters"]
    assert client.delete(f"/api/dead-letters/{letter['id']}").status_code == 204
    assert client.get("/api/dead-letters").json()["dead_letters"] == []
    assert said(entries(client)[0])[2:] == ("drop dead letter", {"letter": str(letter["id"])}, "done")


def test_no_number_is_too_large(client: Client) -> None:
    assert client.get(f"/api/dead-letters/{1 << 62}").status_code == 404
    assert client.get(f"/api/dead-letters/{1 << 70}").status_code in (400, 404)


# --- How the node is -------------------------------------------------------------------------------------------------


def test_the_doctor_looks_from_within(node: ServedNode, client: Client) -> None:
    found = client.get("/api/doctor").json()
    names = {each["name"] for each in found["findings"]}
    assert names >= {"ready", "state_dir", "disk", "database", "clock", "descriptors"}
    assert found["examined"].endswith("Z")
    node.node.checks.append(lambda: "the keeper is gone")
    found = client.get("/api/doctor").json()
    assert found["healthy"] is False
    assert (found["findings"][0]["name"], found["findings"][0]["sentence"]) == ("ready", "the keeper is gone")


def test_the_configuration_in_effect_is_that_of_now(node: ServedNode, client: Client) -> None:
    before = client.get("/api/config").json()
    assert {"key": "attempts", "value": "5", "source": "default"} in before["settings"]
    node.config = replace(node.config, settings=(Setting("attempts", "9", "node.yaml:3"),))
    assert client.get("/api/config").json()["settings"] == [{"key": "attempts", "value": "9", "source": "node.yaml:3"}]


def test_links_tell_what_waits_for_whom(node: ServedNode, client: Client) -> None:
    node.send(JobOffer(offer="offer0001", job_type="upper", serial=1))
    for _ in range(2):
        node.call(lambda _at: node.node.links.put("a1", JobKill(job="job000001", reason="no")))
    (link,) = client.get("/api/links").json()["links"]
    assert (link["peer"], link["waiting"], link["silent_s"], link["reconcile"]) == ("a1", 2, 0.0, False)
    assert client.get("/api/links", params={"after": "a1"}).json() == {"links": [], "next": None}


# --- The page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(server: WebServer) -> Iterator[Client]:
    """Log in as an operator does; redirects are followed."""
    with closing(logged_in(server, "admin", PASSWORD)) as browser:
        yield browser


def logged_in(server: WebServer, name: str, password: str) -> Client:
    browser = Client(server, token=None)
    browser.headers["Accept"] = "text/html"
    browser.follow_redirects = True
    right = {"username": name, "password": password, "next": "/node"}
    assert browser.post("/login", data=right).status_code == 200
    return browser


def press(browser: Client, page: str, path: str, **fields: str) -> httpx.Response:
    """Send the form of a page that leads to `path`."""
    assert f'action="{path}"' in page
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return browser.post(path, data={"csrf": found[1], **fields})


def test_a_person_retries_drops_and_forgets_on_the_page(node: ServedNode, browser: Client) -> None:
    bury(node)
    bury(node)
    first, second = (row.id for row in reversed(DeadLetterRows(node.database.conn).page(9, None).rows))
    page = browser.get("/node").text
    assert "ValueError: no such luck" in page
    assert "Traceback" not in page
    assert "Traceback" in browser.get(f"/node/dead-letters/{first}").text
    refused = press(browser, page, f"/node/dead-letters/{first}/retry")
    assert (refused.status_code, "no such luck" in refused.text) == (409, True)
    node.reactor.on.clear()
    assert f"Dead letter {first} was handled." in press(browser, page, f"/node/dead-letters/{first}/retry").text
    page = press(browser, page, f"/node/dead-letters/{second}/drop").text
    assert f"Dead letter {second} was dropped." in page
    assert "Every message could be handled." in page
    assert browser.get(f"/node/dead-letters/{first}").status_code == 404
    assert "agents/a1 is forgotten" in press(browser, page, "/node/forget", peer="agents/a1").text
    assert browser.post("/node/forget", data={"csrf": "guessed", "peer": "agents/a1"}).status_code == 403
    noted = [(entry["action"], entry["outcome"]) for entry in entries(browser)]
    assert ("forget", "done") in noted
    assert ("drop dead letter", "done") in noted
    assert "drop dead letter" in browser.get("/node/audit").text


def test_a_viewer_sees_the_page_and_no_form_on_it(node: ServedNode, server: WebServer) -> None:
    bury(node)
    with closing(logged_in(server, "viola", "looks")) as viewer:
        page = viewer.get("/node").text
        assert "no such luck" in page
        assert re.findall(r'action="([^"]+)"', page) == ["/logout"]
        assert 'action="/node' not in viewer.get("/node/dead-letters/1").text


def test_the_page_says_first_what_is_wrong(node: ServedNode, browser: Client) -> None:
    node.node.checks.append(lambda: "the keeper <is> gone")
    page = browser.get("/node").text
    assert "It needs attention" in page
    assert page.index("the keeper &lt;is&gt; gone") < page.index("Dead letters")
