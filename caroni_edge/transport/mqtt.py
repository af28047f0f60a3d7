"""The MQTT connection of a node: paho speaks the protocol, driven by one network thread of ours.

All that touches paho happens in that thread. The node's thread appends commands to a deque and wakes it, so neither
ever waits for the other, and no lock is needed. Each connection has a paho client of its own: nothing of an earlier one
can be sent behind the outbox's back, and what is meant for an earlier one finds nobody.
"""

import logging
import select
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from caroni_edge.base.failpoints import failpoint
from caroni_edge.config import BrokerConfig, BrokerUrl
from caroni_edge.transport import failures
from caroni_edge.transport.access import Access, Settings
from caroni_edge.transport.base import (
    ENDED_BY_US,
    IN_FLIGHT_MAX,
    Arrived,
    Deliver,
    Disconnected,
    TransportEnded,
    Will,
    Writable,
    check_filter,
    check_topic,
)
from caroni_edge.transport.network import Reconnection, Waker, close_gently
from caroni_edge.transport.paho_connection import PahoClient, PahoConnection

log = logging.getLogger(__name__)

KEEPALIVE_S = 20
"""A broker that hears nothing from us for one and a half times as long takes us for gone [MQTT-3.1.2-24]."""
CONNECT_TIMEOUT_S = 5.0
CHECK_EVERY_S = 2.0
"""How often the keep-alive is looked after when nothing happens."""
RETRY_FIRST_S = 1.0
COMMANDS_AT_ONCE = 100
WAITING_MAX = 1000
"""By default QoS 0 publications are refused while so many commands wait for the network."""
LEAVE_WITHIN_S = 1.0


