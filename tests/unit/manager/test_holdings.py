"""What the manager itself holds: uploads, until a workflow names them, and as long as that needs them."""

from typing import Any

import pytest

from caroni_edge.config.model import FilesConfig
from caroni_edge.manager.holding.holdings import KEPT_S, LOOK_EVERY_S
from caroni_edge.manager.lifecycle import StepState, WorkflowState
from caroni_edge.objects.filework import ObjectsLost
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.objects.store.rights import StoredRights
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectsRefused, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectHere, ObjectsHere
from caroni_edge.protocol.objects import ObjectBad, ObjectKey, ObjectsWanted
from caroni_edge.values.carried import directory_value, object_value
from tests.unit.manager.bench import Bench, given, out, plan, step

PHOTO, OTHER = Object("c" * 64, 5_000_000), Object("d" * 64, 100)
VALUE = object_value("m31.fits", PHOTO, "0" * 40)
LOOK = plan(
    "look",
    step("small", "upper", {"thumb": "File"}, image=("File", given("photo"))),
    inputs={"photo": "File"},
    outputs={"thumb": ("File", out("small", "thumb")), "photo": ("File", given("photo"))},
)
THUMB = object_value("t.png", OTHER, "1" * 40)
ONCE = plan("once", step("small", "upper", image=("File", given("photo"))), inputs={"photo": "File"})
FOLDER = plan("folder", step("small", "upper", image=("Directory", given("photo"))), inputs={"photo": "Directory"})


@pytest.fixture
def bench() -> Bench:
    bench = Bench(LOOK, ONCE, FOLDER)
    bench.presence("a1")
    return bench


def upload(bench: Bench, found: Object = PHOTO) -> None:
    bench.call(lambda at: bench.reactor.holdings.take(found, "giver", at))


def start(bench: Bench, template: str = "once", workflow: str = "w1", value: Any = VALUE) -> None:
    bench.start(template, workflow, inputs={"photo": value})


def here(bench: Bench) -> list[str]:
    return [row["object"] for row in bench.rows("SELECT object FROM objects ORDER BY object")]


def served(bench: Bench, workflow: str, found: Object = PHOTO) -> bool:
    """Tell whether an agent that shows the ticket of a workflow is given an object."""
    return StoredRights(bench.database.conn).size("m1", workflow, found.sha256) is not None


def later(bench: Bench, by_s: float) -> None:
    bench.now += by_s
    bench.date += by_s
    bench.settle()


def refusal(bench: Bench) -> str:
    return str(bench.take_event("caroni.workflow.rejected")["data"]["reason"])


def test_a_step_gets_an_uploaded_file_from_the_manager(bench: Bench) -> None:
    upload(bench)
    start(bench)
    (placed,) = bench.place_all("a1")
    assert placed.inputs == {"image": VALUE}
    (place,) = placed.places
    assert place.holder == "managers/m1"
    keys = StoredRights(bench.database.conn, lambda manager: f"managers/{manager}").keys("m1")
    assert keys is not None
    assert keys.admit(place.ticket, place.generation, "w1", Peer("agents", "a1"))
    assert not keys.admit(place.ticket, place.generation, "w1", Peer("agents", "a2"))
    assert not keys.admit(place.ticket, place.generation, "w2", Peer("agents", "a1"))
    assert served(bench, "w1")
    assert not served(bench, "w2")
    assert not bench.outbox.take_all(ObjectKey, "managers/m1")


def test_a_manager_says_where_it_gives_what_was_uploaded_straight() -> None:
    bench = Bench(ONCE, files=FilesConfig(url="https://m1.example.org"))
    bench.presence("a1")
    upload(bench)
    start(bench)
    (placed,) = bench.place_all("a1")
    assert [each.direct for each in placed.places] == ["https://m1.example.org"]


def test_a_file_that_is_not_here_starts_nothing_and_says_what_to_do(bench: Bench) -> None:
    start(bench)
    reason = refusal(bench)
    assert reason.startswith('input photo: the file "m31.fits" (sha256:cccc')
    assert "caroni-edge submit --file" in reason
    assert bench.rows("SELECT 1 FROM workflows") == []


