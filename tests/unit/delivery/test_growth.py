"""What a message costs the link does not depend on how much waits, nor on how many peers there are."""

from collections.abc import Callable

from caroni_edge.delivery import link
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.storage.database import memory_database
from tests.unit.delivery.bench import SMALL, Ids, LinkBench
from tests.work import Work, work_of

FEW, MANY = 10, 1000
PUT = link.WEIGH_EVERY
"""With so many messages more it is looked how much waits."""


def waiting(count: int) -> LinkBench:
    """Return a link for whose peer so many messages wait, and as many frames as may be are on their way."""
    bench = LinkBench()
    bench.meet()
    for _ in range(count):
        bench.link.put(SMALL, bench.now)
    bench.sent()
    return bench


def put(bench: LinkBench) -> Work:
    def work() -> None:
        for _ in range(PUT):
            assert not bench.link.put(SMALL, bench.now)

    return work_of(bench.database.conn, work)


def test_a_message_is_put_at_the_same_cost_however_many_wait() -> None:
    few, many = put(waiting(FEW)), put(waiting(MANY))
    assert many.is_like(few), (few, many)


def test_what_waits_after_a_start_is_weighed_once() -> None:
    bench = waiting(MANY)
    bench.restart()
    put(bench)
    few, many = put(waiting(FEW)), put(bench)
    assert many.is_like(few), (few, many)


def test_an_acknowledgement_costs_the_same_however_much_waits_behind_it() -> None:
    def acknowledge(bench: LinkBench) -> Work:
        row = bench.outbox()[4]
        return work_of(bench.database.conn, lambda: bench.receive(ack=(row.seq, row.id)))

    few, many = acknowledge(waiting(FEW)), acknowledge(waiting(MANY))
    assert many.is_like(few), (few, many)


def test_a_batch_costs_the_same_however_many_peers_are_asked_and_away() -> None:
    def batch(peers: int) -> Work:
        database = memory_database("managers")
        links = Links("me", "boot", OutboxRows(database.conn), Ids(), lambda _peer: None, database.journal)

        def run(now: float, do: Callable[[], None]) -> None:
            with database.immediate():
                links.begin(now)
                do()
                list(links.frames(peers))
                links.set_timers()

        def work() -> None:
            run(3.0, lambda: links.put("peer0", SMALL))
            assert links.owes_answers()
            assert links.unanswered(0.5, since=0.0) == ["peer1"]

        run(1.0, lambda: links.ask(f"peer{number}" for number in range(peers)))
        run(2.0, lambda: links.heard_presence("peer1", "its boot", online=True))
        return work_of(database.conn, work)

    few, many = batch(FEW), batch(MANY)
    assert many.is_like(few), (few, many)
