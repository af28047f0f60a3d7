"""What `doctor` says of the address where other nodes may fetch files from this one."""

import ssl
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from caroni_edge.config.model import FilesConfig
from caroni_edge.doctor import direct
from caroni_edge.doctor.direct import NO_OBJECT
from caroni_edge.node import httpget
from tests.certificates import Certificates, make_certificates
from tests.configs import agent_config
from tests.filehost import FileHost, file_host
from tests.support import WITHIN_S


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "tls", "IP:127.0.0.1")


@pytest.fixture
def host(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    monkeypatch.setattr(httpget, "CONNECT_WITHIN_S", WITHIN_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with file_host(context) as found:
        yield found


def said(url: str | None, ca_file: Path | None = None) -> list[tuple[str, str]]:
    """Return levels and sentences for an agent that names an address."""
    config = agent_config(files=FilesConfig(url=url, ca_file=ca_file))
    return [(found.level.value, found.sentence) for found in direct.check(config)]


def test_a_node_that_refuses_strangers_is_as_it_should_be(host: FileHost, certificates: Certificates) -> None:
    host.answers = [(HTTPStatus.UNAUTHORIZED, {})]
    ((level, sentence),) = said(host.url(""), certificates.ca)
    assert (level, "answers: who lists it" in sentence) == ("ok", True)


def test_what_is_not_this_node_is_said_to_be_something_else(host: FileHost, certificates: Certificates) -> None:
    host.files = {f"/objects/{NO_OBJECT}": b"x"}
    ((level, sentence),) = said(host.url(""), certificates.ca)
    assert (level, "something else" in sentence) == ("warning", True)
    host.files = {}
    ((level, sentence),) = said(host.url(""), certificates.ca)
    assert (level, "it answers 404" in sentence) == ("warning", True)


def test_a_certificate_that_is_not_to_be_trusted_is_said(host: FileHost) -> None:
    ((level, sentence),) = said(host.url(""))
    assert (level, "its certificate is not to be trusted" in sentence) == ("warning", True)


def test_nothing_is_said_of_a_node_that_gives_nothing_there() -> None:
    assert said(None) == []
