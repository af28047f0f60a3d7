"""Workflows whose files are brought by whoever submits them: fetched first, then begun, or given up in words."""

from typing import Any

import pytest

from caroni_edge.manager.holding.port import Came, CameNoDirectory
from caroni_edge.manager.pages.lists import Plans
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.why import Explainer, ManagerNow
from caroni_edge.manager.triggers import brought
from caroni_edge.manager.triggers.brought import FETCHED_AT_ONCE, LOOK_EVERY_S, SILENT_S, WORKFLOWS_MAX
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Failure, FetchId, PlaceFailed
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.values.carried import directory_value, object_value
from tests.unit.manager.bench import Bench, given, plan, step
from tests.work import Work, work_of

ONE, TWO = Object("a" * 64, 5_000_000), Object("b" * 64, 7_000_000)
FETCH_ONE, FETCH_TWO = FetchId("m1", ONE.sha256), FetchId("m1", TWO.sha256)
TAKE = plan(
    "take",
    step("a", "upper", {"n": "int"}, one=("File", given("one")), two=("File", given("two"))),
    inputs={"one": "File", "two": "File"},
)
ALICE, BOB, TICKET = "submit-alice", "submit-bob", "7" * 64


@pytest.fixture
def bench() -> Bench:
    bench = Bench(TAKE)
    bench.presence("a1")
    bench.take_events()
    return bench


def submit(bench: Bench, workflow: str = "w1", holder: str = ALICE, ticket: str = TICKET, **facts: Any) -> None:
    """Let a trigger come that names who has its files."""
    inputs = {"one": object_value("m31.fits", ONE, "0" * 40), "two": object_value("m42.fits", TWO, "0" * 40)}
    places = {ONE.id: holder, TWO.id: holder}
    bench.start("take", workflow, **{"inputs": inputs, "places": places, "ticket": ticket, **facts})


def come(bench: Bench, found: Object) -> None:
    bench.call(lambda at: bench.reactor.on_files(Came(found), at))


def refuse(bench: Bench, why: Failure) -> None:
    bench.call(lambda at: bench.reactor.on_files(PlaceFailed(FETCH_ONE, Peer("submit", ALICE), why), at))


def status(bench: Bench, workflow: str = "w1") -> str:
    found: str = bench.workflow(workflow)["status"]
    return found


def last_event(bench: Bench) -> tuple[str, dict[str, Any]]:
    event = bench.take_events()[-1]
    return event["type"].rpartition(".")[2], event["data"]


def refusal(bench: Bench) -> str:
    said, data = last_event(bench)
    assert said == "rejected"
    reason: str = data["reason"]
    return reason


def why(bench: Bench) -> str:
    views = ManagerViews(bench.database.conn, Plans())
    row = views.workflow_row("w1")
    assert row is not None
    now = ManagerNow("m1", None, bench.now, None, lambda _agent: 0.0, {})
    return "\n".join(each["sentence"] for each in Explainer(views, now).workflow(row)["why"])


def fetched(bench: Bench) -> list[Want | FetchId]:
    found, bench.storekeeper.fetched = bench.storekeeper.fetched, []
    return found


def test_the_files_are_fetched_from_who_is_named_and_then_the_workflow_begins(bench: Bench) -> None:
    submit(bench)
    said, data = last_event(bench)
    assert (said, data["lacks_files"], data["reason"]) == ("held", True, "waits for 2 files from submit-alice")
    place = Place(Peer("submit", ALICE), "w1", 1, TICKET)
    assert fetched(bench) == [Want("m1", each, (place,), 1) for each in (ONE, TWO)]
    assert 'it waits for the files "m31.fits" (5 MB) and "m42.fits" (7 MB) from submit-alice' in why(bench)
    come(bench, ONE)
    assert (status(bench), fetched(bench)) == ("held", [FETCH_ONE])
    assert 'it waits for the file "m42.fits" (7 MB) from submit-alice' in why(bench)
    come(bench, TWO)
    assert (status(bench), fetched(bench)) == ("initializing", [FETCH_TWO])
    said, data = last_event(bench)
    assert (said, "lacks_files" in data) == ("started", False)
    assert [each.object for each in bench.store.objects.kept("m1", ("", ""), 9)] == [ONE.id, TWO.id]
    assert bench.store.brought.workflows() == []


