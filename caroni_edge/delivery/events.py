"""Events for people and other programs: rows until the broker has acknowledged them, in order."""

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from caroni_edge.base.memory import Journal, Memory, MemoryDict, MemorySet
from caroni_edge.base.moment import Chance
from caroni_edge.storage.rows import Rows


class EventRow(NamedTuple):
    """An event that the broker has not acknowledged."""

    seq: int
    topic: str
    body: bytes


class EventRows(Rows):
    """Statements about events."""

    ADD = "INSERT INTO events (topic, body) VALUES (:topic, :body)"

    def add(self, topic: str, body: bytes) -> None:
        """Add an event behind the others."""
        self._run(self.ADD, topic=topic, body=body)

    AFTER = "SELECT seq, topic, body FROM events WHERE seq > :seq ORDER BY seq LIMIT :limit"

    def after(self, seq: int, limit: int) -> list[EventRow]:
        """Return the first events behind one."""
        return self._all(EventRow, self.AFTER, seq=seq, limit=limit)

    BODY = "SELECT body FROM events WHERE seq = :seq"

    def body(self, seq: int) -> bytes | None:
        """Return an event; None when it is not there any more."""
        return self._one(bytes, self.BODY, seq=seq)

    REPLACE = "UPDATE events SET body = :body WHERE seq = :seq"

    def replace(self, seq: int, body: bytes) -> None:
        """Let an event say something else."""
        self._run(self.REPLACE, seq=seq, body=body)

    DELETE = "DELETE FROM events WHERE seq = :seq"

    def delete(self, seqs: Iterable[int]) -> None:
        """Delete events."""
        self._run_each(self.DELETE, ({"seq": seq} for seq in seqs))

    COUNT = """
        SELECT coalesce((SELECT seq FROM events ORDER BY seq DESC LIMIT 1)
        - (SELECT seq FROM events ORDER BY seq LIMIT 1) + 1, 0)"""

    def count(self) -> int:
        """Return about how many there are, without reading them: they leave nearly in their order."""
        return self._only(int, self.COUNT)


class Events(Memory):
    """The events that wait for their PUBACK. A repeat has the same body, so the same CloudEvents `id`."""

    def __init__(self, conn: sqlite3.Connection, journal: Journal, chance: Chance) -> None:
        """Work on the writing connection of the node."""
        super().__init__(journal)
        self._rows, self._chance = EventRows(conn), chance
        self._sent_upto = 0
        self._has_unsent = True  # there may be rows behind `_sent_upto`: only then are they read
        self._cut_over_bytes = 0
        self._in_flight: MemoryDict[int, int] = MemoryDict(journal)
        self._acknowledged: MemorySet[int] = MemorySet(journal)

    def new_id(self) -> str:
        """Return an id for a new event."""
        return self._chance.new_id()

    def put(self, topic: str, body: bytes) -> None:
        """Keep an event until it has been published; part of the batch's transaction."""
        if self._cut_over_bytes and len(body) > self._cut_over_bytes:
            body = _without_outputs(body) or body
        self._rows.add(topic, body)
        self._has_unsent = True

    def unsent(self, limit: int) -> list[EventRow]:
        """Return at most `limit` events that were not sent on this connection."""
        if limit <= 0 or not self._has_unsent:
            return []
        found = self._rows.after(self._sent_upto, limit)
        self._has_unsent = bool(found)
        return found

    def sent(self, seq: int, token: int) -> None:
        """Note that an event was published, and by which token its PUBACK will be known."""
        self._sent_upto = seq
        self._in_flight[token] = seq

    def drop(self, seq: int) -> None:
        """Do without an event that cannot be published; its row goes with those that were acknowledged."""
        self._sent_upto = seq
        self._acknowledged.add(seq)

    def published(self, token: int) -> bool:
        """The broker has acknowledged `token`; return whether that was an event."""
        seq = self._in_flight.pop(token, None)
        if seq is not None:
            self._acknowledged.add(seq)
        return seq is not None

    def leave_out(self, seq: int) -> bool:
        """The broker cuts us off for an event: leave its outputs out, or else the event.

        Returns:
            Whether it is said without its outputs.
        """
        body = self._rows.body(seq)
        smaller = None if body is None else _without_outputs(body)
        if body is None or smaller is None:
            self._rows.delete([seq])
            return False
        self._cut_over_bytes = len(body) - 1
        self._rows.replace(seq, smaller)
        return True

    def other_broker(self) -> None:
        """The broker may be another one: nothing is known of what it cuts us off for."""
        self._cut_over_bytes = 0

    def disconnected(self) -> None:
        """The connection is gone, and with it every PUBACK on its way: what was not acknowledged is sent again."""
        self._in_flight.clear()
        self._sent_upto, self._has_unsent = 0, True

    def delete_acknowledged(self) -> None:
        """Delete what the broker has acknowledged; part of the batch's transaction."""
        self._rows.delete(sorted(self._acknowledged))
        self._acknowledged.clear()

    @property
    def acknowledged(self) -> int:
        """How many events the broker has acknowledged that are not deleted yet."""
        return len(self._acknowledged)


def _without_outputs(body: bytes) -> bytes | None:
    """Return an event without the outputs that it tells of; None when it tells of none."""
    event: dict[str, Any] = msgspec.json.decode(body)
    data = {name: value for name, value in event["data"].items() if name != "outputs"}
    if len(data) == len(event["data"]):
        return None
    return msgspec.json.encode({**event, "data": {**data, "outputs_left_out": True}})
