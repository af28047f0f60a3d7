"""A link of its own for tests: what arrives and leaves, a clock, and a database in memory."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec

from caroni_edge.delivery.link import Link
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.protocol.codec import decode_frame, encode, encode_message
from caroni_edge.protocol.fields import Position
from caroni_edge.protocol.messages import Frame, JobKill
from caroni_edge.storage.database import Database, memory_database

JOB = "job00001"
SMALL = JobKill(job=JOB, reason="")


class Ids:
    """Names that count up, and a middling jitter."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def random(self) -> float:
        return 0.5

    def new_id(self) -> str:
        return f"id{next(self._numbers)}"


class LinkBench:
    """A link of `me` with `peer` on a database in memory, and a clock."""

    def __init__(self) -> None:
        self.database: Database = memory_database("agents")
        self.rows = OutboxRows(self.database.conn)
        self.chance = Ids()
        self.now = 100.0
        self.restart()

    def restart(self) -> None:
        """A new process: what was in memory is gone."""
        self.link = Link("peer", "me", "boot of me", self.rows, self.chance, self.database.journal)

    def put(self, number: int = 1, message: Any = SMALL) -> list[str]:
        """Put messages, and return their ids."""
        for _ in range(number):
            self.link.put(message, self.now)
        return [row.id for row in self.outbox()[-number:]]

    def put_and_fail(self) -> None:
        """Put messages in a handler that has a bug."""
        with suppress(ZeroDivisionError), self.database.savepoint():
            self.put(2)
            _ = 1 / 0

    def outbox(self) -> list[Any]:
        return self.rows.above("peer", 0, 1 << 40)

    def sent(self, limit: int = 1000) -> list[Frame]:
        """Return what leaves now, as the peer decodes it."""
        return [decode_frame("", encode(frame)) for frame, _ in self.link.frames(self.now, limit)]

    def receive(self, *, boot: str = "boot of peer", ack: Position | None = None, **parts: Any) -> list[str]:
        """Take a frame of the peer, and return the ids of the messages to be handled."""
        messages, self.was_reset = self.link.receive(
            Frame(v=1, from_="peer", to="me", boot=boot, ack=ack or self.link.acked, **parts), self.now
        )
        return [msgspec.json.decode(raw)["id"] for raw in messages]

    def receive_messages(self, first: int, prev: str, ids: Sequence[str], **parts: Any) -> list[str]:
        return self.receive(first=first, prev=prev, messages=bodies(ids), **parts)

    def hello(self) -> str:
        """Return the nonce of the one Hello that leaves now."""
        (frame,) = self.sent()
        assert frame.ask
        return frame.ask

    def answer(self, ack: Position, *, boot: str = "boot of peer") -> None:
        """The peer answers the open question."""
        self.receive(ack=ack, answer=self.link.question, boot=boot, speaks=1)

    def meet(self) -> None:
        """The peer has been heard, and nothing is open."""
        self.receive(ack=(0, ""))
        self.hello()
        self.answer(self.link.acked)
        self.wait(1)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def bodies(ids: Sequence[str]) -> tuple[msgspec.Raw, ...]:
    return tuple(msgspec.Raw(encode_message(each, SMALL)) for each in ids)


def seqs(frames: Sequence[Frame]) -> list[tuple[int | None, int]]:
    """Return the first seq and the number of messages of each frame that has any."""
    return [(frame.first, len(frame.messages)) for frame in frames if frame.messages]
