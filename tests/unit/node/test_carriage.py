"""What the broker does not carry is done without, and said: log, /readyz, `why`."""

import logging

import msgspec
import pytest

from caroni_edge.delivery.passage import NARROW_FOR_S, SURELY_PASSES_BYTES
from caroni_edge.node.carriage import LOOK_EVERY_S, UNANSWERED_AFTER_S
from caroni_edge.node.connection import LEFT_OUT_FOR_S
from caroni_edge.node.cutoffs import Publication
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Frame, JobFulfillmentRequest, JobKill, Presence
from tests.unit.node.bench import TOPICS, NodeBench

EVENT = msgspec.json.encode({"id": "e1", "data": {"workflow": "w1", "outputs": {"x": "y" * 50}}})


@pytest.fixture
def bench() -> NodeBench:
    found = NodeBench()
    found.connect()
    found.puback()
    return found


def blame(bench: NodeBench, publication: Publication) -> None:
    """Let the node be sure for what the broker cuts it off."""
    bench.node.connection.blamed = publication
    bench.receive(b"", topic="caroni/presence/agents/a9", qos=0)


def online(bench: NodeBench) -> None:
    bench.receive(encode(Presence(online=True, boot="boot-a1")), topic=TOPICS.presence_of("a1"), qos=0, retain=True)


def test_an_agent_that_is_online_and_answers_nothing_is_named(
    bench: NodeBench, caplog: pytest.LogCaptureFixture
) -> None:
    assert bench.node.why_not_ready() is None
    bench.node.links.begin(bench.now)
    bench.node.links.put("a1", JobKill(job="j1234567", reason="r"))
    online(bench)
    bench.advance(UNANSWERED_AFTER_S + 2 * LOOK_EVERY_S)
    reason = bench.node.why_not_ready() or ""
    assert "no answer from a1, though online" in reason
    assert "caroni/agents/a1/inbox/managers/m1" in reason
    assert [record.levelno for record in caplog.records if vars(record).get("action") == "unanswered"] == [
        logging.ERROR
    ]
    bench.receive(encode(Presence(online=False, boot="boot-a1")), topic=TOPICS.presence_of("a1"), qos=0)
    bench.advance(2 * LOOK_EVERY_S)
    assert bench.node.why_not_ready() is None


def test_an_event_is_said_without_its_outputs_and_then_not_at_all(
    bench: NodeBench, caplog: pytest.LogCaptureFixture
) -> None:
    with bench.database.immediate():
        bench.node.events.put("t/events", EVENT)
    [seq] = [row[0] for row in bench.database.conn.execute("SELECT seq FROM events")]
    blame(bench, Publication("t/events", seq, len(EVENT), is_event=True))
    [body] = [row[0] for row in bench.database.conn.execute("SELECT body FROM events")]
    assert msgspec.json.decode(body) == {"id": "e1", "data": {"workflow": "w1", "outputs_left_out": True}}
    with bench.database.immediate():
        bench.node.events.put("t/events", EVENT)
    assert [row[0] for row in bench.database.conn.execute("SELECT body FROM events")] == [body, body]
    blame(bench, Publication("t/events", seq, len(body), is_event=True))
    assert [record.getMessage()[:32] for record in caplog.records][:2] == ["the broker cuts us off for this;"] * 2
    bench.node.connection.pump()
    bench.receive(b"", topic="caroni/presence/agents/a9", qos=0)
    assert bench.value("SELECT count(*) FROM events") == 0
    assert caplog.records[-1].getMessage().startswith("an event is dropped: the broker cuts us off")
    assert bench.node.why_not_ready() is None


