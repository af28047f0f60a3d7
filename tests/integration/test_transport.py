"""What the MQTT transport promises, on real brokers."""

import socket
import threading
from importlib.metadata import version

import pytest

from caroni_edge.transport import paho_connection
from caroni_edge.transport.base import IN_FLIGHT_MAX, Arrived, Connected, Disconnected, Published, Will, Writable
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import BrokerProcess, Client, Mosquitto, RunningBroker, config_of
from tests.conftest import MakeClient, MakeMosquitto
from tests.support import wait_until


def test_the_versions_that_were_measured_are_the_ones_in_use() -> None:
    # How paho is driven was read in its source and tried out: do so again when this fails.
    assert version("paho-mqtt").startswith("2.2.")


def test_a_message_arrives_as_it_was_sent(any_broker: RunningBroker, make_client: MakeClient) -> None:
    client = make_client(any_broker)
    connected = client.connect()
    client.subscribe("t/+/in")
    payload = bytes(range(256)) * 256
    client.publish("t/a/in", payload)
    message = client.wait_for(Arrived, lambda event: event.topic == "t/a/in")
    assert (message.payload, message.qos, message.retain, message.dup) == (payload, 1, False, False)
    assert message.packet_id > 0
    assert message.connection == connected.connection
    client.transport.ack(message)


def test_messages_keep_their_order_and_tokens_grow(any_broker: RunningBroker, make_client: MakeClient) -> None:
    client = make_client(any_broker)
    client.connect()
    client.subscribe("t")
    sent = [b"%d" % number for number in range(IN_FLIGHT_MAX)]
    tokens = [client.transport.publish("t", payload, qos=1) for payload in sent]
    assert tokens == sorted(set(tokens))
    wait_until(lambda: len(client.payloads("t")) == len(sent), what="all messages")
    assert client.payloads("t") == sent
    wait_until(lambda: {event.token for event in client.find(Published)} >= set(tokens), what="all PUBACKs")


def test_nothing_is_published_without_a_connection(make_client: MakeClient, make_mosquitto: MakeMosquitto) -> None:
    broker = make_mosquitto()
    client = make_client(broker).start()
    reason = client.last_reason()
    assert reason == f"nothing listens at 127.0.0.1:{broker.port}: start the broker, or correct its URL"
    assert client.transport.publish("t", b"", qos=1) == 0
    broker.start()
    client.wait_for(Connected)
    assert client.transport.publish("t", b"", qos=1) > 0