def test_what_lies_here_already_is_not_fetched(bench: Bench) -> None:
    submit(bench)
    come(bench, ONE)
    come(bench, TWO)
    bench.take_events()
    fetched(bench)
    submit(bench, "w2")
    assert (status(bench, "w2"), fetched(bench)) == ("initializing", [])


def test_a_file_that_two_workflows_wait_for_is_fetched_once_and_from_the_other_when_the_first_is_gone(
    bench: Bench,
) -> None:
    submit(bench)
    submit(bench, "w2", BOB)
    assert [each.places[0].workflow for each in fetched(bench) if isinstance(each, Want)] == ["w1", "w1"]
    bench.cancel("w1")
    bench.advance(LOOK_EVERY_S)
    again = fetched(bench)
    assert [(each.places[0].workflow, each.places[0].holder.node) for each in again if isinstance(each, Want)] == [
        ("w2", BOB)
    ] * 2
    come(bench, ONE)
    come(bench, TWO)
    assert (status(bench, "w1"), status(bench, "w2")) == ("cancelled", "initializing")


def test_while_its_template_is_paused_it_is_held_with_its_files(bench: Bench) -> None:
    submit(bench)
    bench.pause("take")
    bench.resume("take")
    assert status(bench) == "held"
    bench.pause("take")
    come(bench, ONE)
    come(bench, TWO)
    said, data = last_event(bench)
    assert (said, data["reason"], "lacks_files" in data) == ("held", "the template take is paused", False)
    bench.resume("take")
    assert status(bench) == "initializing"


def test_a_trigger_that_comes_again_says_that_its_holder_is_there_and_may_name_another(bench: Bench) -> None:
    submit(bench)
    for _ in range(3):
        bench.advance(SILENT_S - 2 * LOOK_EVERY_S)
        submit(bench)
    assert status(bench) == "held"
    fetched(bench)
    submit(bench, holder=BOB, ticket="8" * 64)
    assert {each.places for each in fetched(bench) if isinstance(each, Want)} == {
        (Place(Peer("submit", BOB), "w1", 1, "8" * 64),)
    }


def test_a_holder_that_is_silent_for_long_is_given_up_in_words(bench: Bench) -> None:
    submit(bench)
    fetched(bench)
    bench.advance(SILENT_S + LOOK_EVERY_S)
    said, data = last_event(bench)
    assert (said, fetched(bench)) == ("cancelled", [FETCH_ONE, FETCH_TWO])
    reason = 'submit-alice was to bring the file "m31.fits" (5000000 bytes), and was not heard of for 10 min'
    assert data["reason"] == reason
    assert why(bench).endswith(reason)
    assert bench.reactor.next_due() > bench.now


def test_nobody_is_silent_while_we_are_not_connected(bench: Bench) -> None:
    submit(bench)
    bench.connected_s = 0.0
    bench.advance(10 * SILENT_S)
    assert status(bench) == "held"
    bench.connected_s = SILENT_S
    bench.advance(LOOK_EVERY_S)
    assert status(bench) == "cancelled"


@pytest.mark.parametrize(
    ("failure", "words"), [("unknown", "cannot be read there, or is another one now"), ("bad", "has other bytes there")]
)
def test_a_file_that_is_not_given_rightly_ends_it(bench: Bench, failure: Failure, words: str) -> None:
    submit(bench)
    refuse(bench, failure)
    said, data = last_event(bench)
    assert (said, data["reason"]) == (
        "cancelled",
        f'the file "m31.fits" (5000000 bytes) was to come from submit-alice, and {words}',
    )


def test_a_ticket_of_before_ends_nothing(bench: Bench) -> None:
    submit(bench)
    refuse(bench, "ticket")
    assert status(bench) == "held"


def test_after_a_restart_they_are_fetched_on(bench: Bench) -> None:
    submit(bench)
    come(bench, ONE)
    bench.now += 10 * SILENT_S
    bench.restart()
    assert [(each.places[0].workflow, each.object) for each in bench.storekeeper.resumed] == [("w1", TWO)]
    assert status(bench) == "held"
    come(bench, TWO)
    assert status(bench) == "initializing"


