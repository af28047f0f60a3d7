"""The holder, rule by rule."""

from math import inf

import pytest

from caroni_edge.objects.transfer.effects import HolderEffect, LetComeBack, MakeList, SayData, SayNo
from caroni_edge.objects.transfer.holder import ASKERS_MAX, WAITING_MAX, Holder
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer, make_ticket
from caroni_edge.protocol.transfers import CHUNK_MAX, CHUNK_MIN, CHUNK_SIZES, TRANSFER_VERSION, Ask, Part, Range

KEY = Key(1, b"k" * 32)
SHA256 = "a" * 64
SIZE = 10_000_000


class Rights:
    """One object of one workflow."""

    def keys(self, manager: str) -> Keys | None:
        return Keys(KEY) if manager == "m1" else None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return SIZE if (manager, workflow, sha256) == ("m1", "w1", SHA256) else None


def ask_of(
    asker: Peer,
    *ranges: Range,
    transfer: int = 1,
    workflow: str = "w1",
    sha256: str = SHA256,
    part: Part = "bytes",
    rate: int = 0,
    manager: str = "m1",
    chunk: int = CHUNK_MIN,
) -> Ask:
    ticket = make_ticket(KEY, workflow, asker)
    return Ask(TRANSFER_VERSION, transfer, manager, workflow, 1, f"sha256:{sha256}", ticket, ranges, chunk, part, rate)


def peer(number: int) -> Peer:
    return Peer("agents", f"a{number}")


def all_due(holder: Holder, now: float = 0.0) -> list[HolderEffect]:
    found: list[HolderEffect] = []
    while (effect := holder.due(now)) is not None:
        found.append(effect)
    return found


def reasons(holder: Holder, now: float = 0.0) -> list[str]:
    return [effect.no.reason for effect in all_due(holder, now) if isinstance(effect, SayNo)]


def test_what_is_asked_for_is_given_chunk_by_chunk() -> None:
    holder = Holder(Rights())
    holder.asked(peer(1), ask_of(peer(1), (0, 3 * CHUNK_MIN), (SIZE - 5, 5)), 0.0)
    said = [(each.offset, each.length) for each in all_due(holder) if isinstance(each, SayData)]
    assert said == [(0, CHUNK_MIN), (CHUNK_MIN, CHUNK_MIN), (2 * CHUNK_MIN, CHUNK_MIN), (SIZE - 5, 5)]
    assert holder.is_idle()
    assert holder.next_due(0.0) == inf


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (ask_of(peer(2), (0, 5)), "ticket"),
        (ask_of(peer(1), (0, 5), manager="m2"), "ticket"),
        (ask_of(peer(1), (0, 5), workflow="w2"), "unknown"),
        (ask_of(peer(1), (0, 5), sha256="b" * 64), "unknown"),
        (ask_of(peer(1), (SIZE - 4, 5)), "unknown"),
        (ask_of(peer(1), (3 * 32, 1), part="blocks"), "unknown"),
    ],
)
def test_what_is_not_for_the_asker_is_refused(ask: Ask, reason: str) -> None:
    holder = Holder(Rights())
    holder.asked(peer(1), ask, 0.0)
    assert reasons(holder) == [reason]
    assert holder.is_idle()


def test_askers_have_their_turns() -> None:
    holder = Holder(Rights())
    holder.asked(peer(1), ask_of(peer(1), (0, 60 * CHUNK_MIN)), 0.0)
    holder.asked(peer(2), ask_of(peer(2), (0, 2 * CHUNK_MIN)), 0.0)
    said = [each.asker.node for each in all_due(holder) if isinstance(each, SayData)]
    assert said[:4] == ["a1", "a2", "a1", "a2"]


def test_what_is_asked_for_twice_while_it_waits_is_given_once() -> None:
    holder = Holder(Rights())
    for _ in range(3):
        holder.asked(peer(1), ask_of(peer(1), (0, 4 * CHUNK_MIN)), 0.0)
    assert len(all_due(holder)) == 4


def test_what_one_asker_waits_for_is_bounded_and_how_many_wait() -> None:
    holder = Holder(Rights())
    for transfer in range(1, 10):
        holder.asked(peer(1), ask_of(peer(1), (0, 60 * CHUNK_MIN), transfer=transfer), 0.0)
    for number in range(2, ASKERS_MAX + 3):
        holder.asked(peer(number), ask_of(peer(number), (0, 1)), 0.0)
    found = all_due(holder)
    assert len([each for each in found if isinstance(each, SayData)]) == WAITING_MAX + ASKERS_MAX - 1
    assert [each.no.reason for each in found if isinstance(each, SayNo)] == ["busy", "busy"]


