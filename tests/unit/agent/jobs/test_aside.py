"""Room that is kept for files which nobody gives: it is for those who can use it, and comes back in its turn."""

import pytest
from msgspec import structs

from caroni_edge.agent.jobs.aside import IN_VAIN_S, TURN_S
from caroni_edge.agent.jobs.fetching import ROOM_AGAIN_S
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.port import ObjectFetched
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId, Held, PlacesSilent
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.depots import ObjectsKeep, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectsDrop
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import Bench, job_type

FLOOR = 1_000_000
AWAY, HERE = Peer("agents", "away"), Peer("agents", "here")
AT_AWAY = ObjectPlace(holder="agents/away", generation=1, ticket="2" * 64)
AT_HERE = ObjectPlace(holder="agents/here", generation=1, ticket="3" * 64)


@pytest.fixture
def bench() -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("both", {"one": "File", "two": "File"})]
    return Bench(types=types, slots=1, disk_floor_bytes=FLOOR)


def has_room(bench: Bench, size_bytes: int) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + size_bytes))


def found(number: int, size: int) -> Object:
    return Object(f"{number:064x}", size)


def take(bench: Bench, wanted: Object, place: ObjectPlace, manager: str = "m1") -> FetchId:
    """Place a job that takes a file; return what its fetch is called."""
    inputs = {"file": object_value(f"{wanted.sha256[-1]}.fits", wanted, "0" * 40)}
    bench.place(bench.new_job("take", inputs=inputs, places=(place,)), manager=manager)
    return FetchId(manager, wanted.sha256)


def silent(bench: Bench, *holders: Peer) -> None:
    bench.call(lambda at: bench.reactor.on_news(PlacesSilent(frozenset(holders)), at))


def held(bench: Bench, fetch: FetchId, came: int = 0) -> None:
    bench.call(lambda at: bench.reactor.on_news(Held(fetch, came), at))


def come(bench: Bench, fetch: FetchId) -> None:
    size = bench.runner.fetching[fetch].object.size
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(fetch, Object(fetch.sha256, size)), at))


def pass_time(bench: Bench, seconds: float) -> None:
    """Let an agent that waits for room look again until then."""
    for _ in range(int(seconds / ROOM_AGAIN_S) + 1):
        bench.advance(ROOM_AGAIN_S)


def asked(bench: Bench) -> set[FetchId]:
    """Return what is to come from some place."""
    return {fetch for fetch, want in bench.runner.fetching.items() if want.places}


