"""The server of a node: who may come in, headers, documents, numbers, and how it begins and ends."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config import Secret, WebConfig
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.web.server import CannotListen, WebServer
from tests.web_bench import PASSWORD, TOKEN, WEB, Client, ManagerBench, metrics_of, serve_manager


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerBench]:
    """Make one manager for all of these tests: they change little."""
    bench = ManagerBench(tmp_path_factory.mktemp("state"))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def server(bench: ManagerBench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serve_manager(bench, tmp_path_factory.mktemp("web")) as server:
        yield server


def start(client: Client, **trigger: Any) -> Any:
    facts = {"template": "test_simple", "inputs": {"message": "x"}} | trigger
    return client.post("/api/workflows", json=facts)


# --- Who may come in -------------------------------------------------------------------------------------------------

CLOSED = [
    "/",
    "/live",
    "/admin",
    "/api/workflows",
    "/api/node",
    "/api/session",
    "/metrics",
    "/schema",
    "/schema/openapi.json",
]


@pytest.mark.parametrize("path", CLOSED)
def test_a_stranger_sees_nothing(server: WebServer, path: str) -> None:
    with Client(server, token=None) as stranger:
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert set(answer.json()) == {"error", "field"}
        browser = stranger.get(path, headers={"Accept": "text/html"})
        leads_back = "/login" if path == "/" else f"/login?next={path}"
        assert (browser.status_code, browser.headers["Location"]) == (303, leads_back)
    with Client(server, token="wrong") as stranger:
        assert stranger.get(path).status_code == 401


def test_health_is_open_and_readiness_says_why_not(
    bench: ManagerBench, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(server, token=None) as stranger:
        assert stranger.get("/healthz").json() == {"healthy": True}
        assert stranger.get("/readyz").status_code == 200
        monkeypatch.setattr(bench, "problem", "not connected to the broker: refused")
        answer = stranger.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": bench.problem})
        assert stranger.get("/healthz").status_code == 200


def log_in(client: Client, username: str = "admin", password: str = PASSWORD) -> Any:
    return client.post("/login", data={"username": username, "password": password})


def test_a_session_needs_its_csrf_token_for_changes(server: WebServer) -> None:
    with Client(server, token=None) as person:
        answer = log_in(person)
        assert answer.status_code == 200
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("caroni_manager_m1=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert person.get("/api/workflows").status_code == 200
        assert start(person).status_code == 403
        assert person.post("/logout", headers={"X-CSRF-Token": "guessed"}).status_code == 403
        person.headers["X-CSRF-Token"] = person.get("/api/session").json()["csrf"]
        assert start(person, id="w1").status_code == 201
        assert person.post("/logout").status_code == 204
        assert person.get("/api/workflows").status_code == 401


def test_a_viewer_looks_and_changes_nothing(server: WebServer) -> None:
    with Client(server, token=None) as viewer:
        viewer.headers["X-CSRF-Token"] = log_in(viewer, "viola", "looks").json()["csrf"]
        assert viewer.get("/api/workflows").status_code == 200
        assert start(viewer).status_code == 403
        assert viewer.get("/api/session").json()["role"] == "viewer"
        assert viewer.post("/logout").status_code == 204


def test_a_browser_logs_in_by_a_form(server: WebServer) -> None:
    with Client(server, token=None) as browser:
        browser.headers["Accept"] = "text/html,application/xhtml+xml"
        assert 'name="password"' in browser.get("/login").text
        wrong = log_in(browser, password="wrong")
        assert wrong.status_code == 401
        assert "user name or password is wrong" in wrong.text
        assert "wrong</p>" in wrong.text
        right = log_in(browser)
        assert (right.status_code, right.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"username=admin", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b'{"username": 1, "password": "x"}', "application/json"),
        (b"[]", "application/json"),
        (b"\xff=\xff", "text/plain"),
    ],
)
def test_a_login_without_its_fields_is_400(server: WebServer, content: bytes, kind: str) -> None:
    with Client(server, token=None) as stranger:
        assert stranger.post("/login", content=content, headers={"Content-Type": kind}).status_code == 400


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"agents/a1", 400), (b"[]", 400), (b"{}", 400), (b'{"peer": "managers/m2"}', 422), (b'{"peer": 1}', 422)],
)
def test_who_is_to_be_forgotten_must_be_named(client: Client, content: bytes, status: int) -> None:
    answer = client.post("/api/forget", content=content)
    assert (answer.status_code, answer.json()["field"]) == (status, "peer")
    assert "agents/" in answer.json()["error"]


def test_a_login_in_json_and_none_from_another_site(server: WebServer) -> None:
    with Client(server, token=None) as person:
        fields = {"username": "admin", "password": PASSWORD}
        assert person.post("/login", json=fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert person.post("/login", json=fields).status_code == 200


def test_ten_wrong_logins_block_the_right_one(bench: ManagerBench, tmp_path: Path) -> None:
    with serve_manager(bench, tmp_path) as server, Client(server, token=None) as stranger:
        assert [log_in(stranger, password="guess").status_code for _ in range(10)] == [401] * 10
        blocked = log_in(stranger)
        assert blocked.status_code == 429
        assert int(blocked.headers["Retry-After"]) > 290
        assert stranger.get("/api/workflows", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


# --- Headers, documents, numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/api/workflows", "/nowhere", "/login", "/schema"])
def test_every_answer_has_safe_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Date" in headers
    assert "Server" not in headers


def test_the_api_describes_itself_without_a_cdn(client: Client) -> None:
    answer = client.get("/schema/openapi.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    paths = answer.json()["paths"]
    assert {
        "/api/workflows",
        "/api/workflows/{workflow}",
        "/api/workflows/{workflow}/cancel",
        "/api/workflows/{workflow}/retry",
        "/api/workflows/{workflow}/why",
        "/api/workflows/{workflow}/steps",
        "/api/workflows/{workflow}/steps/{step}",
        "/api/templates",
        "/api/agents",
        "/login",
        "/healthz",
        "/readyz",
        "/metrics",
    } <= set(paths)
    body = paths["/api/workflows"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["template"]
    assert set(body["properties"]) == set(Trigger.__struct_fields__)
    assert body["properties"]["priority"]["maximum"] == 9
    assert "attempts" in json.dumps(answer.json()["components"]["schemas"])
    page = client.get("/schema").text
    assert "GET /api/workflows/{workflow}" in page
    assert "http://" not in page
    assert "https://" not in page


def test_metrics(tmp_path: Path) -> None:
    bench = ManagerBench(tmp_path)
    bench.see("a1", "foojob0")
    bench.trigger()
    bench.place("a1", "foojob0")
    with serve_manager(bench, tmp_path) as server, Client(server) as client:
        answer, found = client.get("/metrics"), metrics_of(client)
    bench.close()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE caroni_workflows gauge" in answer.text.splitlines()
    assert (
        found.items()
        >= {
            'caroni_node_info{id="m1",role="manager",version="1.2.3"}': 1,
            "caroni_ready": 1,
            "caroni_connected": 1,
            "caroni_outbox_messages": 0,
            'caroni_workflows{status="initializing"}': 1,
            'caroni_workflows{status="failed"}': 0,
            'caroni_steps_wanted{job_type="foojob1"}': 1,
            'caroni_jobs_open{status="queued"}': 1,
            'caroni_agents{state="online"}': 1,
        }.items()
    )


def test_the_node_tells_what_it_is(client: Client) -> None:
    found = client.get("/api/node").json()
    assert (found["role"], found["id"], found["version"], found["ready"]) == ("manager", "m1", "1.2.3", True)
    assert found["edit"] is True


@pytest.mark.parametrize(
    ("web", "may"), [(replace(WEB, edit=False), False), (replace(WEB, edit=True), True), (None, True)]
)
def test_the_owner_decides_whether_pages_change_files(tmp_path: Path, web: WebConfig | None, may: bool) -> None:
    with (
        closing(ManagerBench(tmp_path, web=web)) as bench,
        serve_manager(bench, tmp_path) as server,
        Client(server) as client,
    ):
        assert client.get("/api/node").json()["edit"] is may


# --- The server ------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_an_error_in_words(bench: ManagerBench, server: WebServer, tmp_path: Path) -> None:
    web = WebConfig(host="127.0.0.1", port=server.port, username="admin", password=Secret("x"), token=Secret("y"))
    with pytest.raises(CannotListen) as caught:
        serve_manager(bench, tmp_path, web)
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert "in use" in str(caught.value)
    assert "web.port" in caught.value.advice


def test_the_server_stops_and_frees_its_port(bench: ManagerBench, tmp_path: Path) -> None:
    with serve_manager(bench, tmp_path) as server, Client(server) as client:
        assert client.get("/healthz").status_code == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_made_secrets_open_the_door(bench: ManagerBench, tmp_path: Path) -> None:
    with serve_manager(bench, tmp_path, WebConfig(host="127.0.0.1", port=0, username="admin")) as server:
        with Client(server, token=(tmp_path / "web-token").read_text().strip()) as client:
            assert client.get("/api/node").status_code == 200
        with Client(server, token=None) as person:
            assert log_in(person, password=(tmp_path / "web-password").read_text().strip()).status_code == 200