def test_a_file_of_another_size_starts_nothing(bench: Bench) -> None:
    upload(bench)
    start(bench, value={**VALUE, "size": 7})
    assert refusal(bench).endswith("is 7, and it has 5000000 bytes")


def test_what_an_agent_has_made_is_not_here_if_that_keeps_it_for_no_other_workflow(bench: Bench) -> None:
    bench.presence("a1", speaks=2)
    upload(bench)
    start(bench, "look")
    bench.complete(bench.place(), thumb=object_value("t.png", OTHER, "1" * 40))
    start(bench, "once", "w2", object_value("t.png", OTHER, "1" * 40))
    assert "is not at this manager" in refusal(bench)


def start_with_what_an_agent_has(bench: Bench) -> dict[str, Any]:
    """Let an agent make a file, and another workflow begin with it; return the step that takes it."""
    upload(bench)
    start(bench, "look")
    bench.complete(bench.place(), thumb=THUMB)
    start(bench, "once", "w2", THUMB)
    return bench.rows("SELECT s.* FROM steps s JOIN workflows w ON w.seq = s.workflow WHERE w.id = 'w2'")[0]


def test_a_workflow_may_begin_with_what_an_agent_has_which_is_asked_to_keep_it_for_it(bench: Bench) -> None:
    step = start_with_what_an_agent_has(bench)
    assert "which a1 is asked to keep for this workflow" in step["reason"]
    said = bench.outbox.take(ObjectsKeep)
    assert (said.workflow, said.objects, said.places) == ("w2", (ObjectToKeep(object=OTHER.id, size=100),), ())
    bench.send(ObjectsHeld(workflow="w2", objects=(OTHER.id,)))
    (placed,) = bench.place_all("a1")
    assert (placed.workflow, placed.inputs) == ("w2", {"image": THUMB})


def test_it_is_asked_again_after_its_link_began_anew(bench: Bench) -> None:
    start_with_what_an_agent_has(bench)
    bench.outbox.take(ObjectsKeep)
    bench.reset("a1")
    bench.send(ObjectsHere(objects=(ObjectHere(workflow="w1", object=OTHER.id, size=100),)))
    assert bench.outbox.take(ObjectsKeep).workflow == "w2"


def test_a_workflow_whose_file_an_agent_does_not_keep_fails_in_words(bench: Bench) -> None:
    start_with_what_an_agent_has(bench)
    bench.send(ObjectsRefused(workflow="w2", objects=(OTHER.id,), reason="it does not lie here"))
    assert bench.workflow_state("w2") is WorkflowState.FAILED
    assert "no agent has the file" in bench.workflow("w2")["reason"]


def test_what_an_agent_has_is_not_taken_for_what_it_is_not(bench: Bench) -> None:
    start_with_what_an_agent_has(bench)
    start(bench, "once", "w3", {**THUMB, "size": 7})
    assert refusal(bench).endswith("is 7, and it has 100 bytes")
    start(bench, "folder", "w4", directory_value("night", OTHER))
    assert refusal(bench).endswith("is no Directory")


def test_a_workflow_begins_with_a_directory_of_uploads(bench: Bench) -> None:
    upload(bench)
    value = {"class": "Directory", "basename": "night", "listing": [VALUE]}
    start(bench, "folder", value=value)
    assert served(bench, "w1")


LISTING = Object("e" * 64, 300)
FOLDER_VALUE = directory_value("night", LISTING)


def upload_list(bench: Bench, *files: Object) -> None:
    bench.call(lambda at: bench.reactor.holdings.take(LISTING, "giver", at, files))


