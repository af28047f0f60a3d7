"""A depot's bucket on an S3 server (moto's): what is put there comes back right, or somebody hears why not."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock

import pytest

from caroni_edge.base.backoff import Backoff
from caroni_edge.config.model import BucketConfig, FilesConfig
from caroni_edge.config.secret import Secret
from caroni_edge.doctor.bucket import check
from caroni_edge.node import bucketwork
from caroni_edge.node.bucket import MISSING, Bucket, BucketUnusable, NotThere
from caroni_edge.node.bucketwork import INWARD, RETURNING, BucketWork
from caroni_edge.objects.bucket import (
    Away,
    BringBack,
    BucketNews,
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
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.filework import FileNews, FileWork, ObjectsLost
from caroni_edge.objects.objects import Object
from caroni_edge.storage.database import memory_database
from tests.configs import agent_config
from tests.s3server import BUCKET, S3Server, running_s3
from tests.support import wait_until

OWNER, BYTES = "caroni/agents/d1", os.urandom(300_000)
OBJECT = Object(sha256(BYTES).hexdigest(), len(BYTES))
SOON = Backoff(first_s=0.05, max_s=0.1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def server(running: S3Server) -> Iterator[S3Server]:
    yield running
    running.line.heal()
    running.guard(on=False)
    running.wipe()


def config(server: S3Server, path: str = f"{BUCKET}/d1") -> BucketConfig:
    return BucketConfig(url=f"s3://{path}", endpoint=server.url, key_id="test", key=Secret("test"))


class Depot:
    """The files and the bucket of a depot, and what its agent hears."""

    def __init__(self, directory: Path, bucket: Bucket) -> None:
        self.news: list[BucketNews | FileNews] = []
        self.directory, self.store = directory, ObjectFiles(directory)
        self.files = FileWork(self.store, self.news.append)
        self.work = BucketWork(bucket, self.files, directory / RETURNING, self.news.append, again=SOON)
        self._threads = [threading.Thread(target=self.files.run)]
        self._threads[0].start()
        self.work.start(self._supervise)

    def _supervise(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=name)
        self._threads.append(thread)
        thread.start()
        return thread

    def keep(self, content: bytes) -> Object:
        kept: list[Object] = []
        self.files.put(lambda: kept.append(self.store.keep(content)))
        wait_until(lambda: kept, what="the object to be here")
        return kept[0]

    def hears(self, news: BucketNews | FileNews) -> None:
        wait_until(lambda: news in self.news, what=f"{news}; heard were {self.news}", every_s=0.01)

    def troubles(self) -> list[str]:
        return [each.why for each in self.news if isinstance(each, BucketTrouble)]

    def leave(self, found: Object) -> None:
        self.work.do(Put(found))
        self.hears(IsPut(found.id))
        self.work.do(Leave((found.id,)))
        wait_until(lambda: not Path(self.store.path(found.id)).exists(), what="the object to lie there alone")

    def end(self) -> None:
        self.work.close()
        self.files.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def depot(server: S3Server, tmp_path: Path) -> Iterator[Depot]:
    made = Depot(tmp_path / "d1", Bucket(config(server), OWNER))
    made.work.do(Away((), holds=False))
    yield made
    made.end()


def test_what_is_put_can_be_read_in_ranges_listed_and_deleted(server: S3Server, tmp_path: Path) -> None:
    bucket = Bucket(config(server), OWNER)
    bucket.claim()
    path = tmp_path / "object"
    path.write_bytes(BYTES)
    bucket.put(OBJECT, str(path))
    assert bucket.size_of(OBJECT) == OBJECT.size
    assert bucket.read(OBJECT, 100, 5000) == BYTES[100:5000]
    assert list(bucket.listed()) == [OBJECT]
    for _ in range(2):
        bucket.drop(OBJECT.sha256)
    assert list(bucket.listed()) == []
    with pytest.raises(NotThere):
        bucket.read(OBJECT, 0, 10)
    with pytest.raises(FileNotFoundError):
        bucket.put(OBJECT, str(tmp_path / "other"))


def test_an_object_of_many_parts_arrives_whole(server: S3Server, depot: Depot) -> None:
    found = depot.keep(os.urandom(bucketwork.READ_BYTES + 5_000_000))
    depot.leave(found)
    depot.work.do(BringBack(found))
    depot.hears(IsBack(found.id))
    assert depot.store.is_right(found)


def test_a_bucket_has_one_owner(server: S3Server) -> None:
    Bucket(config(server), OWNER).claim()
    Bucket(config(server), OWNER).claim()
    with pytest.raises(BucketUnusable, match='is used by "caroni/agents/d1": each depot needs a prefix of its own'):
        Bucket(config(server), "caroni/agents/d2").claim()
    Bucket(config(server, f"{BUCKET}/d2"), "caroni/agents/d2").claim()


def test_what_is_not_configured_is_taken_from_the_environment(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(BucketConfig(url=f"s3://{BUCKET}/d1"), OWNER)
    bucket.claim()
    assert list(bucket.listed()) == []


def test_what_cannot_be_used_says_why(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "object"
    path.write_bytes(BYTES)
    nowhere = Bucket(config(server, "nowhere/d1"), OWNER)
    for use in (
        nowhere.claim,
        nowhere.confirm,
        lambda: nowhere.put(OBJECT, str(path)),
        lambda: nowhere.read(OBJECT, 0, 9),
    ):
        with pytest.raises(BucketUnusable, match="there is no bucket nowhere"):
            use()
    server.guard()
    bucket = Bucket(config(server), OWNER)
    for use in (
        bucket.claim,
        bucket.try_out,
        lambda: bucket.put(OBJECT, str(path)),
        lambda: bucket.drop(OBJECT.sha256),
    ):
        with pytest.raises(BucketUnusable, match="it does not take the key"):
            use()
    server.line.refuse()
    with pytest.raises(BucketUnusable, match=r"it does not answer \(files.bucket.endpoint\)"):
        bucket.claim()
    monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    with pytest.raises(BucketUnusable) as caught:
        Bucket(config(server), OWNER).claim()
    assert str(caught.value) == MISSING


def test_what_lies_there_alone_comes_back_when_it_is_asked_for(depot: Depot) -> None:
    found = depot.keep(BYTES)
    assert not depot.work.is_away(found.id)
    depot.leave(found)
    assert depot.work.is_away(found.id)
    for _ in range(2):
        depot.work.let_come_back(found.id)
    assert depot.news.count(Needed((found.id,))) == 1
    depot.work.do(BringBack(found))
    depot.hears(IsBack(found.id))
    assert depot.store.read(found) == BYTES
    assert not depot.work.is_away(found.id)


def test_what_has_come_here_by_another_way_is_given_from_here(depot: Depot) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    assert depot.keep(BYTES) == found
    assert not depot.work.is_away(found.id)
    assert depot.store.read(found) == BYTES


def test_work_on_what_is_away_waits_until_it_is_back(depot: Depot) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    read: list[bytes] = []
    depot.files.put(lambda: read.append(depot.store.read(found)))
    depot.hears(Needed((found.id,)))
    depot.work.do(BringBack(found))
    wait_until(lambda: read, what="what waits for the object")
    assert read == [BYTES]


def test_what_the_disk_has_no_room_for_holds_up_nothing_else(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    large = [depot.keep(os.urandom(len(BYTES))) for _ in range(INWARD)]
    small = depot.keep(b"small" * 10_000)
    for found in (*large, small):
        depot.leave(found)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Mock(free=small.size))
    for found in (*large, small):
        depot.work.do(BringBack(found))
    depot.hears(IsBack(small.id))
    assert depot.news[-1] == IsBack(small.id)


def test_a_server_that_goes_away_has_lost_nothing(server: S3Server, depot: Depot) -> None:
    found, other = depot.keep(BYTES), depot.keep(b"other" * 10_000)
    depot.leave(found)
    server.line.refuse()
    depot.work.do(BringBack(found))
    depot.work.do(Put(other))
    wait_until(depot.troubles, what="the trouble to be said")
    assert "it does not answer" in depot.troubles()[0]
    server.line.heal()
    depot.hears(IsBack(found.id))
    depot.hears(IsPut(other.id))
    wait_until(lambda: depot.troubles()[-1] == "", what="the end of the trouble")
    assert not [each for each in depot.news if isinstance(each, NotInBucket | ObjectsLost)]


def test_what_was_cut_off_goes_on_where_it_was(server: S3Server, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucketwork, "READ_BYTES", 50_000)
    found = depot.keep(BYTES)
    depot.leave(found)
    asked: list[int] = []
    read = Bucket.read

    def cut(bucket: Bucket, wanted: Object, begin: int, end: int) -> bytes:
        asked.append(begin)
        if asked == [0, 50_000, 100_000]:
            server.line.refuse()
        elif len(asked) == 4:
            server.line.heal()
        return read(bucket, wanted, begin, end)

    size_of = Bucket.size_of

    def size(bucket: Bucket, wanted: Object) -> int:
        server.line.heal()
        return size_of(bucket, wanted)

    monkeypatch.setattr(Bucket, "read", cut)
    monkeypatch.setattr(Bucket, "size_of", size)
    depot.work.do(BringBack(found))
    depot.hears(IsBack(found.id))
    assert asked == [0, 50_000, 100_000, 100_000, 150_000, 200_000, 250_000]


def test_an_end_of_the_process_on_the_way_says_nothing_of_what_lies_there(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketwork, "READ_BYTES", 50_000)
    found = depot.keep(BYTES)
    depot.leave(found)
    read, asked = Bucket.read, threading.Event()

    def close(bucket: Bucket, wanted: Object, begin: int, end: int) -> bytes:
        depot.work.close()
        asked.set()
        return read(bucket, wanted, begin, end)

    monkeypatch.setattr(Bucket, "read", close)
    depot.work.do(BringBack(found))
    assert asked.wait(60)
    depot.end()
    assert not [each for each in depot.news if isinstance(each, NotInBucket | IsBack)]


def test_what_goes_on_the_way_leaves_nothing_here(
    server: S3Server, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketwork, "READ_BYTES", 50_000)
    found = depot.keep(BYTES)
    depot.leave(found)
    read = Bucket.read

    def delete(bucket: Bucket, wanted: Object, begin: int, end: int) -> bytes:
        if begin:
            server.delete(wanted.sha256)
        return read(bucket, wanted, begin, end)

    monkeypatch.setattr(Bucket, "read", delete)
    depot.work.do(BringBack(found))
    wait_until(lambda: [each for each in depot.news if isinstance(each, NotInBucket)], what="the loss to be said")
    assert not list((depot.directory / RETURNING).iterdir())


def test_a_key_that_opens_nothing_is_said_and_nothing_is_lost(server: S3Server, depot: Depot) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    server.guard()
    depot.work.do(BringBack(found))
    wait_until(depot.troubles, what="the trouble to be said")
    assert "it does not take the key" in depot.troubles()[0]
    server.guard(on=False)
    depot.hears(IsBack(found.id))


@pytest.mark.parametrize("spoil", [S3Server.flip, S3Server.cut_short, S3Server.delete])
def test_what_is_not_there_as_it_was_is_said_and_never_used(
    server: S3Server, depot: Depot, spoil: Callable[[S3Server, str], None]
) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    spoil(server, found.sha256)
    depot.work.do(BringBack(found))
    wait_until(lambda: [each for each in depot.news if isinstance(each, NotInBucket)], what="the loss to be said")
    assert not Path(depot.store.path(found.id)).exists()
    assert not list((depot.directory / RETURNING).iterdir())


def test_an_empty_bucket_in_the_place_of_a_full_one_says_nothing_of_its_objects(server: S3Server, depot: Depot) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    server.wipe()
    depot.work.do(BringBack(found))
    wait_until(depot.troubles, what="the trouble to be said")
    assert "caroni-edge-depot is not there" in depot.troubles()[0]
    assert not [each for each in depot.news if isinstance(each, NotInBucket)]


def test_a_depot_that_has_objects_does_not_make_another_bucket_its_own(server: S3Server, tmp_path: Path) -> None:
    depot = Depot(tmp_path / "d1", Bucket(config(server), OWNER))
    try:
        depot.work.do(Away((OBJECT.id,), holds=True))
        wait_until(depot.troubles, what="the trouble to be said")
        with pytest.raises(BucketUnusable, match="is not there"):
            Bucket(config(server), OWNER).confirm()
    finally:
        depot.end()


def test_doctor_compares_it_with_the_rows(server: S3Server, depot: Depot) -> None:
    agent, database = agent_config(id="d1", files=FilesConfig(bucket=config(server))), memory_database("agents")

    def examined() -> list[tuple[str, str]]:
        return [(each.level.value, each.sentence) for each in check(agent, database.conn)]

    assert examined() == [("ok", "s3://lab/d1 has the 0 large files, 0 MB")]
    found = depot.keep(BYTES)
    depot.leave(found)
    row = (found.id, found.size, "away", 0.0)
    database.conn.execute("INSERT INTO bucket_objects (object, size, state, used) VALUES (?, ?, ?, ?)", row)
    assert examined() == [("ok", "s3://lab/d1 has the 1 large files, 0 MB")]
    server.delete(found.sha256)
    ((level, said),) = examined()
    assert (level, "1 of 1 large files, 0 MB, are not in s3://lab/d1" in said) == ("warning", True)
    server.wipe()
    ((level, said),) = examined()
    assert (level, "cannot be used: there is no bucket" in said) == ("warning", True)
    assert list(check(agent_config(), database.conn)) == []


def test_damaged_bytes_are_not_put_there(server: S3Server, depot: Depot) -> None:
    found = depot.keep(BYTES)
    path = Path(depot.store.path(found.id))
    path.chmod(0o600)
    path.write_bytes(bytes(len(BYTES)))
    depot.work.do(Put(found))
    depot.hears(ObjectsLost((found.id,)))
    assert server.names() == []


def test_what_goes_from_there_is_away_no_more(server: S3Server, depot: Depot) -> None:
    found = depot.keep(BYTES)
    depot.leave(found)
    depot.work.do(Drop(found.id))
    depot.hears(IsDropped(found.id))
    assert server.names() == []
    assert not depot.work.is_away(found.id)


def test_what_has_gone_and_come_again_is_asked_for_anew(depot: Depot) -> None:
    found = depot.keep(BYTES)
    for _ in range(2):
        depot.leave(found)
        depot.work.let_come_back(found.id)
        assert Needed((found.id,)) in depot.news
        depot.work.do(Drop(found.id))
        depot.hears(IsDropped(found.id))
        depot.keep(BYTES)
        depot.news.clear()
