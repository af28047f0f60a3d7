"""The asker, rule by rule; what it does against everything at once, tests/objects shows."""

from hashlib import sha256
from math import inf
from typing import Literal

import pytest

from caroni_edge.base.chance import SeededChance
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.asker import DISK_AGAIN_S, REFUSED_FOR_S, TICKET_AGAIN_S, Asker
from caroni_edge.objects.transfer.effects import Fetched, Hash, Held, PlaceFailed, PlacesSilent, Save, SayAsk, Write
from caroni_edge.objects.transfer.fetch import SAVE_AFTER_S, Want
from caroni_edge.objects.transfer.pieces import chunks_of
from caroni_edge.objects.transfer.places import RETRY_MAX_S, UNREACHABLE_FOR_S, Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.objects.transfer.window import TIMEOUT_UNKNOWN_S
from caroni_edge.protocol.transfers import CHUNK_MAX, TRANSFER_VERSION, Ask, Data, No, Reason

A, B = Peer("agents", "a"), Peer("agents", "b")
BLOCK = 256 << 10


def want_of(name: str, size: int, *holders: Peer, manager: str = "m1", order: int = 0) -> Want:
    places = tuple(Place(holder, "w", 1, "t") for holder in holders)
    return Want(manager, Object(sha256(name.encode()).hexdigest(), size), places, order)


class Bench:
    """An asker whose Asks are answered when a test says so; whatever has come is right, but for `wrong` hashes."""

    def __init__(self, down: float | None = None, seed: int | str = "bench", **weights: float) -> None:
        self.asker = Asker(SeededChance(seed), lambda manager: weights.get(manager, 1.0), down)
        self.asker.passes = CHUNK_MAX
        self.asker.connected()
        self.now = 0.0
        self.asks: list[tuple[Peer, Ask]] = []
        self.done: list[str] = []
        self.failed: list[PlaceFailed] = []
        self.saves: list[Save] = []
        self.silent: list[set[Peer]] = []
        self.held: list[Held] = []
        self.written = self.wrong = 0

    def step(self, now: float | None = None) -> None:
        self.now = self.now if now is None else now
        self.asker.step(self.now)
        while self.asker.effects:
            match effect := self.asker.effects.popleft():
                case SayAsk(holder, ask):
                    self.asks.append((holder, ask))
                case Hash(fetch, turn, _, _):
                    self.wrong, is_wrong = max(0, self.wrong - 1), self.wrong > 0
                    digest = bytes(32) if is_wrong else bytes.fromhex(fetch.sha256)
                    self.asker.hashed(fetch, turn, digest, self.now)
                case Fetched(fetch):
                    self.done.append(fetch.sha256)
                case PlaceFailed():
                    self.failed.append(effect)
                case PlacesSilent(holders):
                    self.silent.append(set(holders))
                case Held():
                    self.held.append(effect)
                case Save():
                    self.saves.append(effect)
                case Write(content=content):
                    self.written += len(content)

    def answer(self, most: int = 1 << 30) -> int:
        """Answer the Asks that are open; return how many chunks that were."""
        asks, self.asks, chunks = self.asks, [], 0
        for holder, ask in asks:
            for piece in chunks_of(ask.ranges, ask.chunk):
                if chunks < most:
                    self.asker.heard(holder, Data(ask.transfer, piece.offset, bytes(piece.length)), self.now)
                    chunks += 1
        self.step()
        return chunks

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            self.step(self.now + 0.01)
            self.answer()

    def refuse(self, reason: Reason, retry_after: float = 0.0, chunk: int = 0) -> None:
        holder, ask = self.asks.pop()
        no = No(v=TRANSFER_VERSION, transfer=ask.transfer, reason=reason, retry_after=retry_after, chunk=chunk)
        self.asker.heard(holder, no, self.now)
        self.step()


def test_an_object_comes_and_is_checked() -> None:
    bench = Bench()
    want = want_of("x", 1_000_000, A)
    bench.asker.fetch(want)
    bench.run(20)
    assert bench.done == [want.object.sha256]
    assert bench.written == 1_000_000
    assert bench.asker.is_idle()


