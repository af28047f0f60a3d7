"""Work on objects: what is looked at, and what is told of it."""

import os
from pathlib import Path

import pytest

from caroni_edge.node.objectdisk import ObjectDisk
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.filework import FileNews, FileWork, ObjectsLost
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
            item()


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
    disk = ObjectDisk(tmp_path / "parts", lambda _sha256: Path(files.path(found.id)))
    assert disk.make_list(found.sha256) == bytes.fromhex(found.sha256)
    spoil(files, found)
    with pytest.raises(OSError, match="damaged"):
        disk.make_list(found.sha256)
