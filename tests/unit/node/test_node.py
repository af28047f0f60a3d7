"""The node's loop: a batch is one transaction; only then it acknowledges, publishes and acts."""

import pytest

from caroni_edge.base.moment import Moment
from caroni_edge.delivery.outbox import OutboxRows
from caroni_edge.node.calls import Call
from caroni_edge.node.reactor import UnknownPeer
from caroni_edge.protocol.codec import decode_frame, encode
from caroni_edge.protocol.messages import (
    Frame,
    JobAccepted,
    JobDecline,
    JobKill,
    JobOffer,
    LinkReset,
    Presence,
)
from caroni_edge.transport.base import IN_FLIGHT_MAX, Published, SubscriptionRefused
from tests.unit.node.bench import FORGET_AFTER_S, INBOX, TOPICS, NodeBench

OFFER = JobOffer(offer="offer0001", job_type="upper", serial=1)
ACCEPTED = JobAccepted(jobs=("job000001",))
DECLINE = JobDecline(job="job000002", reason="no")


@pytest.fixture
def bench() -> NodeBench:
    bench = NodeBench()
    bench.connect()
    bench.notes()
    return bench


# A batch


def test_a_batch_is_one_transaction(bench: NodeBench) -> None:
    done: list[str] = []
    bench.database.conn.set_trace_callback(done.append)
    bench.transport.receive(INBOX, bench.peer.frame(OFFER, ACCEPTED))
    bench.transport.receive(INBOX, bench.peer.frame(DECLINE))
    bench.transport.receive(TOPICS.triggers, b"t")
    bench.run()
    assert [line for line in done if line in {"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"}] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert bench.notes() == ["a1 JobOffer", "a1 JobAccepted", "a1 JobDecline", "trigger b't'"]


def test_what_came_is_acknowledged_after_the_commit_and_not_before(bench: NodeBench) -> None:
    """`WatchedTransport` fails if a transaction is open."""
    bench.receive(bench.peer.frame(OFFER), bench.peer.frame(DECLINE))
    bench.receive(b"t", topic=TOPICS.triggers, qos=0)
    assert [message.packet_id for message in bench.transport.acknowledged] == [1, 2]
    assert bench.reactor.said[-1] == "committed"


def test_what_a_batch_puts_leaves_with_it(bench: NodeBench) -> None:
    bench.reactor.on[JobOffer] = lambda _: bench.node.links.put("a1", JobKill(job="job000009", reason="r"))
    bench.send(OFFER)
    assert bench.transport.take(JobKill, to="a1").job == "job000009"


def test_nothing_happens_while_there_is_nothing_to_do(bench: NodeBench) -> None:
    done: list[str] = []
    bench.database.conn.set_trace_callback(done.append)
    bench.run()
    assert not [line for line in done if not line.startswith("SELECT")]


def test_a_reactor_is_asked_when_it_is_due(bench: NodeBench) -> None:
    times: list[float] = []

    def settle(at: Moment) -> None:
        times.append(at.now)
        bench.reactor.due = at.now + 5

    bench.reactor.at_settle = settle
    bench.reactor.due = bench.now + 5
    bench.advance(15)
    assert times == [1005.0, 1010.0, 1015.0]


def test_nothing_is_decided_on_what_concerns_the_link_alone(bench: NodeBench) -> None:
    times: list[float] = []
    bench.reactor.at_settle = lambda at: times.append(at.now)
    bench.send(OFFER)
    assert len(times) == 1
    bench.receive(bench.peer.frame(), bench.peer.frame(ask="nonce0001"))
    assert len(times) == 1
    bench.node.run_batch([Call(lambda _at: None)], bench.at)
    assert len(times) == 2
    bench.receive(bench.peer.frame(LinkReset()))
    assert len(times) == 3


