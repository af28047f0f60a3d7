"""Who comes to a page, and how: by TLS, by a proxy, and with passwords that change while the node runs."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from caroni_edge.config import Secret, WebConfig, WebUser
from caroni_edge.web import tls
from caroni_edge.web.certificate import PageCertificateUnusable
from caroni_edge.web.credentials import CredentialUnusable
from caroni_edge.web.server import WebServer
from tests.certificates import Certificates, make_certificates
from tests.node_bench import ServedNode
from tests.support import wait_until
from tests.web_bench import PASSWORD, TOKEN, WEB, Client


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    with closing(ServedNode(tmp_path)) as node:
        yield node


def log_in(client: httpx.Client, password: str = PASSWORD, name: str = "admin", **headers: str) -> httpx.Response:
    return client.post("/login", data={"username": name, "password": password}, headers=headers)


# --- Passwords that change -------------------------------------------------------------------------------------------


def status(client: Client) -> int:
    return client.get("/api/session").status_code


def test_a_changed_password_ends_the_sessions_that_began_with_it_alone(node: ServedNode) -> None:
    with node.serve() as server, Client(server, token=None) as admin, Client(server, token=None) as viola:
        assert log_in(admin).status_code == 200
        assert log_in(viola, "looks", "viola").status_code == 200
        server.prepared(WEB)()
        assert (status(admin), status(viola)) == (200, 200)
        server.prepared(replace(WEB, password=Secret("another")))()
        wait_until(lambda: status(admin) == 401)
        assert status(viola) == 200
        assert log_in(admin).status_code == 401
        assert log_in(admin, "another").status_code == 200


@pytest.mark.parametrize(
    "users", [{}, {"viola": WebUser(role="operator", password=Secret("looks"))}], ids=["is gone", "has another role"]
)
def test_who_is_gone_or_has_another_role_logs_in_anew(node: ServedNode, users: dict[str, WebUser]) -> None:
    with node.serve() as server, Client(server, token=None) as viola:
        log_in(viola, "looks", "viola")
        server.prepared(replace(WEB, users=users))()
        wait_until(lambda: status(viola) == 401)
        assert log_in(viola, "looks", "viola").status_code == (200 if users else 401)


def test_a_changed_token_counts_at_once(node: ServedNode) -> None:
    with node.serve() as server, Client(server) as program, Client(server, "another") as other:
        assert (status(program), status(other)) == (200, 401)
        server.prepared(replace(WEB, token=Secret("another")))()
        wait_until(lambda: status(program) == 401)
        assert status(other) == 200


def test_a_password_file_of_no_use_changes_nothing(node: ServedNode, tmp_path: Path) -> None:
    with node.serve() as server, Client(server, token=None) as admin:
        log_in(admin)
        (tmp_path / "web-password").write_text("")
        with pytest.raises(CredentialUnusable):
            server.prepared(replace(WEB, password=None))
        assert status(admin) == 200


# --- By a proxy ------------------------------------------------------------------------------------------------------


def behind(node: ServedNode, *proxies: str) -> None:
    web = replace(WEB, trusted_proxies=tuple(map(ip_network, proxies)))
    node.config = replace(node.config, web=web)


def test_a_trusted_proxy_says_who_asks_and_that_it_was_encrypted(node: ServedNode) -> None:
    behind(node, "127.0.0.1")
    with node.serve() as server, Client(server, token=None) as proxy, Client(server) as program:
        answer = log_in(proxy, **{"X-Forwarded-For": "198.51.100.1, 192.0.2.7", "X-Forwarded-Proto": "https"})
        assert "Secure" in answer.headers["Set-Cookie"]
        (entry,) = wait_until(lambda: program.get("/api/audit").json()["entries"])
        assert entry["address"] == "192.0.2.7"


def test_nobody_else_is_believed(node: ServedNode) -> None:
    behind(node, "10.0.0.0/8")
    with node.serve() as server, Client(server, token=None) as stranger, Client(server) as program:
        answer = log_in(stranger, **{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
        assert "Secure" not in answer.headers["Set-Cookie"]
        (entry,) = wait_until(lambda: program.get("/api/audit").json()["entries"])
        assert entry["address"] == "127.0.0.1"


def test_wrong_logins_are_counted_by_the_real_address(node: ServedNode) -> None:
    behind(node, "127.0.0.1")
    with node.serve() as server, Client(server, token=None) as proxy:
        for _ in range(10):
            assert log_in(proxy, "guess", **{"X-Forwarded-For": "192.0.2.7"}).status_code == 401
        assert log_in(proxy, **{"X-Forwarded-For": "192.0.2.7"}).status_code == 429
        assert log_in(proxy, **{"X-Forwarded-For": "192.0.2.8"}).status_code == 200


# --- By TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls") / "ours", "IP:127.0.0.1")


def encrypted(certificate: Path, key: Path | None) -> WebConfig:
    return replace(WEB, cert_file=certificate, key_file=key)


def client_of(server: WebServer, ca: Path, **more: Any) -> httpx.Client:
    context = ssl.create_default_context(cafile=ca)
    return httpx.Client(base_url=server.url, verify=context, trust_env=False, timeout=60, **more)


def test_a_page_with_a_certificate_speaks_https_alone(node: ServedNode, certificates: Certificates) -> None:
    with node.serve(encrypted(certificates.certificate, certificates.key)) as server:
        assert server.url.startswith("https://")
        with client_of(server, certificates.ca) as person:
            answer = log_in(person)
            assert answer.status_code == 200
            assert "Secure" in answer.headers["Set-Cookie"]
            assert person.get("/api/session").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{server.port}/healthz", trust_env=False, timeout=60)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{server.url}/healthz", trust_env=False, timeout=60, verify=ssl.create_default_context())
        on_host = httpx.HTTPTransport(uds=str(node.directory / "api.sock"))
        with httpx.Client(transport=on_host, trust_env=False, timeout=60) as command:
            assert command.get("http://node/api/session").json()["user"] == "the host"


def test_strangers_who_never_shake_hands_hold_nobody_up(
    node: ServedNode, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "SHAKING_MAX", 5)
    with node.serve(encrypted(certificates.certificate, certificates.key)) as server, ExitStack() as opened:
        mute = [opened.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(20)]
        person = opened.enter_context(client_of(server, certificates.ca))
        assert person.get("/healthz").status_code == 200
        for each in mute[:15]:
            each.settimeout(60)
            assert each.recv(1) == b"", "the oldest make room"


def test_a_renewed_certificate_is_shown_to_the_next_who_come(
    node: ServedNode, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "other", "IP:127.0.0.1")
    both = tmp_path / "page.pem"
    both.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    config = encrypted(both, None)
    with node.serve(config) as server:
        both.write_text("nonsense")
        with pytest.raises(PageCertificateUnusable):
            server.prepared(config)
        with client_of(server, certificates.ca) as person:
            assert person.get("/healthz").status_code == 200
        both.write_bytes(other.certificate.read_bytes() + other.key.read_bytes())
        server.prepared(config)()

        def is_renewed() -> bool:
            try:
                with client_of(server, other.ca) as person:
                    return person.get("/healthz").status_code == 200
            except httpx.ConnectError:
                return False

        wait_until(is_renewed)


def test_a_certificate_of_no_use_is_an_error_in_words(node: ServedNode, certificates: Certificates) -> None:
    with pytest.raises(PageCertificateUnusable) as caught:
        node.serve(encrypted(certificates.certificate, None))
    assert str(certificates.certificate) in str(caught.value)
    assert "web.key_file" in caught.value.advice


def test_a_server_with_tls_ends_though_somebody_shakes_hands(node: ServedNode, certificates: Certificates) -> None:
    server = node.serve(encrypted(certificates.certificate, certificates.key))
    with socket.create_connection(("127.0.0.1", server.port)) as mute:
        with client_of(server, certificates.ca, headers={"Authorization": f"Bearer {TOKEN}"}) as program:
            assert program.get("/api/session").status_code == 200
        server.stop()
        mute.settimeout(60)
        assert mute.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def test_the_door_goes_on_when_no_descriptor_is_free(
    node: ServedNode, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(24, "Too many open files")]
    accept = asyncio.selector_events.BaseSelectorEventLoop.sock_accept

    async def refused_once(self: Any, listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(self, listener)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_accept", refused_once)
    with (
        node.serve(encrypted(certificates.certificate, certificates.key)) as server,
        client_of(server, certificates.ca) as person,
    ):
        assert person.get("/healthz").status_code == 200
    assert not failures
