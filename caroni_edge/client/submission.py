"""Starting a workflow over MQTT as a client does, and following its events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import msgspec

from caroni_edge.base.chance import SystemChance
from caroni_edge.base.errors import CaroniError
from caroni_edge.client.giving import WAITING_MAX, Files, Giver
from caroni_edge.config import BrokerConfig
from caroni_edge.protocol.codec import Unreadable, decode_notice, encode
from caroni_edge.protocol.events import EventType
from caroni_edge.protocol.messages import Presence
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.base import (
    Arrived,
    Connected,
    Disconnected,
    Event,
    SubscriptionRefused,
    TransportEnded,
    Writable,
)
from caroni_edge.transport.mqtt import MqttTransport

LEAVE_WITHIN_S = 2.0
ASK_EVERY_S = 30.0
"""A trigger is published again after so long without an answer."""
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


class LoginRefused(NotConnected):
    """There is no connection: {reason}."""

    exit_status = 2


@dataclass(frozen=True)
class WorkflowEvent:
    """An event of the workflow: its CloudEvents `type`, and its `data` (docs/protocol.md)."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class _Later:
    work: Callable[[], None]


class Submission:
    """A trigger with an id of its own, sent again until it is answered, and after a reconnect: it starts one workflow.

    Attributes:
        manager: What the broker has as the presence of the manager; None while it has given none.
        trouble: Why there is no connection; empty while there is one.
        refused: What the broker does not let us subscribe to.
        giver: What gives the manager the files that it has not; None once it has all, or where there are none.
    """

    def __init__(self, broker: BrokerConfig, topics: Topics, trigger: Trigger, files: Files | None = None) -> None:
        """Prepare; the context (`with`) connects.

        Args:
            broker: How the broker is reached.
            topics: Of the manager.
            trigger: What is submitted. It must have an id, by which its events are known.
            files: What the manager is to fetch from here before the workflow begins, and where it is.
        """
        workflow = trigger.id or ""
        self.giver = Giver(topics, workflow, files) if files else None
        self._topics, self._trigger = topics, trigger if self.giver is None else self.giver.named_in(trigger)
        self._arrived: SimpleQueue[Event | _Later] = SimpleQueue()
        client_id = f"{topics.root}-submit-{SystemChance().new_id()}"
        if self.giver is None:
            self._transport = MqttTransport(broker, client_id, clean_session=True)
        else:
            self._transport = MqttTransport(broker, client_id, clean_session=True, waiting_max=WAITING_MAX)
            self.giver.bind(self._transport, lambda work: self._arrived.put(_Later(work)))
        self._seen: set[str] = set()
        self._ask_due = inf
        self._is_answered = False
        self.manager: Presence | None = None
        self.trouble = "it has not answered yet"
        self.refused: set[str] = set()

    def __enter__(self) -> "Submission":
        self._transport.start(self._arrived.put)
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.stop(LEAVE_WITHIN_S)

    @property
    def topic(self) -> str:
        """Where the trigger is published."""
        return self._topics.triggers

    def events(self, give_up_s: float | None, on_disconnect: Callable[[str], None]) -> Iterator[WorkflowEvent]:
        """Yield the workflow's events as they come.

        Args:
            give_up_s: Ends after so long; None waits for ever.
            on_disconnect: Told why the connection is gone.

        Raises:
            Rejected: The manager refused it.
            LoginRefused: The broker does not know us.
            NotConnected: The connection has failed for good.
        """
        until = inf if give_up_s is None else monotonic() + give_up_s
        while True:
            wait_s = min(until, self._ask_due, self._give_due()) - monotonic()
            try:
                item = self._arrived.get(timeout=None if wait_s == inf else max(0.0, wait_s))
            except Empty:
                if monotonic() >= until:
                    return
                if monotonic() >= self._ask_due:
                    self._ask_again()
                continue
            if isinstance(item, _Later):
                item.work()
            elif event := self._take(item, on_disconnect):
                self._answered(event)
                yield event

    def _give_due(self) -> float:
        """Give the manager what it has asked for, and return when there is more to be given."""
        if self.giver is None or self.trouble:
            return inf
        self.giver.give()
        return self.giver.next_due()

    def _answered(self, event: WorkflowEvent) -> None:
        """Send the trigger no more; but one that says that its files are here, as long as they are needed."""
        if event.data.get("lacks_files") is not True:
            self.giver = None
        self._is_answered = self.giver is None
        self._ask_due = inf if self.giver is None else monotonic() + ASK_EVERY_S

    def _take(self, item: Event, on_disconnect: Callable[[str], None]) -> WorkflowEvent | None:
        match item:
            case Connected():
                self.trouble = ""
                self._ask()
            case Disconnected():
                self.trouble, self._ask_due = item.reason, inf
                if self.giver is not None:
                    self.giver.disconnected()
                if item.is_login_refused:
                    raise LoginRefused("", reason=item.reason)
                on_disconnect(item.reason)
            case SubscriptionRefused():
                self.refused.add(item.topic_filter)
            case TransportEnded():
                raise NotConnected("", reason=item.failure)
            case Writable():
                if self.giver is not None:
                    self.giver.writable()
            case Arrived():
                self._transport.ack(item)
                if self.giver is None or not self.giver.hear(item.topic, item.payload):
                    return self._read(item)
            case _:
                pass
        return None

    def _ask(self) -> None:
        """Send the trigger (again): the manager answers with the workflow's last event, if it knows it."""
        own = self._topics.events(self._trigger.id or "")
        said = [(own, 1), (self._topics.events("rejected"), 1), (self._topics.presence, 0)]
        self._transport.subscribe(said if self.giver is None else [*said, (self.giver.asks, 0)])
        self._publish()

    def _ask_again(self) -> None:
        if self.giver is not None and self.manager is not None and not self.manager.online:
            self._ask_due = inf  # the broker keeps the trigger for the manager, whose coming is heard
        else:
            self._publish()

    def _publish(self) -> None:
        self._transport.publish(self._topics.triggers, encode(self._trigger), qos=1)
        if not self._is_answered:
            self._ask_due = monotonic() + ASK_EVERY_S

    def _read(self, message: Arrived) -> WorkflowEvent | None:
        if message.topic == self._topics.presence:
            self._see(message)
            return None
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

    def _see(self, message: Arrived) -> None:
        """Note what the manager says of itself; ask again when it has just come, since it may know nothing of us."""
        before = self.manager
        try:
            now = decode_notice(Presence, message.topic, message.payload) if message.payload else None
        except Unreadable:
            return
        self.manager = now
        was_there = before is not None and now is not None and before.online and before.boot == now.boot
        if now is not None and now.online and not message.retain and not was_there:
            self._publish()
