"""All links of a node: batches that hold or are rolled back, timers, presence, and forgetting."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf

import msgspec
import pytest

from caroni_edge.delivery import link
from caroni_edge.delivery.links import Links
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.protocol.codec import decode_message, encode_message
from caroni_edge.protocol.fields import Position
from caroni_edge.protocol.messages import Frame, LinkReset
from caroni_edge.storage.database import StorageFailed, memory_database
from tests.unit.delivery.bench import SMALL, Ids, seqs


class LinksBench:
    """The links of one process on a database in memory, and a clock."""

    def __init__(self) -> None:
        self.database = memory_database("agents")
        self.chance = Ids()
        self.now = 100.0
        self.resets: list[str] = []
        self.published: list[Frame] = []
        self.restart()

    def restart(self) -> None:
        self.links = Links(
            "me", "boot of me", OutboxRows(self.database.conn), self.chance, self.resets.append, self.database.journal
        )

    @contextmanager
    def batch(self, *, limit: int = 1000) -> Iterator[Links]:
        """Run a batch, and note what it publishes."""
        with self.database.immediate():
            self.links.begin(self.now)
            yield self.links
            frames = [frame for frame, _ in self.links.frames(limit)]
            self.links.set_timers()
        self.published = frames

    @contextmanager
    def failing_batch(self) -> Iterator[Links]:
        """Run a batch whose commit fails."""
        with suppress(StorageFailed), self.batch() as links:
            yield links
            list(links.frames(1000))
            links.set_timers()
            raise StorageFailed("", reason="disk full")

    def tick(self, *, limit: int = 1000) -> list[Frame]:
        with self.batch(limit=limit):
            pass
        return self.published

    def meet(self, peer: str) -> None:
        """Hear a peer, and have a question answered."""
        with self.batch() as links:
            links.receive(frame(peer))
        with self.batch() as links:
            links.receive(frame(peer, answer=self.published[-1].ask))
        self.now += 1

    def rows(self, peer: str) -> list[tuple[int, str]]:
        found = self.database.conn.execute("SELECT seq, id FROM outbox WHERE peer = ? ORDER BY seq", (peer,))
        return list(found)

    def knows(self, peer: str) -> bool:
        """Tell whether its process is the one that was met: another is asked what it has."""
        with self.batch() as links:
            links.receive(frame(peer))
        return self.links.asked_at(peer) == inf

    def positions(self, peer: str) -> tuple[Position, Position]:
        return OutboxRows(self.database.conn).positions(peer)


def frame(peer: str, *, boot: str = "boot of peer", ack: Position = (0, ""), **parts: object) -> Frame:
    return Frame(v=1, from_=peer, to="me", boot=boot, ack=ack, **parts)  # type: ignore[arg-type]


def messages(peer: str, first: int, prev: str, *ids: str) -> Frame:
    raws = tuple(msgspec.Raw(encode_message(each, SMALL)) for each in ids)
    return frame(peer, first=first, prev=prev, messages=raws)


@pytest.fixture
def bench() -> LinksBench:
    return LinksBench()


# Bounds


@pytest.mark.parametrize(("rows", "size_bytes"), [(10, 1 << 30), (1 << 30, 10 * len(encode_message("id10", SMALL)))])
def test_who_acknowledges_nothing_lets_only_so_much_wait(
    bench: LinksBench, monkeypatch: pytest.MonkeyPatch, rows: int, size_bytes: int
) -> None:
    """What it was told is deleted, and the two reconcile: that brings what still matters."""
    monkeypatch.setattr(link, "WAITING_MAX", rows)
    monkeypatch.setattr(link, "WAITING_MAX_BYTES", size_bytes)
    monkeypatch.setattr(link, "WEIGH_EVERY", 2)
    bench.meet("p")
    with bench.batch() as links:
        for _ in range(9):
            links.put("p", SMALL)
            links.put("q", SMALL)
        assert (links.waiting("p"), bench.resets) == (9, [])
        for _ in range(1000):
            links.put("p", SMALL)
            assert links.waiting("p") <= 12
    assert set(bench.resets) == {"p"}
    assert len(bench.rows("q")) == 9
    first = OutboxRows(bench.database.conn).above("p", 0, 1)[0]
    assert decode_message(first.body) == LinkReset()


def test_who_asks_on_and_on_gets_the_last_questions_answered(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        for number in range(100):
            links.receive(frame("p", ask=f"question {number}"))
    answers = [each.answer for each in bench.published if each.answer]
    assert answers == [f"question {number}" for number in range(100 - link.ANSWERS_MAX, 100)]


# Batches


def test_batch_keeps_rows_positions_and_memory(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        assert len(links.receive(messages("p", 1, "", "x1", "x2"))) == 2
        links.put("p", SMALL)
    assert bench.positions("p") == ((0, ""), (2, "x2"))
    assert seqs(bench.published) == [(1, 1)]
    assert bench.tick() == []


def test_rollback_takes_memory_back_with_the_rows(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.failing_batch() as links:
        links.receive(messages("p", 1, "", "x1"))
        links.receive(frame("p", boot="another"))
        links.put("p", SMALL)
    assert bench.links.asked_at("p") == inf
    assert bench.knows("p")
    assert bench.rows("p") == []
    with bench.batch() as links:
        assert len(links.receive(messages("p", 1, "", "x1"))) == 1
        links.put("p", SMALL)
    assert seqs(bench.published) == [(1, 1)]


def test_rollback_sends_again_what_was_not_published(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch(limit=0) as links:
        links.put("p", SMALL)
    with bench.failing_batch():
        pass
    assert bench.links.held_back == {"p"}
    assert seqs(bench.tick()) == [(1, 1)]


def test_rollback_undoes_an_answer_and_the_reset_that_it_caused(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.put("p", SMALL)
        links.ask(["p"])
    question = bench.published[0].ask
    row = bench.rows("p")
    with bench.failing_batch() as links:
        links.receive(frame("p", ack=(5, "unknown"), answer=question))
    assert bench.rows("p") == row
    assert bench.links.asked_at("p") == bench.now
    with bench.batch() as links:
        links.receive(frame("p", ack=(1, row[0][1]), answer=question))
    assert bench.rows("p") == []
    assert bench.resets == ["p"]  # of the batch that was rolled back


def test_rollback_forgets_peers_that_were_met_in_the_batch(bench: LinksBench) -> None:
    with bench.failing_batch() as links:
        links.receive(messages("p", 1, "", "x1"))
    with bench.batch() as links:
        links.heard_presence("p", "boot of peer", online=True)
    assert bench.published == []


def test_rows_are_asked_when_a_savepoint_took_some_back(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        with suppress(ZeroDivisionError), bench.database.savepoint():
            links.put("p", SMALL)
            _ = 1 / 0
        links.put("p", SMALL)
    assert seqs(bench.published) == [(1, 1)]


# Starts and connections


def test_start_asks_whom_rows_wait_for_and_open_peers(bench: LinksBench) -> None:
    for peer in ("a", "b", "c"):
        bench.meet(peer)
    with bench.batch() as links:
        links.put("b", SMALL)
    bench.restart()
    with bench.batch() as links:
        links.start(["d"])
    assert [(each.to, bool(each.ask), each.messages) for each in bench.published] == [("b", True, ()), ("d", True, ())]


def test_connect_asks_whom_rows_or_a_question_wait_for(bench: LinksBench) -> None:
    for peer in ("a", "b", "c"):
        bench.meet(peer)
    with bench.batch() as links:
        links.put("a", SMALL)
        links.ask(["b"])
    question = bench.published[-1].ask
    bench.now += 1
    with bench.batch() as links:
        links.connected()
    assert [(each.to, bool(each.ask)) for each in bench.published] == [("a", True), ("b", True)]
    assert bench.published[1].ask == question


def test_what_was_put_while_offline_goes_at_the_connect(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.database.immediate():
        bench.links.begin(bench.now)
        bench.links.put("p", SMALL)
        bench.links.set_timers()
    with bench.batch() as links:
        links.connected()
    assert seqs(bench.published) == [(1, 1)]


# Presence


def test_presence_with_another_boot_asks(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.heard_presence("p", "boot of peer", online=True)
    assert bench.published == []
    with bench.batch() as links:
        links.heard_presence("p", "another", online=True)
    assert [bool(each.ask) for each in bench.published] == [True]


def test_presence_repeats_an_open_question(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.ask(["p"])
    question = bench.published[0].ask
    bench.now += 1
    with bench.batch() as links:
        links.heard_presence("p", "boot of peer", online=True)
    assert [each.ask for each in bench.published] == [question]


def test_presence_of_strangers_and_of_those_who_leave_means_nothing(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.heard_presence("stranger", "boot", online=True)
        links.heard_presence("p", "another", online=False)
    assert bench.published == []
    assert bench.knows("p")


def test_presence_of_a_peer_known_from_the_database_asks(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
    bench.restart()
    with bench.batch() as links:
        links.heard_presence("p", "boot", online=True)
    assert [(bool(each.ask), each.ack) for each in bench.published] == [(True, (1, "x1"))]


# Timers


def test_timers_of_all_links_are_one(bench: LinksBench) -> None:
    bench.meet("a")
    bench.meet("b")
    assert bench.links.next_due() == inf
    with bench.batch() as links:
        links.receive(messages("a", 1, "", "x1"))
        links.put("b", SMALL)
    assert bench.links.next_due() == bench.now + 0.05
    bench.now += 0.05
    assert [(each.to, each.ack) for each in bench.tick()] == [("a", (1, "x1"))]
    assert bench.links.next_due() == pytest.approx(bench.now + 4.95)
    bench.now += 4.95
    assert [(each.to, bool(each.ask)) for each in bench.tick()] == [("b", True)]


def test_timer_that_is_no_longer_needed_is_forgotten(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.put("p", SMALL)
    (row,) = bench.rows("p")
    with bench.batch() as links:
        links.receive(frame("p", ack=row))
    assert bench.links.next_due() == inf


def test_timers_go_back_with_their_batch(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.put("p", SMALL)
    due, (row,) = bench.links.next_due(), bench.rows("p")
    with bench.failing_batch() as links:
        links.receive(frame("p", ack=row))
    assert bench.links.next_due() == due
    bench.now = due
    assert [bool(each.ask) for each in bench.tick()] == [True]


# Limits


def test_frames_over_the_limit_are_held_back_and_go_first(bench: LinksBench) -> None:
    for peer in ("a", "b", "c"):
        bench.meet(peer)
    with bench.batch(limit=1) as links:
        for peer in ("a", "b", "c"):
            links.put(peer, SMALL)
    assert [each.to for each in bench.published] == ["a"]
    assert bench.links.held_back == {"b", "c"}
    with bench.batch(limit=1) as links:
        links.put("a", SMALL)
    assert [each.to for each in bench.published] == ["b"]
    assert [each.to for each in bench.tick()] == ["a", "c"]
    assert bench.links.held_back == set()


def test_hello_over_the_limit_stays_due(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch(limit=0) as links:
        links.ask(["p"])
        links.receive(frame("p", ask="q"))
    assert bench.links.next_due() <= bench.now
    assert [(bool(each.ask), each.answer) for each in bench.tick()] == [(True, None), (False, "q")]


# Resets


def test_reset_marks_the_peer_and_is_told(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.ask(["p"])
    with bench.batch() as links:
        links.receive(frame("p", ack=(5, "unknown"), answer=bench.published[0].ask))
    assert bench.resets == ["p"]
    assert bench.positions("p")[0] == (5, "unknown")
    assert marked(bench, "p")
    assert msgspec.json.decode(bench.published[0].messages[0])["type"] == LinkReset.__name__


def test_link_reset_that_is_taken_marks_the_peer_too(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
        links.was_reset("p")
    assert bench.resets == ["p"]
    assert bench.positions("p") == ((0, ""), (1, "x1"))
    assert marked(bench, "p")


def marked(bench: LinksBench, peer: str) -> bool:
    found = bench.database.conn.execute("SELECT reconcile FROM peers WHERE peer = ?", (peer,)).fetchone()
    return bool(found == (1,))


# Forgetting


def test_forgotten_peer_that_returns_is_reset(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
        links.put("p", SMALL)
    with bench.batch() as links:
        links.forget("p")
    assert bench.rows("p") == []
    assert bench.positions("p") == ((0, ""), (0, ""))
    assert bench.tick() == []
    with bench.batch() as links:
        assert links.receive(messages("p", 2, "x1", "x2")) == ()
    assert [(bool(each.ask), each.ack) for each in bench.published] == [(True, (0, ""))]


def test_forgetting_that_a_savepoint_takes_back_forgets_no_position(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
        with suppress(ZeroDivisionError), bench.database.savepoint():
            links.forget("p")
            _ = 1 / 0
        assert links.receive(messages("p", 1, "", "x1")) == ()
    assert bench.positions("p") == ((0, ""), (1, "x1"))


def test_rollback_brings_a_forgotten_peer_back(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.failing_batch() as links:
        links.forget("p")
    assert bench.knows("p")


# Silence


def silent(bench: LinksBench, since_s: float) -> list[str]:
    with bench.batch() as links:
        return links.silent(since_s, 100.0)


def test_who_is_silent_for_longer_is_named(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.receive(messages("a", 1, "", "x1"))
        links.receive(messages("b", 1, "", "x1"))
    assert silent(bench, 60) == []
    with bench.batch() as links:
        links.receive(messages("b", 2, "x1", "x2"))
    assert silent(bench, 60) == []
    assert silent(bench, 60) == ["a"]


def test_who_never_spoke_is_silent_too(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.put("p", SMALL)
    assert silent(bench, 60) == []
    assert silent(bench, 60) == ["p"]


def test_who_may_only_have_nothing_to_say_is_asked_in_time(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
    bench.now += 1
    bench.tick()
    silent(bench, 10)
    assert silent(bench, 40) == []
    assert bench.links.asked_at("p") == inf
    silent(bench, 20)
    assert [bool(each.ask) for each in bench.published] == [True]
    with bench.batch() as links:
        links.receive(frame("p", answer=bench.published[0].ask))
    assert silent(bench, 60) == []


def test_rollback_forgets_nobody_who_was_heard(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
    with bench.failing_batch() as links:
        links.silent(60, 100.0)
    assert silent(bench, 60) == []
    assert silent(bench, 60) == []
    assert silent(bench, 60) == ["p"]


def test_who_is_forgotten_leaves_no_row_and_all_of_them_are_counted(bench: LinksBench) -> None:
    bench.meet("p")
    with bench.batch() as links:
        links.receive(messages("p", 1, "", "x1"))
        links.put("p", SMALL)
        links.put("p", SMALL)
    with bench.batch() as links:
        assert links.forget("p") == 3, "two messages, and the positions"
    assert (bench.rows("p"), bench.positions("p")) == ([], ((0, ""), (0, "")))
