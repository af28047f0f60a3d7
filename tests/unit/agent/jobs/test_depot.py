"""What an agent keeps because a manager wants it to: it says so when it is here, and never before."""

import pytest

from caroni_edge.agent.jobs.fetching import TELL_AGAIN_S
from caroni_edge.agent.jobs.fileroom import KEPT_AT_ONCE
from caroni_edge.agent.processes.port import FetchedNoDirectory, ObjectFetched, PlaceRefused
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Failure, FetchId
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectsDrop, ObjectsGone
from caroni_edge.protocol.objects import ObjectBad, ObjectPlace
from caroni_edge.protocol.reconciling import JobsWanted
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, job_type

OBJECT, OTHER = Object("a" * 64, 5_000_000), Object("b" * 64, 7_000_000)
WANTED, OTHER_WANTED = FetchId("m1", OBJECT.sha256), FetchId("m1", OTHER.sha256)
A2, A3 = Peer("agents", "a2"), Peer("agents", "a3")
AT_A2 = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
AT_A3 = ObjectPlace(holder="agents/a3", generation=1, ticket="3" * 64)
FLOOR = 1_000_000
HELD = ObjectsHeld(workflow="w1", objects=(OBJECT.id,))
QUESTION = JobsWanted(wanted="question0001", objects=True)


def make(*, depot: bool = False) -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("upper")]
    return Bench(types=types, slots=1, disk_floor_bytes=FLOOR, depot=depot)


@pytest.fixture
def bench() -> Bench:
    return make(depot=True)


def keep(
    bench: Bench,
    *objects: Object,
    places: tuple[ObjectPlace, ...] = (AT_A2,),
    workflow: str = "w1",
    directory: bool = False,
) -> None:
    """Let the manager ask for objects to be kept."""
    asked = tuple(ObjectToKeep(object=each.id, size=each.size, directory=directory) for each in objects or (OBJECT,))
    bench.send(ObjectsKeep(workflow=workflow, objects=asked, places=places))


def bring(bench: Bench, found: Object = OBJECT, files: tuple[Object, ...] | None = None) -> None:
    """Let what is fetched be here."""
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(FetchId("m1", found.sha256), found, files), at))


def refuse(bench: Bench, holder: Peer = A2, why: Failure = "unknown") -> None:
    """Let a place refuse the file."""
    bench.call(lambda at: bench.reactor.on_news(PlaceRefused(WANTED, holder, why), at))


def kept(bench: Bench) -> list[tuple[str, str]]:
    """Return what reconciliation would name."""
    return [(each.workflow, each.object) for each in bench.store.objects.kept("m1", ("", ""), 10)]


def test_what_is_to_be_kept_is_fetched_and_said_to_be_held_when_it_is_here(bench: Bench) -> None:
    keep(bench)
    bench.outbox.nothing_else()
    assert ({each.workflow for each in bench.runner.fetching[WANTED].places}, kept(bench)) == ({"w1"}, [])
    bring(bench)
    assert bench.outbox.take(ObjectsHeld) == HELD
    assert (kept(bench), bench.runner.fetching) == ([("w1", OBJECT.id)], {})


def test_a_promise_outlives_a_restart(bench: Bench) -> None:
    keep(bench)
    bench.restart()
    assert bench.runner.fetching.keys() == {WANTED}
    bring(bench)
    assert bench.outbox.take(ObjectsHeld) == HELD


def test_what_lies_here_is_held_at_once_also_where_nobody_lets_this_agent_be_a_depot() -> None:
    bench = make()
    bench.store.objects.add(OBJECT, manager="m1", date=bench.date)
    keep(bench, places=())
    assert (bench.outbox.take(ObjectsHeld), kept(bench)) == (HELD, [("w1", OBJECT.id)])


def test_what_lies_here_for_another_manager_is_no_managers_by_its_name(bench: Bench) -> None:
    bench.store.objects.add(OBJECT, manager="m2", date=bench.date)
    keep(bench)
    assert (kept(bench), {*bench.runner.fetching}) == ([], {WANTED})