def test_what_has_come_is_not_asked_for_again_before_it_was_taken() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1000, A))
    bench.run(20)
    bench.asker.fetch(want_of("x", 1000, B))
    bench.run(20)
    assert bench.written == 1000
    bench.asker.forget(want_of("x", 1000, A).id)
    bench.asker.fetch(want_of("x", 1000, B))
    bench.run(20)
    assert len(bench.done) == 2


def test_what_has_come_and_cannot_be_kept_goes_on_later() -> None:
    bench = Bench()
    want = want_of("x", 4 * BLOCK, A)
    bench.asker.fetch(want, blocks=b"\x07")
    bench.run(20)
    bench.asker.disk_failed(want.id, bench.now)
    bench.run(20)
    assert len(bench.done) == 1
    bench.step(bench.now + DISK_AGAIN_S)
    bench.run(20)
    assert len(bench.done) == 2
    assert bench.written == 2 * BLOCK


def test_an_object_of_no_bytes_needs_none() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 0, A))
    bench.run(2)
    assert len(bench.done) == 1
    assert not bench.asks


def test_what_an_earlier_process_has_saved_is_not_asked_for() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 4 * BLOCK, A), blocks=b"\x0d")
    bench.run(20)
    assert bench.done
    assert bench.written == BLOCK


def test_saved_bytes_that_turn_out_wrong_come_again_and_the_present_place_is_not_blamed() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 4 * BLOCK, A), blocks=b"\x0d")
    bench.wrong = 1
    bench.run(20)
    assert bench.done
    assert bench.written == BLOCK + 4 * BLOCK
    assert not bench.failed


def test_what_has_come_is_made_safe_after_some_bytes_and_after_some_seconds() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 40 << 20, A))
    while not bench.saves:
        bench.run(1)
    assert 8 << 20 <= bench.written < 12 << 20
    bench.answer()
    bench.step(bench.asker.next_due())
    count, written = len(bench.saves), bench.written
    bench.asker.disconnected()
    bench.asker.connected()
    bench.step()
    while bench.written < written + BLOCK:
        bench.answer()
    assert len(bench.saves) == count
    bench.step(bench.now + SAVE_AFTER_S)
    assert len(bench.saves) == count + 1


def test_managers_share_the_window_by_their_weights() -> None:
    bench = Bench(m1=1.0, m2=3.0)
    for manager in ("m1", "m2"):
        bench.asker.fetch(want_of(manager, 60 << 20, A, manager=manager))
    chunks = {"m1": 0, "m2": 0}
    for _ in range(20):
        bench.step(bench.now + 0.01)
        for _, ask in bench.asks:
            if ask.part == "bytes":
                chunks[ask.manager] += len(chunks_of(ask.ranges, ask.chunk))
        bench.answer()
    assert 2.5 < chunks["m2"] / chunks["m1"] < 3.5


def test_a_large_object_of_one_manager_keeps_nothing_of_another_one_waiting() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("huge", 60 << 20, A))
    bench.run(5)
    bench.asker.fetch(want_of("small", 1000, A, manager="m2"))
    bench.run(3)
    assert len(bench.done) == 1


def test_objects_of_a_manager_come_in_their_order_few_at_a_time() -> None:
    bench = Bench()
    for name in "abcd":
        bench.asker.fetch(want_of(name, 10 << 20, A, order=5))
    first = want_of("first", 10 << 20, A, order=1)
    bench.asker.fetch(first)
    bench.step()
    assert {ask.object for _, ask in bench.asks} == {first.object.id}
    bench.run(5)
    assert len({ask.object for _, ask in bench.asks}) <= 2


def test_many_small_objects_fill_the_window() -> None:
    bench = Bench()
    for number in range(500):
        bench.asker.fetch(want_of(str(number), 1000, A))
    bench.run(6)
    bench.step()
    assert len({ask.object for _, ask in bench.asks}) > 30
    bench.run(30)
    assert len(bench.done) == 500


def test_the_owner_bounds_the_rate() -> None:
    bench = Bench(down=100_000.0)
    bench.asker.fetch(want_of("x", 10 << 20, A))
    while bench.now < 20.0:
        bench.step(max(bench.now + 0.001, min(bench.asker.next_due(), bench.now + 0.1)))
        bench.answer()
    assert 1_900_000 < bench.written < 2_200_000