@pytest.mark.parametrize("size_bytes", [50, 50_000])
def test_a_topic_that_may_not_be_written_to_is_left_out_for_a_while(bench: NodeBench, size_bytes: int) -> None:
    topic = TOPICS.request("upper")
    blame(bench, Publication(topic, 0, size_bytes))
    assert topic in (bench.node.why_not_ready() or "")
    bench.node.connection.say({topic: JobFulfillmentRequest(serial=1)})
    bench.node.connection.pump()
    assert bench.transport.take_all(JobFulfillmentRequest) == []
    bench.advance(LEFT_OUT_FOR_S - 1)
    assert bench.transport.take_all(JobFulfillmentRequest) == []
    bench.advance(2)
    assert bench.transport.take(JobFulfillmentRequest).serial == 1, "what was said meanwhile is said then"
    assert bench.node.why_not_ready() is None


@pytest.mark.parametrize(("size_bytes", "is_topic"), [(SURELY_PASSES_BYTES, True), (SURELY_PASSES_BYTES + 1, False)])
def test_a_small_frame_is_blamed_on_its_topic(bench: NodeBench, size_bytes: int, is_topic: bool) -> None:
    frame = Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), first=1, prev="", messages=(msgspec.Raw(b"{}"),))
    blame(bench, Publication(TOPICS.inbox_of("a1"), 1, size_bytes, frame=frame))
    assert (TOPICS.inbox_of("a1") in (bench.node.why_not_ready() or "")) == is_topic


def test_our_own_presence_is_never_left_out(bench: NodeBench) -> None:
    blame(bench, Publication(TOPICS.presence, 0, 50))
    assert bench.node.why_not_ready() is None


def test_a_message_that_is_too_large_is_told_to_who_said_it(bench: NodeBench) -> None:
    large = JobKill(job="j1234567", reason="x" * 30_000)
    with bench.database.immediate():
        bench.node.links.begin(bench.now)
        bench.node.links.put("a1", large)
    [seq] = [row[0] for row in bench.database.conn.execute("SELECT seq FROM outbox")]
    bench.run()
    frame = Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), first=seq, prev="", messages=(msgspec.Raw(b"{}"),))
    blame(bench, Publication(TOPICS.inbox_of("a1"), seq, 30_300, frame=frame))
    [(peer, message, reason)] = bench.reactor.undeliverable
    assert (peer, message) == ("a1", large)
    assert "the broker drops messages larger than 30" in reason
    assert reason.endswith("max_message_size)")
    assert (bench.node.why_not_ready() or "").startswith("the broker drops messages larger than 30")
    with bench.database.immediate():
        bench.node.links.put("a1", large)
    assert bench.value("SELECT count(*) FROM outbox") == 1  # LinkReset alone
    bench.now += NARROW_FOR_S
    bench.receive(b"", topic="caroni/presence/agents/a9", qos=0)
    assert len(bench.reactor.undeliverable) == 2
    assert not (bench.node.why_not_ready() or "").startswith("the broker drops")


@pytest.mark.parametrize("was_cut_off", [False, True])
def test_only_another_broker_may_let_pass_what_this_one_does_not(bench: NodeBench, was_cut_off: bool) -> None:
    with bench.database.immediate():
        bench.node.links.begin(bench.now)
        bench.node.events.put("t/events", EVENT)
    [seq] = [row[0] for row in bench.database.conn.execute("SELECT seq FROM events")]
    blame(bench, Publication("t/events", seq, len(EVENT), is_event=True))
    bench.transport.puback()
    bench.run()
    with bench.database.immediate():
        bench.node.links._learn(5000)
    bench.advance(60.0)
    bench.run()
    if was_cut_off:
        bench.node.connection.say({TOPICS.request("upper"): JobFulfillmentRequest(serial=1)})
        bench.node.connection.pump()
    bench.transport.lose()
    bench.run()
    assert (bench.node.links.drops_over_bytes == 5000) == was_cut_off
    with bench.database.immediate():
        bench.node.events.put("t/events", EVENT)
    [body] = [row[0] for row in bench.database.conn.execute("SELECT body FROM events")]
    assert (b"outputs_left_out" in body) == was_cut_off
