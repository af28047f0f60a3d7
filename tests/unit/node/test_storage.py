"""A disk that fails: the whole batch is rolled back, memory too, and the node leaves the disk alone for a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import pytest

from caroni_edge.node.calls import Call
from caroni_edge.protocol.messages import Frame, JobAccepted, JobDecline, JobKill, JobOffer, Presence
from caroni_edge.storage.database import Database, StorageFailed, memory_database
from caroni_edge.storage.trouble import PAUSE
from tests.unit.node.bench import NodeBench

OFFER = JobOffer(offer="offer0001", job_type="upper", serial=1)
ACCEPTED = JobAccepted(jobs=("job000001",))
DECLINE = JobDecline(job="job000002", reason="no")


class FailingDatabase(Database):
    """Fails at its commits while it is broken, after all statements have worked."""

    is_broken = False

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Fail at the end."""
        with super().immediate():
            yield
            if self.is_broken:
                raise StorageFailed(self.where, reason="the disk is on fire")


@pytest.fixture
def bench() -> NodeBench:
    bench = NodeBench(FailingDatabase(memory_database("managers").conn))
    bench.connect()
    bench.transport.take(Presence)
    bench.transport.puback()
    bench.run()
    bench.notes()
    return bench


def set_broken(bench: NodeBench, is_broken: bool) -> None:
    assert isinstance(bench.database, FailingDatabase)
    bench.database.is_broken = is_broken


def reconnect(bench: NodeBench) -> None:
    """Let the transport come back after the pause that the node has asked for."""
    bench.now += bench.transport.pauses[-1]
    bench.connect()


# A disk that is really full


def fill_disk(bench: NodeBench) -> None:
    pages = bench.value("PRAGMA page_count")
    bench.database.conn.execute(f"PRAGMA max_page_count = {pages + 2}")


def free_disk(bench: NodeBench) -> None:
    bench.database.conn.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_ends_the_batch_and_no_message(bench: NodeBench) -> None:
    fill_disk(bench)
    bench.reactor.on[JobAccepted] = lambda _: bench.reactor.note("x" * 100_000)
    frame = bench.peer.frame(OFFER, ACCEPTED, DECLINE)
    bench.receive(frame)
    assert not bench.database.conn.in_transaction
    assert bench.transport.acknowledged == []
    assert bench.reactor.rejected == []
    assert bench.value("SELECT count(*) FROM dead_letters") == bench.value("SELECT count(*) FROM peers") == 0
    assert bench.transport.pauses == [5.0]
    reason = bench.node.why_not_ready()
    assert reason is not None
    assert "database or disk is full" in reason
    bench.transport.assert_nothing_else_sent()

    free_disk(bench)
    reconnect(bench)
    bench.receive(frame, dup=True)
    assert bench.value("SELECT count(*) FROM notes WHERE words LIKE 'a1 %'") == 3
    assert len(bench.transport.acknowledged) == 1
    bench.advance(1)
    bench.puback()
    assert bench.node.why_not_ready() is None


@pytest.mark.parametrize("code", ["FULL", "IOERR", "READONLY", "CORRUPT", "BUSY", "NOMEM"])
def test_an_error_of_the_storage_is_no_fault_of_a_message(bench: NodeBench, code: str) -> None:
    def fail(_message: object) -> None:
        error = sqlite3.OperationalError("it says so")
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}")
        error.sqlite_errorname = f"SQLITE_{code}"
        raise error

    bench.reactor.on[JobOffer] = fail
    bench.send(OFFER)
    assert bench.reactor.rejected == []
    assert bench.transport.acknowledged == []
    assert f"SQLITE_{code}" in (bench.node.why_not_ready() or "")


def test_a_transaction_that_somebody_has_closed_ends_the_batch(bench: NodeBench) -> None:
    def close(_message: object) -> None:
        bench.database.conn.execute("ROLLBACK")
        raise ValueError("anything")

    bench.reactor.on[JobOffer] = close
    bench.send(OFFER)
    assert bench.reactor.rejected == []
    assert bench.transport.acknowledged == []
    assert bench.transport.pauses == [5.0]


# Rolled back with memory


def test_memory_goes_back_with_the_rows(bench: NodeBench) -> None:
    bench.send(OFFER)
    hello = bench.transport.take(Frame, where=lambda frame: frame.ask is not None)
    bench.receive(bench.peer.frame(answer=hello.ask))
    bench.transport.take_all(Frame)
    bench.peer.boot = "boot2"
    set_broken(bench, True)
    bench.reactor.on[JobOffer] = lambda _: bench.node.links.put("a1", JobKill(job="job000009", reason="r"))
    before = list(bench.database.conn.iterdump())
    bench.send(OFFER)
    assert bench.node.links.asked_at("a1") == inf
    assert list(bench.database.conn.iterdump()) == before
    assert bench.reactor.said[-1] == "a1 JobOffer", "and not that it is committed"
    set_broken(bench, False)
    reconnect(bench)
    bench.transport.assert_nothing_else_sent(Frame)
    assert not bench.value("SELECT count(*) FROM outbox")


