"""Starting a workflow over MQTT as a client does, and following its events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import msgspec

from caroni_edge.base.chance import SystemChance
from caroni_edge.base.errors import CaroniError
from caroni_edge.config import BrokerConfig
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.events import EventType
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event, TransportEnded
from caroni_edge.transport.mqtt import MqttTransport

LEAVE_WITHIN_S = 2.0
ENDS: frozenset[EventType] = frozenset(
    {"caroni.workflow.completed", "caroni.workflow.failed", "caroni.workflow.cancelled"}
)
"""What ends a workflow."""
REJECTED: EventType = "caroni.workflow.rejected"


class Rejected(CaroniError):
    """The manager refused the workflow: {reason}."""

    hint = "Nothing was started."


class NotConnected(CaroniError):
    """The broker cannot be reached: {reason}."""

    hint = "Nothing was started."


@dataclass(frozen=True)
class WorkflowEvent:
    """An event of the workflow: its CloudEvents `type`, and its `data` (docs/protocol.md)."""

    type: str
    data: dict[str, Any]


class Submission:
    """A trigger with an id of its own, sent again after each reconnect: it starts one workflow.

    Attributes:
        is_manager_known: The broker has the presence of the manager, which may be away.
    """

    def __init__(self, broker: BrokerConfig, topics: Topics, trigger: Trigger) -> None:
        """Prepare; the context (`with`) connects. The trigger must have an id, by which its events are known."""
        self._topics, self._trigger = topics, trigger
        self._arrived: SimpleQueue[Event] = SimpleQueue()
        self._transport = MqttTransport(broker, f"{topics.root}-submit-{SystemChance().new_id()}", clean_session=True)
        self._seen: set[str] = set()
        self.is_manager_known = False

    def __enter__(self) -> "Submission":
        self._transport.start(self._arrived.put)
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.stop(LEAVE_WITHIN_S)

    def events(self, give_up_s: float | None, on_disconnect: Callable[[str], None]) -> Iterator[WorkflowEvent]:
        """Yield the workflow's events as they come.

        Args:
            give_up_s: Ends when none has come for so long; None waits for ever.
            on_disconnect: Told why the connection is gone.

        Raises:
            Rejected: The manager refused it.
        """
        until = None if give_up_s is None else monotonic() + give_up_s
        while True:
            try:
                item = self._arrived.get(timeout=None if until is None else max(0.0, until - monotonic()))
            except Empty:
                return
            match item:
                case Connected():
                    self._ask()
                case Disconnected():
                    on_disconnect(item.reason)
                case TransportEnded():
                    raise NotConnected("", reason=item.failure)
                case Arrived():
                    self._transport.ack(item)
                    self.is_manager_known |= item.topic == self._topics.presence and bool(item.payload)
                    if event := self._read(item):
                        yield event

    def _ask(self) -> None:
        """Send the trigger (again): the manager answers with the workflow's last event, if it knows it."""
        own = self._topics.events(self._trigger.id or "")
        self._transport.subscribe([(own, 1), (self._topics.events("rejected"), 1), (self._topics.presence, 0)])
        self._transport.publish(self._topics.triggers, encode(self._trigger), qos=1)

    def _read(self, message: Arrived) -> WorkflowEvent | None:
        try:
            body = msgspec.json.decode(message.payload)
            event, number = WorkflowEvent(body["type"], body["data"]), body["id"]
        except (msgspec.DecodeError, LookupError, TypeError):
            return None
        if event.type == REJECTED:
            if event.data.get("id") != self._trigger.id:
                return None
            raise Rejected("", reason=event.data.get("reason"))
        if number in self._seen:
            return None
        self._seen.add(number)
        return event
