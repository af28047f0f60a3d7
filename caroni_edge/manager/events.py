"""Events for people and other programs: CloudEvents 1.0 in JSON, one an event (docs/protocol.md, "Events")."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from caroni_edge.base.dates import rfc3339
from caroni_edge.delivery.events import Events
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.protocol.events import EventType, ToldType
from caroni_edge.protocol.topics import Topics

log = logging.getLogger(__name__)

OUTPUTS_LIMIT_BYTES = 128 * 1024
RECEIVED_CHARACTERS = 200


Tell = Callable[[EventType, str | None, str | None, bytes, float], None]
"""Hears of an event: its type, the template and the workflow that it is about (if known), its body, its date."""


class EventWriter:
    """Makes events, and puts them where they wait for their PUBACK.

    Attributes:
        replies: The configuration's filters of topics that may be a `reply_to` beside those below `{root}/replies/`.
        tell: Hears of each event about a workflow, in its transaction.
    """

    def __init__(self, events: Events, topics: Topics, replies: tuple[str, ...] = ()) -> None:
        """Write as the manager of `topics`."""
        self._events, self._topics, self.replies = events, topics, replies
        self.tell: Tell | None = None

    def reply_problem(self, topic: str) -> str | None:
        """Return why `topic` may not be a `reply_to`, or None."""
        return self._topics.reply_problem(topic, self.replies)

    def workflow(self, kind: EventType, row: WorkflowRow, date: float, **facts: Any) -> bytes:
        """Say something about a workflow, to its `reply_to` too; return the event, to be said again."""
        data = {"workflow": row.id, "template": row.template, **_known(facts)}
        body = self._put(kind, row.id, row, data, date)
        self._tell(kind, row.template, row.id, body, date)
        return body

    def step(self, kind: EventType, row: WorkflowRow, path: str, date: float, **facts: Any) -> None:
        """Say something about a step."""
        data = {"workflow": row.id, "template": row.template, "step": path, **_known(facts)}
        self._put(kind, f"{row.id}/{path}", row, data, date)

    def again(self, row: WorkflowRow, body: bytes, reply_to: str | None) -> None:
        """Publish an event once more, to this `reply_to` too."""
        self._put_all(row.id, (row.reply_to, reply_to), body)

    def rejected(self, workflow: str | None, reason: str, received: str, reply_to: str | None, date: float) -> None:
        """Say that a trigger is refused."""
        data = _known({"id": workflow, "reason": reason, "received": received[:RECEIVED_CHARACTERS]})
        body = self._encode("caroni.workflow.rejected", workflow or "rejected", data, date)
        self._put_all("rejected", (reply_to,), body)
        self._tell("caroni.workflow.rejected", None, workflow, body, date)

    def made(self, kind: ToldType, subject: str, date: float, **facts: Any) -> bytes:
        """Make an event that is only for those who are told by the configuration."""
        return self._encode(kind, subject, _known(facts), date)

    def repeat(self, topic: str, body: bytes) -> None:
        """Publish an event on a topic of the configuration, too."""
        self._events.put(topic, body)

    def _tell(self, kind: EventType, template: str | None, workflow: str | None, body: bytes, date: float) -> None:
        if self.tell is not None:
            self.tell(kind, template, workflow, body, date)

    def _put(self, kind: EventType, subject: str, row: WorkflowRow, data: dict[str, Any], date: float) -> bytes:
        body = self._encode(kind, subject, data, date)
        if len(body) > OUTPUTS_LIMIT_BYTES and "outputs" in data:
            rest = {key: value for key, value in data.items() if key != "outputs"}
            body = self._encode(kind, subject, {**rest, "outputs_left_out": True}, date)
        self._put_all(row.id, (row.reply_to,), body)
        return body

    def _put_all(self, workflow: str, replies: Iterable[str | None], body: bytes) -> None:
        self._events.put(self._topics.events(workflow), body)
        for topic in dict.fromkeys(replies):
            if not topic:
                continue
            if problem := self.reply_problem(topic):  # it was allowed when the trigger came
                ids = {"action": "reply_dropped", "workflow": workflow, "topic": topic}
                log.warning("an event is not sent to the workflow's reply_to: %s", problem, extra=ids)
            else:
                self._events.put(topic, body)

    def _encode(self, kind: EventType | ToldType, subject: str, data: dict[str, Any], date: float) -> bytes:
        return msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": self._events.new_id(),
                "source": f"{self._topics.root}/managers/{self._topics.node}",
                "type": kind,
                "subject": subject,
                "time": rfc3339(date),
                "datacontenttype": "application/json",
                "data": data,
            }
        )


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None}