def test_the_owner_bounds_the_rate_and_the_asker_may_too() -> None:
    holder = Holder(Rights(), up=2 * CHUNK_MIN)
    holder.asked(peer(1), ask_of(peer(1), (0, 30 * CHUNK_MIN)), 0.0)
    holder.asked(peer(2), ask_of(peer(2), (0, 30 * CHUNK_MIN), rate=CHUNK_MIN // 2), 0.0)
    now, given = 0.0, {"a1": 0, "a2": 0}
    while now < 10.0:
        for each in all_due(holder, now):
            assert isinstance(each, SayData)
            given[each.asker.node] += 1
        now = max(now + 0.001, holder.next_due(now))
    assert 19 <= given["a1"] + given["a2"] <= 23
    assert 4 <= given["a2"] <= 7


def test_a_chunk_that_does_not_pass_here_is_named() -> None:
    holder = Holder(Rights())
    holder.learned(CHUNK_MIN, CHUNK_MIN)
    holder.asked(peer(1), ask_of(peer(1), (0, 5), chunk=2 * CHUNK_MIN), 0.0)
    holder.learned(0, 0)
    holder.asked(peer(1), ask_of(peer(1), (0, 5)), 0.0)
    assert reasons(holder) == ["chunk", "busy"]


def test_what_may_pass_waits_until_it_is_known_to() -> None:
    holder = Holder(Rights())
    holder.learned(CHUNK_MIN, CHUNK_MAX)
    holder.asked(peer(1), ask_of(peer(1), (0, 4 * CHUNK_MIN), chunk=2 * CHUNK_MIN), 0.0)
    holder.asked(peer(2), ask_of(peer(2), (0, CHUNK_MIN)), 0.0)
    assert [each.asker for each in all_due(holder) if isinstance(each, SayData)] == [peer(2)]
    assert holder.next_due(0.0) == inf
    assert not holder.is_idle()
    holder.learned(2 * CHUNK_MIN, CHUNK_MAX)
    assert [each.length for each in all_due(holder) if isinstance(each, SayData)] == [2 * CHUNK_MIN] * 2


def test_what_turns_out_not_to_pass_is_said_to_those_who_wait_for_it() -> None:
    holder = Holder(Rights())
    holder.learned(CHUNK_MIN, CHUNK_MAX)
    holder.asked(peer(1), ask_of(peer(1), (0, 4 * CHUNK_MIN), chunk=2 * CHUNK_MIN), 0.0)
    holder.learned(CHUNK_MIN, CHUNK_MIN)
    (said,) = all_due(holder)
    assert isinstance(said, SayNo)
    assert (said.asker, said.no.reason, said.no.chunk) == (peer(1), "chunk", CHUNK_MIN)
    assert holder.is_idle()


def test_the_size_after_the_one_that_was_asked_for_is_soon_of_use() -> None:
    holder = Holder(Rights())
    assert holder.chunk == CHUNK_SIZES[0]
    for chunk, of_use in (
        (CHUNK_SIZES[0], CHUNK_SIZES[1]),
        (CHUNK_SIZES[1] - 1, CHUNK_SIZES[1]),
        (CHUNK_MAX, CHUNK_MAX),
    ):
        holder.asked(peer(1), ask_of(peer(1), (0, 5), chunk=chunk), 0.0)
        assert holder.chunk == of_use
    holder.disconnected()
    assert holder.chunk == CHUNK_SIZES[0]


def test_a_block_list_is_made_once_and_then_given() -> None:
    holder = Holder(Rights())
    ask = ask_of(peer(1), (0, 96), part="blocks")
    holder.asked(peer(1), ask, 0.0)
    holder.asked(peer(1), ask, 0.0)
    making, *noes = all_due(holder)
    assert making == MakeList(SHA256)
    assert [each.no.reason for each in noes if isinstance(each, SayNo)] == ["busy", "busy"]
    holder.listed(SHA256, b"x" * 96)
    holder.asked(peer(1), ask, 0.0)
    assert all_due(holder) == [SayData(peer(1), 1, SHA256, "blocks", 0, 96)]
    assert holder.list_of(SHA256) == b"x" * 96


def test_that_a_block_list_cannot_be_made_is_said_once_and_then_it_is_tried_again() -> None:
    holder = Holder(Rights())
    ask = ask_of(peer(1), (0, 96), part="blocks")
    holder.asked(peer(1), ask, 0.0)
    all_due(holder)
    holder.listed(SHA256, None)
    holder.asked(peer(1), ask, 0.0)
    assert reasons(holder) == ["unknown"]
    holder.asked(peer(1), ask, 0.0)
    assert MakeList(SHA256) in all_due(holder)


def test_what_cannot_be_read_is_said_once_and_nothing_more_of_it_is_tried() -> None:
    holder = Holder(Rights())
    holder.asked(peer(1), ask_of(peer(1), (0, 4 * CHUNK_MIN)), 0.0)
    first = holder.due(0.0)
    assert isinstance(first, SayData)
    holder.unreadable(first)
    assert reasons(holder) == ["unknown"]
    assert holder.is_idle()


def test_what_must_come_back_first_is_busy_and_given_when_it_has() -> None:
    away = {SHA256}
    holder = Holder(Rights(), is_away=away.__contains__)
    holder.asked(peer(1), ask_of(peer(1), (0, 5)), 0.0)
    holder.asked(peer(1), ask_of(peer(1), (0, 32), part="blocks"), 0.0)
    assert not holder.is_idle()
    assert holder.due(0.0) == LetComeBack(SHA256)
    assert reasons(holder) == ["busy", "busy"]
    away.clear()
    holder.asked(peer(1), ask_of(peer(1), (0, 5)), 1.0)
    (data,) = all_due(holder, 1.0)
    assert isinstance(data, SayData)
    away.add(SHA256)
    holder.unreadable(data)
    assert holder.due(1.0) == LetComeBack(SHA256)
    assert reasons(holder, 1.0) == ["busy"]


def test_who_has_no_right_does_not_hear_that_it_must_come_back() -> None:
    holder = Holder(Rights(), is_away=lambda _sha256: True)
    holder.asked(peer(1), ask_of(peer(1), (0, 5), workflow="w2"), 0.0)
    assert reasons(holder) == ["unknown"]
