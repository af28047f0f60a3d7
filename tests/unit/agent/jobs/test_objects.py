"""Objects of jobs as the agent decides of them: who may have them, what is kept, and what a collecting job is."""

import pytest

from caroni_edge.agent.jobs.objects import CACHE_S
from caroni_edge.agent.lifecycle import JobState
from caroni_edge.agent.peers.answering import WAITING_MAX
from caroni_edge.agent.peers.kept import OBJECTS_AT_ONCE
from caroni_edge.agent.processes.outcome import Failed, NeverBegan
from caroni_edge.agent.processes.port import JobCollecting, JobEnded
from caroni_edge.base.moment import Moment
from caroni_edge.objects.filework import NoRoomForFiles, ObjectsLost
from caroni_edge.objects.objects import Directory, Object
from caroni_edge.objects.store.rows import THE_WORKFLOW
from caroni_edge.protocol.keeping import ObjectHere, ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.messages import JobDataReady, JobDecline, JobKill, JobOffer, JobStatusRequest, JobStatusUpdate
from caroni_edge.protocol.objects import ObjectsCheck
from caroni_edge.protocol.reconciling import JobsHere, JobsWanted
from caroni_edge.values.carried import directory_value, object_value
from tests.unit.agent.bench import Bench, completed, job_type

OBJECT = Object("a" * 64, 5_000_000)
OTHER = Object("b" * 64, 7_000_000)
FILE = object_value("m31.fits", OBJECT, "0" * 40)
NO_OFFER = JobOffer(offer="nooffer1", job_type="take", serial=0)


@pytest.fixture
def bench() -> Bench:
    types = [job_type("give", {"message": "string?"}), job_type("take", {"file": "File"})]
    return Bench(types=[*types, job_type("open", {"folder": "Directory"})], slots=1)


