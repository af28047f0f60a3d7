"""Connections that say nothing, half of something, or do not listen: they cost the server little, and not for long."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from caroni_edge.web import connections
from caroni_edge.web.connections import Waits
from caroni_edge.web.server import WebServer
from tests.web_bench import TOKEN, Client, ManagerBench, serve_manager

Serve = Callable[[], WebServer]
BEARER = f"Authorization: Bearer {TOKEN}\r\n".encode()
LOGIN = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a manager, as the module says at that moment."""
    bench = ManagerBench(tmp_path)
    with ExitStack() as opened:
        yield lambda: opened.enter_context(serve_manager(bench, tmp_path))
    bench.close()


def connect(server: WebServer, said: bytes = b"") -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connected.sendall(said)
    return connected


def is_closed(connected: socket.socket) -> bool:
    """Read until the end, within a minute."""
    try:
        while connected.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def send_for_ever(connected: socket.socket, said: bytes) -> None:
    while True:
        connected.sendall(said)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Waits.FOR_HEADER, b""),
        (Waits.FOR_HEADER, b"GET /healthz HTTP/1.1\r\nHost: x\r\n"),
        (Waits.FOR_HEADER, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n"),
        (Waits.FOR_BODY, LOGIN + b"\r\nuser"),
        (Waits.FOR_BODY, LOGIN.replace(b"login", b"api/drain") + b"\r\n{"),
        (Waits.FOR_BODY, LOGIN.replace(b"login", b"api/forget") + BEARER + b"\r\n{"),
    ],
)
def test_half_a_request_is_waited_for_only_so_long(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, kind: Waits, said: bytes
) -> None:
    server = serve()
    with monkeypatch.context() as impatient:
        impatient.setitem(connections.WAITS_MAX_S, kind, 0.3)
        with connect(server, said) as half:
            assert is_closed(half)
    with Client(server) as client:
        assert client.get("/api/node").status_code == 200


def test_who_does_not_read_the_answers_is_waited_for_only_so_long(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.WAITS_MAX_S, Waits.TO_BE_READ, 0.3)
    server = serve()
    asked = b"GET /schema/openapi.json HTTP/1.1\r\nHost: x\r\n" + BEARER + b"\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.connect(("127.0.0.1", server.port))
        deaf.settimeout(60)
        with pytest.raises(ConnectionError):
            send_for_ever(deaf, asked * 100)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", LOGIN + b"\r\nuser"])
def test_a_crowd_of_half_requests_holds_up_no_whole_one(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 20)
    for kind in Waits:
        monkeypatch.setitem(connections.WAITS_MAX_S, kind, 1000.0)
    server = serve()
    with ExitStack() as opened, Client(server) as patient:
        assert patient.get("/api/node").status_code == 200
        crowd = [opened.enter_context(connect(server, said)) for _ in range(100)]
        for _ in range(3):
            with Client(server) as client:
                assert client.get("/api/node").status_code == 200
        assert is_closed(crowd[0])
        assert patient.get("/api/node").status_code == 200


def test_a_crowd_that_follows_pages_holds_up_nobody(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 20)
    server = serve()
    follow = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + BEARER + b"\r\n"
    with ExitStack() as opened:
        crowd = []
        for _ in range(30):
            crowd.append(opened.enter_context(connect(server, follow)))
            assert crowd[-1].recv(100).startswith(b"HTTP/1.1 200")
        with Client(server) as client:
            assert client.get("/api/node").status_code == 200
        assert is_closed(crowd[0])  # its page comes back by itself


def test_bytes_that_are_no_request_end_their_connection(serve: Serve) -> None:
    with connect(serve(), b"\x16\x03\x01\x02\x00\r\n\r\n") as other:
        assert is_closed(other)