def test_nothing_is_asked_for_outside_the_owners_hours() -> None:
    bench = Bench()
    bench.asker.closed_until = 3600.0
    bench.asker.fetch(want_of("x", 1000, A))
    bench.step()
    assert not bench.asks
    assert bench.asker.next_due() == 3600.0
    bench.step(3600.0)
    assert bench.asks


def test_nothing_is_asked_for_by_a_broker_that_lets_nothing_through() -> None:
    bench = Bench()
    bench.asker.passes = 0
    bench.asker.fetch(want_of("x", 1000, A))
    bench.step()
    assert not bench.asks
    assert bench.asker.next_due() == inf


def test_what_does_not_come_is_asked_for_again_and_what_comes_late_counts() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1000, A))
    bench.step()
    late = bench.asks.pop()
    bench.step(bench.asker.next_due())
    assert bench.asks[0][1].ranges == late[1].ranges
    bench.asks = [late]
    bench.answer()
    assert bench.done


def test_a_silent_place_is_left_for_another_one() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1 << 20, A, B))
    bench.step()
    silent = bench.asks[0][0]
    while all(holder == silent for holder, _ in bench.asks):
        bench.step(bench.asker.next_due())
    assert bench.now < 60.0
    bench.asks = [(holder, ask) for holder, ask in bench.asks if holder != silent]
    bench.run(20)
    assert bench.done


def test_a_place_that_has_never_answered_is_left_after_seconds() -> None:
    for seed in range(10):
        bench = Bench(seed=seed)
        bench.asker.fetch(want_of("x", 1 << 20, A, B))
        bench.step()
        first = bench.asks[0][0]
        while all(holder == first for holder, _ in bench.asks):
            bench.step(bench.asker.next_due())
        assert bench.now <= 1.25 * TIMEOUT_UNKNOWN_S


def test_a_place_that_answers_comes_first_after_a_cut_too() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1000, A))
    bench.run(2)
    for number in range(20):
        bench.asker.disconnected()
        bench.asker.connected()
        bench.asker.fetch(want_of(f"{number}", 1000, B, A))
        bench.step()
        assert {holder for holder, _ in bench.asks} == {A}
        bench.run(2)
    assert len(bench.done) == 21


def test_another_place_is_tried_beside_one_that_answers() -> None:
    bench = Bench()
    for number in range(20):
        bench.asker.fetch(want_of(f"{number}", 1 << 20, A, B))
    asked = set()
    while not bench.asker.is_idle():
        bench.step(bench.now + 0.01)
        asked |= {holder for holder, _ in bench.asks}
        bench.answer()
    assert asked == {A, B}


def test_who_does_not_answer_is_said_and_that_it_does_again() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1 << 20, A))
    bench.step()
    while not bench.silent:
        bench.step(bench.asker.next_due())
    assert 10.0 < bench.now < 60.0
    bench.answer()
    assert bench.silent == [{A}, set()]


@pytest.mark.parametrize("says", ["busy", "a cut"])
def test_what_says_anything_is_not_silent(says: str) -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1 << 20, A))
    bench.step()
    while not bench.silent:
        bench.step(bench.asker.next_due())
    if says == "busy":
        bench.refuse("busy")
    else:
        bench.asker.disconnected()
        bench.step()
    assert bench.silent == [{A}, set()]


def test_what_is_wanted_without_a_place_is_held_and_goes_on_when_one_is_named() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 4 * BLOCK, A), blocks=b"\x01")
    bench.step()
    bench.asker.fetch(want_of("x", 4 * BLOCK))
    bench.answer()
    assert bench.held == [Held(want_of("x", 1).id, BLOCK)]
    assert (bench.written, bench.asker.next_due()) == (0, inf)
    bench.asker.fetch(want_of("x", 4 * BLOCK, B))
    bench.run(20)
    assert bench.done
    assert bench.written == 3 * BLOCK


def test_objects_of_a_silent_place_keep_none_of_another_one_waiting() -> None:
    bench = Bench()
    for number in range(250):
        bench.asker.fetch(want_of(f"{number}", 1000, A, order=number))
    bench.asker.fetch(want_of("x", 1000, B, order=250))
    bench.step()
    while all(holder == A for holder, _ in bench.asks):
        bench.step(bench.asker.next_due())
    assert bench.now < UNREACHABLE_FOR_S


