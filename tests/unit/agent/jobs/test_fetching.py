"""Files that lie on other hosts: which are fetched for jobs that wait for them, and what becomes of those jobs."""

import pytest

from caroni_edge.agent.jobs.fetching import ROOM_AGAIN_S, TELL_AGAIN_S
from caroni_edge.agent.jobs.fileroom import OF_A_JOB
from caroni_edge.agent.jobs.wants import HOLDERS_MAX
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.processes.port import FetchedNoDirectory, ObjectFetched, PlaceRefused
from caroni_edge.config.model import FilesConfig
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import Failure, FetchId
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Key, Peer
from caroni_edge.protocol.codec import encode_message
from caroni_edge.protocol.keeping import ObjectsDrop, ObjectsGone
from caroni_edge.protocol.linkmessage import LinkMessage
from caroni_edge.protocol.messages import (
    JobDataReady,
    JobDecline,
    JobKill,
    JobOffer,
    JobStatusRequest,
    JobStatusUpdate,
    OfferAccept,
    Placement,
)
from caroni_edge.protocol.objects import PLACES_MAX, ObjectBad, ObjectKey, ObjectPlace, ObjectsWanted
from caroni_edge.values.carried import directory_value, object_value
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type
from tests.unit.agent.bench import Bench, job_type

OBJECT, OTHER = Object("a" * 64, 5_000_000), Object("b" * 64, 7_000_000)
FILE, OTHER_FILE = object_value("m31.fits", OBJECT, "0" * 40), object_value("m42.fits", OTHER, "0" * 40)
WANTED, OTHER_WANTED = FetchId("m1", OBJECT.sha256), FetchId("m1", OTHER.sha256)
A2, A3 = Peer("agents", "a2"), Peer("agents", "a3")
AT_A2 = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
AT_A3 = ObjectPlace(holder="agents/a3", generation=1, ticket="3" * 64)
FLOOR = 1_000_000
NO_OFFER = JobOffer(offer="nooffer1", job_type="take", serial=0)


@pytest.fixture
def bench() -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("both", {"one": "File", "two": "File"}), job_type("upper")]
    types.append(job_type("sum", {"numbers": "int[]"}))
    types.append(job_type("open", {"folder": "Directory", "file": "File?"}))
    return Bench(types=types, slots=1, disk_floor_bytes=FLOOR)


def taking(bench: Bench, *places: ObjectPlace, workflow: str = "w1") -> Placement:
    """Return a job that takes the file."""
    return bench.new_job("take", inputs={"file": FILE}, places=places or (AT_A2,), workflow=workflow)


def staging(bench: Bench, *places: ObjectPlace) -> str:
    """Place a job that takes the file, which is not here."""
    (job,) = bench.place(taking(bench, *places))
    assert bench.state(job) is JobState.STAGING
    return job


def bring(bench: Bench, fetch: FetchId = WANTED, found: Object = OBJECT) -> None:
    """Let what is fetched be here."""
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(fetch, found), at))


def refuse(bench: Bench, holder: Peer, why: Failure = "unknown") -> None:
    """Let a place refuse the file."""
    bench.call(lambda at: bench.reactor.on_news(PlaceRefused(WANTED, holder, why), at))


def asked(bench: Bench) -> list[tuple[Peer, str]]:
    """Return who is asked for the file, for which workflows."""
    return [(place.holder, place.workflow) for place in bench.runner.fetching[WANTED].places]


def test_a_job_waits_for_its_file_without_a_slot_and_then_gets_it(bench: Bench) -> None:
    job = staging(bench)
    want = bench.runner.fetching[WANTED]
    assert (want.object, want.places) == (OBJECT, (Place(A2, "w1", 1, "2" * 64),))
    (other,) = bench.place(bench.new_job("upper"))
    assert (bench.state(other), bench.states()["staging"]) == (JobState.RUNNING, 1)
    bring(bench)
    assert (bench.state(job), bench.runner.fetching) == (JobState.QUEUED, {})
    bench.end(other)
    order = bench.runner.started[-1]
    assert (order.job, order.objects) == (job, (OBJECT,))


