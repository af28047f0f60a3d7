"""The check of what is asked for again sees what comes twice for nothing, and lets wrong bytes come again."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from math import inf
from random import Random

from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.pieces import chunks_of
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import Data, decode_ask, encode_data
from caroni_edge.transport.memory_broker import MemoryBroker
from tests.objects.nodes import GRAIN
from tests.simulation.carrier import Carrier
from tests.simulation.contents import content_of, object_saying
from tests.simulation.stores import Store, hashes_of
from tests.simulation.variants import VARIANTS

TEXT = next(text for text in map(str, range(100)) if len(content_of(text)) == 400_000)
TICKET = "0" * 64
FIRST, SECOND = Peer("agents", "a1"), Peer("agents", "a2")


class Holding:
    """A node that gives some bytes of an object, in chunks of whatever size, and then is silent."""

    def __init__(self, peer: Peer, carrier: Carrier, content: bytes, most: int) -> None:
        self.peer, self.connection = peer, carrier.new_connection()
        self._carrier, self._content, self._left = carrier, content, most
        carrier.add(self)

    def hear(self, sender: Peer, payload: bytes) -> None:
        ask = decode_ask("", payload)
        if ask.part == "blocks":
            self._carrier.say(self, sender, encode_data(Data(ask.transfer, 0, hashes_of(content_of(TEXT)))))
            return
        for piece in chunks_of(ask.ranges, ask.chunk):
            if self._left <= 0:
                return
            self._left -= piece.length
            content = self._content[piece.offset : piece.offset + piece.length]
            self._carrier.say(self, sender, encode_data(Data(ask.transfer, piece.offset, content)))


def fetched_from_two(first: bytes) -> list[str]:
    """Fetch from one place that has `first` and falls silent, then from another one; return what the check says."""
    broker = MemoryBroker(Random(1))
    carrier = Carrier(broker, Random(1))
    store = Store(Peer("agents", "a0"), carrier, Random(1))
    with closing(sqlite3.connect(":memory:")) as conn:
        store.open(conn, lambda _news: None)
        store.begin([])
        store.reach(is_reachable=True)
        Holding(FIRST, carrier, first, most=3 * GRAIN.block)
        found = object_saying(TEXT)
        want = Want("m0", found, (Place(FIRST, "w0", 1, TICKET),))
        store.fetch(want)
        pump(broker, store, store.has_safe_parts)
        Holding(SECOND, carrier, content_of(TEXT), most=1_000_000)
        store.fetch(want._replace(places=(Place(SECOND, "w0", 1, TICKET),)))
        pump(broker, store, lambda: found.sha256 in store.objects)
    return carrier.wrong


def pump(broker: MemoryBroker, store: Store, until: Callable[[], bool]) -> None:
    """Let time pass until something is so."""
    store.pump()
    while not until():
        due = min(store.next_due(), broker.next_due())
        assert due < inf, "nothing is to come any more"
        broker.pump(max(due, broker.now))
        store.pump()


def test_what_is_safe_comes_once() -> None:
    assert fetched_from_two(content_of(TEXT)) == []


def test_wrong_bytes_that_are_safe_may_come_again() -> None:
    assert fetched_from_two(bytes(400_000)) == []


def test_right_bytes_that_come_again_are_named() -> None:
    with VARIANTS["begun_anew_after_each_cut"]():
        assert "is asked for again" in fetched_from_two(content_of(TEXT))[0]