def test_an_agent_that_is_no_depot_fetches_nothing() -> None:
    bench = make()
    keep(bench)
    refused = bench.outbox.take(ObjectsRefused)
    assert (refused.objects, refused.place) == ((OBJECT.id,), None)
    assert "no depot" in refused.reason
    assert bench.runner.fetching == {}


def test_a_depot_says_so_and_says_when_there_is_no_room_for_what_it_has_promised(bench: Bench) -> None:
    assert bench.reactor.presence()["depot"] == "open"
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size - 1))
    keep(bench)
    assert bench.runner.fetching == {}
    assert bench.reactor.presence()["depot"] == "full: what it has promised waits for room (disk_floor)"
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size))
    assert ({*bench.runner.fetching}, bench.reactor.presence()["depot"]) == ({WANTED}, "open")
    assert make().reactor.presence()["depot"] == ""


def test_what_no_room_could_ever_be_made_for_is_refused(bench: Bench) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR, FLOOR + OBJECT.size - 1))
    keep(bench)
    assert "never be room here" in bench.outbox.take(ObjectsRefused).reason
    assert bench.store.keeps.first(9) == []


def test_jobs_have_the_room_before_what_is_to_be_kept(bench: Bench) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size))
    file = object_value("m42.fits", OTHER, "0" * 40)
    bench.place(bench.new_job("take", inputs={"file": file}, places=(AT_A2,)))
    keep(bench)
    assert bench.runner.fetching == {}
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OTHER.size))
    assert bench.runner.fetching.keys() == {OTHER_WANTED}


def test_what_a_job_takes_comes_once_for_both_and_first(bench: Bench) -> None:
    keep(bench, OTHER, OBJECT)
    bench.place(bench.new_job("take", inputs={"file": object_value("m", OBJECT, "0" * 40)}, places=(AT_A2,)))
    assert bench.runner.fetching[WANTED].order < bench.runner.fetching[OTHER_WANTED].order
    bring(bench)
    assert bench.outbox.take(ObjectsHeld) == HELD
    assert bench.states()["running"] == 1


def test_a_refused_ticket_is_told_and_the_same_places_said_again_are_asked_again(bench: Bench) -> None:
    keep(bench)
    refuse(bench, why="ticket")
    told = bench.outbox.take(ObjectsRefused)
    assert (told.place, told.reason, told.workflow) == ("agents/a2", "ticket", "w1")
    refuse(bench, why="ticket")
    bench.outbox.nothing_else()
    keep(bench)
    refuse(bench, why="ticket")
    assert bench.outbox.take(ObjectsRefused).reason == "ticket"
    bench.advance(TELL_AGAIN_S)
    refuse(bench, why="ticket")
    assert bench.outbox.take(ObjectsRefused).reason == "ticket"


def test_what_no_place_gives_is_given_up_and_a_later_word_names_other_places(bench: Bench) -> None:
    keep(bench, places=(AT_A2, AT_A3))
    refuse(bench)
    assert bench.outbox.take(ObjectsRefused).place == "agents/a2"
    refuse(bench, A3)
    told, given_up = bench.outbox.take(ObjectsRefused), bench.outbox.take(ObjectsRefused)
    assert (told.place, given_up.place, given_up.objects) == ("agents/a3", None, (OBJECT.id,))
    assert (bench.runner.fetching, bench.store.keeps.first(9)) == ({}, [])
    keep(bench, places=(AT_A3,))
    assert [place.holder for place in bench.runner.fetching[WANTED].places] == [A3]


def test_a_job_that_waits_for_the_same_hears_it_in_its_own_words(bench: Bench) -> None:
    keep(bench)
    bench.place(bench.new_job("take", inputs={"file": object_value("m", OBJECT, "0" * 40)}, places=(AT_A2,)))
    refuse(bench, why="bad")
    assert bench.outbox.take(ObjectBad).reason == "bad"
    assert bench.outbox.take(ObjectsRefused).place == "agents/a2"


