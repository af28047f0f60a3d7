"""What a depot has in its bucket: it counts when it is there, leaves room here, and comes back when it is needed."""

from dataclasses import replace

import pytest

from caroni_edge.agent.processes.port import ObjectFetched
from caroni_edge.agent.store.bucket import AWAY, BOTH, GOING, WANTED
from caroni_edge.config.model import BucketConfig, FilesConfig
from caroni_edge.objects.bucket import (
    Away,
    BringBack,
    BucketNews,
    BucketOrder,
    BucketTrouble,
    Drop,
    IsBack,
    IsDropped,
    IsPut,
    Leave,
    Needed,
    NotInBucket,
    Put,
)
from caroni_edge.objects.filework import FileNews, ObjectsLost
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.protocol.depots import ObjectsHeld, ObjectsKeep, ObjectToKeep
from caroni_edge.protocol.keeping import ObjectsDrop, ObjectsGone, ObjectsHere
from caroni_edge.protocol.objects import ObjectPlace, ObjectsCheck
from caroni_edge.protocol.reconciling import JobsHere, JobsWanted
from caroni_edge.values.carried import directory_value, object_value
from tests.unit.agent.bench import Bench, job_type
from tests.work import Work, work_of

A, B, LIST = Object("a" * 64, 5_000_000), Object("b" * 64, 7_000_000), Object("c" * 64, 300)
AT_A2 = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)
BUCKET = FilesConfig(bucket=BucketConfig(url="s3://lab/d1"))
STORE = 10_000_000


def make(files: FilesConfig = BUCKET, store: int | None = None) -> Bench:
    types = [job_type("take", {"file": "File"}), job_type("look", {"folder": "Directory"})]
    return Bench(types=types, slots=1, disk_floor_bytes=0, depot=True, files=files, files_store_bytes=store)


@pytest.fixture
def bench() -> Bench:
    bench = make(store=STORE)
    ordered(bench)
    return bench


def ordered(bench: Bench) -> list[BucketOrder]:
    """Return what was ordered since the last look."""
    orders = list(bench.runner.in_bucket)
    bench.runner.in_bucket.clear()
    return orders


def hear(bench: Bench, news: BucketNews | FileNews) -> None:
    bench.call(lambda at: bench.reactor.on_news(news, at))


def keep(bench: Bench, *objects: Object, workflow: str = "w1", directory: bool = False) -> None:
    asked = tuple(ObjectToKeep(object=each.id, size=each.size, directory=directory) for each in objects)
    bench.send(ObjectsKeep(workflow=workflow, objects=asked, places=(AT_A2,)))


def bring(bench: Bench, found: Object, files: tuple[Object, ...] | None = None) -> None:
    bench.call(lambda at: bench.reactor.on_news(ObjectFetched(FetchId("m1", found.sha256), found, files), at))


def hold(bench: Bench, found: Object = A) -> None:
    """Let an object lie here and in the bucket, for a workflow."""
    keep(bench, found)
    bring(bench, found)
    hear(bench, IsPut(found.id))
    bench.outbox.take(ObjectsHeld)
    ordered(bench)


def state(bench: Bench, found: Object = A) -> str | None:
    return bench.store.bucket.state(found.id)


def kept(bench: Bench) -> list[str]:
    return [each.object for each in bench.store.objects.kept("m1", ("", ""), 10)]


def test_a_copy_counts_when_it_is_in_the_bucket_and_not_before(bench: Bench) -> None:
    keep(bench, A)
    bring(bench, A)
    bench.outbox.nothing_else()
    assert (ordered(bench), state(bench), kept(bench)) == ([Put(A)], WANTED, [])
    hear(bench, IsPut(A.id))
    assert bench.outbox.take(ObjectsHeld) == ObjectsHeld(workflow="w1", objects=(A.id,))
    assert (state(bench), kept(bench), ordered(bench)) == (BOTH, [A.id], [])
    hear(bench, IsPut(A.id))
    bench.outbox.nothing_else()


def test_without_a_bucket_it_counts_when_it_is_here() -> None:
    bench = make(FilesConfig())
    keep(bench, A)
    bring(bench, A)
    assert bench.outbox.take(ObjectsHeld) == ObjectsHeld(workflow="w1", objects=(A.id,))
    assert (state(bench), ordered(bench)) == (None, [])


def test_what_was_to_be_put_there_is_after_a_restart_too(bench: Bench) -> None:
    keep(bench, A)
    bring(bench, A)
    bench.restart()
    assert ordered(bench)[-2:] == [Away((), holds=False), Put(A)]
    assert not bench.runner.fetching
    hear(bench, IsPut(A.id))
    assert bench.outbox.take(ObjectsHeld).objects == (A.id,)


