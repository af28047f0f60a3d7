"""Whoever has the login of a node: keeps to the link, and says in it what he likes."""

import contextlib
from typing import Any

import msgspec

from caroni_edge.protocol.topics import Role, Topics
from caroni_edge.transport.base import Arrived, Connected, Event
from caroni_edge.transport.mqtt import MqttTransport
from tests.brokers import RunningBroker, config_of
from tests.support import wait_until

BOOT = "impostor"


class Impostor:
    """Connects with the login of a node, at the listener for nodes, and talks to one peer.

    Attributes:
        heard: The link messages of that peer, each once, in order.
    """

    def __init__(self, broker: RunningBroker, role: Role, node: str, peer: str) -> None:
        self._topics, self._peer = Topics("caroni", role, node), peer
        self.heard: list[dict[str, Any]] = []
        self._taken: tuple[int, str] = (0, "")
        self._said = 0
        self._connected = False
        self._transport = MqttTransport(config_of(broker, username=node), self._topics.client_id, retry_first_s=0.05)
        self._transport.start(self._take)
        wait_until(lambda: self._connected, what=f"{node} to be connected")

    def close(self) -> None:
        """Disconnect."""
        self._transport.stop(1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish what no node would."""
        self._transport.publish(topic, payload, qos=1)

    def show(self, **presence: Any) -> None:
        """Say a presence, which is retained."""
        body = {"online": True, "boot": BOOT, "slots": 1, **presence}
        self._transport.publish(self._topics.presence, msgspec.json.encode(body), qos=1, retain=True)

    def say(self, kind: str, **facts: Any) -> None:
        """Say a link message to the peer."""
        before, self._said = self._said, self._said + 1
        message = {"id": f"lie{self._said}", "type": kind, **facts}
        self._publish(first=self._said, prev=f"lie{before}" if before else "", messages=[message])

    def wait_for(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait until the peer has said so many messages of a kind; return the last one."""

        def said() -> list[dict[str, Any]]:
            found = [message for message in list(self.heard) if message["type"] == kind]
            return found if len(found) >= count else []

        return wait_until(said, what=f"{kind} of {self._peer}")[-1]

    def jobs(self) -> list[str]:
        """Return the names of the jobs that were placed here."""
        return [
            job["job"] for each in list(self.heard) if each["type"] == "OfferAccept" for job in each.get("jobs", ())
        ]

    def _publish(self, **facts: Any) -> None:
        body = {"v": 1, "from": self._topics.node, "to": self._peer, "boot": BOOT, "ack": self._taken, **facts}
        self._transport.publish(self._topics.inbox_of(self._peer), msgspec.json.encode(body), qos=1)

    def _take(self, event: Event) -> None:
        match event:
            case Connected():
                self._transport.subscribe([(self._topics.inboxes, 1)])
                self._connected = True
            case Arrived():
                self._transport.ack(event)
                with contextlib.suppress(msgspec.DecodeError):
                    self._read(msgspec.json.decode(event.payload))
            case _:
                pass

    def _read(self, frame: dict[str, Any]) -> None:
        for seq, message in enumerate(frame.get("messages", ()), start=frame.get("first", 1)):
            if seq == self._taken[0] + 1:
                self._taken = (seq, message["id"])
                self.heard.append(message)
        if nonce := frame.get("ask"):
            self._publish(answer=nonce)
        elif frame.get("messages"):
            self._publish()
