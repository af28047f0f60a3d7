"""Messages and events that are too large for the broker: given back, and none of that size is said for a while."""

import msgspec
import pytest

from caroni_edge.delivery.links import Undeliverable
from caroni_edge.delivery.passage import NARROW_FOR_S
from caroni_edge.protocol.messages import JobKill
from tests.unit.delivery.bench import JOB
from tests.unit.delivery.test_events import Bench as EventsBench
from tests.unit.delivery.test_links import LinksBench, frame


def kill(size: int) -> JobKill:
    return JobKill(job=JOB, reason="x" * size)


def bodies(bench: LinksBench) -> list[bytes]:
    return [row[0] for row in bench.database.conn.execute("SELECT body FROM outbox WHERE peer = 'peer' ORDER BY seq")]


def refuse(bench: LinksBench, size: int) -> int:
    """Let the broker cut us off for a message to `peer`; return how long it was."""
    with bench.batch() as links:
        links.put("peer", kill(size))
    body = bodies(bench)[-1]
    seq = bench.database.conn.execute("SELECT max(seq) FROM outbox WHERE peer = 'peer'").fetchone()[0]
    with bench.batch() as links:
        links.cut_off("peer", seq, 1)
        assert links.take_undeliverable() == (Undeliverable("peer", body),)
        assert links.take_undeliverable() == ()
    return len(body)


@pytest.fixture
def bench() -> LinksBench:
    bench = LinksBench()
    bench.meet("peer")
    bench.resets.clear()
    return bench


def test_one_that_cannot_pass_is_given_back_and_the_link_begins_anew(bench: LinksBench) -> None:
    size_bytes = refuse(bench, 5000)
    assert bench.resets == ["peer"]
    assert [b"LinkReset" in body for body in bodies(bench)] == [True]
    assert (bench.links.refuses_over_bytes, bench.links.drops_over_bytes) == (size_bytes - 1, size_bytes - 1)
    assert f"larger than {size_bytes - 1} bytes" in (bench.links.carriage_problem or "")


def test_no_other_of_that_size_is_put_for_a_while(bench: LinksBench) -> None:
    size_bytes = refuse(bench, 5000)
    overhead = size_bytes - 5000
    bench.now += NARROW_FOR_S - 1
    with bench.batch() as links:
        links.put("other", kill(size_bytes - overhead - 1))
        assert links.take_undeliverable() == ()
        links.put("other", kill(size_bytes - overhead))
        ((peer, body),) = links.take_undeliverable()
        assert (peer, len(body)) == ("other", size_bytes)
    bench.now += 1
    with bench.batch() as links:
        assert (links.refuses_over_bytes, links.drops_over_bytes, links.carriage_problem) == (0, 0, None)
        links.put("other", kill(size_bytes))
        assert links.take_undeliverable() == ()


def test_the_smallest_that_did_not_pass_is_named(bench: LinksBench) -> None:
    size_bytes = refuse(bench, 6000)
    bench.links.refuses_over_bytes = 0
    refuse(bench, 7000)
    assert bench.links.drops_over_bytes == size_bytes - 1
    bench.links.refuses_over_bytes = 0
    assert refuse(bench, 5000) < size_bytes
    assert bench.links.drops_over_bytes < size_bytes - 1


def test_of_another_broker_nothing_is_known(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.put("third", kill(5000))
        links.put("third", kill(5000))
        links.cut_off("third", 1, 2)
    refuse(bench, 5000)
    bench.links.other_broker()
    assert (bench.links.refuses_over_bytes, bench.links.drops_over_bytes, bench.links.carriage_problem) == (0, 0, None)
    with bench.batch() as links:
        links.put("third", kill(5000))
        links.put("third", kill(5000))
    assert [len(frame.messages) for frame in bench.published if frame.to == "third"] == [2], (
        "frames are as large as ever"
    )


def test_what_passes_when_it_is_smaller_tells_of_a_limit(bench: LinksBench) -> None:
    with bench.batch() as links:
        links.put("peer", kill(5000))
        links.put("peer", kill(5000))
    both = sum(map(len, bodies(bench)))
    with bench.batch() as links:
        links.cut_off("peer", 1, 2)
    assert bench.links.drops_over_bytes == 0, "it was one cut-off, and for two messages"
    seq, row_id = bench.database.conn.execute("SELECT seq, id FROM outbox ORDER BY seq").fetchone()
    with bench.batch() as links:
        links.receive(frame("peer", ack=(seq, row_id)))
    assert (bench.links.drops_over_bytes, bench.links.refuses_over_bytes) == (both - 1, 0)
    bench.links.drops_over_bytes = 0
    with bench.batch() as links:
        links.receive(frame("peer", ack=(seq, row_id)))
    assert bench.links.drops_over_bytes == 0, "it is learnt once"
    assert bench.links.take_undeliverable() == ()


EVENT = {"id": "e1", "data": {"workflow": "w1", "outputs": {"x": "y" * 50}}}


def test_an_event_that_cannot_pass_is_said_without_its_outputs() -> None:
    bench = EventsBench()
    body = msgspec.json.encode(EVENT)
    bench.events.put("t", body)
    (row,) = bench.events.unsent(10)
    assert bench.events.leave_out(row.seq)
    bench.events.disconnected()
    bench.events.put("t", body)
    bench.events.put("t", body[:-1] + b" }")
    bench.events.put("t", msgspec.json.encode({**EVENT, "data": {"workflow": "x" * 200}}))
    small = {"id": "e1", "data": {"workflow": "w1", "outputs_left_out": True}}
    found = [msgspec.json.decode(row.body) for row in bench.events.unsent(10)]
    assert found == [small, small, small, {"id": "e1", "data": {"workflow": "x" * 200}}]
    bench.events.put("t", msgspec.json.encode({"id": "e1", "data": {"outputs": {}}}))
    assert msgspec.json.decode(bench.events.unsent(10)[-1].body)["data"] == {"outputs": {}}, (
        "a smaller one is said whole"
    )
    bench.events.other_broker()
    bench.events.put("t", body)
    assert bench.events.unsent(10)[-1].body == body


def test_an_event_that_cannot_pass_without_outputs_is_dropped() -> None:
    bench = EventsBench()
    bench.events.put("t", msgspec.json.encode({"id": "e1", "data": {"workflow": "w1"}}))
    bench.events.put("t", b"next")
    (row, _) = bench.events.unsent(10)
    assert not bench.events.leave_out(row.seq)
    assert not bench.events.leave_out(row.seq), "it is gone already"
    bench.events.disconnected()
    assert [each.body for each in bench.events.unsent(10)] == [b"next"]
