"""The transport of tests: it takes apart what a node said, and is not content with less than all of it."""

import pytest

from caroni_edge.protocol.codec import Unreadable, encode, encode_message
from caroni_edge.protocol.messages import Frame, JobFulfillmentRequest, JobKill, LinkReset, OfferReject, Presence
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event, Published
from caroni_edge.transport.recording import Cleared, RecordingTransport

INBOX = "caroni/agents/a1/inbox/managers/m1"


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def transport(told: list[Event]) -> RecordingTransport:
    transport = RecordingTransport()
    transport.start(told.append)
    transport.connect()
    return transport


def frame(*messages: LinkReset | OfferReject | JobKill) -> bytes:
    raw = [encode_message(f"id{number}", message) for number, message in enumerate(messages)]
    head = encode(Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), first=1, prev=""))
    return head[:-1] + b',"messages":[' + b",".join(raw) + b"]}"


def test_messages_are_taken_one_by_one(transport: RecordingTransport) -> None:
    transport.publish(INBOX, frame(OfferReject(offer="offer001"), JobKill(job="job00001", reason="r")), qos=1)
    assert transport.take(JobKill, to="a1").job == "job00001"
    with pytest.raises(AssertionError, match=r"something else was sent:\n.*OfferReject"):
        transport.assert_nothing_else_sent()
    with pytest.raises(AssertionError, match=r"no OfferReject to a2 was sent, but\n.*a1"):
        transport.take(OfferReject, to="a2")
    assert transport.take_all(OfferReject) == [OfferReject(offer="offer001")]
    transport.assert_nothing_else_sent()
    assert [sent.to for sent in transport.frames] == ["a1"]


def test_frames_without_messages_notices_and_events(transport: RecordingTransport) -> None:
    hello = Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), ask="nonce")
    transport.publish(INBOX, encode(hello), qos=0)
    transport.publish("caroni/presence/managers/m1", encode(Presence(online=True, boot="b")), qos=1, retain=True)
    transport.publish("caroni/requests/upper/m1", encode(JobFulfillmentRequest(serial=3)), qos=1, retain=True)
    transport.publish("caroni/requests/lower/m1", b"", qos=1, retain=True)
    transport.publish("caroni/managers/m1/events/w1", b'{"type":"caroni.workflow.started"}', qos=1)
    transport.publish("elsewhere", b"\xff", qos=1)
    assert transport.take(Frame).ask == "nonce"
    assert transport.take(JobFulfillmentRequest, where=lambda request: request.serial == 3)
    assert transport.take(Cleared).topic == "caroni/requests/lower/m1"
    assert transport.take_event("caroni.workflow.started")
    assert transport.take(bytes) == b"\xff"
    transport.assert_nothing_else_sent(Presence)


def test_what_nobody_could_read_fails(transport: RecordingTransport) -> None:
    with pytest.raises(Unreadable):
        transport.publish(INBOX, b"{}", qos=1)


def test_the_other_end(transport: RecordingTransport, told: list[Event]) -> None:
    assert transport.publish("t", b"", qos=1) == 1
    assert transport.publish("t", b"", qos=1) == 2
    transport.puback(1)
    message = transport.receive("caroni/presence/agents/a1", Presence(online=True, boot="b"), retain=True)
    transport.ack(message)
    transport.subscribe([("a", 1), ("b", 0)])
    transport.unsubscribe(["a"])
    assert transport.acknowledged == [message]
    assert transport.subscriptions == {"b": 0}
    transport.disconnect(5)
    assert transport.publish("t", b"", qos=1) == 0
    transport.ack(message)
    assert transport.acknowledged == [message]
    assert transport.pauses == [5]
    transport.connect(session_present=True)
    assert transport.subscriptions == {}
    assert told == [
        Connected(1, False),
        Published(1, 1),
        Arrived("caroni/presence/agents/a1", b'{"online":true,"boot":"b"}', 1, True, False, 1, 1),
        Disconnected(1, "this node ended the connection"),
        Connected(2, True),
    ]
