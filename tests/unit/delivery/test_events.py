"""Events until their PUBACK: sent in their order, again after a lost connection, and deleted once acknowledged."""

import pytest

from caroni_edge.base.chance import SeededChance
from caroni_edge.delivery.events import Events
from caroni_edge.storage.database import memory_database


class Bench:
    """The events of a node on a database in memory; the token of a publication is a thousand more than its number."""

    def __init__(self) -> None:
        self.database = memory_database("managers")
        self.restart()

    def restart(self) -> None:
        """A new process: what was in memory is gone."""
        self.events = Events(self.database.conn, self.database.journal, SeededChance(1))

    def put(self, *bodies: bytes) -> None:
        with self.database.immediate():
            for body in bodies:
                self.events.put("t", body)

    def send(self, limit: int = 100) -> list[bytes]:
        """Publish what may be, and return it."""
        rows = self.events.unsent(limit)
        for row in rows:
            self.events.sent(row.seq, 1000 + row.seq)
        return [row.body for row in rows]

    def delete(self) -> None:
        with self.database.immediate():
            self.events.delete_acknowledged()

    def kept(self) -> list[bytes]:
        return [body for (body,) in self.database.conn.execute("SELECT body FROM events ORDER BY seq")]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.put(b"1", b"2", b"3")
    return bench


def test_each_is_sent_once_in_order_as_far_as_there_is_room(bench: Bench) -> None:
    assert bench.send(0) == []
    assert bench.send(2) == [b"1", b"2"]
    assert bench.send(2) == [b"3"]
    assert bench.send(2) == []
    bench.put(b"4")
    assert bench.send(2) == [b"4"]


def test_what_waited_at_a_start_is_sent(bench: Bench) -> None:
    bench.restart()
    assert bench.send() == [b"1", b"2", b"3"]


def test_one_that_was_acknowledged_is_deleted_with_the_next_batch(bench: Bench) -> None:
    bench.send()
    assert bench.events.published(1002)
    assert not bench.events.published(1002), "it is known once"
    assert not bench.events.published(7), "that was no event"
    assert bench.events.acknowledged == 1
    assert bench.kept() == [b"1", b"2", b"3"]
    bench.delete()
    assert bench.kept() == [b"1", b"3"]
    assert bench.events.acknowledged == 0


def test_without_a_puback_all_is_sent_again_on_the_next_connection(bench: Bench) -> None:
    bench.send()
    bench.events.published(1001)
    bench.delete()
    bench.events.disconnected()
    assert not bench.events.published(1002), "its PUBACK was lost with the connection"
    assert bench.send() == [b"2", b"3"]
