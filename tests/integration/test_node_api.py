"""What both roles serve of the node itself: who has done what, and what could not be handled."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.protocol.messages import JobAccepted
from caroni_edge.web.audit import LOGINS_AT_ONCE
from caroni_edge.web.server import WebServer
from tests.node_bench import ServedNode
from tests.support import wait_until
from tests.web_bench import PASSWORD, Client, ManagerBench, serve_manager

ACCEPTED = JobAccepted(jobs=("job000001",))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    with closing(ServedNode(tmp_path)) as node:
        yield node


@pytest.fixture
def server(node: ServedNode) -> Iterator[WebServer]:
    with node.serve() as server:
        yield server


@pytest.fixture
def client(server: WebServer) -> Iterator[Client]:
    with Client(server) as client:
        yield client


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
