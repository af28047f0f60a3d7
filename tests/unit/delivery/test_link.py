"""The link between two nodes, rule by rule (docs/protocol.md, "The link")."""

from collections.abc import Iterator
from math import inf

import msgspec
import pytest

from caroni_edge.delivery.link import WINDOW_FRAMES
from caroni_edge.protocol.codec import (
    FRAME_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    MessageTooLarge,
    decode_message,
    encode,
    encode_message,
)
from caroni_edge.protocol.fields import Position
from caroni_edge.protocol.logs import JobLog
from caroni_edge.protocol.messages import MESSAGE_VERSION, Frame, JobKill, LinkReset, MessageRejected
from tests.unit.delivery.bench import JOB, SMALL, LinkBench, seqs


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    bench = LinkBench()
    with bench.database.immediate():
        yield bench


@pytest.fixture
def met(bench: LinkBench) -> LinkBench:
    """A bench whose peer has been heard, with no question open."""
    bench.meet()
    return bench


# Rows


def test_message_gets_the_next_seq_after_the_last_row_else_after_acked(met: LinkBench) -> None:
    ids = met.put(2)
    assert [(row.seq, row.id) for row in met.outbox()] == [(1, ids[0]), (2, ids[1])]
    met.receive(ack=(2, ids[1]))
    met.put()
    assert [row.seq for row in met.outbox()] == [3]


def test_put_refuses_what_no_frame_can_hold(bench: LinkBench) -> None:
    with pytest.raises(MessageTooLarge):
        bench.put(message=JobLog(job=JOB, offset=0, data=b"." * MESSAGE_LIMIT_BYTES))
    assert bench.outbox() == []


def test_put_that_a_savepoint_takes_back_leaves_no_gap(met: LinkBench) -> None:
    met.put()
    met.put_and_fail()
    met.put()
    assert [row.seq for row in met.outbox()] == [1, 2]
    assert seqs(met.sent()) == [(1, 2)]


def test_rows_that_a_savepoint_takes_back_are_not_waited_for(met: LinkBench) -> None:
    met.put_and_fail()
    met.wait(60)
    assert met.sent() == []
    assert met.link.next_due() == inf


def test_no_message_has_a_field_of_its_own_that_the_link_uses() -> None:
    body = msgspec.json.decode(encode_message("mine", MessageRejected(id="yours", reason="")))
    assert body["id"] == "mine"
    message = decode_message(encode_message("mine", MessageRejected(id="yours", reason="")))
    assert message == MessageRejected(id="yours", reason="")


# A start


def test_at_a_start_older_rows_wait_and_new_ones_go_out(bench: LinkBench) -> None:
    old = bench.put(2)
    bench.restart()
    bench.link.ask(bench.now)
    assert seqs(bench.sent()) == []
    bench.put()
    (frame,) = bench.sent()
    assert seqs([frame]) == [(3, 1)]
    assert frame.prev == old[1]


def test_at_a_start_the_answer_lets_older_rows_go(bench: LinkBench) -> None:
    old = bench.put(3)
    bench.restart()
    bench.link.ask(bench.now)
    bench.hello()
    bench.answer((1, old[0]))
    (frame,) = bench.sent()
    assert seqs([frame]) == [(2, 2)]
    assert frame.prev == old[0]


def test_positions_are_kept_over_a_start(met: LinkBench) -> None:
    ids = met.put(2)
    met.sent()
    met.receive_messages(1, "", ["x1"], ack=(1, ids[0]))
    met.restart()
    assert met.link.acked == (1, ids[0])
    assert met.link.taken == (1, "x1")
    assert met.link.boot is None


# Frames


def test_frame_has_its_sender_receiver_boot_and_ack(met: LinkBench) -> None:
    met.receive_messages(1, "", ["x1"])
    met.put()
    (frame,) = met.sent()
    assert (frame.v, frame.from_, frame.to, frame.boot, frame.ack) == (1, "me", "peer", "boot of me", (1, "x1"))


