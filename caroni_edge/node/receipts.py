"""The order of our PUBACKs: that in which the messages came [MQTT-4.6.0-2], whatever order they are handled in."""

from collections import deque

from caroni_edge.transport.base import Arrived


class Receipts:
    """The messages of a connection that are not acknowledged, in the order in which they came."""

    def __init__(self) -> None:
        """Begin with none expected."""
        self._expected: deque[Arrived] = deque()
        self._handled: set[int] = set()

    def expect(self, message: Arrived) -> None:
        """Note that a QoS 1 message has come, before it or a later one is handled."""
        if self._expected and self._expected[0].connection != message.connection:
            self._expected.clear()
            self._handled.clear()
        self._expected.append(message)

    def handled(self, message: Arrived) -> list[Arrived]:
        """Take note that a message was handled; return what may be acknowledged now, in order."""
        if not self._expected or self._expected[0].connection != message.connection:
            return [message]
        self._handled.add(message.packet_id)
        due: list[Arrived] = []
        while self._expected and self._expected[0].packet_id in self._handled:
            due.append(self._expected.popleft())
            self._handled.discard(due[-1].packet_id)
        return due