def test_room_for_what_nobody_gives_is_for_others_and_comes_back(bench: Bench) -> None:
    has_room(bench, 7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    second = take(bench, found(2, 7_000_000), AT_HERE, manager="m2")
    silent(bench, AWAY)
    assert asked(bench) == {first}
    pass_time(bench, IN_VAIN_S)
    assert asked(bench) == set()
    assert bench.runner.forgotten == []
    held(bench, first)
    assert asked(bench) == {second}
    come(bench, second)
    assert asked(bench) == {first}
    assert first not in bench.runner.forgotten


def test_what_has_come_stays_and_takes_its_room(bench: Bench) -> None:
    has_room(bench, 9_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    second = take(bench, found(2, 7_000_000), AT_HERE)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    held(bench, first, came=3_000_000)
    assert asked(bench) == {first}  # the other one does not fit beside that
    pass_time(bench, IN_VAIN_S)
    held(bench, first, came=2_000_000)
    assert asked(bench) == {second}
    has_room(bench, 9_999_999)
    assert asked(bench) == {second}
    has_room(bench, 12_000_000)
    assert asked(bench) == {first, second}


def test_it_is_kept_as_long_as_nobody_else_can_use_it(bench: Bench) -> None:
    has_room(bench, 7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    take(bench, found(2, 7_000_000), AT_AWAY)
    pass_time(bench, IN_VAIN_S)
    assert asked(bench) == {first}


def test_it_is_kept_for_a_place_that_answers_again_in_time(bench: Bench) -> None:
    has_room(bench, 7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    take(bench, found(2, 7_000_000), AT_HERE)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S / 2)
    silent(bench)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S / 2)
    assert asked(bench) == {first}


def test_after_a_restart_who_has_the_room_goes_on(bench: Bench) -> None:
    bench.reload(files_store_bytes=8_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    second = take(bench, found(2, 7_000_000), AT_HERE, manager="m2")
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    held(bench, first, came=1_000_000)
    for _ in range(2):
        assert (asked(bench), set(bench.runner.fetching)) == ({second}, {first, second})
        bench.restart()
    come(bench, second)
    bench.send(ObjectsDrop(workflow="w1"), manager="m2")
    pass_time(bench, ROOM_AGAIN_S)
    bench.restart()
    assert (asked(bench), bench.store.aside.all()) == ({first}, [])


def test_the_bound_of_one_manager_takes_nothing_from_another_one(bench: Bench) -> None:
    bench.reload(files_per_manager_bytes=7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    others = take(bench, found(1, 5_000_000), AT_AWAY, manager="m2")
    second = take(bench, found(2, 7_000_000), AT_HERE)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    assert asked(bench) == {others}
    held(bench, first)
    assert asked(bench) == {others, second}


def test_after_a_while_it_is_first_in_turn_again(bench: Bench) -> None:
    has_room(bench, 7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    fetches = [take(bench, found(number, 7_000_000), AT_HERE) for number in range(2, 5)]
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    held(bench, first)
    assert asked(bench) == {fetches[0]}
    come(bench, fetches[0])
    assert asked(bench) == {fetches[1]}
    pass_time(bench, TURN_S)
    come(bench, fetches[1])
    assert asked(bench) == {first}


def test_a_job_of_which_one_file_is_set_aside_goes_on_with_the_other(bench: Bench) -> None:
    has_room(bench, 9_000_000)
    one, two = found(1, 4_000_000), found(2, 4_000_000)
    inputs = {"one": object_value("one.fits", one, "0" * 40), "two": object_value("two.fits", two, "0" * 40)}
    places = (structs.replace(AT_AWAY, objects=(one.id,)), structs.replace(AT_HERE, objects=(two.id,)))
    (job,) = bench.place(bench.new_job("both", inputs=inputs, places=places))
    other = take(bench, found(3, 5_000_000), AT_HERE)
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    held(bench, FetchId("m1", one.sha256))
    assert asked(bench) == {FetchId("m1", two.sha256), other}
    assert bench.state(job) is JobState.STAGING


def test_what_was_promised_gives_its_room_to_jobs(bench: Bench) -> None:
    bench.reload(depot=True)
    has_room(bench, 7_000_000)
    kept = found(1, 5_000_000)
    keep = ObjectToKeep(object=kept.id, size=kept.size, directory=False)
    bench.send(ObjectsKeep(workflow="w1", objects=(keep,), places=(AT_AWAY,)))
    promised = FetchId("m1", kept.sha256)
    silent(bench, AWAY)
    job = take(bench, found(2, 7_000_000), AT_HERE, manager="m2")
    pass_time(bench, IN_VAIN_S)
    held(bench, promised)
    assert asked(bench) == {job}
    come(bench, job)
    assert asked(bench) == {promised}
    assert bench.store.keeps.is_promised("m1", "w1", kept.id)


def test_what_nobody_wants_any_more_is_not_kept_either(bench: Bench) -> None:
    has_room(bench, 7_000_000)
    first = take(bench, found(1, 5_000_000), AT_AWAY)
    second = take(bench, found(2, 7_000_000), AT_HERE, manager="m2")
    silent(bench, AWAY)
    pass_time(bench, IN_VAIN_S)
    held(bench, first)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert (bench.runner.forgotten, asked(bench)) == ([first], {second})