def test_prev_is_the_id_of_the_row_before_or_of_acked(met: LinkBench) -> None:
    first = met.put()
    assert [frame.prev for frame in met.sent()] == [""]
    second = met.put()
    assert [frame.prev for frame in met.sent()] == first
    met.receive(ack=(2, second[0]))
    met.put()
    assert [frame.prev for frame in met.sent()] == second


def test_prev_is_read_from_the_rows_when_more_is_acknowledged_than_was_sent(met: LinkBench) -> None:
    ids = met.put(2)
    met.sent()
    met.receive(ack=(0, ""), ask="q")  # an old Hello: all goes again from the beginning
    met.receive(ack=(2, ids[1]))
    met.put()
    frames = [frame for frame in met.sent() if frame.messages]
    assert seqs(frames) == [(3, 1)]
    assert frames[0].prev == ids[1]


def test_messages_go_at_qos_1_and_all_else_at_qos_0(met: LinkBench) -> None:
    met.put()
    assert [qos for _, qos in met.link.frames(met.now, 9)] == [1]
    met.link.ask(met.now)
    met.receive(ask="q")
    met.wait(1)
    assert [(bool(frame.ask), frame.answer, qos) for frame, qos in met.link.frames(met.now, 9)] == [
        (True, None, 0),
        (False, "q", 0),
    ]
    met.receive_messages(1, "", ["x1"])
    met.wait(0.05)
    assert [(frame.ack, frame.messages, qos) for frame, qos in met.link.frames(met.now, 9)] == [((1, "x1"), (), 0)]


def test_hello_and_its_answer_say_what_is_spoken(met: LinkBench) -> None:
    met.link.ask(met.now)
    met.receive(ask="q", speaks=7)
    met.wait(1)
    assert [(frame.speaks, frame.messages) for frame in met.sent()] == [(MESSAGE_VERSION, ())] * 2
    assert met.link.speaks == 7
    met.receive(boot="another")
    assert met.link.speaks == 1