def test_where_a_place_gives_files_straight_is_handed_on(bench: Bench) -> None:
    url = "https://a2.example.org:8443"
    staging(bench, ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64, direct=url))
    assert bench.runner.fetching[WANTED].places == (Place(A2, "w1", 1, "2" * 64, url),)


def test_an_agent_says_where_it_gives_files_straight(bench: Bench) -> None:
    assert bench.reactor.presence()["direct"] == ""
    bench.reload(files=FilesConfig(url="https://a1.example.org"))
    assert bench.reactor.presence()["direct"] == "https://a1.example.org"


def test_to_its_manager_a_staging_job_is_queued(bench: Bench) -> None:
    job = staging(bench)
    bench.outbox.nothing_else()
    bench.send(JobStatusRequest(job=job))
    assert bench.outbox.take(JobStatusUpdate).status == "queued"


def test_data_that_comes_later_may_name_files_that_are_elsewhere(bench: Bench) -> None:
    (job,) = bench.place(bench.new_job("take", ready=False))
    bench.send(JobDataReady(job=job, inputs={"file": FILE}, places=(AT_A2,)))
    assert bench.state(job) is JobState.STAGING
    bring(bench)
    assert bench.state(job) is JobState.RUNNING


def test_a_job_waits_for_all_of_its_files_and_each_place_is_asked_for_what_it_has(bench: Bench) -> None:
    places = (
        ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64, objects=(OBJECT.id,)),
        ObjectPlace(holder="agents/a3", generation=1, ticket="3" * 64, objects=(OTHER.id,)),
    )
    (job,) = bench.place(bench.new_job("both", inputs={"one": FILE, "two": OTHER_FILE}, places=places))
    found = {want.object: [place.holder for place in want.places] for want in bench.runner.fetching.values()}
    assert found == {OBJECT: [A2], OTHER: [A3]}
    bring(bench)
    assert bench.state(job) is JobState.STAGING
    bring(bench, OTHER_WANTED, OTHER)
    assert bench.state(job) is JobState.RUNNING


def test_one_fetch_serves_all_jobs_of_its_manager_and_nobody_elses(bench: Bench) -> None:
    first, second = staging(bench), staging(bench)
    bench.place(taking(bench), manager="m2")
    assert bench.runner.fetching.keys() == {WANTED, FetchId("m2", OBJECT.sha256)}
    bring(bench)
    assert (bench.state(first), bench.state(second)) == (JobState.RUNNING, JobState.QUEUED)
    assert bench.runner.fetching.keys() == {FetchId("m2", OBJECT.sha256)}
    assert bench.store.objects.of("m2", OBJECT.id) is None


def test_what_was_fetched_stays_as_long_as_its_job_is_known_and_until_a_drop(bench: Bench) -> None:
    staging(bench)
    bring(bench)
    assert bench.store.objects.oldest_unreferenced() is None
    bench.send(ObjectsDrop(workflow="w1"))
    assert bench.store.objects.oldest_unreferenced() is not None


def test_without_a_place_a_file_that_is_not_here_is_declined(bench: Bench) -> None:
    bench.accept(NO_OFFER, bench.new_job("take", inputs={"file": FILE}))
    assert "is not on this host" in bench.outbox.take(JobDecline).reason
    assert bench.runner.fetching == {}


# Room


def test_nothing_is_fetched_that_there_is_no_room_for_until_there_is(bench: Bench) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size - 1))
    job = staging(bench)
    assert bench.runner.fetching == {}
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size))
    assert bench.runner.fetching.keys() == {WANTED}
    assert bench.state(job) is JobState.STAGING


def test_room_is_reserved_for_what_is_on_its_way(bench: Bench) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size + OTHER.size - 1))
    staging(bench)
    bench.place(bench.new_job("take", inputs={"file": OTHER_FILE}, places=(AT_A2,)))
    assert bench.runner.fetching.keys() == {WANTED}
    bring(bench)
    assert bench.runner.fetching.keys() == {OTHER_WANTED}