def test_a_directory_counts_when_all_of_it_is_there(bench: Bench) -> None:
    keep(bench, LIST, directory=True)
    bring(bench, LIST, (A, B))
    bring(bench, A)
    bring(bench, B)
    assert ordered(bench) == [Put(A), Put(B), Put(LIST)]
    hear(bench, IsPut(A.id))
    hear(bench, IsPut(LIST.id))
    bench.outbox.nothing_else()
    hear(bench, IsPut(B.id))
    assert bench.outbox.take(ObjectsHeld).objects == (LIST.id,)


def test_a_file_that_is_put_there_is_as_much_work_in_a_large_directory() -> None:
    def put_one(count: int) -> Work:
        bench = make()
        files = [Object(f"{number:064x}", 5) for number in range(count)]
        keep(bench, LIST, directory=True)
        bring(bench, LIST, tuple(files))
        for each in files:
            bring(bench, each)
        hear(bench, IsPut(files[0].id))
        return work_of(bench.database.conn, lambda: hear(bench, IsPut(files[1].id)))

    assert put_one(400).is_like(put_one(200))


def test_what_is_asked_for_twice_is_said_once_it_is_there(bench: Bench) -> None:
    keep(bench, A)
    bring(bench, A)
    keep(bench, A, workflow="w2")
    bench.outbox.nothing_else()
    hear(bench, IsPut(A.id))
    assert [bench.outbox.take(ObjectsHeld).workflow for _ in range(2)] == ["w1", "w2"]
    keep(bench, A, workflow="w3")
    assert bench.outbox.take(ObjectsHeld).workflow == "w3"


def test_a_manager_that_asks_what_is_kept_hears_of_nothing_that_does_not_count(bench: Bench) -> None:
    keep(bench, A)
    bring(bench, A)
    bench.send(JobsWanted(wanted="question0001", objects=True))
    assert kept(bench) == []
    bench.outbox.take_all(JobsHere)
    bench.outbox.take_all(ObjectsHere)
    hear(bench, IsPut(A.id))
    bench.outbox.nothing_else()
    keep(bench, A)
    assert bench.outbox.take(ObjectsHeld).objects == (A.id,)


def test_room_is_made_by_leaving_to_the_bucket_what_lies_there(bench: Bench) -> None:
    hold(bench, A)
    keep(bench, B)
    assert bench.runner.fetching.keys() == {FetchId("m1", B.sha256)}
    assert (ordered(bench), state(bench)) == ([Leave((A.id,))], AWAY)
    assert (kept(bench), bench.store.bucket.away_bytes()) == ([A.id], A.size)


def test_what_is_not_in_the_bucket_yet_makes_no_room(bench: Bench) -> None:
    keep(bench, A)
    bring(bench, A)
    keep(bench, B)
    assert (bench.runner.fetching, state(bench)) == ({}, WANTED)


def test_what_is_needed_comes_back_and_others_make_room(bench: Bench) -> None:
    hold(bench, A)
    hold(bench, B)
    assert state(bench, A) == AWAY
    hear(bench, Needed((A.id,)))
    hear(bench, Needed((A.id,)))
    assert ordered(bench) == [Leave((B.id,)), BringBack(A)]
    hear(bench, IsBack(A.id))
    assert [state(bench, each) for each in (A, B)] == [BOTH, AWAY]
    hear(bench, Needed((A.id, B.id)))
    assert ordered(bench) == [Leave((A.id,)), BringBack(B)]