def test_notices_of_a_batch_that_failed_are_not_said(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.reactor.is_presence_changed = True
    bench.send(OFFER)
    set_broken(bench, False)
    bench.transport.assert_nothing_else_sent()


def test_a_failed_commit_is_a_storage_error_as_well(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.send(OFFER)
    assert bench.transport.acknowledged == []
    assert "the disk is on fire" in (bench.node.why_not_ready() or "")
    assert bench.notes() == []


# The pause


def test_the_pause_grows_while_failures_follow_each_other(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.send(OFFER)
    for _ in range(8):
        reconnect(bench)
    assert bench.transport.pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]


def test_the_pause_grows_though_the_disk_works_in_between(bench: NodeBench) -> None:
    """A batch that writes little may fit on a disk that is full for the next one."""
    for _ in range(3):
        set_broken(bench, True)
        bench.send(OFFER)
        set_broken(bench, False)
        reconnect(bench)
    assert bench.transport.pauses == [5.0, 10.0, 20.0]
    bench.advance(PAUSE.max_s + 1)
    set_broken(bench, True)
    bench.send(OFFER)
    assert bench.transport.pauses[-1] == 5.0


def test_nothing_is_tried_before_the_pause_is_over(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.send(OFFER)
    set_broken(bench, False)
    done: list[str] = []
    bench.database.conn.set_trace_callback(done.append)
    bench.reactor.due = bench.now
    assert bench.node.next_due() == bench.now + 5
    bench.run()
    assert done == []
    assert len(bench.transport.pauses) == 1


def test_it_is_tried_again_without_a_broker_too(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.send(OFFER)
    bench.run()  # the transport says that the connection is gone
    set_broken(bench, False)
    bench.advance(4.9)
    assert "on fire" in (bench.node.why_not_ready() or "")
    bench.advance(0.2)
    assert bench.node.why_not_ready() == "not connected to the broker: this node ended the connection"


def test_it_counts_as_mended_only_when_it_could_write(bench: NodeBench) -> None:
    set_broken(bench, True)
    bench.send(OFFER)
    set_broken(bench, False)
    bench.run()
    bench.database.conn.execute("PRAGMA query_only = ON")
    bench.advance(5)
    assert "readonly" in (bench.node.why_not_ready() or "")
    bench.database.conn.execute("PRAGMA query_only = OFF")
    bench.advance(10)
    assert "not connected" in (bench.node.why_not_ready() or "")


def test_peers_are_asked_anew_afterwards(bench: NodeBench) -> None:
    bench.reactor.peers = ["a1"]
    bench.now += 600
    set_broken(bench, True)
    bench.run()
    set_broken(bench, False)
    reconnect(bench)
    bench.run()
    assert [frame.to for frame in bench.transport.take_all(Frame) if frame.ask] == ["a1"]


# Commands


def test_a_command_gets_the_error_at_once(bench: NodeBench) -> None:
    set_broken(bench, True)
    first, second = Call(lambda _at: 1), Call(lambda _at: 2)
    bench.inbox.append(first)
    bench.run()
    bench.inbox.append(second)
    bench.run()
    for call in (first, second):
        assert isinstance(call.done.exception(0), StorageFailed)
    assert len(bench.transport.pauses) == 1, "asking makes the pause no longer"


def test_a_command_that_is_kept_runs_when_the_disk_works_again(bench: NodeBench) -> None:
    ran: list[str] = []
    set_broken(bench, True)
    during, after = Call(lambda _at: ran.append("during"), keep=True), Call(lambda _at: ran.append("after"), keep=True)
    bench.inbox.append(during)
    bench.run()
    bench.inbox.append(after)
    bench.run()
    assert not during.done.done()
    assert not after.done.done()
    set_broken(bench, False)
    ran.clear()
    bench.advance(5)
    assert ran == ["during", "after"]
    assert during.done.done()
    bench.send(OFFER)
    assert ran == ["during", "after"], "once is enough"


# The broker's session


def test_that_the_session_is_new_is_told_until_a_batch_knows_it(bench: NodeBench) -> None:
    """The broker says so once; at the next connect it has the session of this one."""
    set_broken(bench, True)
    bench.transport.connect(session_present=False)
    bench.run()
    set_broken(bench, False)
    bench.now += bench.transport.pauses[-1]
    bench.transport.connect(session_present=True)
    bench.run()
    assert bench.notes() == ["connected anew"]
    bench.transport.connect(session_present=True)
    bench.run()
    assert bench.notes() == ["connected"]