def test_the_only_place_is_asked_again_after_it_was_unreachable() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1 << 20, A))
    bench.step()
    while (due := bench.asker.next_due()) - bench.now < UNREACHABLE_FOR_S / 2:
        bench.step(due)
    assert due == pytest.approx(bench.now + UNREACHABLE_FOR_S)
    bench.asks.clear()
    bench.step(due)
    bench.run(20)
    assert bench.done


@pytest.mark.parametrize("reason", ["unknown", "ticket"])
def test_a_place_that_refuses_is_said_and_not_asked_for_a_while(reason: Literal["unknown", "ticket"]) -> None:
    bench = Bench()
    want = want_of("x", 1000, A)
    bench.asker.fetch(want)
    bench.step()
    bench.refuse(reason)
    assert bench.failed == [PlaceFailed(want.id, A, reason)]
    assert not bench.asks
    assert bench.asker.next_due() == (REFUSED_FOR_S if reason == "unknown" else TICKET_AGAIN_S)
    bench.asker.fetch(want)  # it is named again
    bench.step()
    assert bench.asks


def test_a_busy_place_is_asked_again_when_it_says_but_not_for_ever() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1000, A))
    bench.step()
    bench.refuse("busy", 7.0)
    assert bench.asker.next_due() == 7.0
    bench.step(7.0)
    bench.refuse("rate", 1e6)
    assert bench.asker.next_due() == 7.0 + RETRY_MAX_S


def test_a_place_names_the_chunk_that_passes_there() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 16 << 20, A))
    bench.run(6)  # the window grows, and its chunks with it
    assert bench.asks[0][1].chunk == CHUNK_MAX
    bench.refuse("chunk", 0.0, 16 << 10)
    assert bench.asks[0][1].chunk == 16 << 10
    bench.refuse("chunk", 0.0, CHUNK_MAX)
    assert not bench.asks
    assert bench.asker.next_due() > bench.now


def test_answers_for_nothing_that_was_asked_count_for_nothing() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 3 * CHUNK_MAX, A))
    bench.step()
    ask = bench.asks[0][1]
    for holder, data in (
        (B, Data(ask.transfer, 0, bytes(CHUNK_MAX))),
        (A, Data(ask.transfer + 1, 0, bytes(CHUNK_MAX))),
        (A, Data(ask.transfer, 1, bytes(CHUNK_MAX))),
        (A, Data(ask.transfer, 0, bytes(CHUNK_MAX - 1))),
        (A, Data(ask.transfer, 2 * CHUNK_MAX, bytes(CHUNK_MAX))),
    ):
        bench.asker.heard(holder, data, 0.1)
    assert bench.asker.ignored == 5
    assert bench.asker.left_bytes(want_of("x", 3 * CHUNK_MAX, A).id) == 3 * CHUNK_MAX


def test_a_piece_that_was_there_before_it_was_asked_for_says_nothing_of_the_round_trip() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 3 * CHUNK_MAX, A))
    bench.step(1.0)
    ask = bench.asks[0][1]
    bench.asker.heard(A, Data(ask.transfer, 0, bytes(ask.chunk)), 0.5)
    assert bench.asker.ignored == 0
    assert bench.asker._places.health(A).trip.least_s == inf


def test_after_a_cut_all_that_was_on_its_way_is_asked_for_under_another_number() -> None:
    bench = Bench()
    bench.asker.fetch(want_of("x", 1 << 20, A))
    bench.step()
    (_, before), bench.asks = bench.asks[0], []
    bench.asker.disconnected()
    bench.step()
    assert not bench.asks
    bench.asker.connected()
    bench.step()
    (_, after), *_ = bench.asks
    assert after.ranges == before.ranges
    assert after.transfer != before.transfer


def test_what_nobody_wants_any_more_is_not_asked_for() -> None:
    bench = Bench()
    want = want_of("x", 1 << 20, A)
    bench.asker.fetch(want)
    bench.step()
    bench.asker.forget(want.id)
    bench.answer()
    assert bench.written == 0
    assert bench.asker.is_idle()
    assert bench.asker.next_due() == inf
