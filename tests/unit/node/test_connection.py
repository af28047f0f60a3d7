"""What a node says on its present connection, within a bound of what is in flight."""

from collections.abc import Callable
from math import ceil, inf

import pytest
from msgspec import Raw

from caroni_edge.base.chance import SeededChance
from caroni_edge.delivery.events import Events
from caroni_edge.node.connection import FREE_FOR_EVENTS, IN_FLIGHT_MAX, LEFT_OUT_FOR_S, Connection
from caroni_edge.node.cutoffs import STRIKES, SUSPECT_AT, Publication
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.messages import Frame, JobFulfillmentRequest, Presence
from caroni_edge.storage.database import memory_database
from caroni_edge.transport import base
from caroni_edge.transport.base import Arrived, Connected, Disconnected, Event, Published, SubscriptionRefused
from caroni_edge.transport.recording import Cleared, RecordingTransport
from tests.unit.node.bench import TOPICS

REQUEST = TOPICS.request("upper")


class Bench:
    """A connection with its transport and its events."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.transport = RecordingTransport()
        self.transport.start(self.told.append)
        database = memory_database("managers")
        self.events = Events(database.conn, database.journal, SeededChance(1))
        self.connection = Connection(self.transport, TOPICS, self.events)

    def hear(self) -> list[int]:
        """Let the connection take what the transport has told; return the packet ids that are settled."""
        settled: list[int] = []
        for event in self.told:
            match event:
                case Connected():
                    self.connection.on_connected(event)
                case Disconnected():
                    self.connection.on_disconnected(event)
                case SubscriptionRefused():
                    self.connection.on_refused(event)
                case Published():
                    settled += self.connection.on_published(event.token)
        self.told.clear()
        return settled

    def connect(self) -> None:
        self.transport.connect()
        self.hear()

    def ack(self, packet_id: int) -> None:
        self.connection.ack(Arrived("t", b"", qos=1, packet_id=packet_id, connection=self.transport.connection))

    def puback(self, count: int | None = None) -> list[int]:
        self.transport.puback(count)
        return self.hear()


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.connect()
    return bench


def say(bench: Bench, serial: int) -> None:
    bench.connection.say({REQUEST: JobFulfillmentRequest(serial=serial, ready=1)})


# Notices


def test_the_last_notice_for_a_topic_wins(bench: Bench) -> None:
    for serial in range(5):
        say(bench, serial)
    bench.connection.say({TOPICS.presence: Presence(online=True, boot="b")})
    bench.connection.pump()
    assert bench.transport.take(JobFulfillmentRequest).serial == 4
    assert bench.transport.take(Presence)
    bench.transport.assert_nothing_else_sent()


def test_no_notice_is_an_empty_retained_message(bench: Bench) -> None:
    bench.connection.say({REQUEST: None})
    bench.connection.pump()
    assert bench.transport.take(Cleared).topic == REQUEST


def test_what_is_said_without_a_connection_is_not_said_later() -> None:
    """The reactor says everything anew at a connect."""
    bench = Bench()
    say(bench, 1)
    bench.connect()
    bench.connection.pump()
    bench.transport.assert_nothing_else_sent()


# The bound


def test_no_more_is_in_flight_than_the_transport_takes() -> None:
    assert IN_FLIGHT_MAX < base.IN_FLIGHT_MAX


def test_events_wait_for_room_and_keep_their_order(bench: Bench) -> None:
    for number in range(IN_FLIGHT_MAX + 30):
        bench.events.put("t", b"%d" % number)
    say(bench, 1)
    bench.connection.pump()
    assert bench.connection.capacity == 0
    assert len(bench.transport.take_all(int)) == IN_FLIGHT_MAX - 1
    bench.puback(30)
    assert bench.connection.capacity == 30
    say(bench, 2)
    bench.connection.pump()
    assert bench.transport.take_all(int) == list(range(IN_FLIGHT_MAX - 1, IN_FLIGHT_MAX + 28))


def test_events_go_many_at_a_time_where_many_wait(bench: Bench) -> None:
    for number in range(2 * IN_FLIGHT_MAX):
        bench.events.put("t", b"%d" % number)
    bench.connection.pump()
    bench.transport.take_all(int)
    sent: list[int] = []
    while not sent:
        bench.puback(1)
        bench.connection.pump()
        sent = bench.transport.take_all(int)
    assert len(sent) == ceil(IN_FLIGHT_MAX * FREE_FOR_EVENTS)


def test_a_frame_without_messages_takes_no_room(bench: Bench) -> None:
    hello = Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), ask="n")
    bench.connection.send([(hello, 0)])
    assert bench.connection.capacity == IN_FLIGHT_MAX
    assert bench.transport.take(Frame) == hello


def test_a_connection_begins_with_nothing_in_flight(bench: Bench) -> None:
    bench.events.put("t", b"1")
    bench.connection.pump()
    bench.transport.lose()
    bench.hear()
    assert (bench.connection.connected, bench.connection.capacity) == (False, 0)
    assert bench.connection.reason == "the broker closed the connection"
    bench.connect()
    assert (bench.connection.connected, bench.connection.capacity) == (True, IN_FLIGHT_MAX)


def test_the_end_of_an_earlier_connection_is_none_of_this(bench: Bench) -> None:
    bench.transport.connect()
    bench.hear()
    assert not bench.connection.on_disconnected(Disconnected(1, "late news"))
    assert bench.connection.connected
    assert bench.connection.on_disconnected(Disconnected(2, "news"))


def test_frames_go_before_notices_unless_one_message_goes_at_a_time(bench: Bench) -> None:
    connection = bench.connection
    say(bench, 1)
    assert connection.capacity_for_frames == IN_FLIGHT_MAX
    for _ in range(STRIKES - 1):
        connection.pump()
        bench.transport.lose()
        bench.hear()
        bench.connect()
        say(bench, 1)
    assert (connection.capacity, connection.capacity_for_frames) == (1, 0)
    connection.leave_out(REQUEST)
    assert connection.capacity_for_frames == 1, "that notice is not to be said now"


def test_the_first_notice_that_may_be_said_again_is_due(bench: Bench) -> None:
    connection = bench.connection
    assert connection.next_due() == inf
    connection.leave_out(REQUEST)
    connection.now += 60
    connection.leave_out(TOPICS.request("lower"))
    connection.say({REQUEST: None, TOPICS.request("lower"): None, TOPICS.request("other"): None})
    assert connection.next_due() == LEFT_OUT_FOR_S
    connection.now = LEFT_OUT_FOR_S
    connection.pump()
    assert connection.next_due() == LEFT_OUT_FOR_S + 60


def test_our_presence_is_known_by_its_own_puback(bench: Bench) -> None:
    assert Bench().connection.why_not_ready() == "not connected to the broker: not connected yet"
    say(bench, 1)
    bench.connection.pump()
    bench.connection.say({TOPICS.presence: Presence(online=True, boot="b")})
    bench.connection.pump()
    bench.puback(1)
    assert not bench.connection.presence_known
    assert bench.connection.why_not_ready()
    bench.puback(1)
    assert bench.connection.presence_known
    assert bench.connection.why_not_ready() is None


# What the broker cuts us off for


def blamed_after(bench: Bench, publish: Callable[[], None]) -> Publication | None:
    """Publish the same on connections that end right after it, as often as it takes to be sure."""
    for _ in range(STRIKES):
        assert bench.connection.blamed is None
        publish()
        bench.transport.lose()
        bench.hear()
        bench.connect()
    return bench.connection.blamed


def test_an_event_may_be_blamed(bench: Bench) -> None:
    bench.events.put("t", b"{}")
    assert blamed_after(bench, bench.connection.pump) == Publication("t", 1, 2, is_event=True)


def test_nothing_is_blamed_for_what_we_end_ourselves(bench: Bench) -> None:
    for _ in range(2 * STRIKES):
        bench.events.put("t", b"{}")
        bench.connection.pump()
        bench.transport.disconnect()
        bench.hear()
        assert (bench.connection.blamed, bench.connection.was_cut_off) == (None, False)
        bench.connect()


def test_we_come_back_soon_while_we_look_what_cuts_us_off(bench: Bench) -> None:
    """The waits between attempts grow to half a minute, and nothing else goes on meanwhile."""
    bench.events.put("t", b"{}")
    blamed_after(bench, bench.connection.pump)
    assert bench.transport.soon_after == list(range(SUSPECT_AT, STRIKES + 1))
    bench.transport.lose()
    bench.hear()
    bench.connect()
    bench.events.put("u", b"{}")
    bench.connection.pump()
    bench.transport.disconnect()
    bench.hear()
    assert bench.transport.soon_after[-1] == STRIKES


def test_a_notice_may_be_blamed(bench: Bench) -> None:
    def publish() -> None:
        say(bench, 1)
        bench.connection.pump()

    assert blamed_after(bench, publish) == Publication(REQUEST, 0, 22)


def test_a_frame_may_be_blamed_by_its_first_message(bench: Bench) -> None:
    message = Raw(b'{"type":"OfferReject","id":"id7","offer":"offer007"}')
    frame = Frame(v=1, from_="m1", to="a1", boot="b", ack=(0, ""), prev="i6", first=7, messages=(message,))
    blamed = blamed_after(bench, lambda: bench.connection.send([(frame, 1)]))
    assert blamed == Publication(TOPICS.inbox_of("a1"), 7, len(encode(frame)), frame=frame)


# Acknowledgements


def test_a_message_is_settled_by_a_puback_of_what_was_sent_after_its_own(bench: Bench) -> None:
    say(bench, 1)
    bench.connection.pump()
    bench.ack(7)
    assert bench.puback() == [], "sent before our acknowledgement: it shows nothing"
    say(bench, 2)
    bench.connection.pump()
    bench.ack(8)
    assert bench.puback() == [7]
    say(bench, 3)
    bench.connection.pump()
    assert bench.puback() == [8]


def test_a_packet_id_that_is_used_again_is_settled_by_what_comes_after(bench: Bench) -> None:
    bench.ack(7)
    say(bench, 1)
    bench.connection.pump()
    bench.ack(7)
    assert bench.puback() == []
    say(bench, 2)
    bench.connection.pump()
    assert bench.puback() == [7]


def test_a_packet_id_that_is_used_again_holds_up_no_other(bench: Bench) -> None:
    bench.ack(7)
    bench.ack(8)
    say(bench, 1)
    bench.connection.pump()
    bench.ack(7)
    assert bench.puback() == [8]


def test_nothing_is_settled_by_another_connection(bench: Bench) -> None:
    bench.ack(7)
    bench.transport.lose()
    bench.hear()
    bench.connect()
    bench.connection.ack(Arrived("t", b"", qos=1, packet_id=9, connection=1))
    say(bench, 1)
    bench.connection.pump()
    assert bench.puback() == []


# Subscriptions


def test_subscriptions_are_brought_to_what_is_wanted(bench: Bench) -> None:
    bench.connection.subscribe([("a", 1), ("b", 0)])
    assert bench.transport.subscriptions == {"a": 1, "b": 0}
    bench.connection.subscribe([("b", 0), ("c", 0)])
    assert bench.transport.subscriptions == {"b": 0, "c": 0}


def test_without_a_connection_nothing_is_subscribed() -> None:
    bench = Bench()
    bench.connection.subscribe([("a", 1)])
    assert bench.transport.subscriptions == {}
    bench.connect()
    bench.connection.subscribe([("a", 1)])
    assert bench.transport.subscriptions == {"a": 1}


def test_refusals_are_those_of_this_connection(bench: Bench) -> None:
    bench.transport.tell(SubscriptionRefused("a", 1))
    bench.transport.tell(SubscriptionRefused("b", 99))
    bench.hear()
    bench.transport.tell(SubscriptionRefused(TOPICS.asks, 1))
    bench.hear()
    assert bench.connection.refused == {"a"}, "without files all else goes on"
    bench.transport.lose()
    bench.connect()
    assert bench.connection.refused == set()


def test_notices_are_retained_and_events_are_not(bench: Bench) -> None:
    say(bench, 1)
    bench.events.put("t", b"{}")
    bench.connection.pump()
    said = {entry.topic: entry.retain for entry in bench.transport._said}
    assert said == {REQUEST: True, "t": False}
    assert encode(JobFulfillmentRequest(serial=1, ready=1)) == b'{"serial":1,"ready":1}'