def given(bench: Bench, manager: str = "m1") -> str:
    """Let a job of a manager give the file; return the job."""
    (job,) = bench.place(bench.new_job("give", inputs={}), manager=manager)
    bench.outbox.take(JobStatusUpdate, manager)
    ended = JobEnded(job, completed({"file": FILE}), bench.date, objects=(OBJECT,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    said = bench.outbox.take(JobStatusUpdate, manager)
    assert said.outputs == {"file": FILE}
    return job


def taking(bench: Bench) -> str:
    """Place a job that takes the file."""
    placed = bench.new_job("take", inputs={"file": FILE})
    bench.place(placed)
    return placed.job


def test_what_a_job_has_given_is_its_managers_and_rows_keep_it(bench: Bench) -> None:
    job = given(bench)
    assert bench.store.objects.of("m1", OBJECT.id) == (OBJECT.id, OBJECT.size)
    assert (bench.runner.settled_jobs, bench.runner.discarded) == ([job], [])
    assert bench.store.objects.oldest_unreferenced() is None


def test_a_job_takes_what_lies_here(bench: Bench) -> None:
    given(bench)
    job = taking(bench)
    order = bench.runner.started[-1]
    assert (order.job, order.objects, order.inputs) == (job, (OBJECT,), {"file": FILE})


def test_a_hash_is_no_right(bench: Bench) -> None:
    given(bench)
    placed = bench.new_job("take", inputs={"file": FILE})
    bench.accept(NO_OFFER, placed, manager="m2")
    declined = bench.outbox.take(JobDecline, "m2")
    assert (declined.job, declined.final) == (placed.job, False)
    assert bench.outbox.take(ObjectsGone, "m2") == ObjectsGone(objects=(OBJECT.id,))
    assert declined.reason == f'the file "m31.fits" ({OBJECT.id}) is not on this host'


@pytest.mark.parametrize("size", [OBJECT.size - 1, None, -1, "x", True])
def test_a_job_that_names_an_object_with_another_size_is_declined(bench: Bench, size: object) -> None:
    given(bench)
    bench.accept(NO_OFFER, bench.new_job("take", inputs={"file": {**FILE, "size": size}}))
    assert bench.outbox.take(JobDecline).final


def test_data_that_names_what_is_not_here_is_declined(bench: Bench) -> None:
    (job,) = bench.place(bench.new_job("take", ready=False))
    bench.send(JobDataReady(job=job, inputs={"file": FILE}))
    assert "is not on this host" in bench.outbox.take(JobDecline).reason
    assert bench.state(job) is JobState.FAILED


def test_an_object_that_is_gone_before_a_slot_is_free_fails_its_job(bench: Bench) -> None:
    given(bench)
    (busy,) = bench.place(bench.new_job("give", inputs={}))
    bench.outbox.take(JobStatusUpdate)
    job = taking(bench)
    bench.call(lambda at: bench.reactor.on_news(ObjectsLost((OBJECT.id,)), at))
    bench.end(busy, Failed("x"))
    assert bench.state(job) is JobState.FAILED
    assert "is not on this host" in (bench.job(job).reason or "")


def test_a_damaged_object_is_forgotten(bench: Bench) -> None:
    given(bench)
    job = taking(bench)
    ended = JobEnded(job, NeverBegan("damaged"), bench.date, damaged=OBJECT.id)
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    assert bench.store.objects.of("m1", OBJECT.id) is None


def test_what_its_manager_has_dropped_goes_after_a_while(bench: Bench) -> None:
    given(bench)
    bench.send(ObjectsDrop(workflow="w1"))
    bench.advance(CACHE_S - 1)
    assert bench.store.objects.is_here(OBJECT.id)
    bench.advance(2)
    assert not bench.store.objects.is_here(OBJECT.id)
    assert bench.runner.discarded == [OBJECT.id]
    assert bench.reactor.next_due() == float("inf")


def test_what_a_job_has_given_stays_until_its_manager_drops_it_whatever_becomes_of_the_job(bench: Bench) -> None:
    row = bench.job(given(bench))
    bench.call(lambda _at: bench.store.jobs.delete([row.id]))
    bench.advance(10 * CACHE_S)
    assert bench.store.objects.is_here(OBJECT.id)
    taking(bench)
    assert bench.runner.started[-1].objects == (OBJECT,)


def test_size_takes_jobs_and_not_what_a_workflow_needs_of_them() -> None:
    types = [job_type("give", {"message": "string?"}), job_type("take", {"file": "File"})]
    bench = Bench(types=types, slots=1, retention_bytes=0)
    (job,) = bench.place(bench.new_job("give", inputs={}))
    ended = JobEnded(job, completed({"file": FILE}), bench.date, disk_bytes=5_000_000, objects=(OBJECT,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    bench.advance(10 * CACHE_S)
    assert bench.store.jobs.by_job(job) is None
    assert bench.store.objects.of("m1", OBJECT.id) is not None


def test_a_job_that_is_here_keeps_what_it_takes_though_it_was_dropped_elsewhere(bench: Bench) -> None:
    given(bench)
    (busy,) = bench.place(bench.new_job("give", inputs={}))
    job = taking(bench)
    bench.send(ObjectsDrop(workflow="another"))
    bench.advance(10 * CACHE_S)
    bench.end(busy)
    assert (bench.runner.started[-1].job, bench.state(job)) == (job, JobState.RUNNING)


def test_a_drop_is_its_own_managers(bench: Bench) -> None:
    given(bench)
    bench.send(ObjectsDrop(workflow="w1"), manager="m2")
    bench.advance(10 * CACHE_S)
    assert bench.store.objects.is_here(OBJECT.id)


@pytest.mark.parametrize(
    ("drop", "stays"),
    [
        (ObjectsDrop(workflow="w1", but=(OBJECT.id,)), True),
        (ObjectsDrop(workflow="w1", after=OBJECT.id), True),
        (ObjectsDrop(workflow="w1", upto=f"sha256:{'0' * 64}"), True),
        (ObjectsDrop(workflow="w1", upto=OBJECT.id), False),
        (ObjectsDrop(workflow="w2"), True),
    ],
)
def test_a_drop_names_what_it_is_about(bench: Bench, drop: ObjectsDrop, stays: bool) -> None:
    given(bench)
    bench.send(drop)
    assert (bench.store.objects.oldest_unreferenced() is None) is stays


def test_managers_hear_of_what_is_lost(bench: Bench) -> None:
    given(bench)
    bench.call(lambda at: bench.reactor.on_news(ObjectsLost((OBJECT.id, OTHER.id)), at))
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(OBJECT.id,))
    bench.outbox.nothing_else()


def test_what_is_made_again_is_counted_anew(bench: Bench) -> None:
    given(bench)
    bench.call(lambda at: bench.reactor.on_news(ObjectsLost((OBJECT.id,)), at))
    bench.outbox.take(ObjectsGone)
    given(bench)
    bench.send(ObjectsDrop(workflow="w1"))
    assert bench.store.objects.oldest_unreferenced() is not None


def test_a_manager_that_reconciles_is_told_what_is_kept_for_it(bench: Bench) -> None:
    given(bench)
    bench.send(JobsWanted(wanted="query0001", objects=True))
    assert bench.outbox.take(JobsHere).upto == ""
    here = ObjectHere(workflow="w1", object=OBJECT.id, size=OBJECT.size)
    assert bench.outbox.take(ObjectsHere) == ObjectsHere(objects=(here,))
    bench.send(JobsWanted(wanted="query0002", objects=True), manager="m2")
    bench.outbox.take(JobsHere, "m2")
    assert bench.outbox.take(ObjectsHere, "m2") == ObjectsHere()


def test_much_is_told_in_pieces_over_a_restart(bench: Bench) -> None:
    many = [Object(f"{number:064x}", number) for number in range(2 * OBJECTS_AT_ONCE)]

    def keep(_at: Moment) -> None:
        for each in many:
            bench.store.objects.add(each, manager="m1", date=bench.date)
            bench.store.objects.refer(each.id, manager="m1", workflow="w1", job=THE_WORKFLOW, date=bench.date)

    bench.call(keep)
    bench.outbox.unacknowledged = WAITING_MAX
    bench.send(JobsWanted(wanted="query0001", objects=True))
    bench.restart()
    bench.outbox.unacknowledged = 0
    bench.advance(10)
    bench.outbox.take(JobsHere)
    pieces = bench.outbox.take_all(ObjectsHere)
    assert [here.object for piece in pieces for here in piece.objects] == [each.id for each in many]
    assert [(piece.first, piece.last) for piece in pieces] == [(True, False), (False, False), (False, True)]


def test_of_a_forgotten_manager_nothing_stays(bench: Bench) -> None:
    given(bench)
    bench.call(lambda at: bench.reactor.forget_peer("m1", at))
    assert bench.store.objects.of("m1", OBJECT.id) is None
    bench.advance(CACHE_S + 10)
    assert bench.runner.discarded == [OBJECT.id]


def test_what_a_job_gave_that_nobody_knows_goes_again(bench: Bench) -> None:
    ended = JobEnded("unknown1", completed({"file": FILE}), bench.date, objects=(OBJECT,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    assert (bench.runner.settled_jobs, bench.runner.discarded) == (["unknown1"], [OBJECT.id])


def test_at_a_start_rows_and_disk_are_compared(bench: Bench) -> None:
    given(bench)
    bench.restart()
    assert bench.runner.stock == [OBJECT]
    bench.call(lambda at: bench.reactor.on_news(ObjectsLost((OBJECT.id,)), at))
    bench.restart()
    assert bench.runner.stock == []


# Collecting


def collecting(bench: Bench) -> str:
    """Let a job come to its end whose files are still to be taken."""
    (job,) = bench.place(bench.new_job("give", inputs={}))
    bench.outbox.take(JobStatusUpdate)
    bench.call(lambda at: bench.reactor.on_news(JobCollecting(job, bench.date, bench.date), at))
    return job


def test_a_job_gives_its_slot_back_while_its_files_are_taken(bench: Bench) -> None:
    job = collecting(bench)
    (other,) = bench.place(bench.new_job("give", inputs={}))
    assert (bench.state(job), bench.state(other)) == (JobState.COLLECTING, JobState.RUNNING)
    assert bench.reactor.open_peers() == ["m1"]
    ended = JobEnded(job, completed({"file": FILE}), bench.date, objects=(OBJECT,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    assert (bench.state(job), bench.state(other)) == (JobState.COMPLETED, JobState.RUNNING)


def test_to_its_manager_a_collecting_job_runs(bench: Bench) -> None:
    job = collecting(bench)
    bench.outbox.nothing_else()
    bench.send(JobStatusRequest(job=job))
    assert bench.outbox.take(JobStatusUpdate).status == "running"


def test_a_kill_is_too_late_then(bench: Bench) -> None:
    job = collecting(bench)
    bench.send(JobKill(job=job, reason="not wanted"))
    assert (bench.state(job), bench.runner.killed) == (JobState.COLLECTING, {})


def test_a_job_that_is_being_killed_and_ends_well_has_completed(bench: Bench) -> None:
    (job,) = bench.place(bench.new_job("give", inputs={}))
    bench.outbox.take(JobStatusUpdate)
    bench.send(JobKill(job=job, reason="not wanted"))
    bench.call(lambda at: bench.reactor.on_news(JobCollecting(job, bench.date, bench.date), at))
    bench.end(job, completed({"file": FILE}))
    assert bench.outbox.take(JobStatusUpdate).status == "completed"


def test_files_that_cannot_be_taken_fail_the_job(bench: Bench) -> None:
    job = collecting(bench)
    bench.end(job, Failed("there is no file", exit_code=0))
    assert bench.outbox.take(JobStatusUpdate).status == "failed"
    assert bench.state(job) is JobState.FAILED


def test_after_a_restart_the_files_are_taken_again(bench: Bench) -> None:
    job = collecting(bench)
    bench.restart()
    assert bench.runner.recovered == [job]
    bench.call(lambda at: bench.reactor.on_news(JobCollecting(job, bench.date, bench.date), at))
    assert bench.state(job) is JobState.COLLECTING


def test_slot_time_is_counted_once(bench: Bench) -> None:
    job = collecting(bench)
    before = bench.database.conn.execute("SELECT sum(busy_s) FROM slot_time").fetchone()
    bench.advance(100)
    bench.end(job, completed({"file": FILE}))
    assert bench.database.conn.execute("SELECT sum(busy_s) FROM slot_time").fetchone() == before


def test_a_host_that_is_full_says_so(bench: Bench) -> None:
    bench.call(lambda at: bench.reactor.on_news(NoRoomForFiles("the disk has 1 MiB free"), at))
    assert "the disk has 1 MiB free" in bench.reactor.refuses["*"]


# Directories

LISTING = Object("d" * 64, 300)
FOLDER = directory_value("night", LISTING)


def given_directory(bench: Bench) -> None:
    """Let a job give a directory with one file."""
    (job,) = bench.place(bench.new_job("give", inputs={}))
    bench.outbox.take(JobStatusUpdate)
    directory = Directory(LISTING, (OBJECT,))
    ended = JobEnded(job, completed({"folder": FOLDER}), bench.date, objects=(LISTING,), directories=(directory,))
    bench.call(lambda at: bench.reactor.on_news(ended, at))
    bench.outbox.take(JobStatusUpdate)


def test_the_files_of_a_directory_are_its_managers_and_go_with_it(bench: Bench) -> None:
    given_directory(bench)
    assert bench.store.objects.of("m1", OBJECT.id) is not None
    bench.advance(10 * CACHE_S)
    assert bench.store.objects.is_here(OBJECT.id)
    bench.send(ObjectsDrop(workflow="w1", but=(LISTING.id,)))
    bench.advance(10 * CACHE_S)
    assert bench.store.objects.is_here(OBJECT.id)
    bench.send(ObjectsDrop(workflow="w1"))
    bench.advance(10 * CACHE_S)
    assert bench.runner.discarded == [LISTING.id, OBJECT.id]


def test_a_job_takes_a_directory_that_is_here(bench: Bench) -> None:
    given_directory(bench)
    bench.place(bench.new_job("open", inputs={"folder": FOLDER}))
    assert bench.runner.started[-1].objects == (LISTING,)


def test_a_file_that_its_job_calls_a_directory_is_none(bench: Bench) -> None:
    given(bench)
    bench.accept(NO_OFFER, bench.new_job("open", inputs={"folder": directory_value("night", OBJECT._replace(size=9))}))
    reason = bench.outbox.take(JobDecline).reason
    assert reason == f'the directory "night" ({OBJECT.id}) is not on this host'


def test_a_directory_is_lost_with_any_of_its_files(bench: Bench) -> None:
    given_directory(bench)
    bench.call(lambda at: bench.reactor.on_news(ObjectsLost((OBJECT.id,)), at))
    assert bench.outbox.take(ObjectsGone).objects == (LISTING.id,)
    assert not bench.store.objects.is_here(LISTING.id)
    assert bench.runner.discarded == [LISTING.id]


def test_of_a_directory_that_somebody_did_not_get_rightly_all_files_are_looked_at(bench: Bench) -> None:
    given_directory(bench)
    bench.send(ObjectsCheck(objects=(LISTING.id,)))
    assert bench.runner.verified == [LISTING, OBJECT]


def test_what_somebody_did_not_get_rightly_is_looked_at_and_what_is_not_here_is_said(bench: Bench) -> None:
    given(bench)
    bench.send(ObjectsCheck(objects=(OBJECT.id, OTHER.id)))
    assert bench.runner.verified == [OBJECT]
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(OTHER.id,))
    bench.send(ObjectsCheck(objects=(OBJECT.id,)), manager="m2")
    assert bench.runner.verified == [OBJECT]
    assert bench.outbox.take(ObjectsGone, "m2") == ObjectsGone(objects=(OBJECT.id,))