def test_of_a_job_nothing_is_begun_before_there_is_room_for_all(bench: Bench) -> None:
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size + OTHER.size - 1))
    bench.place(bench.new_job("both", inputs={"one": FILE, "two": OTHER_FILE}, places=(AT_A2,)))
    assert bench.runner.fetching == {}
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OBJECT.size + OTHER.size))
    assert bench.runner.fetching.keys() == {WANTED, OTHER_WANTED}


def test_room_is_reserved_for_all_that_a_directory_names(bench: Bench) -> None:
    files = [Object(f"{number:064x}", 100_000) for number in range(2 * OF_A_JOB)]
    all_bytes = 2 * OF_A_JOB * 100_000
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + all_bytes + OBJECT.size - 1))
    staging_directory(bench)
    bring_list(bench, *files)
    assert len(bench.runner.fetching) == OF_A_JOB
    staging(bench)
    assert WANTED not in bench.runner.fetching
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + all_bytes + OBJECT.size))
    assert WANTED in bench.runner.fetching


def test_a_directory_that_has_begun_keeps_others_from_its_room(bench: Bench) -> None:
    files = [Object(f"{number:064x}", 100_000) for number in range(2 * OF_A_JOB)]
    staging_directory(bench)
    bring_list(bench, *files)
    fetch, want = next(iter(bench.runner.fetching.items()))
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR + OF_A_JOB * 100_000 + OBJECT.size))
    staging(bench)
    bring(bench, fetch, want.object)
    assert len(bench.runner.fetching) == OF_A_JOB - 1
    assert WANTED not in bench.runner.fetching


def test_what_is_on_its_way_goes_on_though_less_is_free(bench: Bench) -> None:
    staging(bench)
    bench.call(lambda _at: bench.reactor.on_disk(FLOOR))
    assert bench.runner.fetching.keys() == {WANTED}


def disk_of(bench: Bench, disk_bytes: int, free_bytes: int = FLOOR) -> None:
    """Let the agent see how large its disk is, of which little is free for now."""
    bench.call(lambda _at: bench.reactor.on_disk(free_bytes, disk_bytes))


@pytest.mark.parametrize("later", [False, True], ids=["with the job", "with its data"])
def test_what_the_whole_disk_could_not_hold_is_declined_in_words(bench: Bench, later: bool) -> None:
    disk_of(bench, FLOOR + OBJECT.size - 1)
    if later:
        (job,) = bench.place(bench.new_job("take", ready=False))
        bench.send(JobDataReady(job=job, inputs={"file": FILE}, places=(AT_A2,)))
    else:
        (job,) = bench.place(taking(bench))
    assert (bench.state(job), bench.runner.fetching) == (JobState.FAILED, {})
    said = bench.outbox.take(JobDecline)
    assert (said.job, said.final) == (job, True)
    room = "this agent's disk has room for 4999999 at most, since disk_floor stays free"
    assert said.reason == f"its files have 5000000 bytes together, and {room}"
    assert bench.store.wanted.all(1) == []


def test_what_the_disk_can_hold_once_there_is_room_waits(bench: Bench) -> None:
    disk_of(bench, FLOOR + OBJECT.size)
    job = staging(bench)
    assert bench.runner.fetching == {}
    disk_of(bench, FLOOR + OBJECT.size, free_bytes=FLOOR + OBJECT.size)
    assert bench.runner.fetching.keys() == {WANTED}
    assert bench.state(job) is JobState.STAGING


@pytest.mark.parametrize("is_here", [False, True], ids=["none is here", "one is here"])
def test_all_files_of_a_job_must_fit_at_once(bench: Bench, is_here: bool) -> None:
    if is_here:
        staging(bench)
        bring(bench)
    disk_of(bench, FLOOR + OBJECT.size + OTHER.size - 1, free_bytes=FLOOR + OTHER.size)
    (job,) = bench.place(bench.new_job("both", inputs={"one": FILE, "two": OTHER_FILE}, places=(AT_A2,)))
    assert (bench.state(job), bench.runner.fetching) == (JobState.FAILED, {})
    assert "have 12000000 bytes together" in bench.outbox.take(JobDecline).reason