def test_a_link_that_begins_anew_without_a_message_is_decided_on(bench: NodeBench) -> None:
    times: list[float] = []
    bench.reactor.at_settle = lambda at: times.append(at.now)
    bench.node.run_batch([Call(lambda _at: bench.node.links.ask(["a1"]))], bench.at)
    times.clear()
    (question,) = bench.transport.take_all(Frame)
    bench.receive(bench.peer.frame(answer=question.ask, ack=(7, "another history")))
    assert bench.value("SELECT reconcile FROM peers WHERE peer = 'a1'") == 1
    assert len(times) == 1


# Deciding and commanding


def test_a_link_that_begins_anew_while_it_is_decided_is_decided_on_again(bench: NodeBench) -> None:
    times: list[float] = []

    def settle(at: Moment) -> None:
        times.append(at.now)
        if len(times) == 1:
            bench.node.links.was_reset("a1")

    bench.reactor.at_settle = settle
    bench.node.run_batch([Call(lambda _at: None)], bench.at)
    assert len(times) == 1
    bench.node.run_batch([], bench.at)
    assert len(times) == 2


def test_deciding_that_raises_is_rolled_back_alone_and_tried_again(bench: NodeBench) -> None:
    def broken(_at: object) -> None:
        bench.reactor.note("half done")
        raise ValueError("cannot decide")

    bench.reactor.at_settle = broken
    bench.send(OFFER)
    assert bench.notes() == ["a1 JobOffer"]
    assert len(bench.transport.acknowledged) == 1
    bench.reactor.at_settle = lambda at: bench.reactor.note(f"decided at {at.now}")
    bench.send(DECLINE)
    assert bench.notes() == ["a1 JobDecline"], "not before its time"

    def settle(at: Moment) -> None:
        bench.reactor.note("decided")
        bench.reactor.due = at.now + 99

    bench.reactor.at_settle = settle
    bench.advance(5)
    assert bench.notes() == ["decided"]


# Commands


def test_a_command_gets_its_result_after_the_commit(bench: NodeBench) -> None:
    seen: list[bool] = []

    def work(at: Moment) -> float:
        bench.reactor.note("done")
        return at.now

    call = Call(work)
    call.done.add_done_callback(lambda _: seen.append(bench.database.conn.in_transaction))
    bench.inbox.append(call)
    bench.run()
    assert (call.done.result(0), seen) == (bench.now, [False])
    assert bench.notes() == ["done"]


def test_a_command_that_raises_is_rolled_back_alone(bench: NodeBench) -> None:
    def bad(_at: object) -> None:
        bench.reactor.note("half done")
        raise LookupError("there is no such thing")

    good, worse = Call(lambda _at: bench.reactor.note("done")), Call(bad)
    bench.inbox += [worse, good]
    bench.run()
    assert isinstance(worse.done.exception(0), LookupError)
    assert good.done.exception(0) is None
    assert bench.notes() == ["done"]


# The link


def test_a_reset_marks_the_peer_in_the_same_transaction(bench: NodeBench) -> None:
    bench.send(LinkReset(), OFFER)
    assert bench.value("SELECT reconcile FROM peers WHERE peer = 'a1'") == 1
    assert bench.notes() == ["a1 JobOffer"]


def test_peers_with_open_business_are_asked_at_the_start_and_every_so_often() -> None:
    bench = NodeBench()
    bench.reactor.peers = ["a1", "a2"]
    bench.connect()
    bench.advance(599)
    assert not bench.transport.take_all(Frame)
    assert bench.node.silent_for("a1", bench.now) == 0.0
    bench.advance(1)
    asked = bench.transport.take_all(Frame)
    assert sorted(frame.to for frame in asked if frame.ask) == ["a1", "a2"]
    bench.advance(30)
    assert bench.node.silent_for("a1", bench.now) == 30.0


def test_a_new_process_asks_peers_with_open_business(bench: NodeBench) -> None:
    bench.restart(peers=["a1"])
    bench.connect()
    assert [frame.to for frame in bench.transport.take_all(Frame) if frame.ask] == ["a1"]


