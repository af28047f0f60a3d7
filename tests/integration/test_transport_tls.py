"""TLS: a broker with a certificate of a CA of our own."""

from pathlib import Path

import pytest

from caroni_edge.config import BrokerConfig, broker_url
from caroni_edge.transport.access import UnusableCaFile, tls_context
from caroni_edge.transport.base import Arrived
from tests.certificates import Certificates, make_certificates
from tests.conftest import MakeClient, MakeMosquitto


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls") / "ours", "IP:127.0.0.1")


def test_messages_travel_over_tls(
    certificates: Certificates, make_mosquitto: MakeMosquitto, make_client: MakeClient
) -> None:
    broker = make_mosquitto(settings=certificates.settings, tls=True).start()
    client = make_client(broker, tls=True, ca_file=certificates.ca)
    client.connect()
    client.subscribe("t")
    large = b"x" * 300_000  # many TLS records
    for _ in range(5):
        client.publish("t", large)
    client.publish("t", b"last")
    client.wait_for(Arrived, lambda event: event.payload == b"last")
    assert client.payloads("t") == [large] * 5 + [b"last"]


def test_an_unknown_ca_says_so(
    certificates: Certificates, make_mosquitto: MakeMosquitto, make_client: MakeClient
) -> None:
    broker = make_mosquitto(settings=certificates.settings, tls=True).start()
    reason = make_client(broker, tls=True).start().last_reason()
    assert reason.startswith("the broker's certificate is not trusted: name the file with its CA's certificate")


def test_a_certificate_for_another_name_says_so(
    tmp_path: Path, make_mosquitto: MakeMosquitto, make_client: MakeClient
) -> None:
    other = make_certificates(tmp_path / "other", "DNS:broker.example")
    broker = make_mosquitto(settings=other.settings, tls=True).start()
    reason = make_client(broker, tls=True, ca_file=other.ca).start().last_reason()
    assert reason.startswith("the broker's certificate is for another name than 127.0.0.1")


def test_an_expired_certificate_says_so(tmp_path: Path, make_mosquitto: MakeMosquitto, make_client: MakeClient) -> None:
    old = make_certificates(tmp_path / "old", "IP:127.0.0.1", days=-1)
    broker = make_mosquitto(settings=old.settings, tls=True).start()
    reason = make_client(broker, tls=True, ca_file=old.ca).start().last_reason()
    assert reason.startswith("the broker's certificate is not valid now")


def test_tls_where_there_is_none_and_none_where_there_is(
    certificates: Certificates, make_mosquitto: MakeMosquitto, make_client: MakeClient
) -> None:
    plain = make_mosquitto().start()
    assert "TLS" in make_client(plain, tls=True, ca_file=certificates.ca).start().last_reason()
    encrypted = make_mosquitto(settings=certificates.settings, tls=True).start()
    assert "with or without TLS" in make_client(encrypted, "n2").start().last_reason()


def trusting(ca_file: Path) -> BrokerConfig:
    return BrokerConfig(urls=(broker_url("mqtts://broker"),), ca_file=ca_file)


def test_a_ca_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnusableCaFile, match=r"missing\.pem: The CA certificates cannot be read: No such file"):
        tls_context(trusting(tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(UnusableCaFile, match=r"empty\.pem"):
        tls_context(trusting(tmp_path / "empty.pem"))