def test_jobs_that_fit_one_after_the_other_are_not_declined(bench: Bench) -> None:
    disk_of(bench, FLOOR + OTHER.size, free_bytes=FLOOR + OTHER.size)
    first = staging(bench)
    (second,) = bench.place(bench.new_job("take", inputs={"file": OTHER_FILE}, places=(AT_A2,)))
    assert (bench.state(first), bench.state(second)) == (JobState.STAGING, JobState.STAGING)


def test_what_a_directory_names_must_fit_too(bench: Bench) -> None:
    disk_of(bench, FLOOR + OBJECT.size, free_bytes=FLOOR + OBJECT.size)
    job = staging_directory(bench)
    bring_list(bench, OBJECT)
    assert (bench.state(job), bench.runner.fetching) == (JobState.FAILED, {})
    assert "have 5000300 bytes together" in bench.outbox.take(JobDecline).reason


def test_a_disk_floor_that_was_raised_is_noticed(bench: Bench) -> None:
    disk_of(bench, FLOOR + OBJECT.size)
    job = staging(bench)
    bench.reload(disk_floor_bytes=FLOOR + 1)
    disk_of(bench, FLOOR + OBJECT.size, free_bytes=FLOOR + 1)
    assert bench.state(job) is JobState.FAILED


def acknowledge(bench: Bench, said: LinkMessage) -> None:
    """Have a message been said and acknowledged: as the link does it, its row is there, and then it goes."""
    row = ("managers/m1", 1, "row", encode_message("row", said))
    bench.call(lambda _at: bench.database.conn.execute("INSERT INTO outbox VALUES (?, ?, ?, ?)", row))
    bench.call(lambda _at: bench.database.conn.execute("DELETE FROM outbox"))


def test_what_a_job_has_taken_makes_room_for_the_next_one_when_its_end_is_acknowledged() -> None:
    bench = Bench(types=[job_type("take", {"file": "File"})], slots=1, files_store_bytes=8_000_000)
    first = staging(bench)
    bring(bench)
    second = bench.new_job("take", inputs={"file": OTHER_FILE}, places=(AT_A3,))
    bench.place(second)
    assert OTHER_WANTED not in bench.runner.fetching
    running = bench.outbox.take(JobStatusUpdate)
    bench.end(first)
    acknowledge(bench, running)
    bench.advance(ROOM_AGAIN_S)
    assert OTHER_WANTED not in bench.runner.fetching
    acknowledge(bench, bench.outbox.take(JobStatusUpdate))
    bench.advance(ROOM_AGAIN_S)
    assert OTHER_WANTED in bench.runner.fetching
    assert bench.runner.discarded == [OBJECT.id]


# Places that do not give it


def test_a_place_that_does_not_have_it_is_said_once_and_the_others_are_left(bench: Bench) -> None:
    job = staging(bench, AT_A2, AT_A3)
    refuse(bench, A2)
    assert bench.outbox.take(ObjectBad) == ObjectBad(job=job, object=OBJECT.id, place="agents/a2", reason="unknown")
    bench.outbox.nothing_else()
    assert bench.state(job) is JobState.STAGING


@pytest.mark.parametrize("why", ["unknown", "bad"])
def test_a_file_that_no_place_gives_ends_all_who_wait_for_it(bench: Bench, why: Failure) -> None:
    jobs = [staging(bench, AT_A2, AT_A3), staging(bench, AT_A2, AT_A3)]
    refuse(bench, A2, why)
    refuse(bench, A3, why)
    declined = bench.outbox.take_all(JobDecline)
    assert {(each.job, each.final) for each in declined} == {(job, True) for job in jobs}
    assert declined[0].reason == 'the file "m31.fits" (5000000 bytes) is not to be had from a2 and a3 any more'
    assert ([bench.state(job) for job in jobs], bench.runner.fetching) == ([JobState.FAILED] * 2, {})


