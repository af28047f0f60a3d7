"""Work on objects: what is looked at, and what is told of it."""

import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path

import pytest

from caroni_edge.node.objectdisk import ObjectDisk
from caroni_edge.objects import filework
from caroni_edge.objects.disk import Damaged, NoRoom, ObjectFiles
from caroni_edge.objects.filework import TOGETHER_MAX, FileNews, FileWork, ObjectsLost
from caroni_edge.objects.objects import Object

CONTENT = b"x" * 100_000


def stored(files: ObjectFiles, tmp_path: Path) -> Object:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with source.open("rb") as file:
        return files.take(file).object


def spoil(files: ObjectFiles, found: Object) -> None:
    path = files.path(found.id)
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.write(b"y")


def worked_off(work: FileWork) -> None:
    """Do what is in the queue."""
    while not work._queue.empty():
        item = work._queue.get()
        if item is not None:
            work._do(item)


def test_what_somebody_says_of_its_size_lets_nothing_go_that_is_right(tmp_path: Path) -> None:
    told: list[FileNews] = []
    files = ObjectFiles(tmp_path)
    work = FileWork(files, told.append)
    found = stored(files, tmp_path)
    lie = Object(found.sha256, 5)
    work.verify([lie])
    worked_off(work)
    assert told == []
    with pytest.raises(Damaged):
        files.read(lie)
    files.lend(lie, str(tmp_path / "lent"), link=False)
    assert (tmp_path / "lent").read_bytes() == files.read(found) == CONTENT


def test_what_is_damaged_goes_and_is_told_once_and_what_is_right_stays(tmp_path: Path) -> None:
    told: list[FileNews] = []
    files = ObjectFiles(tmp_path)
    work = FileWork(files, told.append)
    found = stored(files, tmp_path)
    work.verify([found])
    worked_off(work)
    assert told == []
    spoil(files, found)
    work.verify([found, found])
    worked_off(work)
    assert told == [ObjectsLost((found.id,))]
    assert not os.path.exists(files.path(found.id))
    work.verify([found])
    worked_off(work)
    assert told == [ObjectsLost((found.id,))] * 2


def test_no_block_list_is_made_of_other_bytes(tmp_path: Path) -> None:
    files = ObjectFiles(tmp_path)
    found = stored(files, tmp_path)
    disk = ObjectDisk(tmp_path / "parts", files)
    assert disk.make_list(found.sha256) == bytes.fromhex(found.sha256)
    spoil(files, found)
    with pytest.raises(OSError, match="damaged"):
        disk.make_list(found.sha256)


Said = tuple[Object, bool]
"""An object, and whether it lay in its place when it was said to."""


def taking(work: FileWork, contents: list[bytes], said: list[Said]) -> None:
    """Have bytes taken in, and all else ended; note what is said of each."""

    def take(data: bytes) -> Callable[[], None]:
        found = work.store.keep(data)
        return lambda: said.append((found, os.path.exists(work.store.path(found.id))))

    for data in contents:
        work.put_together(partial(take, data))
    work.put(work.close)


def made_safe(work: FileWork, said: list[Said], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how much was said each time when something was made safe, as soon as it is."""
    found: list[int] = []
    make_safe = work.store.make_safe

    def noted() -> None:
        found.append(len(said))
        make_safe()

    monkeypatch.setattr(work.store, "make_safe", noted)
    return found


def test_what_comes_together_is_said_when_the_disk_has_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filework, "TOGETHER_S", inf)
    work = FileWork(ObjectFiles(tmp_path), lambda _news: None)
    said: list[Said] = []
    safe_after = made_safe(work, said, monkeypatch)
    contents = [b"%d" % number for number in range(TOGETHER_MAX + 3)]
    taking(work, contents, said)
    work.run()
    assert said == [(Object(sha256(data).hexdigest(), len(data)), True) for data in contents]
    assert safe_after == [0, TOGETHER_MAX]


def test_the_first_does_not_wait_long_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filework, "TOGETHER_S", 0.0)
    work = FileWork(ObjectFiles(tmp_path), lambda _news: None)
    said: list[Said] = []
    safe_after = made_safe(work, said, monkeypatch)
    taking(work, [b"sun", b"moon"], said)
    work.run()
    assert safe_after[:2] == [0, 1]


def test_what_has_found_no_room_does_not_wait_for_the_end_of_all_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filework, "AGAIN_S", 0.0)
    work = FileWork(ObjectFiles(tmp_path), lambda _news: None)
    done: list[str] = []

    def needs_room() -> None:
        done.append("tried")
        if len(done) == 1:
            raise NoRoom("full")

    work.put(needs_room)
    work.put(lambda: done.append("other"))
    work.put(work.close)
    work.run()
    assert done == ["tried", "tried", "other"]


def test_where_the_disk_does_not_take_all_each_is_taken_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError("full")

    told: list[FileNews] = []
    work = FileWork(ObjectFiles(tmp_path), told.append)
    monkeypatch.setattr(work.store, "make_safe", full)
    said: list[Said] = []
    taking(work, [b"sun", b"moon"], said)
    work.run()
    assert ([is_there for _, is_there in said], told) == ([True, True], [])
    assert not work.store.gathers
