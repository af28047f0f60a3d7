"""One connection as paho makes it: commands go to it, and what happens on it is delivered."""

from collections.abc import Sequence
from time import monotonic
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from caroni_edge.config import BrokerUrl
from caroni_edge.transport import failures
from caroni_edge.transport.base import Arrived, Connected, Deliver, Published, Subscribed, SubscriptionRefused
from caroni_edge.transport.network import no_delay

_TAKEN = ReasonCode(PacketTypes.PUBACK)
_NO_PROPERTIES = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]


class PahoClient(paho.Client):
    """paho's client, which here reads a PUBACK of MQTT 3.1.1 as what it is: a packet id, and nothing else.

    paho makes of each what only MQTT 5 has, and that is most of what an event costs the network thread. Nobody promises
    that its inner methods stay as they are; a test holds what is used here.
    """

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) != 2:
            return super()._handle_pubackcomp(cmd)
        packet_id = int.from_bytes(packet, "big")
        if packet_id not in self._out_messages:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._do_on_publish(packet_id, _TAKEN, _NO_PROPERTIES)


class PahoConnection:
    """One connection, from its first packet to its last. Only `taking` and `in_flight` are for other threads too."""

    def __init__(
        self, number: int, client: paho.Client, username: str | None, url: BrokerUrl, client_id: str, deliver: Deliver
    ) -> None:
        self.number, self.client, self.url = number, client, url
        self.reached = self.taken = self.closing = self.is_login_refused = False
        self._taken_at = 0.0
        self.in_flight: set[int] = set()
        self.reason = ""
        self._username, self._client_id, self._deliver = username, client_id, deliver
        self._tokens: dict[int, int] = {}
        self._filters: dict[int, Sequence[str]] = {}
        client.on_socket_open = _on_socket_open
        client.on_socket_register_write = _nothing
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    @property
    def taking(self) -> bool:
        """Whether the broker has taken us in, and we do not leave: commands for this connection make sense."""
        return self.taken and not self.closing

    @property
    def pending(self) -> bool:
        """Whether something was decrypted and not read yet, of which `poll` does not tell."""
        sock: Any = self.client.socket()
        return self.url.tls and sock is not None and sock.pending() > 0

    @property
    def lasted_s(self) -> float:
        """For how long the broker has had us; 0 when it has not taken us."""
        return monotonic() - self._taken_at if self.taken else 0.0

    def publish(self, token: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Publish; `Published` names the token of a QoS 1 message.

        Raises:
            ConnectionError: paho did not take it.
        """
        info = self.client.publish(topic, payload, qos, retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionError(f"a message was not taken: {info.rc.name}")
        if qos:
            self._tokens[info.mid] = token

    def ack(self, packet_id: int, qos: int) -> None:
        """Acknowledge a message."""
        self.client.ack(packet_id, qos)

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (topic filter, QoS) pairs; for each of them it is told whether the broker takes it."""
        _, packet_id = self.client.subscribe(list(filters))
        if packet_id is not None:
            self._filters[packet_id] = [topic_filter for topic_filter, _ in filters]

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions."""
        self.client.unsubscribe(list(filters))

    def close(self) -> None:
        """Close the socket; nothing is delivered any more."""
        self.closing = True
        if sock := self.client.socket():
            sock.close()

    # paho's callbacks: they only deliver. An exception in one ends the connection, not the thread.

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self.is_login_refused = code.getName() in failures.LOGIN
            self.reason = failures.refusal(code.getName(), self._username, self._client_id)
            return
        self.taken, self._taken_at = True, monotonic()
        self._deliver(Connected(self.number, flags.session_present))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        host, port = self.url.host, self.url.port
        self.reason = self.reason or failures.lost(code.getName(), taken=self.taken, host=host, port=port)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if self.closing:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"
        facts = (message.qos, message.retain, message.dup, message.mid)
        self._deliver(Arrived(topic, bytes(message.payload), *facts, self.number))

    def _on_publish(self, _client: Any, _data: Any, packet_id: int, _code: Any, _properties: Any) -> None:
        token = self._tokens.pop(packet_id, None)
        if token is None:
            return
        self.in_flight.discard(token)
        if not self.closing:
            self._deliver(Published(token, self.number))

    def _on_subscribe(self, _client: Any, _data: Any, packet_id: int, codes: Any, _properties: Any) -> None:
        # The return codes have the order of the topic filters [MQTT-3.9.3-1].
        for topic_filter, code in zip(self._filters.pop(packet_id, ()), codes, strict=False):
            found = SubscriptionRefused if code.is_failure else Subscribed
            self._deliver(found(topic_filter, self.number))


def _on_socket_open(_client: Any, _data: Any, sock: Any) -> None:
    no_delay(sock)


def _nothing(_client: Any, _data: Any, _sock: Any) -> None:
    """Being there is enough: with it paho leaves all writing to our loop."""