def test_room_is_made_once_for_all_that_comes_back_together(bench: Bench) -> None:
    away = [Object(f"{number}" * 64, 4_000_000) for number in (1, 2)]
    here = [Object(f"{number}" * 64, STORE // 2) for number in (3, 4)]
    for each in away:
        hold(bench, each)
        hear(bench, ObjectsLost((each.id,)))
    for each in here:
        hold(bench, each)
    ordered(bench)
    hear(bench, Needed(tuple(each.id for each in away)))
    (left, *back) = ordered(bench)
    assert isinstance(left, Leave)
    assert sorted(left.objects) == [each.id for each in here]
    assert back == [BringBack(each) for each in away]


def test_what_comes_back_finds_room_that_a_job_leaves_later() -> None:
    bench = make()
    hold(bench, A)
    hear(bench, ObjectsLost((A.id,)))
    hold(bench, B)
    (job,) = bench.place(bench.new_job("take", inputs={"file": object_value("b.fits", B, "0" * 40)}))
    bench.call(lambda _at: bench.reactor.on_disk(A.size - 1))
    ordered(bench)
    hear(bench, Needed((A.id,)))
    assert (ordered(bench), state(bench, B)) == ([BringBack(A)], BOTH)
    bench.end(job)
    bench.call(lambda _at: bench.reactor.on_disk(A.size - 1))
    assert (ordered(bench), state(bench, B)) == ([Leave((B.id,))], AWAY)


def test_what_lies_there_alone_does_not_come_back_to_be_looked_at(bench: Bench) -> None:
    hold(bench, A)
    bench.send(ObjectsCheck(objects=(A.id,)))
    assert bench.runner.verified == [A]
    hear(bench, ObjectsLost((A.id,)))
    bench.send(ObjectsCheck(objects=(A.id,)))
    assert bench.runner.verified == [A]


def test_what_a_job_takes_does_not_leave(bench: Bench) -> None:
    hold(bench, A)
    (job,) = bench.place(bench.new_job("take", inputs={"file": object_value("a.fits", A, "0" * 40)}))
    keep(bench, B)
    assert (bench.runner.fetching, state(bench)) == ({}, BOTH)
    bench.end(job)
    bench.advance(10)
    assert bench.runner.fetching.keys() == {FetchId("m1", B.sha256)}
    assert state(bench) == AWAY


def test_what_a_job_takes_as_part_of_a_directory_does_not_leave(bench: Bench) -> None:
    keep(bench, LIST, directory=True)
    bring(bench, LIST, (A,))
    bring(bench, A)
    for each in (A, LIST):
        hear(bench, IsPut(each.id))
    bench.outbox.take(ObjectsHeld)
    (job,) = bench.place(bench.new_job("look", inputs={"folder": directory_value("night", LIST)}))
    keep(bench, B)
    assert (bench.runner.fetching, state(bench)) == ({}, BOTH)
    bench.end(job)
    bench.advance(10)
    assert state(bench) == AWAY


def test_what_is_to_come_as_a_directory_is_not_held_since_it_is_kept_as_a_file(bench: Bench) -> None:
    hold(bench, A)
    keep(bench, A, directory=True)
    bench.outbox.nothing_else()


def test_what_is_lost_here_and_lies_there_is_not_lost(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, ObjectsLost((A.id,)))
    bench.outbox.nothing_else()
    assert (state(bench), ordered(bench), kept(bench)) == (AWAY, [Leave((A.id,))], [A.id])


def test_a_wiped_store_finds_its_objects_in_the_bucket(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, ObjectsLost((A.id,)))
    bench.restart()
    assert bench.runner.stock == []
    assert Away((A.id,), holds=True) in ordered(bench)


def test_what_the_bucket_has_lost_is_lost(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, ObjectsLost((A.id,)))
    hear(bench, Needed((A.id,)))
    hear(bench, NotInBucket(A.id, "what lies there are other bytes"))
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(A.id,))
    assert (state(bench), kept(bench)) == (GOING, [])
    assert ordered(bench)[-1] == Drop(A.id)
    hear(bench, IsDropped(A.id))
    assert state(bench) is None


def test_what_the_bucket_has_lost_and_lies_here_is_put_there_again(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, NotInBucket(A.id, "it is gone"))
    bench.outbox.nothing_else()
    assert (state(bench), ordered(bench), kept(bench)) == (WANTED, [Put(A)], [A.id])


def test_what_nobody_needs_goes_from_the_bucket_and_may_come_again(bench: Bench) -> None:
    hold(bench, A)
    bench.send(ObjectsDrop(workflow="w1"))
    bench.advance(4000)
    assert (state(bench), ordered(bench)) == (GOING, [Drop(A.id)])
    keep(bench, A)
    bring(bench, A)
    assert (state(bench), ordered(bench)) == (WANTED, [Put(A)])
    hear(bench, IsDropped(A.id))
    assert state(bench) == WANTED
    hear(bench, IsPut(A.id))
    assert bench.outbox.take(ObjectsHeld).objects == (A.id,)


def test_a_bucket_that_cannot_be_used_is_said_and_loses_nothing(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, BucketTrouble("it does not answer"))
    assert bench.reactor.presence()["depot"] == "full: its bucket cannot be used: it does not answer"
    assert kept(bench) == [A.id]
    bench.outbox.nothing_else()
    hear(bench, BucketTrouble(""))
    assert bench.reactor.presence()["depot"] == "open"


def test_a_bucket_that_the_owner_takes_away_takes_what_lay_there_alone(bench: Bench) -> None:
    hold(bench, A)
    hear(bench, ObjectsLost((A.id,)))
    keep(bench, B)
    bring(bench, B)
    bench.settings = replace(bench.settings, files=FilesConfig())
    bench.restart()
    assert bench.outbox.take(ObjectsGone) == ObjectsGone(objects=(A.id,))
    assert bench.outbox.take(ObjectsHeld).objects == (B.id,)
    assert (state(bench, A), state(bench, B), kept(bench)) == (None, None, [B.id])
