"""How a broker is reached: several addresses, certificates of our own, WebSocket, and settings that change."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.config import BrokerConfig, BrokerUrl, Secret
from caroni_edge.demo.broker import PLUGINS
from caroni_edge.transport.access import Access, UnusableCertificate
from caroni_edge.transport.base import Arrived, Connected, Disconnected
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import Client, ShippedMosquitto, config_of
from tests.certificates import Certificates, make_certificates
from tests.conftest import MakeClient, MakeMosquitto
from tests.support import free_port, wait_until


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "tls", "IP:127.0.0.1")


def client_of(broker: BrokerConfig | Access) -> Client:
    return Client(MqttTransport(broker, "caroni-node", retry_first_s=0.05), "node")


def test_several_addresses_are_tried_in_turn(make_mosquitto: MakeMosquitto) -> None:
    one, two = make_mosquitto(), make_mosquitto()
    urls = tuple(BrokerUrl(broker.host, broker.port, tls=False) for broker in (one, two))
    two.start()
    client = client_of(BrokerConfig(urls=urls, username="u"))
    try:
        client.connect()
        assert f"nothing listens at 127.0.0.1:{one.port}" in client.last_reason()
        two.stop()
        one.start()
        client.wait_for(Connected, lambda event: event.connection > 2)
    finally:
        client.stop(0)


def test_a_broker_that_wants_a_certificate_gets_ours(
    certificates: Certificates, make_mosquitto: MakeMosquitto, make_client: MakeClient
) -> None:
    settings = certificates.settings + "require_certificate true\n"
    broker = make_mosquitto(settings=settings, tls=True).start()
    make_client(broker, "none", tls=True, ca_file=certificates.ca).start().wait_for(Disconnected)
    own = {"cert_file": certificates.certificate, "key_file": certificates.key}
    client = make_client(broker, tls=True, ca_file=certificates.ca, **own)
    assert client.connect().connection == 1


def test_a_certificate_that_cannot_be_used_is_an_error(certificates: Certificates) -> None:
    url = BrokerUrl("broker", 8883, tls=True)
    with pytest.raises(UnusableCertificate, match=r"ca\.key: The certificate for the broker cannot be used"):
        Access(BrokerConfig(urls=(url,), cert_file=certificates.ca.with_name("ca.key")))


def test_a_password_that_has_changed_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    broker = ShippedMosquitto(tmp_path, "m1")
    broker.start()
    access = Access(config_of(broker, username="m1", password="old"))
    client = client_of(access).start()
    try:
        assert 'refused the login of user "m1"' in client.last_reason()
        assert access.change_to(Access(config_of(broker, username="m1", password="x")))
        client.transport.disconnect()
        client.wait_for(Connected)
        assert not access.change_to(Access(config_of(broker, username="m1", password="x")))
    finally:
        client.stop(0)
        broker.kill()


def test_a_file_whose_content_has_changed_is_a_change(tmp_path: Path, certificates: Certificates) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(certificates.ca.read_bytes())
    broker = BrokerConfig(urls=(BrokerUrl("broker", 8883, tls=True),), ca_file=ca_file, password=Secret("x"))
    access = Access(broker)
    assert not access.change_to(Access(broker))
    ca_file.write_bytes(make_certificates(tmp_path / "new", "IP:127.0.0.1").ca.read_bytes())
    assert access.change_to(Access(broker))


@pytest.fixture(params=[False, True], ids=["ws", "wss"])
def web_access(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[BrokerConfig]:
    """Serve MQTT over WebSocket, without and with TLS; Debian's mosquitto does not everywhere."""
    from amqtt.broker import Broker  # type: ignore[import-untyped]  # noqa: PLC0415

    url = BrokerUrl("127.0.0.1", free_port(), tls=request.param, path="/mqtt")
    listener: dict[str, Any] = {"type": "ws", "bind": f"{url.host}:{url.port}"}
    if url.tls:
        listener |= {"ssl": True, "certfile": str(certificates.certificate), "keyfile": str(certificates.key)}
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        broker = Broker({"listeners": {"default": listener}, "plugins": PLUGINS})
        await broker.start()
        started.set()
        await stop.wait()
        await broker.shutdown()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    wait_until(started.is_set, what="the broker")
    yield BrokerConfig(urls=(url,), username="u", ca_file=certificates.ca if url.tls else None)
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)


def test_messages_travel_over_websocket(web_access: BrokerConfig) -> None:
    client = client_of(web_access)
    try:
        client.connect()
        client.subscribe("t")
        for size_bytes in (1, 300, 40_000):
            client.publish("t", b"x" * size_bytes)
        client.wait_for(Arrived, lambda event: len(event.payload) == 40_000)
        assert [len(payload) for payload in client.payloads("t")] == [1, 300, 40_000]
    finally:
        client.stop(0)


@pytest.mark.parametrize("web_access", [True], indirect=True, ids=["wss"])
def test_a_certificate_that_is_not_trusted_is_refused_over_websocket_too(web_access: BrokerConfig) -> None:
    client = client_of(replace(web_access, ca_file=None)).start()
    try:
        assert "not trusted" in client.last_reason()
        assert not client.find(Connected)
    finally:
        client.stop(0)


def test_a_server_that_serves_no_websocket_says_so(make_mosquitto: MakeMosquitto) -> None:
    broker = make_mosquitto().start()
    client = client_of(BrokerConfig(urls=(BrokerUrl(broker.host, broker.port, tls=False, path="/mqtt"),))).start()
    try:
        assert client.last_reason()
        assert not client.find(Connected)
    finally:
        client.stop(0)
