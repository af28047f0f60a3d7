"""What is found out of the size that a broker lets pass."""

import pytest

from caroni_edge.delivery.link import STUCK_AFTER_S
from caroni_edge.delivery.passage import NARROW_FOR_S, STRIKES, SURELY_PASSES_BYTES, Passage
from caroni_edge.protocol.messages import JobKill
from caroni_edge.storage.database import memory_database
from tests.unit.delivery.bench import JOB, LinkBench, seqs

LARGE = JobKill(job=JOB, reason="x" * 5000)


@pytest.fixture
def passage() -> Passage:
    return Passage(memory_database("agents").journal)


@pytest.fixture
def met() -> LinkBench:
    bench = LinkBench()
    bench.meet()
    return bench


def fail_to_pass(bench: LinkBench) -> None:
    """Let the peer answer once more after a while, without having taken anything."""
    bench.sent()
    bench.wait(STUCK_AFTER_S)
    bench.sent()
    bench.answer(bench.link.acked)


def test_progress_begins_the_count_of_strikes_anew(passage: Passage) -> None:
    for _ in range(2):
        assert [passage.strike() for _ in range(STRIKES - 1)] == [False] * (STRIKES - 1)
        assert passage.in_doubt
        passage.progressed(0.0)
        assert not passage.in_doubt
    for _ in range(2):
        assert [passage.strike() for _ in range(STRIKES)] == [False] * (STRIKES - 1) + [True]


def test_what_did_not_pass_is_known_once_less_has_passed(passage: Passage) -> None:
    passage.narrow(1000, 500, 10.0)
    assert passage.limit_bytes(9999, 10.0) == 500
    passage.progressed(11.0)
    assert passage.dropped_bytes == 1000
    passage.dropped_bytes = 0
    passage.progressed(12.0)
    assert passage.dropped_bytes == 0, "it is told once"


def test_after_a_while_larger_frames_are_tried_again(passage: Passage) -> None:
    passage.narrow(1000, 500, 10.0)
    assert passage.is_narrow(10.0 + NARROW_FOR_S - 1)
    assert not passage.is_narrow(10.0 + NARROW_FOR_S)
    assert passage.limit_bytes(9999, 10.0 + NARROW_FOR_S) == 9999
    passage.progressed(10.0 + NARROW_FOR_S)
    assert passage.dropped_bytes == 0, "what has passed now need not be smaller"


def test_another_broker_may_let_anything_pass(passage: Passage) -> None:
    passage.narrow(1000, 500, 10.0)
    assert not passage.strike()
    passage.widen()
    passage.progressed(11.0)
    assert (passage.is_narrow(11.0), passage.limit_bytes(9999, 11.0), passage.dropped_bytes) == (False, 9999, 0)
    assert [passage.strike() for _ in range(STRIKES)] == [False] * (STRIKES - 1) + [True]


def test_answers_without_progress_make_frames_smaller_and_then_leave_out_the_message(met: LinkBench) -> None:
    met.put(2, LARGE)
    for _ in range(STRIKES):
        assert not met.link.passage.is_narrow(met.now)
        fail_to_pass(met)
    assert met.link.passage.is_narrow(met.now)
    assert seqs(met.sent()) == [(1, 1)], "one message, and one frame at a time while nothing has passed"
    for _ in range(STRIKES):
        assert met.link.too_large is None
        fail_to_pass(met)
    assert met.link.too_large == met.outbox()[0].body
    met.link.begin_anew(met.now)
    assert met.link.too_large is None
    assert [b"LinkReset" in row.body for row in met.outbox()] == [True]


def test_an_answer_soon_after_a_frame_was_sent_shows_nothing(met: LinkBench) -> None:
    met.put(1, LARGE)
    met.sent()
    met.wait(STUCK_AFTER_S - 0.1)
    met.link.ask(met.now)
    met.answer(met.link.acked)
    assert not met.link.passage.in_doubt
    met.wait(0.1)
    met.link.ask(met.now)
    met.answer(met.link.acked)
    assert met.link.passage.in_doubt


def test_after_progress_or_a_reset_it_begins_anew_how_long_nothing_has_passed(met: LinkBench) -> None:
    met.put(2, LARGE)
    met.sent()
    met.wait(STUCK_AFTER_S)
    met.receive(ack=(1, met.outbox()[0].id))
    met.link.ask(met.now)
    met.answer(met.link.acked)
    assert not met.link.passage.in_doubt
    met.sent()
    met.wait(STUCK_AFTER_S)
    met.link.ask(met.now)
    met.answer((7, "another"))
    assert met.was_reset
    met.link.ask(met.now)
    met.answer(met.link.acked)
    assert not met.link.passage.in_doubt


def test_a_cut_off_for_a_frame_that_is_gone_means_nothing(met: LinkBench) -> None:
    met.put(3, LARGE)
    met.receive(ack=(1, met.outbox()[0].id))
    met.link.cut_off(1, 1, met.now)
    assert (met.link.too_large, met.link.passage.is_narrow(met.now)) == (None, False)
    met.link.cut_off(2, 2, met.now)
    size_bytes = sum(len(row.body) for row in met.outbox())
    assert met.link.passage.limit_bytes(1 << 20, met.now) == size_bytes // 2
    met.link.cut_off(2, 1, met.now)
    assert met.link.too_large == met.outbox()[0].body


def test_a_small_message_is_never_the_reason(met: LinkBench) -> None:
    met.put()
    overhead = len(met.outbox()[0].body)
    met.put(1, JobKill(job=JOB, reason="x" * (SURELY_PASSES_BYTES - overhead)))
    small = met.outbox()[1]
    assert len(small.body) == SURELY_PASSES_BYTES
    met.link.cut_off(2, 1, met.now)
    assert met.link.too_large is None
