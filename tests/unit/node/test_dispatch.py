"""What arrives goes to the handler that it is for; what cannot be handled is said, kept, and stops nothing."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.node.calls import Call
from caroni_edge.node.dispatch import FailedAgain, UnknownLetter
from caroni_edge.node.store import DeadLetter, DeadLetterRows
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Frame, JobAccepted, JobDecline, JobOffer, MessageRejected, Presence
from caroni_edge.transport.base import Arrived
from tests.unit.node.bench import INBOX, TOPICS, NodeBench

OFFER = JobOffer(offer="offer0001", job_type="upper", serial=1)
ACCEPTED = JobAccepted(jobs=("job000001",))
DECLINE = JobDecline(job="job000002", reason="no")


@pytest.fixture
def bench() -> NodeBench:
    bench = NodeBench()
    bench.connect()
    bench.notes()
    return bench


def fail(_message: object) -> None:
    raise ValueError("no such luck")


# Handlers that fail


def test_a_handler_that_raises_is_rolled_back_alone(bench: NodeBench) -> None:
    bench.reactor.on[JobAccepted] = fail
    bench.send(OFFER, ACCEPTED, DECLINE)
    assert bench.notes() == ["a1 JobOffer", "a1 JobDecline"]
    rejected = bench.transport.take(MessageRejected, to="a1")
    assert (rejected.id, rejected.message_type) == ("a1-boot-a1-2", "JobAccepted")
    assert (rejected.jobs, rejected.reason) == (("job000001",), "no such luck")
    assert bench.reactor.rejected == [("a1", "JobAccepted", ("job000001",), "no such luck")]
    assert len(bench.transport.acknowledged) == 1
    bench.send(OFFER)
    assert bench.notes() == ["a1 JobOffer"], "the rejected one counts as taken"


def savepoints(bench: NodeBench, do: Callable[[], None]) -> int:
    """Count the savepoints of what is done."""
    said: list[str] = []
    bench.database.conn.set_trace_callback(said.append)
    do()
    bench.database.conn.set_trace_callback(None)
    return sum(statement.startswith("SAVEPOINT") for statement in said)


def test_messages_that_come_together_share_a_savepoint(bench: NodeBench) -> None:
    many = savepoints(bench, lambda: bench.send(OFFER, ACCEPTED, DECLINE))
    assert many == savepoints(bench, lambda: bench.send(OFFER))
    assert bench.notes() == ["a1 JobOffer", "a1 JobAccepted", "a1 JobDecline", "a1 JobOffer"]


def test_triggers_that_come_together_share_a_savepoint(bench: NodeBench) -> None:
    many = savepoints(bench, lambda: bench.receive(b"1", b"2", b"3", topic=TOPICS.triggers))
    assert many == savepoints(bench, lambda: bench.receive(b"4", topic=TOPICS.triggers))
    assert bench.notes() == [f"trigger b'{number}'" for number in range(1, 5)]


def test_a_trigger_that_raises_is_rolled_back_alone(bench: NodeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    take = bench.reactor.on_trigger

    def take_all_but_one(event: Arrived, at: Moment) -> None:
        take(event, at)
        if event.payload == b"2":
            raise ValueError("no such luck")

    monkeypatch.setattr(bench.reactor, "on_trigger", take_all_but_one)
    bench.receive(b"1", b"2", b"3", topic=TOPICS.triggers)
    assert bench.notes() == ["trigger b'1'", "trigger b'3'"]
    assert [letter.body for letter in letters(bench)] == [b"2"]
    assert len(bench.transport.acknowledged) == 3


def test_what_was_rejected_is_kept_with_its_traceback(bench: NodeBench) -> None:
    bench.reactor.on[JobAccepted] = fail
    bench.send(ACCEPTED)
    ((peer, kind, body, text),) = bench.database.conn.execute(
        "SELECT peer, message, body, traceback FROM dead_letters"
    ).fetchall()
    assert (peer, kind) == ("a1", "JobAccepted")
    assert b"job000001" in body
    assert "ValueError: no such luck" in text


@pytest.mark.parametrize(
    ("message", "kind", "jobs"),
    [
        (b'{"type":"FromTheFuture","job":"job000005"}', "FromTheFuture", ("job000005",)),
        (
            b'{"type":"JobStatusUpdate","job":"job000005","serial":-1,"status":"running"}',
            "JobStatusUpdate",
            ("job000005",),
        ),
        (b'{"type":"JobAccepted","jobs":["job000005","NO","job000006"]}', "JobAccepted", ("job000005", "job000006")),
        (b'{"type":"JobAccepted","jobs":7}', "JobAccepted", ()),
    ],
)
def test_what_cannot_be_read_is_rejected(bench: NodeBench, message: bytes, kind: str, jobs: tuple[str, ...]) -> None:
    bench.send(message, DECLINE)
    rejected = bench.transport.take(MessageRejected)
    assert (rejected.message_type, rejected.jobs) == (kind, jobs)
    assert bench.notes() == ["a1 JobDecline"]


def call(bench: NodeBench, work: Callable[[Moment], Any]) -> Any:
    """Run a command in the next batch; return its result or its error."""
    command = Call(work)
    bench.inbox.append(command)
    bench.run()
    return command.done.exception() or command.done.result()


def letters(bench: NodeBench) -> list[DeadLetter]:
    return DeadLetterRows(bench.database.conn).page(10, None).rows


def test_a_dead_letter_that_is_retried_is_handled_as_if_it_had_come_now(bench: NodeBench) -> None:
    bench.reactor.on[JobAccepted] = fail
    bench.send(ACCEPTED)
    (letter,) = letters(bench)
    assert (letter.peer, letter.kind) == ("a1", "JobAccepted")
    said = call(bench, lambda at: bench.node.dispatch.retry(letter.id, at))
    assert isinstance(said, FailedAgain)
    assert "no such luck" in str(said)
    assert letters(bench) == [letter], "what fails again stays"
    assert bench.notes() == []
    bench.reactor.on.clear()
    assert call(bench, lambda at: bench.node.dispatch.retry(letter.id, at)) is None
    assert (bench.notes(), letters(bench)) == (["a1 JobAccepted"], [])
    assert isinstance(call(bench, lambda at: bench.node.dispatch.retry(letter.id, at)), UnknownLetter)


def test_a_trigger_that_could_not_be_handled_is_retried_by_its_topic(
    bench: NodeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(bench.reactor, "on_trigger", fail_with_time)
        bench.receive(b"{}", topic=TOPICS.triggers)
    (letter,) = letters(bench)
    assert (letter.peer, letter.kind, letter.body) == (TOPICS.triggers, "", b"{}")
    assert call(bench, lambda at: bench.node.dispatch.retry(letter.id, at)) is None
    assert (bench.notes(), letters(bench)) == (["trigger b'{}'"], [])


def fail_with_time(_event: object, _at: Moment) -> None:
    raise ValueError("no such luck")


def test_a_dead_letter_is_dropped_once(bench: NodeBench) -> None:
    bench.reactor.on[JobAccepted] = fail
    bench.send(ACCEPTED)
    (letter,) = letters(bench)
    assert call(bench, lambda _at: bench.node.dispatch.drop(letter.id)) is None
    assert letters(bench) == []
    assert isinstance(call(bench, lambda _at: bench.node.dispatch.drop(letter.id)), UnknownLetter)


def test_a_rejection_is_never_rejected(bench: NodeBench) -> None:
    bench.reactor.on[MessageRejected] = fail
    bench.send(MessageRejected(id="x", reason="r"))
    bench.transport.assert_nothing_else_sent(Frame, Presence)
    assert bench.reactor.rejected == []
    assert bench.value("SELECT count(*) FROM dead_letters") == 1


def test_a_rejection_that_cannot_be_handled_loses_no_message_behind_it(bench: NodeBench) -> None:
    bench.reactor.on[JobAccepted] = fail
    bench.reactor.at_rejected = lambda: fail(None)
    bench.send(ACCEPTED, DECLINE)
    assert bench.notes() == ["a1 JobDecline"]
    assert bench.value("SELECT reconcile FROM peers WHERE peer = 'a1'") == 1
    assert bench.transport.take(MessageRejected)


def test_a_reason_that_no_message_can_hold_is_made_one(bench: NodeBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "caroni_edge.node.dispatch")  # pytest's workers cannot pass such a text on

    def odd(_message: object) -> None:
        raise ValueError("half a pair: \ud800")

    bench.reactor.on[JobAccepted] = odd
    bench.send(ACCEPTED)
    assert bench.transport.take(MessageRejected).reason == "half a pair: ?"


def test_dead_letters_are_bounded(bench: NodeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caroni_edge.node.dispatch.DEAD_LETTERS_KEPT", 3)
    for number in range(5):
        bench.send(b'{"type":"Nonsense%d"}' % number)
    kept = bench.database.conn.execute("SELECT message FROM dead_letters ORDER BY id").fetchall()
    assert kept == [("Nonsense2",), ("Nonsense3",), ("Nonsense4",)]


# Garbage

TOPICS_AND_GARBAGE = [
    (topic, payload)
    for topic in (INBOX, "caroni/presence/agents/a1", "caroni/presence/managers/m1", "caroni/nonsense", "x", "")
    for payload in (b"", b"garbage", b"\xff", b"{}", b"[" * 50_000, b"x" * (1 << 20), b'{"v":1}', b"null")
]


@pytest.mark.parametrize(("topic", "payload"), TOPICS_AND_GARBAGE, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize("retain", [True, False])
def test_garbage_changes_nothing_and_ends_nothing(bench: NodeBench, topic: str, payload: bytes, retain: bool) -> None:
    bench.reactor.on_presence = lambda *_: None  # type: ignore[method-assign]
    before = list(bench.database.conn.iterdump())
    bench.receive(payload, topic=topic, retain=retain)
    assert list(bench.database.conn.iterdump()) == before
    assert len(bench.transport.acknowledged) == 1
    bench.send(OFFER)
    assert bench.notes() == ["a1 JobOffer"]


@pytest.mark.parametrize("facts", [{"from_": "a2"}, {"to": "m2"}])
def test_a_frame_of_or_for_another_is_refused(bench: NodeBench, facts: dict[str, Any]) -> None:
    bench.receive(bench.peer.frame(OFFER, **facts))
    assert bench.notes() == []
    assert bench.value("SELECT count(*) FROM peers") == 0


def test_a_retained_frame_is_ignored(bench: NodeBench) -> None:
    bench.receive(bench.peer.frame(OFFER), retain=True)
    assert bench.notes() == []


def test_a_frame_of_another_version_changes_nothing_and_is_said_once_for_each_boot(
    bench: NodeBench, caplog: pytest.LogCaptureFixture
) -> None:
    before = list(bench.database.conn.iterdump())
    for boot in ("b1", "b1", "b2"):
        bench.receive(b'{"v":2,"from":"a1","boot":"%s","anything":[]}' % boot.encode())
    assert list(bench.database.conn.iterdump()) == before
    said = [record for record in caplog.records if getattr(record, "action", "") == "other_version"]
    assert len(said) == 2
    assert "speaks version 2" in said[0].getMessage()
    assert bench.node.dispatch.other_versions["a1"][0] == "b2"
    bench.send(OFFER)
    assert bench.node.dispatch.other_versions == {}


def test_the_presence_of_our_own_role_is_ignored(bench: NodeBench) -> None:
    bench.receive(encode(Presence(online=True, boot="b")), topic="caroni/presence/managers/a1", qos=0)
    assert bench.notes() == []


@pytest.mark.parametrize("payload", [b"garbage", b"[]", b'{"online":true}', b"\xff", b"[" * 50_000])
@pytest.mark.parametrize("role", ["agents", "managers"])
def test_garbage_is_no_presence(bench: NodeBench, role: str, payload: bytes) -> None:
    bench.receive(payload, topic=f"caroni/presence/{role}/a1", qos=0)
    assert bench.notes() == []


def test_a_presence_that_is_away_or_cleared_is_told(bench: NodeBench) -> None:
    bench.receive(encode(Presence(online=False, boot="b")), topic="caroni/presence/agents/a1", qos=0)
    bench.receive(b"", topic="caroni/presence/agents/a1", qos=0)
    assert bench.notes() == ["a1 is away", "a1 is unknown"]


def test_a_presence_reaches_link_and_reactor(bench: NodeBench) -> None:
    bench.send(OFFER)
    bench.transport.take_all(Frame)
    bench.receive(encode(Presence(online=True, boot="another")), topic="caroni/presence/agents/a1", qos=0)
    assert bench.notes()[-1] == "a1 is there"
    bench.advance(1)
    assert bench.transport.take(Frame, where=lambda frame: frame.ask is not None)
