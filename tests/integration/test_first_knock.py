"""A server that nobody has asked yet: it is loaded by the first who comes, by whichever way, and answers them."""

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import caroni_edge
from caroni_edge.config import Secret
from caroni_edge.web.inside import Ask, Inside
from caroni_edge.web.server import WebServer, start
from caroni_edge.web.site import Site
from tests.certificates import make_certificates
from tests.node_bench import ServedNode
from tests.support import WITHIN_S
from tests.web_bench import TOKEN, WEB, Client

HEALTH = Inside("GET", "/healthz", {}, {}, None)


class Late(ServedNode):
    """A node whose site is made when a test says so.

    Attributes:
        made: How often it was.
        begun: Somebody has knocked.
        may_go_on: It may be made.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.made = 0
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def site(self) -> Site:
        self.begun.set()
        assert self.may_go_on.wait(WITHIN_S)
        self.made += 1
        return super().site()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Late]:
    with closing(Late(tmp_path)) as node:
        yield node


async def ask_health(ask: Ask) -> int:
    return (await ask(HEALTH)).status


def test_nobody_comes(node: Late) -> None:
    with node.serve() as server:
        pass
    assert node.made == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
    assert server.answer(ask_health) is None


def test_the_first_comes_by_the_page(node: Late) -> None:
    with node.serve() as server, Client(server) as client:
        assert client.get("/api/session").json()["user"] == "token"
        assert client.get("/api/session").status_code == 200
    assert node.made == 1


def test_the_first_comes_by_the_socket_on_the_host(node: Late) -> None:
    with node.serve(None), on_the_host(node) as command:
        assert command.get("http://node/api/session").json()["user"] == "the host"
    assert node.made == 1


def on_the_host(node: Late) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(node.directory / "api.sock"))
    return httpx.Client(transport=transport, trust_env=False, timeout=WITHIN_S)


def test_the_first_comes_by_tls(node: Late, tmp_path: Path) -> None:
    ours = make_certificates(tmp_path / "ours", "IP:127.0.0.1")
    with node.serve(replace(WEB, cert_file=ours.certificate, key_file=ours.key)) as server, Client(server) as client:
        assert client.get("/healthz").status_code == 200


def test_the_first_comes_over_the_broker(node: Late) -> None:
    with node.serve() as server:
        found = server.answer(ask_health)
        assert found is not None
        assert found.result(WITHIN_S) == 200


def test_those_who_come_while_it_loads_are_all_answered(node: Late) -> None:
    node.may_go_on.clear()
    with node.serve() as server, on_the_host(node) as command:
        first, second = knock(server), knock(server)
        assert node.begun.wait(WITHIN_S)
        third = knock(server)
        asked = server.answer(ask_health)
        assert node.call(lambda _at: server.has_token(TOKEN)), "the node's thread waits for nothing"
        node.may_go_on.set()
        for each in (first, second, third):
            assert each.recv(12) == b"HTTP/1.1 200"
            each.close()
        assert asked is not None
        assert asked.result(WITHIN_S) == 200
        assert command.get("http://node/healthz").status_code == 200
    assert node.made == 1


def knock(server: WebServer) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=WITHIN_S)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def test_accounts_change_before_the_first_comes_and_while_it_loads(node: Late) -> None:
    with node.serve() as server, Client(server, token="second") as client, Client(server, token="third") as later:
        server.prepared(replace(WEB, token=Secret("first")))()
        node.may_go_on.clear()
        server.prepared(replace(WEB, token=Secret("second")))()
        waiting = knock(server)
        assert node.begun.wait(WITHIN_S)
        server.prepared(replace(WEB, token=Secret("third")))()
        node.may_go_on.set()
        assert waiting.recv(12) == b"HTTP/1.1 200"
        waiting.close()
        assert later.get("/api/session").status_code == 200
        assert client.get("/api/session").status_code == 401


def test_a_certificate_is_renewed_before_the_first_comes(node: Late, tmp_path: Path) -> None:
    ours, other = (make_certificates(tmp_path / name, "IP:127.0.0.1") for name in ("ours", "other"))
    both = tmp_path / "page.pem"
    both.write_bytes(ours.certificate.read_bytes() + ours.key.read_bytes())
    config = replace(WEB, cert_file=both, key_file=None)
    with node.serve(config) as server:
        both.write_bytes(other.certificate.read_bytes() + other.key.read_bytes())
        server.prepared(config)()
        context = ssl.create_default_context(cafile=other.ca)
        assert httpx.get(f"{server.url}/healthz", verify=context, trust_env=False, timeout=WITHIN_S).is_success


def test_what_cannot_be_made_is_said_and_the_node_goes_on(node: Late, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Site:
        raise ModuleNotFoundError("No module named 'jinja2'")

    with start(WEB, node.directory, broken, node) as server, Client(server) as client:
        answer = client.get("/healthz")
        assert (answer.status_code, "says why" in answer.json()["error"]) == (503, True)
        assert server.trouble() == "pages and API cannot be loaded: ModuleNotFoundError: No module named 'jinja2'"
        assert node.call(lambda _at: "done") == "done"
    said = [each for each in caplog.records if getattr(each, "action", "") == "web_not_loaded"]
    assert [(each.levelno, each.exc_info) for each in said] == [(logging.ERROR, None)]


def test_the_pages_of_another_version_are_not_loaded(node: Late, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caroni_edge, "__version__", "0.0.1-before")
    with node.serve() as server, Client(server) as client:
        assert client.get("/healthz").status_code == 503
        assert "0.0.1-before" in (server.trouble() or "")
        assert "Start the node anew." in (server.trouble() or "")
    assert node.made == 0