def test_a_workflow_begins_with_a_directory_whose_list_and_files_are_here(bench: Bench) -> None:
    upload(bench)
    upload_list(bench, PHOTO)
    start(bench, "folder", value=FOLDER_VALUE)
    assert served(bench, "w1")
    assert served(bench, "w1", LISTING)
    later(bench, 3 * KEPT_S)
    assert here(bench) == [PHOTO.id, LISTING.id]
    bench.call(lambda at: bench.reactor.rerun("w1", {}, "w2", at))
    assert served(bench, "w2")
    for workflow in ("w1", "w2"):
        bench.cancel(workflow)
    for _ in range(3):
        later(bench, KEPT_S + LOOK_EVERY_S)
    assert here(bench) == []


def test_a_directory_that_is_not_here_is_refused_in_words(bench: Bench) -> None:
    start(bench, "folder", value=FOLDER_VALUE)
    assert 'the directory "night" is not at this manager: upload it' in refusal(bench)
    upload(bench, LISTING)
    start(bench, "folder", value=FOLDER_VALUE)
    assert f"PUT /api/objects/{LISTING.id}?class=Directory" in refusal(bench)
    upload_list(bench, PHOTO, OTHER)
    start(bench, "folder", value=FOLDER_VALUE)
    assert f'2 files of the directory "night" are not at this manager, {PHOTO.id} is one of them' in refusal(bench)


def test_a_directory_that_says_a_wrong_size_of_a_file_is_refused_in_words(bench: Bench) -> None:
    upload(bench)
    upload_list(bench, Object(PHOTO.sha256, 7))
    start(bench, "folder", value=FOLDER_VALUE)
    assert f"says that {PHOTO.id} has 7 bytes, and that is not so" in refusal(bench)


def test_a_directory_is_lost_here_with_any_of_its_files(bench: Bench) -> None:
    upload(bench)
    upload_list(bench, PHOTO)
    start(bench, "folder", value=FOLDER_VALUE)
    bench.call(lambda at: bench.reactor.on_files(ObjectsLost((PHOTO.id,)), at))
    assert not served(bench, "w1", LISTING)
    assert bench.store.places.of(bench.workflow()["seq"], LISTING.id) == []


def test_an_upload_that_nobody_names_goes_after_a_week(bench: Bench) -> None:
    upload(bench)
    later(bench, KEPT_S - LOOK_EVERY_S - 1)
    assert here(bench) == [PHOTO.id]
    later(bench, 2 * LOOK_EVERY_S)
    assert here(bench) == []
    assert bench.storekeeper.discarded == [PHOTO.id]
    assert bench.reactor.next_due() > bench.now


def test_a_workflow_keeps_what_it_names_until_it_has_completed(bench: Bench) -> None:
    upload(bench)
    start(bench)
    later(bench, 3 * KEPT_S)
    assert served(bench, "w1")
    bench.complete(bench.place(), out="X")
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert not served(bench, "w1")
    assert here(bench) == [PHOTO.id]
    start(bench, workflow="w2")
    assert served(bench, "w2")


def test_what_is_among_the_outputs_stays_until_the_workflow_is_deleted(bench: Bench) -> None:
    upload(bench)
    start(bench, "look")
    bench.complete(bench.place(), thumb=object_value("t.png", OTHER, "1" * 40))
    assert bench.workflow_state() is WorkflowState.COMPLETED
    assert served(bench, "w1")
    bench.delete()
    assert not served(bench, "w1")


def test_a_failed_workflow_keeps_its_files_for_retry_and_a_cancelled_one_does_not(bench: Bench) -> None:
    upload(bench)
    bench.set(attempts=1)
    start(bench)
    bench.fail(bench.place())
    assert bench.workflow_state() is WorkflowState.FAILED
    assert served(bench, "w1")
    start(bench, workflow="w2")
    bench.cancel("w2")
    assert not served(bench, "w2")


def test_a_held_workflow_keeps_what_it_names(bench: Bench) -> None:
    upload(bench)
    bench.pause("once")
    start(bench)
    later(bench, 2 * KEPT_S)
    assert served(bench, "w1")
    bench.resume("once")
    assert len(bench.place_all("a1")[0].places) == 1