def test_a_directory_is_held_when_all_that_it_names_is_here(bench: Bench) -> None:
    listing, first, second = Object("c" * 64, 300), OBJECT, OTHER
    keep(bench, listing, directory=True)
    assert bench.runner.fetching[FetchId("m1", listing.sha256)].is_directory
    bring(bench, listing, (first, second))
    bring(bench, first)
    bench.outbox.nothing_else()
    assert (kept(bench), {*bench.runner.fetching}) == ([], {OTHER_WANTED})
    assert bench.store.objects.oldest_unreferenced() is None
    bench.restart()
    bring(bench, second)
    assert bench.outbox.take(ObjectsHeld).objects == (listing.id,)
    assert kept(bench) == [("w1", listing.id)]
    keep(bench, listing, directory=True, workflow="w2")
    assert bench.outbox.take(ObjectsHeld).workflow == "w2"


def test_a_directory_of_which_a_file_was_lost_meanwhile_is_given_up(bench: Bench) -> None:
    listing = Object("c" * 64, 300)
    keep(bench, listing, directory=True)
    bring(bench, listing, (OBJECT, OTHER))
    bring(bench, OBJECT)
    bench.call(lambda _at: bench.reactor._objects.lose([OBJECT.id]))
    bench.outbox.take(ObjectsGone)
    bring(bench, OTHER)
    assert bench.outbox.take(ObjectsRefused).objects == (listing.id,)
    assert kept(bench) == []


def test_what_is_no_directory_is_refused(bench: Bench) -> None:
    keep(bench, directory=True)
    bench.call(lambda at: bench.reactor.on_news(FetchedNoDirectory(WANTED, "it is text"), at))
    assert "no directory" in bench.outbox.take(ObjectsRefused).reason
    assert bench.runner.fetching == {}


def test_promises_of_a_holder_that_gives_nothing_keep_none_of_another_from_being_fetched(bench: Bench) -> None:
    away = [Object(f"{number:064x}", 9) for number in range(KEPT_AT_ONCE + 1)]
    keep(bench, *away)
    assert len(bench.runner.fetching) == KEPT_AT_ONCE
    keep(bench, OBJECT, places=(AT_A3,))
    assert (WANTED in bench.runner.fetching, len(bench.runner.fetching)) == (True, KEPT_AT_ONCE)
    bring(bench)
    assert bench.outbox.take(ObjectsHeld) == HELD
    assert {*bench.runner.fetching} == {FetchId("m1", each.sha256) for each in away[:-1]}


def test_a_drop_ends_what_is_on_its_way_but_for_what_it_leaves(bench: Bench) -> None:
    keep(bench, OBJECT, OTHER)
    bench.send(ObjectsDrop(workflow="w1", but=(OTHER.id,)))
    assert bench.runner.fetching.keys() == {OTHER_WANTED}
    bench.send(ObjectsDrop(workflow="w1"))
    assert bench.runner.fetching == {}
    bring(bench)
    bench.outbox.nothing_else()
    assert bench.store.objects.of("m1", OBJECT.id) is None


def test_a_drop_ends_what_a_directory_lets_come(bench: Bench) -> None:
    listing = Object("0" * 64, 300)
    keep(bench, listing, directory=True)
    bring(bench, listing, (OBJECT,))
    bench.send(ObjectsDrop(workflow="w1", but=(listing.id,)))
    assert bench.runner.fetching.keys() == {WANTED}
    bench.send(ObjectsDrop(workflow="w1", but=(OBJECT.id,)))
    assert bench.runner.fetching == {}
    assert bench.store.objects.oldest_unreferenced() is not None


def test_who_asks_what_is_kept_says_again_what_is_to_come(bench: Bench) -> None:
    keep(bench)
    bench.send(QUESTION)
    assert bench.runner.fetching == {}


def test_an_object_of_another_size_is_not_the_one(bench: Bench) -> None:
    bench.store.objects.add(OBJECT, manager="m1", date=bench.date)
    keep(bench, Object(OBJECT.sha256, 4))
    assert "5000000 bytes here, and not 4" in bench.outbox.take(ObjectsRefused).reason


def test_what_is_kept_is_said_to_be_gone_when_it_is(bench: Bench) -> None:
    keep(bench)
    bring(bench)
    bench.outbox.take(ObjectsHeld)
    bench.call(lambda _at: bench.reactor._objects.lose([OBJECT.id]))
    assert bench.outbox.take(ObjectsGone).objects == (OBJECT.id,)


def test_a_forgotten_manager_has_nothing_fetched(bench: Bench) -> None:
    keep(bench)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.runner.fetching == {}
