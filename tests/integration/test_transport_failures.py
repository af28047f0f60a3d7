"""What goes wrong with connections: it is said in words that tell what to do, and ends nothing else."""

import logging
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from caroni_edge.transport import mqtt
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    SubscriptionRefused,
    TransportEnded,
)
from caroni_edge.transport.mqtt import MqttTransport
from caroni_edge.transport.network import Reconnection
from tests.brokers import Mosquitto, RunningBroker, config_of, find
from tests.conftest import MakeClient, MakeMosquitto
from tests.support import WITHIN_S, free_port, wait_until


def test_a_refused_subscription_is_said(make_client: MakeClient) -> None:
    # An ACL file of mosquitto 2.0 never refuses a subscription: it only delivers nothing.
    refusing = _Scripted(b"\x90\x04\x00\x01\x01\x80")
    with refusing:
        client = make_client(refusing)
        connected = client.connect()
        client.transport.subscribe([("good", 1), ("forbidden", 1)])
        refused = client.wait_for(SubscriptionRefused)
    assert refused == SubscriptionRefused("forbidden", connected.connection)
    assert len(client.find(SubscriptionRefused)) == 1


@pytest.mark.parametrize("garbage", [b"\x30\x01\x00", b"\xff" * 6, b"\x90\x00", b"\xf0\x00"])
def test_garbage_from_the_broker_ends_the_connection_only(garbage: bytes, make_client: MakeClient) -> None:
    with _Scripted(garbage) as broker:
        client = make_client(broker)
        client.connect()
        client.transport.subscribe([("t", 1)])
        client.wait_for(Connected, lambda event: event.connection > 1)
    assert not client.find(TransportEnded)


@pytest.mark.parametrize("topic", [b"\xff\xfe", b"a\x00b", b"$SYS/x"])
def test_a_weird_topic_is_delivered(topic: bytes, make_client: MakeClient) -> None:
    packet = b"\x32" + bytes([6 + len(topic)]) + len(topic).to_bytes(2) + topic + b"\x00\x07xx"
    with _Scripted(packet) as broker:
        client = make_client(broker)
        client.connect()
        client.transport.subscribe([("t", 1)])
        message = client.wait_for(Arrived)
        assert (message.payload, message.qos, message.packet_id) == (b"xx", 1, 7)


def test_what_is_no_topic_is_refused_at_once(make_client: MakeClient, any_broker: RunningBroker) -> None:
    client = make_client(any_broker)
    client.connect()
    for topic in ("", "a/#", "+", "a\0", "x" * 65536, "\ud800"):
        with pytest.raises(ValueError, match=r"topic|surrogates"):
            client.transport.publish(topic, b"", qos=1)
    for topic_filter in ("", "a#", "#/a", "a+/b"):
        with pytest.raises(ValueError, match="topic filter"):
            client.transport.subscribe([(topic_filter, 1)])
    client.publish("t", b"it still works")


def test_a_broker_that_hangs_is_noticed(
    mosquitto: Mosquitto, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "KEEPALIVE_S", 1)
    monkeypatch.setattr(mqtt, "CHECK_EVERY_S", 0.1)
    client = make_client(mosquitto)
    client.connect()
    mosquitto.pause()
    assert client.last_reason() == f"127.0.0.1:{mosquitto.port} does not answer any more: check the network"
    mosquitto.resume()
    client.wait_for(Connected, lambda event: event.connection > 1)


def test_an_idle_connection_stays(
    mosquitto: Mosquitto, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "KEEPALIVE_S", 1)
    monkeypatch.setattr(mqtt, "CHECK_EVERY_S", 0.1)
    client = make_client(mosquitto)
    client.connect()
    # mosquitto would cut off who is silent for one and a half times the keep-alive.
    wait_until(lambda: mosquitto.log.count("PINGREQ from node") >= 2, what="two pings")
    assert not client.find(Disconnected)
    assert not client.find(Disconnected)


def test_a_dead_network_thread_is_said(
    mosquitto: Mosquitto, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(mosquitto)
    client.connect()

    def broken(_self: object, _lasted_s: float, *, reached: bool) -> float:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Reconnection, "next_s", broken)
    client.transport.disconnect()
    assert client.wait_for(TransportEnded).failure == "RuntimeError: out of luck"
    assert [record.levelno for record in caplog.records if getattr(record, "action", "") == "transport_ended"] == [
        logging.CRITICAL
    ]