def test_a_file_that_one_workflow_has_elsewhere_comes_from_there(bench: Bench) -> None:
    first = staging(bench)
    (second,) = bench.place(taking(bench, AT_A3, workflow="w2"))
    assert asked(bench) == [(A2, "w1"), (A3, "w2")]
    refuse(bench, A2)
    assert (bench.state(first), bench.state(second)) == (JobState.FAILED, JobState.STAGING)
    assert bench.outbox.take(ObjectBad).job == first
    assert asked(bench) == [(A3, "w2")]
    refuse(bench, A3)
    assert (bench.state(second), bench.runner.fetching) == (JobState.FAILED, {})


def test_a_place_that_two_workflows_name_is_asked_once_and_by_the_ticket_of_the_other_when_the_first_has_ended(
    bench: Bench,
) -> None:
    first = staging(bench)
    (second,) = bench.place(taking(bench, AT_A2, AT_A3, workflow="w2"))
    assert asked(bench) == [(A2, "w1"), (A3, "w2")]
    refuse(bench, A3)
    bad = bench.outbox.take(ObjectBad)
    assert (bad.job, bad.place) == (second, "agents/a3")
    bench.outbox.nothing_else()
    refuse(bench, A2)
    assert (bench.state(first), bench.state(second)) == (JobState.FAILED, JobState.STAGING)
    assert (A2, "w2") in asked(bench)
    refuse(bench, A2)
    refuse(bench, A3)
    assert (bench.state(second), bench.runner.fetching) == (JobState.FAILED, {})


def test_of_very_many_places_a_bounded_number_is_asked(bench: Bench) -> None:
    for number in range(0, HOLDERS_MAX + 1, PLACES_MAX):
        holders = [f"agents/b{number + each}" for each in range(PLACES_MAX)]
        places = (ObjectPlace(holder=holder, generation=1, ticket="5" * 64) for holder in holders)
        bench.place(taking(bench, *places, workflow=f"w{number}"))
    assert len(asked(bench)) == HOLDERS_MAX


def test_a_file_that_was_told_with_another_size_is_begun_anew(bench: Bench) -> None:
    staging(bench)
    larger = Object(OBJECT.sha256, OBJECT.size + 1)
    inputs = {"file": object_value("m31.fits", larger, "0" * 40)}
    bench.place(bench.new_job("take", inputs=inputs, places=(AT_A3,), workflow="w2"))
    assert bench.runner.fetching[WANTED].object == OBJECT
    refuse(bench, A2)
    assert bench.runner.forgotten == [WANTED]
    assert bench.runner.fetching[WANTED].object == larger


def test_a_ticket_that_is_not_taken_is_said_once_and_ends_nothing(bench: Bench) -> None:
    job = staging(bench)
    for _ in range(2):
        refuse(bench, A2, "ticket")
    assert [each.reason for each in bench.outbox.take_all(ObjectBad)] == ["ticket"]
    assert bench.state(job) is JobState.STAGING
    bench.advance(TELL_AGAIN_S)
    refuse(bench, A2, "ticket")
    assert [each.reason for each in bench.outbox.take_all(ObjectBad)] == ["ticket"]
    newer = ObjectPlace(holder="agents/a2", generation=2, ticket="4" * 64)
    bench.send(ObjectsWanted(job=job, places=(newer,)))
    assert bench.runner.fetching[WANTED].places == (Place(A2, "w1", 2, "4" * 64),)
    refuse(bench, A2, "ticket")
    assert len(bench.outbox.take_all(ObjectBad)) == 1


def test_what_a_place_lacks_is_heard_though_it_has_not_taken_a_ticket_just_before(bench: Bench) -> None:
    job = staging(bench)
    refuse(bench, A2, "ticket")
    refuse(bench, A2, "bad")
    assert [each.reason for each in bench.outbox.take_all(ObjectBad)] == ["ticket", "bad"]
    assert bench.state(job) is JobState.FAILED


def test_places_that_are_named_anew_are_asked_whatever_they_said_before(bench: Bench) -> None:
    job = staging(bench, AT_A2, AT_A3)
    refuse(bench, A2)
    bench.send(ObjectsWanted(job=job, places=(AT_A2, AT_A3)))
    refuse(bench, A3)
    assert bench.state(job) is JobState.STAGING
    refuse(bench, A2)
    assert bench.state(job) is JobState.FAILED


