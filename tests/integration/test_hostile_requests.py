"""Whatever is asked of a route is an answer or an error in words, never a fault of the program."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from caroni_edge.web.server import WebServer
from tests.web_bench import AgentBench, Client, ManagerBench, serve_agent, serve_manager

VALUES = [
    *("", " ", "x", "null", "true", "-1", "0", "1", "1.5", "1e3", "0x10", "NaN", "inf", "-0", "+1", "1_000", "٣"),
    *(str(2**31), str(2**53), str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), str(10**30), "9" * 5000),
    *("'; DROP TABLE jobs; --", "%", "_", "../../etc/passwd", "a/b", "//", ".", "..", "/why", "x/why", "x/log", "[]"),
    *(
        "{}",
        '{"a":1}',
        "a\r\nSet-Cookie: b=c",
        "a\0b",
        "\x1b[31m",
        "\x9b31m",
        "\u202ereversed",
        "\ufeff",
        "ü",
        "\U0001f600",
    ),
    *("completed", "é" * 2000, "x" * 20_000),
]
RAW = ["%", "%zz", "%ff", "%ed%a0%80", "%c0%af", "%00", "a%0d%0ab", "%25%32%35"]
"""Texts that are no UTF-8, or no encoding at all."""
BODIES = [
    *(b"", b"{", b"null", b"[]", b"1", b'""', b"{}", b"\xff", b"\xef\xbb\xbf{}", b"[" * 30_000, b'{"a":' * 10_000),
    *(b'{"on": 1}', b'{"on": null}', b'{"peer": {}}', b'{"peer": "agents/\\ud800"}', b'{"template": "\\ud800"}'),
    *(b'{"template": "test_simple", "priority": 1e300}', b'{"template": "test_simple", "inputs": {"message": NaN}}'),
    b'{"template": "test_simple", "id": "' + b"x" * 50_000 + b'"}',
    b'{"template": "test_simple", "inputs": {"message": "x"}, "priority": ' + b"9" * 5000 + b"}",
]


@pytest.fixture(params=["manager", "agent"], scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Serve a node with one workflow, or with one job."""
    path = tmp_path_factory.mktemp("state")
    if request.param == "manager":
        manager = ManagerBench(path)
        manager.see("a1", "foojob0")
        manager.trigger(workflow="x")
        with serve_manager(manager, path) as served:
            yield served
        manager.close()
    else:
        agent = AgentBench()
        agent.bench.place(agent.bench.new_job())
        with serve_agent(agent, path) as served:
            yield served


@pytest.fixture(scope="module")
def client(server: WebServer) -> Iterator[Client]:
    with Client(server) as client:
        yield client


def operations(client: Client) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return method, path and parameters of all that a node serves."""
    paths = client.get("/schema/openapi.json").json()["paths"]
    return [
        (method.upper(), path, operation.get("parameters", []))
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def judge(answer: httpx.Response, faults: list[str]) -> None:
    """Note an answer that is a fault of the program, or an error without a sentence."""
    asked = f"{answer.request.method} {str(answer.request.url)[:200]} {answer.request.content[:50]!r}"
    if answer.status_code >= 500:
        faults.append(f"{asked}: {answer.status_code} {answer.text[:200]}")
    elif answer.is_client_error and answer.headers["Content-Type"] == "text/plain; charset=utf-8":
        assert answer.text == "Invalid HTTP request received.", asked
    elif answer.is_client_error and answer.status_code != 431:
        said = answer.json()
        if set(said) != {"error", "field"} or not said["error"] or "Traceback" in said["error"]:
            faults.append(f"{asked}: {said}")


def encoded() -> Iterator[str]:
    yield from (quote(value, safe="") for value in VALUES)
    yield from RAW


def filled(path: str, values: dict[str, str]) -> str:
    """Return a path with values for its parameters, `x` where none is given."""
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", values.get(name, "x/why" if name == "step" else "x"))
    return path


def test_every_parameter_of_every_route(client: Client) -> None:
    faults: list[str] = []
    asked = 0
    for method, path, parameters in operations(client):
        for parameter in parameters:
            for value in encoded():
                name, place = parameter["name"], parameter["in"]
                url = filled(path, {name: value}) if place == "path" else f"{filled(path, {})}?{name}={value}"
                judge(client.request(method, url), faults)
                asked += 1
    assert asked > 100
    assert not faults, "\n".join(faults)


def test_every_body(client: Client) -> None:
    faults: list[str] = []
    for method, path, _ in operations(client):
        for body in BODIES if method == "POST" else ():
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-16", ""):
                headers = {"Content-Type": kind, "X-CSRF-Token": "x"}
                judge(client.post(filled(path, {}), content=body, headers=headers), faults)
    assert not faults, "\n".join(faults)


def test_every_header(client: Client) -> None:
    faults: list[str] = []
    for name in ("Authorization", "Cookie", "Accept", "Content-Type", "Host", "X-CSRF-Token", "X-Forwarded-For"):
        for value in (
            b"",
            b"Bearer",
            b"Bearer \xff\xfe",
            b"\xc3\xa9=\xff; ;=",
            b"=" * 5000,
            b"\x80" * 100,
            b"a/b;q=x,*/*;q=",
        ):
            for path in ("/healthz", "/api/node", "/login", "/schema"):
                judge(client.get(path, headers=[(name.encode(), value)]), faults)
    assert not faults, "\n".join(faults)


def test_queries_that_are_none(client: Client) -> None:
    faults: list[str] = []
    for method, path, _ in operations(client):
        for query in ["?", "&&&", "limit=1&limit=2", "=x", "after", "limit", ";", "%00=%00", "a=b" * 3000, "limit[]=1"]:
            judge(client.request(method, f"{filled(path, {})}?{query}"), faults)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("name", "value"), [("after", str(10**30)), ("after", "-1"), ("limit", "0"), ("limit", "9" * 40)]
)
def test_a_number_that_no_page_has_is_named(client: Client, name: str, value: str) -> None:
    listed = "/api/workflows" if "/api/workflows" in client.get("/schema/openapi.json").text else "/api/jobs"
    answer = client.get(listed, params={name: value})
    assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert name in answer.json()["error"]