class MqttTransport:
    """A persistent session at a broker, over TCP or WebSocket, with TLS or without.

    Attributes:
        access: How the broker is reached; what it says counts from the next connection on.
        client_id: MQTT client id; who connects with the same one cuts us off [MQTT-3.1.4-2].
        will: What the broker says when we vanish; may be set until `start`.
    """

    def __init__(
        self,
        broker: BrokerConfig | Access,
        client_id: str,
        *,
        will: Will | None = None,
        clean_session: bool = False,
        is_further: bool = False,
        retry_first_s: float = RETRY_FIRST_S,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        """Prepare a connection; `start` begins it.

        Args:
            broker: How the broker is reached; an `Access` may change while we run.
            client_id: MQTT client id.
            will: What the broker says when we vanish.
            clean_session: The broker keeps nothing for us between connections (for short-lived commands only).
            is_further: It stands beside the node's own connection, so it goes where a login may connect more than once.
            retry_first_s: The longest wait before the first retry (see `Reconnection`).
            waiting_max: QoS 0 publications are refused while so many commands wait for the network.

        Raises:
            UnusableCaFile, UnusableCertificate: A file of certificates cannot be used.
        """
        self.access = broker if isinstance(broker, Access) else Access(broker)
        self.client_id, self.will = client_id, will
        self._clean_session = clean_session
        self._reconnection = Reconnection(retry_first_s)
        self._connection: PahoConnection | None = None
        self._connections = self._tokens = self._turn = 0
        self._commands: deque[tuple[PahoConnection, Callable[..., None], tuple[Any, ...]]] = deque()
        self._waiting_max, self._has_refused = waiting_max, False
        self._is_gathering = False
        self._not_before = -inf
        self._soon_after = 0
        self._stop_at: float | None = None
        self._said: set[str] = set()
        self._is_further = is_further
        self._tried = self._settings()
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    # For the node's thread

    def start(self, deliver: Deliver) -> None:
        """Begin to connect, and go on for ever."""
        self._deliver = deliver
        self._thread.start()

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (topic filter, QoS) pairs on the present connection."""
        for topic_filter, _ in filters:
            check_filter(topic_filter)
        if filters and (connection := self._present()):
            self._command(connection, connection.subscribe, tuple(filters))

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions."""
        if filters and (connection := self._present()):
            self._command(connection, connection.unsubscribe, tuple(filters))

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int:
        """Publish on the present connection; see `Transport.publish`."""
        check_topic(topic)
        connection = self._present()
        if connection is None:
            return 0
        if len(connection.in_flight) >= IN_FLIGHT_MAX if qos else self._is_behind():
            return 0
        self._tokens += 1
        if qos:
            connection.in_flight.add(self._tokens)
        self._command(connection, connection.publish, self._tokens, topic, payload, qos, retain)
        return self._tokens

    def ack(self, message: Arrived) -> None:
        """Acknowledge a QoS 1 message; nothing happens when its connection is gone."""
        connection = self._present()
        if connection and connection.number == message.connection and message.qos:
            self._command(connection, connection.ack, message.packet_id, message.qos)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wake the network thread once, at the end: else it and ours fight for Python's lock after each packet."""
        self._is_gathering = True
        try:
            yield
        finally:
            self._is_gathering = False
            if self._commands:
                self._waker.wake()

    def disconnect(self, pause_s: float = 0.0) -> None:
        """End the present connection, and connect again after `pause_s` seconds at the earliest."""
        self._not_before = monotonic() + pause_s
        if connection := self._connection:
            connection.closing = True
        self._waker.wake()

    def retry_soon(self, connection: int) -> None:
        """Let the wait that follows the end of `connection` be the shortest; see `Transport.retry_soon`."""
        self._soon_after = connection
        self._waker.wake()

    def stop(self, timeout_s: float) -> None:
        """Wait for what is in flight (at most `timeout_s`), disconnect cleanly, and end."""
        self._stop_at = monotonic() + timeout_s
        self._waker.wake()
        if self._thread.is_alive():
            # A thread that is connecting cannot be woken; it ends by itself, and ends nothing else with it.
            self._thread.join(timeout_s + 2 * LEAVE_WITHIN_S)
        if not self._thread.is_alive():
            self._waker.close()

    def _settings(self) -> Settings:
        return self.access.further if self._is_further else self.access.settings

    def _present(self) -> PahoConnection | None:
        connection = self._connection
        return connection if connection and connection.taking and self._stop_at is None else None

    def _command(self, connection: PahoConnection, method: Callable[..., None], *arguments: Any) -> None:
        self._commands.append((connection, method, arguments))
        if not self._is_gathering:
            self._waker.wake()

    def _is_behind(self) -> bool:
        if len(self._commands) < self._waiting_max:
            return False
        self._has_refused = True
        # What waits may have left just now, and then no `Writable` would say so.
        return len(self._commands) >= self._waiting_max

    # The network thread

    def _run(self) -> None:
        try:
            while self._stop_at is None:
                self._connections += 1
                connection = self._live(self._connections)
                self._deliver(Disconnected(connection.number, connection.reason, connection.is_login_refused))
                self._rest(connection)
        except BaseException as failure:
            log.critical("the network thread died", exc_info=True, extra={"action": "transport_ended"})
            self._deliver(TransportEnded(f"{type(failure).__name__}: {failure}"))

    def _live(self, number: int) -> PahoConnection:
        """Connect, serve the connection until it ends, and return it with why it did."""
        settings = self._tried = self._settings()
        url = settings.broker.urls[self._turn % len(settings.broker.urls)]
        client = self._client(settings, url)
        connection = PahoConnection(number, client, settings.broker.username, url, self.client_id, self._deliver)
        self._connection = connection
        # A `disconnect` that has not seen this connection has set the time before.
        connection.closing = monotonic() < self._not_before
        try:
            connection.client.connect(url.host, url.port, KEEPALIVE_S)
            connection.reached = True
            self._serve(connection)
        except paho.WebsocketConnectionError as error:
            connection.reached, connection.reason = True, failures.no_websocket(error, str(url))
        except (OSError, UnicodeError) as error:
            connection.reached |= isinstance(error, ssl.SSLError)
            connection.reason = connection.reason or failures.unreachable(error, url.host, url.port)
        except Exception as error:
            log.exception("the connection failed", extra={"action": "connection_failed"})
            connection.reason = f"a fault of the program: {error}"
        finally:
            self._connection = None
            connection.close()
        if connection.taken:
            self._said.clear()
            return connection
        self._turn += 1
        if connection.reason not in self._said:
            self._said.add(connection.reason)
            log.warning("no connection: %s", connection.reason, extra={"action": "connect_failed"})
        return connection

    def _client(self, settings: Settings, url: BrokerUrl) -> paho.Client:
        client = PahoClient(
            CallbackAPIVersion.VERSION2,
            self.client_id,
            clean_session=self._clean_session,
            protocol=paho.MQTTv311,
            transport="tcp" if url.path is None else "websockets",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # no bound of its own: ours is in `publish`
        if url.path is not None:
            client.ws_set_options(path=url.path)
        if url.tls:
            client.tls_set_context(settings.tls)
        if (username := settings.broker.username) is not None:
            password = settings.broker.password
            client.username_pw_set(username, password.reveal() if password else None)
        if self.will:
            client.will_set(self.will.topic, self.will.payload, qos=1, retain=True)
        return client

    def _serve(self, connection: PahoConnection) -> None:
        client = connection.client
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        while sock := client.socket():
            if not client.want_write():
                self._run_commands(connection)
            if connection.closing or self._may_leave(connection):
                self._leave(connection)
                return
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            pending = connection.pending
            ready = dict(poll.poll(0 if pending else self._patience_s() * 1000))
            if self._waker.fileno() in ready:
                self._waker.hear()
            events = ready.get(sock.fileno(), 0)
            if pending or events & ~select.POLLOUT:
                client.loop_read()
            if client.want_write():
                client.loop_write()
                failpoint("after-write")
            client.loop_misc()

    def _patience_s(self) -> float:
        return CHECK_EVERY_S if self._stop_at is None else min(CHECK_EVERY_S, max(0.0, self._stop_at - monotonic()))

    def _run_commands(self, connection: PahoConnection) -> None:
        for _ in range(min(COMMANDS_AT_ONCE, len(self._commands))):
            meant_for, method, arguments = self._commands.popleft()
            if meant_for is connection:
                method(*arguments)
        if self._has_refused and len(self._commands) <= self._waiting_max // 2:
            self._has_refused = False
            self._deliver(Writable(connection.number))
        if self._commands:
            self._waker.wake()

    def _may_leave(self, connection: PahoConnection) -> bool:
        if self._stop_at is None:
            return False
        quiet = not connection.in_flight and not self._commands and not connection.client.want_write()
        return quiet or not connection.taken or monotonic() >= self._stop_at

    def _leave(self, connection: PahoConnection) -> None:
        """End the connection by a DISCONNECT, so that the broker discards our will [MQTT-3.14.4-3]."""
        connection.closing = True
        connection.reason = ENDED_BY_US
        if not connection.taken:
            return
        poll = select.poll()
        leave_at = monotonic() + LEAVE_WITHIN_S
        connection.client.on_socket_close = lambda _client, _data, sock: close_gently(sock, leave_at)
        connection.client.disconnect()
        while (sock := connection.client.socket()) and connection.client.want_write() and monotonic() < leave_at:
            poll.register(sock, select.POLLOUT)
            poll.poll(LEAVE_WITHIN_S * 1000)
            connection.client.loop_write()

    def _rest(self, ended: PahoConnection) -> None:
        """Wait before the next attempt to connect; `stop` ends the wait, and so do other settings."""
        began_at, is_soon = monotonic(), False
        retry_at = began_at + self._reconnection.next_s(ended.lasted_s, reached=ended.reached)
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        while self._stop_at is None:
            self._commands.clear()
            if self._soon_after == ended.number and not is_soon:
                is_soon, retry_at = True, min(retry_at, began_at + self._reconnection.soon_s())
            wait_s = max(retry_at, self._not_before) - monotonic()
            is_changed = self._settings() is not self._tried
            if wait_s <= 0 or (is_changed and monotonic() >= self._not_before):
                return
            if poll.poll(wait_s * 1000):
                self._waker.hear()
