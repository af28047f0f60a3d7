"""Files of agents that people want to have: fetched to the manager, by a ticket, as far as there is room."""

from collections.abc import Callable

import pytest

from caroni_edge.manager.holding.copies import (
    FAILED_FOR_S,
    LOOK_EVERY_S,
    WANTED_FOR_S,
    InDirectory,
    NotToBeHad,
)
from caroni_edge.manager.holding.port import Came
from caroni_edge.manager.jobs.files import SAY_AGAIN_S
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Failure, FetchId, PlaceFailed
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.tickets import Key, Keys, Peer
from caroni_edge.protocol.keeping import ObjectsGone
from caroni_edge.protocol.objects import ObjectKey
from caroni_edge.values.carried import object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

THUMB = Object("a" * 64, 5_000_000)
FETCH = FetchId("m1", THUMB.sha256)
MAKE = plan(
    "make",
    step("small", "upper", {"thumb": "File"}, text=given("message")),
    outputs={"thumb": ("File", out("small", "thumb"))},
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(MAKE)
    bench.presence("a1")
    return bench


def make(bench: Bench, workflow: str = "w1", agent: str = "a1") -> None:
    bench.start("make", workflow)
    bench.complete(bench.place(agent), agent, thumb=object_value("t.png", THUMB, "0" * 40))


def want(bench: Bench, lacking: int = 0) -> None:
    bench.call(lambda at: bench.reactor.copies.want(THUMB.id, lacking, at))


def last(bench: Bench) -> Want:
    found = bench.storekeeper.fetched[-1]
    assert isinstance(found, Want)
    return found


def refuse(bench: Bench, why: Failure = "unknown", agent: str = "a1") -> None:
    bench.call(lambda at: bench.reactor.on_files(PlaceFailed(FETCH, Peer("agents", agent), why), at))


def later(bench: Bench, by_s: float) -> None:
    bench.now += by_s
    bench.date += by_s
    bench.settle()


def refused(work: Callable[[], None]) -> tuple[int, str]:
    with pytest.raises(NotToBeHad) as raised:
        work()
    return raised.value.status, str(raised.value)


def test_a_file_is_fetched_by_a_ticket_for_this_manager(bench: Bench) -> None:
    make(bench)
    want(bench)
    found = last(bench)
    assert (found.manager, found.object) == ("m1", THUMB)
    (place,) = found.places
    assert (place.holder, place.workflow) == (Peer("agents", "a1"), "w1")
    key = bench.outbox.take(ObjectKey, "a1")
    assert Keys(Key(key.generation, key.secret)).admit(place.ticket, key.generation, "w1", Peer("managers", "m1"))


def test_who_asks_again_has_it_fetched_once(bench: Bench) -> None:
    make(bench)
    want(bench)
    want(bench)
    assert len(bench.storekeeper.fetched) == 1


def test_what_has_come_is_cache_of_this_manager(bench: Bench) -> None:
    make(bench)
    want(bench)
    bench.call(lambda at: bench.reactor.on_files(Came(THUMB), at))
    assert bench.store.objects.of("m1", THUMB.id) is not None
    assert bench.store.objects.unneeded()[0].object == THUMB.id
    assert bench.storekeeper.fetched[-1] == FETCH
    assert bench.store.copies.all() == []
    later(bench, LOOK_EVERY_S)
    assert bench.storekeeper.fetched[-1] == FETCH


def test_what_no_workflow_has_is_not_to_be_had(bench: Bench) -> None:
    assert refused(lambda: want(bench))[0] == 404
    assert bench.storekeeper.fetched == []


def test_nor_what_is_lost_or_was_deleted(bench: Bench) -> None:
    make(bench)
    bench.send(ObjectsGone(objects=(THUMB.id,)))
    assert refused(lambda: want(bench))[0] == 404
    make(bench, "w2")
    bench.delete("w2")
    assert refused(lambda: want(bench))[0] == 404


def test_without_room_it_is_not_fetched(bench: Bench) -> None:
    make(bench)
    status, why = refused(lambda: want(bench, lacking=10))
    assert (status, "lacks 10 bytes" in why) == (507, True)
    bench.set(files_store_bytes=4_000_000)
    status, why = refused(lambda: want(bench))
    assert (status, "files.store is 4000000 bytes" in why) == (507, True)
    assert bench.storekeeper.fetched == []


def test_who_asks_is_told_for_a_while_that_nobody_gives_it(bench: Bench) -> None:
    make(bench)
    want(bench)
    refuse(bench)
    assert bench.storekeeper.fetched[-1] == FETCH
    assert refused(lambda: want(bench)) == (404, f"the file {THUMB.id} is not to be had from a1 any more")
    later(bench, FAILED_FOR_S)
    want(bench)
    assert isinstance(bench.storekeeper.fetched[-1], Want)


def test_another_place_is_left_when_one_refuses(bench: Bench) -> None:
    bench.presence("a2")
    make(bench)
    bench.call(lambda _at: bench.store.places.add(1, THUMB.id, "a2", THUMB.size))
    want(bench)
    assert {place.holder.node for place in last(bench).places} == {"a1", "a2"}
    refuse(bench)
    assert isinstance(bench.storekeeper.fetched[-1], Want)
    refuse(bench, "bad", "a2")
    assert "a1 and a2" in refused(lambda: want(bench))[1]


def test_what_a_depot_alone_has_is_fetched_from_there(bench: Bench) -> None:
    bench.presence("d1")
    make(bench)
    bench.call(lambda _at: bench.store.places.ask(1, THUMB.id, "d1"))
    bench.call(lambda _at: bench.store.places.add(1, THUMB.id, "d1"))  # it has said no more than that it has it
    bench.send(ObjectsGone(objects=(THUMB.id,)))
    want(bench)
    assert [place.holder.node for place in last(bench).places] == ["d1"]
    assert last(bench).object == THUMB


def test_the_key_of_a_ticket_that_is_not_taken_is_said_again_now_and_then(bench: Bench) -> None:
    make(bench)
    want(bench)
    bench.outbox.take_all(ObjectKey, "a1")
    refuse(bench, "ticket")
    refuse(bench, "ticket")
    assert len(bench.outbox.take_all(ObjectKey, "a1")) == 1
    later(bench, SAY_AGAIN_S)
    refuse(bench, "ticket")
    assert len(bench.outbox.take_all(ObjectKey, "a1")) == 1


def test_what_nobody_asks_for_any_more_is_given_up(bench: Bench) -> None:
    make(bench)
    want(bench)
    later(bench, WANTED_FOR_S - LOOK_EVERY_S)
    last(bench)
    later(bench, 2 * LOOK_EVERY_S)
    assert bench.storekeeper.fetched[-1] == FETCH
    assert bench.reactor.copies.next_due() > bench.now + LOOK_EVERY_S


def test_a_workflow_that_is_deleted_takes_its_file_along(bench: Bench) -> None:
    make(bench)
    want(bench)
    bench.delete()
    later(bench, LOOK_EVERY_S)
    assert bench.storekeeper.fetched[-1] == FETCH
    assert bench.store.copies.all() == []


def test_a_new_process_goes_on(bench: Bench) -> None:
    make(bench)
    want(bench)
    before = last(bench)
    bench.restart()
    assert bench.storekeeper.resumed == [before]
    bench.call(lambda at: bench.reactor.on_files(Came(THUMB), at))
    bench.restart()
    assert bench.storekeeper.resumed == []


def test_an_agent_of_an_older_release_gives_nothing(bench: Bench) -> None:
    make(bench)
    bench.outbox.versions["a1"] = 1
    bench.presence("a1", speaks=1)
    assert "older release" in refused(lambda: want(bench))[1]


def test_a_file_in_a_directory_comes_from_where_the_directory_lies(bench: Bench) -> None:
    make(bench)
    photo = Object("b" * 64, 30_000)

    def ask(known: InDirectory | None) -> None:
        bench.call(lambda at: bench.reactor.copies.want(photo.id, 0, at, known))

    assert refused(lambda: ask(None))[0] == 404
    ask(InDirectory(THUMB.id, photo.size))
    found = last(bench)
    assert found.object == photo
    assert [(each.holder, each.workflow) for each in found.places] == [(Peer("agents", "a1"), "w1")]
    bench.restart()
    assert [each.object for each in bench.storekeeper.resumed] == [photo]
    bench.delete()
    later(bench, LOOK_EVERY_S)
    assert bench.storekeeper.fetched[-1] == FetchId("m1", photo.sha256)