def test_no_more_than_the_bound_is_in_flight(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    client = make_client(mosquitto)
    client.connect()
    mosquitto.pause()
    tokens = [client.transport.publish("t", b"x", qos=1) for _ in range(IN_FLIGHT_MAX)]
    assert all(tokens)
    assert client.transport.publish("t", b"x", qos=1) == 0
    assert client.transport.publish("t", b"x", qos=0) > 0, "an acknowledgement need not wait"
    mosquitto.resume()
    wait_until(lambda: len(client.find(Published)) == IN_FLIGHT_MAX, what="all PUBACKs")
    assert client.transport.publish("t", b"x", qos=1) > 0


def test_what_the_network_does_not_keep_up_with_is_refused_until_it_does(mosquitto: Mosquitto) -> None:
    client = Client(MqttTransport(config_of(mosquitto), "bulk", clean_session=True, waiting_max=4), "bulk")
    client.connect()
    mosquitto.pause()
    sent = 0
    while client.transport.publish("t", bytes(1 << 20), qos=0):
        sent += 1
    assert sent < 200, "kernel and paho hold some"
    assert not client.find(Writable)
    mosquitto.resume()
    client.wait_for(Writable)
    assert client.transport.publish("t", b"x", qos=0) > 0
    client.stop()


def test_without_acknowledgement_a_message_comes_again(broker: BrokerProcess, make_client: MakeClient) -> None:
    first = make_client(broker)
    first.connect()
    first.subscribe("t")
    for payload in (b"1", b"2", b"3"):
        first.publish("t", payload)
    wait_until(lambda: len(first.arrived("t")) == 3, what="three messages")
    first.transport.ack(first.arrived("t")[1])
    first.stop()

    second = make_client(broker)
    assert second.connect().session_present
    wait_until(lambda: len(second.arrived("t")) == 2, what="the two messages that were not acknowledged")
    assert second.payloads("t") == [b"1", b"3"]
    assert [event.dup for event in second.arrived("t")] == [True, True]
    assert second.arrived("t")[0].packet_id == first.arrived("t")[0].packet_id, "protocol.md counts on it"


def test_what_came_while_we_were_away_is_delivered_after_connected(
    any_broker: RunningBroker, make_client: MakeClient
) -> None:
    first, sender = make_client(any_broker), make_client(any_broker, "sender")
    first.connect()
    first.subscribe("t")
    first.stop()
    sender.connect()
    sender.publish("t", b"meanwhile")

    second = make_client(any_broker)
    assert second.connect().session_present
    message = second.wait_for(Arrived, lambda event: event.topic == "t")
    assert isinstance(second.events[0], Connected), "nothing comes before it"
    assert message.payload == b"meanwhile"


def test_a_session_outlives_the_broker(broker: BrokerProcess, make_client: MakeClient) -> None:
    node, sender = make_client(broker), make_client(broker, "sender")
    node.connect()
    node.subscribe("t")
    node.stop()
    sender.connect()
    sender.publish("t", b"kept")
    broker.restart()
    again = make_client(broker)
    assert again.connect().session_present
    assert again.wait_for(Arrived, lambda event: event.topic == "t").payload == b"kept"


def test_it_comes_back_when_the_broker_does(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    client = make_client(mosquitto)
    first = client.connect()
    mosquitto.kill()
    gone = client.wait_for(Disconnected)
    assert gone.connection == first.connection
    assert "the broker closed the connection" in gone.reason
    mosquitto.start()
    again = client.wait_for(Connected, lambda event: event.connection > first.connection)
    client.subscribe("t")
    client.publish("t", b"on")
    assert client.wait_for(Arrived, lambda event: event.topic == "t").connection == again.connection


def test_an_acknowledgement_for_an_earlier_connection_is_ignored(
    broker: BrokerProcess, make_client: MakeClient
) -> None:
    client = make_client(broker)
    first = client.connect()
    client.subscribe("t")
    client.publish("t", b"x")
    old = client.wait_for(Arrived, lambda event: event.topic == "t")
    client.transport.disconnect()
    client.wait_for(Connected, lambda event: event.connection > first.connection)
    repeat = client.wait_for(Arrived, lambda event: event.topic == "t" and event.connection > first.connection)
    assert repeat.packet_id == old.packet_id
    client.transport.ack(old)
    client.publish("other", b"")  # what was before it has been sent
    client.stop()
    third = make_client(broker)
    third.connect()
    assert third.wait_for(Arrived, lambda event: event.topic == "t").dup


def test_nothing_of_an_earlier_connection_is_sent_again_by_itself(
    mosquitto: Mosquitto, make_client: MakeClient
) -> None:
    client, watcher = make_client(mosquitto), make_client(mosquitto, "watcher")
    first = client.connect()
    watcher.connect()
    watcher.subscribe("t")
    mosquitto.pause()
    lost = client.transport.publish("t", b"x" * 60000, qos=1)
    client.transport.disconnect()
    mosquitto.kill()
    mosquitto.start()
    client.wait_for(Connected, lambda event: event.connection > first.connection)
    watcher.wait_for(Connected, lambda event: event.connection > 1)
    watcher.subscribe("t")
    client.publish("t", b"after")
    wait_until(lambda: watcher.payloads("t"), what="the message after the restart")
    assert watcher.payloads("t") == [b"after"]
    assert not client.find(Published, lambda event: event.token == lost)


def test_disconnect_delivers_nothing_more_and_says_no_will(broker: BrokerProcess, make_client: MakeClient) -> None:
    watcher = make_client(broker, "watcher")
    watcher.connect()
    watcher.subscribe("#")
    client = make_client(broker, will=Will("will", b"gone"))
    client.connect()
    client.subscribe("t")
    client.transport.disconnect(3600)
    seen = len(client.find(Arrived))
    assert client.transport.publish("t", b"", qos=1) == 0
    watcher.publish("t", b"for later")
    assert client.last_reason() == "this node ended the connection"
    watcher.publish("barrier", b"")
    watcher.wait_for(Arrived, lambda event: event.topic == "barrier")
    assert len(client.find(Arrived)) == seen
    assert len(client.find(Connected)) == len(client.find(Disconnected)) == 1, "it stays away as long as it was told"
    assert not watcher.arrived("will")


def test_stop_ends_the_pause(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    client = make_client(mosquitto)
    client.connect()
    client.transport.disconnect(3600)
    client.wait_for(Disconnected)
    client.stop()
    assert not _network_threads("node")


def test_stop_waits_for_what_is_in_flight(any_broker: RunningBroker, make_client: MakeClient) -> None:
    watcher = make_client(any_broker, "watcher")
    watcher.connect()
    watcher.subscribe("t")
    client = make_client(any_broker)
    client.connect()
    tokens = {client.transport.publish("t", b"%d" % number * 5000, qos=1) for number in range(50)}
    client.stop()
    assert {event.token for event in client.find(Published)} == tokens
    assert client.transport.publish("t", b"late", qos=1) == 0
    wait_until(lambda: len(watcher.arrived("t")) == len(tokens), what="all that was published before the stop")


def test_stop_is_bounded(mosquitto: Mosquitto, make_client: MakeClient) -> None:
    client = make_client(mosquitto)
    client.connect()
    mosquitto.pause()
    client.transport.publish("t", b"x", qos=1)
    client.stop(0.05)
    assert not _network_threads("node")
    mosquitto.resume()


def test_what_is_acknowledged_just_before_a_stop_does_not_come_again(
    broker: BrokerProcess, make_client: MakeClient
) -> None:
    first = make_client(broker)
    first.connect()
    first.subscribe("t")
    first.publish("t", b"x")
    first.transport.ack(first.wait_for(Arrived, lambda event: event.topic == "t"))
    first.stop()
    second = make_client(broker)
    second.connect()
    second.subscribe("u")  # what the session still held has come before this is answered
    assert not second.arrived("t")


def test_retained_messages_say_so(broker: BrokerProcess, make_client: MakeClient) -> None:
    client = make_client(broker)
    client.connect()
    client.subscribe("live")
    client.publish("early", b"kept", retain=True)
    client.publish("live", b"kept", retain=True)
    client.subscribe("early")
    assert client.wait_for(Arrived, lambda event: event.topic == "early").retain
    assert not client.wait_for(Arrived, lambda event: event.topic == "live").retain


def test_the_will_is_said_when_a_client_vanishes_and_not_when_it_stops(
    any_broker: RunningBroker, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = make_client(any_broker, "watcher")
    watcher.connect()
    watcher.subscribe("wills/+")
    make_client(any_broker, "polite", will=Will("wills/polite", b"gone")).connect()
    sockets: list[socket.socket] = []
    monkeypatch.setattr(paho_connection, "no_delay", sockets.append)
    victim = make_client(any_broker, "victim", will=Will("wills/victim", b"gone"), retry_first_s=60)
    victim.connect()
    sockets[0].shutdown(socket.SHUT_RDWR)
    assert watcher.wait_for(Arrived, lambda event: event.topic == "wills/victim").payload == b"gone"
    late = make_client(any_broker, "late")
    late.connect()
    late.subscribe("wills/victim", qos=0)
    assert late.wait_for(Arrived, lambda event: event.topic == "wills/victim").retain
    assert not watcher.arrived("wills/polite")


def _network_threads(client_id: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"mqtt-{client_id}"]