def test_places_for_a_job_that_waits_for_nothing_or_is_somebody_elses_change_nothing(bench: Bench) -> None:
    job = staging(bench)
    bench.send(ObjectsWanted(job=job, places=(AT_A3,)), manager="m2")
    bench.send(ObjectsWanted(job="unknown1", places=(AT_A3,)))
    assert bench.runner.fetching[WANTED].places == (Place(A2, "w1", 1, "2" * 64),)
    bring(bench)
    bench.send(ObjectsWanted(job=job, places=(AT_A3,)))
    assert (bench.state(job), bench.runner.fetching) == (JobState.RUNNING, {})


def test_a_job_whose_file_is_nowhere_any_more_goes_back_and_uses_up_no_attempt(bench: Bench) -> None:
    places = (ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64, objects=(OBJECT.id,)), AT_A3)
    (job,) = bench.place(bench.new_job("both", inputs={"one": FILE, "two": OTHER_FILE}, places=places))
    bench.send(ObjectsWanted(job=job, places=places[:1]))
    declined = bench.outbox.take(JobDecline)
    assert (declined.job, declined.final) == (job, False)
    assert declined.reason == 'the file "m42.fits" (7000000 bytes) is not to be had anywhere any more'
    assert (bench.state(job), bench.runner.fetching) == (JobState.FAILED, {})


def test_a_file_that_no_place_is_named_for_is_said_to_be_gone(bench: Bench) -> None:
    elsewhere = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64, objects=(OTHER.id,))
    bench.accept(NO_OFFER, bench.new_job("take", inputs={"file": FILE}, places=(elsewhere,)))
    assert not bench.outbox.take(JobDecline).final
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(OBJECT.id,))
    (job,) = bench.place(bench.new_job("take", ready=False))
    bench.send(JobDataReady(job=job, inputs={"file": FILE}))
    assert not bench.outbox.take(JobDecline).final
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(OBJECT.id,))


def test_the_last_two_keys_of_a_manager_are_kept_until_it_is_forgotten(bench: Bench) -> None:
    for generation in (1, 2, 3):
        bench.send(ObjectKey(generation=generation, secret=bytes([generation]) * 32))
    keys = bench.store.object_keys.of("m1")
    assert keys is not None
    assert (keys.present, keys.last) == (Key(3, b"\3" * 32), Key(2, b"\2" * 32))
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.store.object_keys.of("m1") is None


# Ends and beginnings


def test_a_job_that_is_killed_wants_nothing_any_more(bench: Bench) -> None:
    job = staging(bench)
    bench.send(JobKill(job=job, reason="not wanted"))
    assert (bench.state(job), bench.runner.fetching) == (JobState.KILLED, {})
    assert bench.outbox.take(JobStatusUpdate).status == "killed"


def test_what_comes_though_nobody_wants_it_any_more_goes_again(bench: Bench) -> None:
    job = staging(bench)
    bench.send(JobKill(job=job, reason="not wanted"))
    bring(bench)
    assert bench.store.objects.of("m1", OBJECT.id) is None
    assert bench.runner.discarded == [OBJECT.id]


def test_a_file_that_another_job_waits_for_is_still_fetched(bench: Bench) -> None:
    first, second = staging(bench), staging(bench)
    bench.send(JobKill(job=first, reason="not wanted"))
    bring(bench)
    assert bench.state(second) is JobState.RUNNING


def test_after_a_restart_it_goes_on(bench: Bench) -> None:
    job = staging(bench)
    bench.runner.fetching = {}
    bench.restart()
    assert bench.runner.fetching.keys() == {WANTED}
    assert bench.runner.waiting == [job]
    bring(bench)
    assert bench.state(job) is JobState.RUNNING


def test_a_batch_that_is_rolled_back_fetches_nothing(bench: Bench) -> None:
    bench.batch(("m1", OfferAccept(offer="nooffer1", jobs=(taking(bench),))), commit=False)
    assert bench.runner.fetching == {}


def test_of_a_forgotten_manager_nothing_is_fetched(bench: Bench) -> None:
    staging(bench)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert (bench.runner.fetching, bench.store.wanted.all(1)) == ({}, [])