def test_silence_counts_while_we_are_connected_only() -> None:
    bench = NodeBench()
    bench.reactor.peers = ["a1"]
    bench.node.ask_every_s = 10.0
    bench.connect()
    bench.advance(660)
    assert bench.node.silent_for("a1", bench.now) > 0
    bench.transport.lose()
    bench.run()
    assert bench.node.silent_for("a1", bench.now) == 0.0
    bench.advance(1000)
    bench.connect()
    bench.advance(7)
    assert bench.node.silent_for("a1", bench.now) == 7.0


def test_frames_that_find_no_room_leave_when_there_is_some(bench: NodeBench) -> None:
    for number in range(IN_FLIGHT_MAX):
        bench.node.events.put("t", b"%d" % number)
    bench.advance(0)
    bench.run()
    bench.reactor.on[JobOffer] = lambda _: bench.node.links.put("a1", JobKill(job="job000009", reason="r"))
    bench.send(OFFER)
    assert not bench.transport.take_all(JobKill)
    assert OutboxRows(bench.database.conn).waiting() == ["a1"]
    bench.transport.puback(10)
    bench.run()
    assert bench.transport.take(JobKill)


# Events


def events_of(bench: NodeBench) -> list[bytes]:
    return [bytes(body) for (body,) in bench.database.conn.execute("SELECT body FROM events ORDER BY seq")]


def test_an_event_is_kept_until_its_puback(bench: NodeBench) -> None:
    bench.inbox.append(Call(lambda _at: bench.node.events.put("x/events", b'{"n":1}')))
    bench.run()
    assert bench.transport.take(dict) == {"n": 1}
    assert events_of(bench) == [b'{"n":1}']
    bench.transport.puback()
    bench.run()
    bench.advance(0.9)
    assert events_of(bench) == [b'{"n":1}'], "many are deleted at a time"
    bench.advance(0.1)
    assert events_of(bench) == []
    bench.transport.assert_nothing_else_sent(Presence)