def test_a_trigger_that_is_refused_keeps_nothing(bench: Bench) -> None:
    upload(bench)
    bench.set(waiting_workflows=1)
    start(bench)
    start(bench, workflow="w2")
    assert not served(bench, "w2")


def test_rerun_takes_what_is_here_still(bench: Bench) -> None:
    upload(bench)
    start(bench)
    bench.complete(bench.place(), out="X")
    assert served(bench, bench.rerun())


def room(bench: Bench, size: int, lacking: int, most: int) -> str | None:
    return bench.call(lambda _at: bench.reactor.holdings.make_room(size, lacking, most))


def test_what_nobody_needs_makes_room_the_longest_unused_first(bench: Bench) -> None:
    for workflow, found in (("w1", PHOTO), ("w2", OTHER)):
        upload(bench, found)
        start(bench, workflow=workflow, value=object_value("x", found, "0" * 40))
        bench.cancel(workflow)
        later(bench, 10)
    assert room(bench, 50, 0, 6_000_000) is None
    assert here(bench) == [PHOTO.id, OTHER.id]
    assert room(bench, 999_999, 0, 6_000_000) is None
    assert here(bench) == [OTHER.id]
    assert room(bench, 1, 1, 6_000_000) is None
    assert here(bench) == []
    assert bench.storekeeper.discarded == [PHOTO.id, OTHER.id]


def test_what_is_needed_makes_no_room_and_nothing_goes_in_vain(bench: Bench) -> None:
    upload(bench)
    upload(bench, OTHER)
    start(bench, value=object_value("x", OTHER, "0" * 40))
    bench.cancel()
    assert room(bench, 10, 0, 100) == "files.store is 100 bytes, and what is needed or on its way takes 5000100 of them"
    assert room(bench, 10, 200, 1 << 40) == "the manager's disk lacks 200 bytes for it, if disk_floor is to stay free"
    assert here(bench) == [PHOTO.id, OTHER.id]


def test_rows_of_what_was_brought_are_committed_before_it_is_settled(bench: Bench) -> None:
    bench.call(lambda at: bench.reactor.holdings.take(PHOTO, "giver", at), commit=False)
    assert bench.storekeeper.was_settled == []
    upload(bench)
    assert bench.storekeeper.was_settled == ["giver"]


def test_a_start_compares_rows_with_what_is_on_disk(bench: Bench) -> None:
    upload(bench)
    bench.restart()
    assert bench.storekeeper.stock == [PHOTO]


def test_a_file_that_the_manager_has_lost_fails_the_step_that_waits_for_it(bench: Bench) -> None:
    upload(bench)
    start(bench)
    bench.call(lambda at: bench.reactor.objects.on_lost_here([ObjectId(PHOTO.id)], at))
    assert here(bench) == []
    assert bench.state("small") is StepState.FAILED
    assert "this manager has lost it" in bench.workflow()["reason"]


def test_a_ticket_that_the_manager_did_not_take_is_said_again(bench: Bench) -> None:
    upload(bench)
    start(bench)
    (placed,) = bench.place_all("a1")
    bench.send(ObjectBad(job=placed.job, object=PHOTO.id, place="managers/m1", reason="ticket"))
    again = bench.outbox.take(ObjectsWanted, "a1")
    assert again.places == placed.places


def test_what_somebody_did_not_get_rightly_from_the_manager_is_looked_at(bench: Bench) -> None:
    upload(bench)
    start(bench)
    (placed,) = bench.place_all("a1")
    for _ in range(2):
        bench.send(ObjectBad(job=placed.job, object=PHOTO.id, place="managers/m1", reason="bad"))
    assert bench.storekeeper.verified == [PHOTO]


def test_an_agent_that_makes_no_use_of_files_gets_no_step_with_one(bench: Bench) -> None:
    upload(bench)
    start(bench)
    bench.outbox.versions["a3"] = 1
    bench.presence("a3", speaks=1)
    bench.offer("a3")
    assert not bench.rows("SELECT 1 FROM jobs")