def test_what_is_staging_beyond_what_may_be_pending_holds_ready_places(bench: Bench) -> None:
    bench.reload(backlog=2, pending=1)
    for _ in range(3):
        staging(bench)
    bench.accept(NO_OFFER, *(bench.new_job("upper") for _ in range(2)))
    assert bench.outbox.take(JobDecline).reason


# Directories: what they name is known when their list is here

LISTING, PART = Object("d" * 64, 300), Object("e" * 64, 9)
FOLDER = directory_value("night", LISTING)
LISTED = FetchId("m1", LISTING.sha256)


def bring_list(bench: Bench, *files: Object) -> None:
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(LISTED, LISTING, files), at))


def staging_directory(bench: Bench, *places: ObjectPlace, **more: object) -> str:
    """Place a job that takes a directory, which is not here."""
    inputs = {"folder": FOLDER, **more}
    (job,) = bench.place(bench.new_job("open", inputs=inputs, places=places or (AT_A2,)))
    assert bench.state(job) is JobState.STAGING
    return job


def test_the_list_of_a_directory_is_fetched_first_and_then_what_it_names(bench: Bench) -> None:
    job = staging_directory(bench)
    assert [(each.object, each.is_directory) for each in bench.runner.fetching.values()] == [(LISTING, True)]
    bring_list(bench, OBJECT, PART)
    assert bench.state(job) is JobState.STAGING
    found = {want.object: (want.is_directory, want.places[0].holder) for want in bench.runner.fetching.values()}
    assert found == {OBJECT: (False, A2), PART: (False, A2)}
    bring(bench)
    assert bench.state(job) is JobState.STAGING
    bring(bench, FetchId("m1", PART.sha256), PART)
    assert (bench.state(job), bench.runner.fetching) == (JobState.RUNNING, {})
    assert bench.runner.started[-1].objects == (LISTING,)


def test_a_directory_without_files_needs_its_list_alone(bench: Bench) -> None:
    job = staging_directory(bench)
    bring_list(bench)
    assert bench.state(job) is JobState.RUNNING


def test_of_a_directory_what_is_here_already_is_not_fetched(bench: Bench) -> None:
    staging(bench)
    bring(bench)
    job = staging_directory(bench)
    bring_list(bench, OBJECT)
    assert bench.state(job) is JobState.QUEUED


def test_what_lies_here_as_a_file_is_fetched_as_a_directory(bench: Bench) -> None:
    as_file = object_value("list", LISTING, "0" * 40)
    bench.place(bench.new_job("take", inputs={"file": as_file}, places=(AT_A2,)))
    job = staging_directory(bench)
    bring(bench, LISTED, LISTING)  # the fetch had begun before it was wanted as a directory
    assert bench.runner.fetching[LISTED].is_directory
    bring_list(bench)
    assert bench.state(job) is JobState.QUEUED


def test_another_managers_directory_and_its_files_are_fetched_as_if_they_were_not_here(bench: Bench) -> None:
    staging_directory(bench)
    bring_list(bench, OBJECT)
    bring(bench)
    bench.place(bench.new_job("open", inputs={"folder": FOLDER}, places=(AT_A2,)), manager="m2")
    fetch = FetchId("m2", LISTING.sha256)
    assert bench.runner.fetching.keys() == {fetch}
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(fetch, LISTING, (OBJECT,)), at))
    assert bench.runner.fetching.keys() == {FetchId("m2", OBJECT.sha256)}


def test_what_a_directory_names_comes_from_those_that_have_the_directory(bench: Bench) -> None:
    places = (
        ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64, objects=(OTHER.id,)),
        ObjectPlace(holder="agents/a3", generation=1, ticket="3" * 64, objects=(LISTING.id,)),
    )
    job = staging_directory(bench, *places, file=OTHER_FILE)
    bring_list(bench, OBJECT)
    found = {want.object: [place.holder for place in want.places] for want in bench.runner.fetching.values()}
    assert found == {OTHER: [A2], OBJECT: [A3]}
    moved = ObjectPlace(holder="agents/a2", generation=2, ticket="5" * 64)
    bench.send(ObjectsWanted(job=job, places=(moved,)))
    assert {place for want in bench.runner.fetching.values() for place in want.places} == {Place(A2, "w1", 2, "5" * 64)}