@pytest.mark.parametrize("places", [0, 1])
def test_links_are_due_only_while_there_is_room_in_flight(
    bench: NodeBench, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transport.puback()

    def fill(_at: Moment) -> None:
        for _ in range(bench.node.connection.capacity - places):
            bench.node.events.put("x/events", b"{}")

    bench.inbox.append(Call(fill))
    bench.run()
    assert bench.node.connection.capacity == places
    monkeypatch.setattr(bench.node.links, "next_due", lambda: bench.now)
    assert (bench.node.next_due() == bench.now) is (places > 0)


def test_events_without_puback_come_again_in_order_and_unchanged(bench: NodeBench) -> None:
    def work(_at: Moment) -> None:
        for number in range(5):
            bench.node.events.put("x/events", b'{"n":%d}' % number)

    bench.inbox.append(Call(work))
    bench.run()
    bench.transport.puback(2)  # the presence, and the first event
    bench.run()
    bench.transport.take_all(dict)
    bench.transport.lose()
    bench.connect()
    assert [event["n"] for event in bench.transport.take_all(dict)] == [1, 2, 3, 4]
    bench.restart()
    bench.connect()
    assert [event["n"] for event in bench.transport.take_all(dict)] == [1, 2, 3, 4]


def test_a_puback_of_an_earlier_connection_is_none(bench: NodeBench) -> None:
    bench.inbox.append(Call(lambda _at: bench.node.events.put("x/events", b'{"n":1}')))
    bench.run()
    bench.transport.lose()
    bench.connect()
    for token in range(1, 10):
        bench.transport.tell(Published(token, 1))
    bench.run()
    bench.advance(2)
    assert events_of(bench) == [b'{"n":1}']


def test_no_event_goes_out_of_a_batch_that_was_rolled_back(bench: NodeBench) -> None:
    def bad(_at: object) -> None:
        bench.node.events.put("x/events", b"{}")
        raise LookupError

    bench.inbox.append(Call(bad))
    bench.run()
    assert events_of(bench) == []
    bench.transport.assert_nothing_else_sent(Presence)


# Subscriptions


def test_a_node_subscribes_anew_at_each_connect_and_as_its_reactor_wants(bench: NodeBench) -> None:
    base = {TOPICS.inboxes: 1, TOPICS.presence_of_peers: 0}
    assert bench.transport.subscriptions == {**base, TOPICS.triggers: 1}
    bench.reactor.filters = [("caroni/other", 0)]
    bench.send(OFFER)
    assert bench.transport.subscriptions == {**base, "caroni/other": 0}
    bench.transport.puback()
    bench.run()
    bench.transport.lose()
    bench.connect()
    assert bench.transport.subscriptions == {**base, "caroni/other": 0, TOPICS.presence: 0}
    bench.advance(1)
    assert bench.transport.subscriptions == {**base, "caroni/other": 0}
    bench.node.gives_objects = True
    bench.transport.lose()
    bench.connect()
    assert bench.transport.subscriptions[TOPICS.asks] == 0


def test_a_node_is_ready_when_the_broker_has_its_subscriptions_and_presence(bench: NodeBench) -> None:
    """Who sees that a manager is ready may publish a trigger, and it is not lost."""
    for _ in range(2):
        assert bench.node.why_not_ready() == "the broker has not acknowledged our subscriptions and presence yet"
        bench.puback()
        assert bench.node.why_not_ready() is None
        bench.transport.lose()
        bench.connect()
        bench.advance(1)


def test_a_refused_subscription_is_why_a_node_is_not_ready(bench: NodeBench) -> None:
    bench.puback()
    assert bench.node.why_not_ready() is None
    bench.transport.tell(SubscriptionRefused(TOPICS.triggers, 1))
    bench.run()
    assert bench.node.why_not_ready() == (
        "the broker does not let us subscribe to caroni/managers/m1/workflows; look at its ACL"
    )
    bench.transport.lose()
    bench.run()
    assert bench.node.why_not_ready() == "not connected to the broker: the broker closed the connection"
    bench.connect()
    bench.advance(1)
    bench.puback()
    assert bench.node.why_not_ready() is None


# The end


def test_a_goodbye_says_what_the_will_would_say(bench: NodeBench) -> None:
    said = bench.transport.take(Presence)
    assert (said.online, said.boot) == (True, bench.node.identity.boot)
    bench.node.say_goodbye()
    assert bench.transport.take(Presence) == bench.node.will
    assert bench.node.will.online is False


def test_hellos_are_answered_after_the_commit(bench: NodeBench) -> None:
    bench.receive(bench.peer.frame(ask="nonce", speaks=1))
    answer = bench.transport.take(Frame, where=lambda frame: frame.answer == "nonce")
    assert answer.to == "a1"
    assert decode_frame(INBOX, encode(answer)) == answer


# Forgetting


def test_a_peer_that_is_silent_for_too_long_is_forgotten(bench: NodeBench) -> None:
    bench.send(OFFER)
    bench.advance(FORGET_AFTER_S - 3600)
    bench.send(OFFER)
    bench.advance(FORGET_AFTER_S - 3600)
    assert "forget a1" not in bench.notes()
    assert bench.value("SELECT count(*) FROM peers") == 1
    bench.advance(2 * 3600)
    assert bench.notes()[-1] == "forget a1"
    assert bench.value("SELECT count(*) FROM peers") == 0


def test_time_without_a_connection_makes_nobody_silent(bench: NodeBench) -> None:
    bench.send(OFFER)
    bench.transport.lose()
    bench.advance(3 * FORGET_AFTER_S)
    assert "forget a1" not in bench.notes()


def test_a_peer_of_whom_there_are_only_rows_can_be_forgotten(bench: NodeBench) -> None:
    bench.inbox.append(Call(lambda _at: bench.node.links.put("a1", JobKill(job="job000009", reason="r"))))
    bench.run()
    first, second = (Call(lambda at: bench.node.forgetting.forget_known("a1", at)) for _ in range(2))
    bench.inbox.append(first)
    bench.run()
    assert first.done.result(0).rows > 0
    assert first.done.result(0).retained == ("caroni/presence/agents/a1",)
    bench.inbox.append(second)
    bench.run()
    assert isinstance(second.done.exception(0), UnknownPeer)