def test_no_more_is_taken_than_files_store_allows(bench: Bench) -> None:
    bench.set(files_store_bytes=ONE.size + TWO.size - 1)
    submit(bench)
    assert "there is no room for its files: files.store is 11999999 bytes" in refusal(bench)
    assert fetched(bench) == []


def test_no_more_is_taken_than_the_disk_has_room_for(bench: Bench) -> None:
    bench.set(disk_floor_bytes=0)
    bench.call(lambda _at: bench.reactor.holdings.on_disk(ONE.size + TWO.size - 1))
    submit(bench)
    assert "lacks 1 bytes for it, if disk_floor is to stay free" in refusal(bench)


def test_what_is_on_its_way_counts(bench: Bench) -> None:
    bench.set(files_store_bytes=2 * (ONE.size + TWO.size) - 1)
    submit(bench)
    bench.take_events()
    submit(bench, "w2")
    assert "there is no room for its files" in refusal(bench)


def test_only_so_many_workflows_wait(bench: Bench) -> None:
    for number in range(WORKFLOWS_MAX):
        submit(bench, f"w{number}")
    bench.take_events()
    submit(bench, "another")
    assert refusal(bench).startswith(f"{WORKFLOWS_MAX} workflows wait for files that are brought")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"places": {ONE.id: ALICE, TWO.id: BOB}}, "places name one submit-…"),
        ({"ticket": None}, "places name one submit-…"),
        ({"ticket": "word"}, "ticket is"),
        ({"places": {ONE.id: "a1"}}, "places is"),
        ({"places": {ONE.id: "submit-a/../x"}}, "places is"),
        ({"places": {"m31.fits": ALICE}}, "places is"),
        ({"places": {f"sha256:{number:064x}": ALICE for number in range(101)}}, "places is"),
        ({"places": {ONE.id: ALICE}}, 'input two: the file "m42.fits"'),
    ],
)
def test_places_that_make_no_sense_start_nothing(bench: Bench, facts: dict[str, Any], words: str) -> None:
    submit(bench, **facts)
    assert words in refusal(bench)
    assert (fetched(bench), bench.rows("SELECT 1 FROM workflows")) == ([], [])


def test_one_that_waits_has_no_steps(bench: Bench) -> None:
    submit(bench)
    assert bench.rows("SELECT 1 FROM steps") == []


# Directories

LOOK = plan(
    "look", step("a", "upper", {"n": "int"}, night=("Directory", given("night"))), inputs={"night": "Directory"}
)
LISTED = Object("c" * 64, 300)


def bring(count: int = 2, **settings: Any) -> tuple[Bench, list[Object]]:
    """Return a bench where a workflow waits for a directory, and what is in that."""
    bench = Bench(LOOK, **settings)
    bench.presence("a1")
    inputs = {"night": directory_value("night", LISTED)}
    bench.start("look", "w1", inputs=inputs, places={LISTED.id: ALICE}, ticket=TICKET)
    return bench, [Object(f"{number:064x}", 1000) for number in range(1, count + 1)]


def list_comes(bench: Bench, files: list[Object]) -> None:
    bench.call(lambda at: bench.reactor.on_files(Came(LISTED, tuple(files)), at))


def test_of_a_directory_its_list_is_fetched_and_then_what_is_in_it() -> None:
    bench, files = bring()
    assert 'it waits for the directory "night" from submit-alice' in why(bench)
    place = Place(Peer("submit", ALICE), "w1", 1, TICKET)
    assert fetched(bench) == [Want("m1", LISTED, (place,), 1, is_directory=True)]
    list_comes(bench, files)
    assert status(bench) == "held"
    assert "it waits for 2 files that lie in directories from submit-alice" in why(bench)
    assert [each.object for each in fetched(bench) if isinstance(each, Want)] == files
    bench.restart()
    for each in files:
        come(bench, each)
    assert status(bench) == "initializing"
    assert bench.store.places.of(1, LISTED.id) == ["managers/m1"]
    assert bench.store.objects.files_lacking("m1", LISTED.id) == []
    assert bench.store.objects.unneeded() == []