def test_of_a_directory_of_thousands_some_are_fetched_at_a_time(bench: Bench) -> None:
    files = [Object(f"{number:064x}", 1) for number in range(1000)]
    job = staging_directory(bench)
    bring_list(bench, *files)
    assert len(bench.runner.fetching) == OF_A_JOB
    while bench.runner.fetching:
        fetch, want = next(iter(bench.runner.fetching.items()))
        bring(bench, fetch, want.object)
    assert bench.state(job) is JobState.RUNNING


def test_what_is_no_directory_ends_its_jobs_in_words(bench: Bench) -> None:
    job = staging_directory(bench)
    bench.call(lambda at: bench.reactor.on_news(FetchedNoDirectory(LISTED, "it names a file twice"), at))
    assert bench.state(job) is JobState.FAILED
    assert bench.outbox.take(JobDecline).reason == 'the directory "night" is none: it names a file twice'
    assert bench.runner.fetching == {}


def test_what_is_no_directory_is_fetched_anew_for_who_takes_it_for_a_file(bench: Bench) -> None:
    ended = staging_directory(bench)
    (job,) = bench.place(bench.new_job("take", inputs={"file": object_value("x", LISTING, "0" * 40)}, places=(AT_A2,)))
    bench.call(lambda at: bench.reactor.on_news(FetchedNoDirectory(LISTED, "it names a file twice"), at))
    assert (bench.state(ended), bench.state(job)) == (JobState.FAILED, JobState.STAGING)
    assert bench.runner.forgotten == [LISTED]
    assert not bench.runner.fetching[LISTED].is_directory
    bring(bench, LISTED, LISTING)
    assert bench.state(job) is JobState.RUNNING


def test_a_file_of_a_directory_that_nobody_has_is_told_as_such(bench: Bench) -> None:
    staging_directory(bench)
    bring_list(bench, OBJECT)
    refuse(bench, A2)
    assert bench.outbox.take(ObjectBad).object == LISTING.id, "the manager knows where the directory lies"
    reason = bench.outbox.take(JobDecline).reason
    assert reason == 'a file of the directory "night" (5000000 bytes) is not to be had from a2 any more'


def test_a_start_goes_on_with_a_directory(bench: Bench) -> None:
    staging_directory(bench)
    bench.restart()
    assert bench.runner.fetching[LISTED].is_directory
    bring_list(bench, OBJECT)
    bench.restart()
    assert bench.runner.fetching.keys() == {WANTED}


# Values that are objects

NUMBERS = large_value(OBJECT, parse_type("int[]"))


def test_a_value_that_is_an_object_is_fetched_as_a_file_is(bench: Bench) -> None:
    (job,) = bench.place(bench.new_job("sum", inputs={"numbers": NUMBERS}, places=(AT_A2,)))
    assert (bench.state(job), list(bench.runner.fetching)) == (JobState.STAGING, [WANTED])
    bring(bench)
    order = bench.runner.started[-1]
    assert (order.inputs, order.objects) == ({"numbers": NUMBERS}, (OBJECT,))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (large_value(OBJECT, parse_type("string")), "expected int[], got string"),
        ({**NUMBERS, "size": 1 << 40}, "expected int[]"),
        ([5, large_value(OBJECT, parse_type("int"))], None),
        ([large_value(Object("c" * 64, 40 << 20), parse_type("int"))] * 2, "more than 64 MiB as JSON together"),
    ],
)
def test_a_value_that_cannot_be_had_is_declined_in_words(bench: Bench, value: object, said: str | None) -> None:
    bench.accept(NO_OFFER, bench.new_job("sum", inputs={"numbers": value}, places=(AT_A2,)))
    if said is None:
        assert bench.runner.fetching.keys() == {WANTED}
    else:
        assert said in bench.outbox.take(JobDecline).reason