def test_frames_hold_what_fits_in_64_kib(met: LinkBench) -> None:
    half = JobLog(job=JOB, offset=0, data=b"." * (MESSAGE_LIMIT_BYTES * 3 // 8 - 200))
    met.put(5, half)
    frames = met.sent()
    assert seqs(frames) == [(1, 2), (3, 2), (5, 1)]
    assert max(len(encode(frame)) for frame in frames) <= FRAME_LIMIT_BYTES


def test_largest_message_fits_in_a_frame_whose_parts_are_all_largest() -> None:
    room = MESSAGE_LIMIT_BYTES - len(encode_message("i" * 40, SMALL))
    raw = msgspec.Raw(encode_message("i" * 40, JobKill(job=JOB, reason="." * room)))
    far, name = 1 << 62, "n" * 40
    frame = Frame(v=1, from_=name, to=name, boot=name, ack=(far, name), first=far, prev=name, messages=(raw,))
    assert len(bytes(raw)) == MESSAGE_LIMIT_BYTES
    assert len(encode(frame)) <= FRAME_LIMIT_BYTES


def test_frames_over_the_limit_stay_due(met: LinkBench) -> None:
    big = JobLog(job=JOB, offset=0, data=b"." * (MESSAGE_LIMIT_BYTES // 2))
    met.put(3, big)
    assert seqs(met.sent(limit=2)) == [(1, 1), (2, 1)]
    assert met.link.has_more()
    assert seqs(met.sent(limit=2)) == [(3, 1)]
    assert not met.link.has_more()


# The window


def fill_window(bench: LinkBench) -> list[str]:
    """Put more than the window holds, one message a frame, and return the ids."""
    big = JobLog(job=JOB, offset=0, data=b"." * (MESSAGE_LIMIT_BYTES // 2))
    return bench.put(WINDOW_FRAMES + 3, big)


def test_window_is_32_frames(met: LinkBench) -> None:
    fill_window(met)
    assert len(met.sent()) == WINDOW_FRAMES == 32
    assert met.sent() == []
    assert not met.link.has_more()


def test_acknowledgement_opens_the_window(met: LinkBench) -> None:
    ids = fill_window(met)
    met.sent()
    met.receive(ack=(2, ids[1]))
    assert seqs(met.sent()) == [(33, 1), (34, 1)]


def test_window_is_counted_anew_when_sent_is_set_back(met: LinkBench) -> None:
    ids = fill_window(met)
    met.sent()
    met.link.ask(met.now)
    met.answer((2, ids[1]))
    frames = met.sent()
    assert len(frames) == WINDOW_FRAMES
    assert frames[0].first == 3


def test_new_messages_wait_for_nothing_but_the_window(met: LinkBench) -> None:
    met.put()
    met.sent()
    met.link.ask(met.now)
    met.put()
    assert seqs(met.sent()) == [(2, 1)]


# 1. Boots and answers


def test_other_boot_is_noted_and_asked(bench: LinkBench) -> None:
    bench.receive(boot="first")
    assert bench.link.boot == "first"
    first = bench.hello()
    bench.receive(boot="second")
    assert bench.link.boot == "second"
    bench.wait(1)
    assert bench.hello() != first


def test_boot_of_the_answer_is_noted_without_asking(bench: LinkBench) -> None:
    bench.link.ask(bench.now)
    bench.hello()
    bench.answer((0, ""), boot="another")
    assert bench.link.boot == "another"
    assert bench.link.question is None
    assert bench.sent() == []


def test_answer_to_another_question_closes_nothing(met: LinkBench) -> None:
    met.link.ask(met.now)
    question = met.hello()
    met.receive(ack=(9, "unknown"), answer="older")
    assert met.link.question == question
    assert not met.was_reset


# 2. Messages


def test_messages_are_taken_in_order(met: LinkBench) -> None:
    assert met.receive_messages(1, "", ["x1", "x2"]) == ["x1", "x2"]
    assert met.receive_messages(3, "x2", ["x3"]) == ["x3"]
    assert met.link.taken == (3, "x3")


def test_what_follows_the_last_taken_is_taken(met: LinkBench) -> None:
    met.receive_messages(1, "", ["x1", "x2"])
    assert met.receive_messages(1, "", ["x1", "x2", "x3"]) == ["x3"]
    assert met.receive_messages(3, "x2", ["x3", "x4"]) == ["x4"]


def test_repeats_are_acknowledged_and_not_taken(met: LinkBench) -> None:
    met.receive_messages(1, "", ["x1", "x2", "x3"])
    met.wait(0.05)
    met.sent()
    for repeat in (["x1", "x2"], ["x1", "x2", "x3"], ["other ids", "of another history"]):
        assert met.receive_messages(1, "", repeat) == []
        assert met.link.question is None
        met.wait(0.05)
        assert [frame.ack for frame in met.sent()] == [(3, "x3")]


@pytest.mark.parametrize(
    ("first", "prev", "ids"),
    [
        (4, "x3", ["x4"]),  # a gap
        (3, "y2", ["y3"]),  # another history, by the row before
        (1, "", ["x1", "y2"]),  # another history, by the row itself
        (2, "x1", ["y2", "y3"]),
    ],
)
def test_gap_or_another_history_takes_nothing_and_asks(met: LinkBench, first: int, prev: str, ids: list[str]) -> None:
    met.receive_messages(1, "", ["x1", "x2"])
    met.wait(1)
    assert met.receive_messages(first, prev, ids) == []
    assert met.link.taken == (2, "x2")
    assert met.sent()[0].ask


def test_message_without_a_readable_id_is_not_taken(met: LinkBench) -> None:
    assert met.receive(first=1, prev="", messages=(msgspec.Raw(b"{}"),)) == []
    assert met.link.taken == (0, "")


def test_taken_and_repeated_messages_are_acknowledged_within_50_ms(met: LinkBench) -> None:
    met.receive_messages(1, "", ["x1"])
    assert met.link.next_due() == met.now + 0.05
    assert met.sent() == []
    met.wait(0.05)
    assert [frame.ack for frame in met.sent()] == [(1, "x1")]
    assert met.sent() == []


def test_every_half_window_is_acknowledged_at_once(met: LinkBench) -> None:
    for number in range(1, WINDOW_FRAMES // 2):
        met.receive_messages(number, f"x{number - 1}" if number > 1 else "", [f"x{number}"])
    assert met.sent() == []
    met.receive_messages(16, "x15", ["x16"])
    assert [frame.ack for frame in met.sent()] == [(16, "x16")]


def test_any_frame_carries_the_acknowledgement(met: LinkBench) -> None:
    met.receive_messages(1, "", ["x1"])
    met.put()
    assert [frame.ack for frame in met.sent()] == [(1, "x1")]
    met.wait(0.05)
    assert met.sent() == []


# 3. Acknowledgements


def test_matching_acknowledgement_deletes_rows(met: LinkBench) -> None:
    ids = met.put(3)
    met.sent()
    met.receive(ack=(2, ids[1]))
    assert [row.id for row in met.outbox()] == ids[2:]
    assert met.link.acked == (2, ids[1])


@pytest.mark.parametrize("ack", [(2, "other id"), (9, "unknown"), (0, "")])
def test_other_acknowledgements_are_old(met: LinkBench, ack: Position) -> None:
    ids = met.put(3)
    met.sent()
    met.receive(ack=(1, ids[0]))
    met.receive(ack=ack)
    assert met.link.acked == (1, ids[0])
    assert len(met.outbox()) == 2
    assert not met.was_reset
    assert met.link.question is None


def test_answer_that_matches_sends_the_rest_again(met: LinkBench) -> None:
    ids = met.put(3)
    met.sent()
    met.link.ask(met.now)
    met.answer((1, ids[0]))
    assert met.link.question is None
    assert seqs(met.sent()) == [(2, 2)]


def test_answer_that_does_not_match_resets(met: LinkBench) -> None:
    met.put(3)
    met.sent()
    met.link.ask(met.now)
    met.answer((7, "of the peer"))
    assert met.was_reset
    assert met.link.acked == (7, "of the peer")
    assert [(row.seq, type(decode_message(row.body))) for row in met.outbox()] == [(8, LinkReset)]
    assert [(frame.first, frame.prev) for frame in met.sent()] == [(8, "of the peer")]


def test_answer_of_a_peer_that_lost_its_database_resets(met: LinkBench) -> None:
    ids = met.put(2)
    met.sent()
    met.receive(ack=(2, ids[1]))
    met.link.ask(met.now)
    met.answer((0, ""))
    assert met.was_reset
    assert [(frame.first, frame.prev) for frame in met.sent()] == [(1, "")]


def test_acknowledgement_does_nothing_while_a_question_is_open(met: LinkBench) -> None:
    ids = met.put(2)
    met.sent()
    met.link.ask(met.now)
    met.receive(ack=(1, ids[0]))
    assert met.link.acked == (0, "")
    assert len(met.outbox()) == 2
    met.receive(ack=(9, "unknown"), ask="q")
    assert not met.was_reset


def test_messages_and_questions_count_while_a_question_is_open(met: LinkBench) -> None:
    met.link.ask(met.now)
    met.hello()
    assert met.receive_messages(1, "", ["x1"]) == ["x1"]
    met.receive(ask="q")
    assert [frame.answer for frame in met.sent()] == ["q"]


def test_acknowledgement_of_a_frame_that_makes_us_ask_does_nothing(met: LinkBench) -> None:
    ids = met.put()
    met.sent()
    met.receive(boot="another", ack=(1, ids[0]))
    assert met.link.acked == (0, "")


def test_hello_that_matches_sends_the_rest_again(met: LinkBench) -> None:
    ids = met.put(3)
    met.sent()
    met.receive(ack=(1, ids[0]), ask="q")
    assert met.link.acked == (1, ids[0])
    assert met.link.question is None
    assert seqs(met.sent()) == [(2, 2)]


def test_hello_that_does_not_match_makes_us_ask_and_never_resets(met: LinkBench) -> None:
    met.put()
    met.sent()
    met.wait(1)
    met.receive(ack=(9, "unknown"), ask="q")
    assert not met.was_reset
    assert len(met.outbox()) == 1
    assert [bool(frame.ask) for frame in met.sent()] == [True, False]


# 4. Questions of the peer


def test_every_question_is_answered(met: LinkBench) -> None:
    met.receive(ask="q1")
    met.receive_messages(1, "", ["x1"])
    met.receive(ask="q2")
    assert [(frame.answer, frame.ack) for frame in met.sent()] == [("q1", (1, "x1")), ("q2", (1, "x1"))]
    assert met.sent() == []


# Asking


def test_ask_opens_one_question_only(met: LinkBench) -> None:
    met.link.ask(met.now)
    question = met.hello()
    met.wait(1)
    met.link.ask(met.now)
    assert met.link.question == question
    assert met.sent() == []


def test_five_seconds_without_progress_ask_and_resend_nothing(met: LinkBench) -> None:
    ids = met.put(2)
    met.sent()
    met.wait(3)
    met.receive(ack=(1, ids[0]))
    met.wait(4.9)
    assert met.sent() == []
    assert met.link.next_due() == pytest.approx(met.now + 0.1)
    met.wait(0.2)
    assert seqs(met.sent()) == []
    assert met.link.question
    met.wait(1000)
    assert [(bool(frame.ask), frame.messages) for frame in met.sent()] == [(True, ())]


def test_nobody_is_asked_where_no_rows_wait(met: LinkBench) -> None:
    ids = met.put()
    met.sent()
    met.receive(ack=(1, ids[0]))
    met.wait(1000)
    assert met.sent() == []
    assert met.link.next_due() == inf


def test_progress_begins_with_the_first_row(met: LinkBench) -> None:
    met.wait(1000)
    met.put()
    assert seqs(met.sent()) == [(1, 1)]
    assert met.link.question is None
    assert met.link.next_due() == met.now + 5


@pytest.mark.parametrize(("jitter", "factor"), [(0.0, 0.75), (0.5, 1.0), (0.999999, 1.25)])
def test_question_is_repeated_after_5_s_doubling_to_5_min_with_jitter(
    met: LinkBench, jitter: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(met.chance, "random", lambda: jitter)
    met.link.ask(met.now)
    question = met.hello()
    for pause_s in (5, 10, 20, 40, 80, 160, 300, 300):
        assert met.link.next_due() - met.now == pytest.approx(pause_s * factor, rel=1e-4)
        met.now = met.link.next_due()
        assert met.hello() == question


def test_question_is_repeated_within_5_s_of_the_peer_being_heard(met: LinkBench) -> None:
    met.link.ask(met.now)
    question = met.hello()
    for _ in range(8):
        met.now = met.link.next_due()
        met.hello()
    met.receive()
    assert met.link.next_due() == met.now + 5
    met.wait(5)
    assert met.hello() == question


def test_an_open_question_is_repeated_at_once_to_a_peer_that_asks(met: LinkBench) -> None:
    met.link.ask(met.now)
    asked = met.hello()
    met.wait(2)
    met.receive(ask="nonce001")
    assert [(frame.ask, frame.answer) for frame in met.sent()] == [(asked, None), (None, "nonce001")]


def test_being_heard_never_puts_a_repeat_off(met: LinkBench) -> None:
    met.link.ask(met.now)
    met.hello()
    due = met.link.next_due()
    for _ in range(4):
        met.wait(1)
        met.receive()
        assert met.link.next_due() == due


def test_at_most_one_hello_a_second_and_a_later_one_waits(met: LinkBench) -> None:
    met.link.ask(met.now)
    met.hello()
    met.wait(0.4)
    met.receive(boot="another")
    assert met.sent() == []
    assert met.link.next_due() == pytest.approx(met.now + 0.6)
    met.now = met.link.next_due()
    assert met.hello() == met.link.question


def test_answered_question_is_not_repeated(met: LinkBench) -> None:
    met.link.ask(met.now)
    met.hello()
    met.link.came_online()
    met.answer((0, ""))
    met.wait(1000)
    assert met.sent() == []


def test_question_is_open_since_it_was_first_asked(met: LinkBench) -> None:
    assert met.link.asked_at == inf
    met.link.ask(met.now)
    asked_at = met.now
    met.wait(3)
    met.receive(boot="another")
    assert met.link.asked_at == asked_at
    met.answer((0, ""))
    assert met.link.asked_at == inf