def test_who_asks_for_it_comes_back_soon(
    mosquitto: Mosquitto, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reconnection, "next_s", lambda *_lasted_s, **_reached: 10 * WITHIN_S)
    client = make_client(mosquitto)
    first = client.connect().connection
    client.transport.disconnect()
    client.wait_for(Disconnected)
    client.transport.retry_soon(first)
    again = client.wait_for(Connected, lambda event: event.connection > first)
    assert again.connection == first + 1


def test_a_receiver_that_fails_loses_nothing(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    events: list[Event] = []
    transport = MqttTransport(config_of(mosquitto), "n", retry_first_s=0.05)

    def deliver(event: Event) -> None:
        if isinstance(event, Arrived) and event.connection == 1:
            raise MemoryError("no room for it")
        events.append(event)

    transport.start(deliver)
    wait_until(lambda: events, what="the connection")
    transport.subscribe([("t", 1)])
    transport.publish("t", b"x", qos=1)
    seen = wait_until(lambda: [event for event in list(events) if isinstance(event, Arrived)], what="the repeat")
    assert (seen[0].payload, seen[0].connection) == (b"x", 2)
    transport.stop(1)


def test_two_clients_with_one_id_cut_each_other_off(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    one, other = make_client(mosquitto, retry_first_s=60), make_client(mosquitto, retry_first_s=60)
    one.connect()
    other.connect()
    assert "another node uses our id" in one.last_reason()


# Why there is no connection


def test_a_wrong_password_says_so(make_mosquitto: MakeMosquitto, make_client: MakeClient, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run([find("mosquitto_passwd", "mosquitto"), "-b", "-c", passwords, "m1", "right"], check=True)
    broker = make_mosquitto(settings=f"password_file {passwords}\n", anonymous=False).start()
    right = make_client(broker, "right", username="m1", password="right")
    right.connect()
    wrong = make_client(broker, "wrong", username="m1", password="wrong").start()
    assert wrong.last_reason() == ('the broker refused the login of user "m1": check the user name and the password')
    nobody = make_client(broker, "nobody", username=None).start()
    assert nobody.last_reason() == "the broker wants a user name and a password: configure them"


def test_the_embedded_broker_wants_a_user_name(amqtt_broker: RunningBroker, make_client: MakeClient) -> None:
    nobody = make_client(amqtt_broker, username=None).start()
    assert nobody.last_reason() == "the broker wants a user name and a password: configure them"
    make_client(amqtt_broker, "anybody", username="x", password="y").connect()


def test_a_name_that_is_not_known_says_so(make_client: MakeClient, make_mosquitto: MakeMosquitto) -> None:
    broker = make_mosquitto()
    broker.host = "nowhere.invalid"
    assert "the name nowhere.invalid is not known" in make_client(broker).start().last_reason()
    broker.host = "x" * 300
    assert "cannot be reached" in make_client(broker, "n2").start().last_reason()


def test_a_port_that_is_no_brokers_says_so(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_all() -> None:
            for _ in range(2):
                server.accept()[0].close()

        thread = threading.Thread(target=close_all)
        thread.start()
        client = make_client(_At(server.getsockname()[1])).start()
        assert "is it an MQTT broker" in client.last_reason()
        thread.join()


def test_the_reason_is_logged_once(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client(nobody := _At(free_port())).start()
    wait_until(lambda: len(client.find(Disconnected)) >= 3, what="three attempts")
    said = [record.message for record in caplog.records if getattr(record, "action", "") == "connect_failed"]
    # Others may fail to connect beside us.
    assert [each for each in said if f":{nobody.port}" in each] == [f"no connection: {client.last_reason()}"]


class _At:
    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"mqtt://127.0.0.1:{port}"


class _Scripted(_At):
    """Takes clients in, and answers what they subscribe to with `answer`."""

    def __init__(self, answer: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        super().__init__(self._server.getsockname()[1])
        self._answer = answer
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "_Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for sock in self._taken:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                self._taken.append(sock)
                with sock, suppress(ConnectionError):
                    self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"\x20\x02\x00\x00")
        if sock.recv(4096):
            sock.sendall(self._answer)
            sock.recv(4096)