def test_a_directory_that_has_come_as_a_file_comes_once_more() -> None:
    bench, files = bring()
    fetched(bench)
    come(bench, LISTED)
    assert [each.object for each in fetched(bench) if isinstance(each, Want)] == [LISTED]
    list_comes(bench, files)
    for each in files:
        come(bench, each)
    assert status(bench) == "initializing"


def test_an_empty_directory_begins_at_once() -> None:
    bench, _ = bring()
    list_comes(bench, [])
    assert status(bench) == "initializing"


def test_what_is_in_it_and_lies_here_is_not_fetched_again() -> None:
    bench, files = bring()
    bench.call(lambda at: bench.store.objects.add(files[0], manager="m1", date=at.date))
    list_comes(bench, files)
    assert [each.object for each in fetched(bench) if isinstance(each, Want)] == [LISTED, files[1]]


def test_a_directory_that_says_a_wrong_size_of_what_lies_here_is_given_up() -> None:
    bench, files = bring()
    bench.call(lambda at: bench.store.objects.add(files[0], manager="m1", date=at.date))
    list_comes(bench, [Object(files[0].sha256, 7), files[1]])
    assert status(bench) == "cancelled"
    assert f'the directory "night" says that {files[0].id} has 7 bytes' in bench.workflow()["reason"]


def test_few_files_of_a_workflow_are_fetched_at_a_time() -> None:
    bench, files = bring(50)
    fetched(bench)
    list_comes(bench, files)
    assert len([each for each in fetched(bench) if isinstance(each, Want)]) == FETCHED_AT_ONCE
    come(bench, files[0])
    assert [each.object for each in fetched(bench) if isinstance(each, Want)] == [files[FETCHED_AT_ONCE]]


def test_a_directory_that_came_before_is_fetched_as_far_as_it_is_not_here() -> None:
    bench, files = bring()
    list_comes(bench, files)
    come(bench, files[0])
    bench.cancel("w1")
    fetched(bench)
    inputs = {"night": directory_value("night", LISTED)}
    bench.start("look", "w2", inputs=inputs, places={LISTED.id: BOB}, ticket=TICKET)
    assert [each.object for each in fetched(bench) if isinstance(each, Want)] == [files[1]]
    come(bench, files[1])
    assert status(bench, "w2") == "initializing"


def test_a_list_that_is_none_ends_it_in_words() -> None:
    bench, _ = bring()
    bench.call(lambda at: bench.reactor.on_files(CameNoDirectory(FetchId("m1", LISTED.sha256), "it is no list"), at))
    _, data = last_event(bench)
    assert data["reason"] == 'the directory "night" was to come from submit-alice, and is no directory: it is no list'


def test_too_much_in_it_ends_it_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, files = bring(files_store_bytes=2000)
    list_comes(bench, files)
    assert (
        'the directory "night" does not find room here: there is no room for its files'
        in last_event(bench)[1]["reason"]
    )
    monkeypatch.setattr(brought, "FILES_MAX", 1)
    bench, files = bring()
    list_comes(bench, files)
    assert "has so many files that more than 1 would be brought" in last_event(bench)[1]["reason"]


def test_a_directory_costs_the_same_for_each_file() -> None:
    def work(count: int) -> Work:
        bench, files = bring(count)
        list_comes(bench, files)
        return work_of(bench.database.conn, lambda: come(bench, files[0]))

    few, many = work(100), work(1000)
    assert many.is_like(few), (few, many)


def test_a_trigger_costs_the_same_however_much_others_wait_for() -> None:
    def work(count: int) -> Work:
        bench, files = bring(count)
        list_comes(bench, files)
        inputs = {"night": directory_value("night", ONE)}
        return work_of(
            bench.database.conn,
            lambda: bench.start("look", "w2", inputs=inputs, places={ONE.id: BOB}, ticket=TICKET),
        )

    few, many = work(100), work(1000)
    assert many.is_like(few), (few, many)


def test_what_is_waited_for_is_counted_as_it_comes_and_goes() -> None:
    bench, files = bring()
    list_comes(bench, files)
    assert bench.store.brought.size() == sum(each.size for each in files)
    come(bench, files[0])
    assert bench.store.brought.size() == sum(each.size for each in files[1:])
    bench.cancel("w1")
    assert bench.store.brought.size() == 0
