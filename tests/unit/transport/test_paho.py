"""What is used of paho's inner parts is as it was read in its source."""

import select
import socket
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt import _packet
from paho.mqtt.enums import CallbackAPIVersion

from caroni_edge.transport.paho_connection import PahoClient

CONNACK, PUBACK = b"\x20\x02\x00\x00", b"\x40\x02"


class Wire:
    """A client whose broker is the test; it notes which packet ids are acknowledged."""

    def __init__(self, kind: type[paho.Client]) -> None:
        self.client = kind(CallbackAPIVersion.VERSION2, "test", protocol=paho.MQTTv311, reconnect_on_failure=False)
        self.client.max_inflight_messages_set(0)
        self.acknowledged: list[int] = []
        self.client.on_publish = lambda _client, _data, packet_id, *_: self.acknowledged.append(packet_id)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client.connect("127.0.0.1", server.getsockname()[1])
            self.broker, _ = server.accept()
        self.say(CONNACK)

    def say(self, packet: bytes) -> int:
        """Let the client read a packet; return what it makes of that."""
        self.broker.sendall(packet)
        sock = self.client.socket()
        assert sock is not None
        select.select([sock], [], [])
        return int(self.client.loop_read())

    def close(self) -> None:
        """Close both ends."""
        self.broker.close()
        if sock := self.client.socket():
            sock.close()


@pytest.fixture(params=[PahoClient, paho.Client])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    made = Wire(request.param)
    yield made
    made.close()


def test_a_puback_is_told_once_and_makes_room(wire: Wire) -> None:
    first, second = (wire.client.publish("t", b"", qos=1) for _ in range(2))
    assert wire.say(PUBACK + first.mid.to_bytes(2, "big")) == 0
    assert wire.acknowledged == [first.mid]
    assert (first.is_published(), second.is_published()) == (True, False)
    assert wire.say(PUBACK + first.mid.to_bytes(2, "big")) == 0, "nobody waits for it any more"
    assert wire.say(PUBACK + b"\xff\xff") == 0, "of nothing that was published"
    assert wire.acknowledged == [first.mid]
    assert wire.say(PUBACK + second.mid.to_bytes(2, "big")) == 0
    assert wire.acknowledged == [first.mid, second.mid]


def test_a_puback_without_a_packet_id_ends_the_connection(wire: Wire) -> None:
    wire.client.publish("t", b"", qos=1)
    assert wire.say(b"\x40\x01\x00") != 0
    assert wire.acknowledged == []


def test_nothing_of_mqtt_5_is_made_of_a_puback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_packet, "decode_puback")
    wire = Wire(PahoClient)
    sent = wire.client.publish("t", b"", qos=1)
    assert wire.say(PUBACK + sent.mid.to_bytes(2, "big")) == 0
    assert wire.acknowledged == [sent.mid]
    wire.close()
