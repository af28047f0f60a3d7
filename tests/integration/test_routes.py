"""Every route of both nodes: closed to strangers, closed to viewers where it changes something, and asked in a test."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caroni_edge.web.server import WebServer
from tests.architecture.source import sources
from tests.web_bench import AgentBench, Client, ManagerBench, serve_agent, serve_manager

OPEN = {"/healthz", "/readyz", "/login"}
"""Whoever reaches the node may ask these."""
FOR_ALL_ROLES = {"/login", "/logout"}
ROLES = ["manager", "agent"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], WebServer]]:
    """Serve a manager or an agent."""
    with closing(ManagerBench(tmp_path)) as manager:
        yield (
            lambda role: serve_manager(manager, tmp_path) if role == "manager" else serve_agent(AgentBench(), tmp_path)
        )


def routes(server: WebServer) -> list[tuple[str, str]]:
    """Return method and path of all that a node serves."""
    with Client(server) as client:
        paths = client.get("/schema/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path: str) -> str:
    """Return a path with something for each of its parameters."""
    return re.sub(r"{\w+}", "1", path)  # a name as well as a number


@pytest.mark.parametrize("role", ROLES)
def test_a_stranger_gets_nothing(serve: Callable[[str], WebServer], role: str) -> None:
    with serve(role) as server, Client(server, token=None) as stranger:
        asked = [(method, path) for method, path in routes(server) if path not in OPEN]
        assert len(asked) > 5
        assert {(*each, stranger.request(each[0], filled(each[1])).status_code) for each in asked} == {
            (*each, 401) for each in asked
        }


@pytest.mark.parametrize("role", ROLES)
def test_a_viewer_changes_nothing(serve: Callable[[str], WebServer], role: str) -> None:
    with serve(role) as server, Client(server, token=None) as viewer:
        login = viewer.post("/login", data={"username": "viola", "password": "looks"})
        viewer.headers["X-CSRF-Token"] = login.json()["csrf"]
        asked = [each for each in routes(server) if each[0] != "GET" and each[1] not in FOR_ALL_ROLES]
        assert asked
        assert {(*each, viewer.request(each[0], filled(each[1])).status_code) for each in asked} == {
            (*each, 403) for each in asked
        }


@pytest.mark.parametrize("role", ROLES)
def test_every_route_is_asked_in_a_test(serve: Callable[[str], WebServer], role: str) -> None:
    asked = {text.partition("?")[0] for source in sources("tests/integration") for text in texts(source.tree)}
    with serve(role) as server:
        lost = [path for _, path in routes(server) if not any(re.fullmatch(pattern(path), text) for text in asked)]
    assert not lost, f"no test in tests/integration asks {', '.join(lost)}"


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a file, with an `x` for each value that is put into one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)


def pattern(path: str) -> str:
    """Return what texts that ask for a path look like; a parameter may stand for a path itself."""
    return re.sub(r"\\{\w+\\}", r"[^{}]+", re.escape(path))
