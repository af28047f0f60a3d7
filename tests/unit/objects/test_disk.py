"""Objects on disk: whole or not there, never changed by others, and lent."""

import os
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from caroni_edge.base.durable import sync
from caroni_edge.objects import disk
from caroni_edge.objects.disk import Damaged, NoRoom, ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.taking import TooLarge

DATA = b"stars\n" * 500_000


def object_of(data: bytes) -> Object:
    return Object(sha256(data).hexdigest(), len(data))


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(tmp_path / "state")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    (tmp_path / "state").mkdir()
    return path


def take(files: ObjectFiles, source: Path) -> Object:
    with source.open("rb") as file:
        taken = files.take(file)
    assert taken.sha1 == sha1(source.read_bytes(), usedforsecurity=False).hexdigest()
    return taken.object


def parts(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "state" / "part")


def test_an_object_is_named_by_what_is_in_it(files: ObjectFiles, source: Path, tmp_path: Path) -> None:
    found = take(files, source)
    assert found == object_of(DATA)
    path = tmp_path / "state" / "objects" / found.sha256[:2] / found.sha256
    assert files.path(found.id) == str(path)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o222 == 0
    assert list(files.sizes()) == [found]
    assert parts(tmp_path) == []


def test_what_is_written_to_the_source_later_changes_no_object(files: ObjectFiles, source: Path) -> None:
    with source.open("r+b") as writer:
        found = take(files, source)
        writer.write(b"x" * 10)
    assert Path(files.path(found.id)).read_bytes() == DATA


def test_an_empty_file_is_an_object(files: ObjectFiles, source: Path) -> None:
    source.write_bytes(b"")
    assert take(files, source) == object_of(b"")


@pytest.mark.parametrize("can_clone", [True, False])
def test_the_same_bytes_are_one_object_and_a_damaged_one_is_mended(
    files: ObjectFiles, source: Path, monkeypatch: pytest.MonkeyPatch, *, can_clone: bool
) -> None:
    if not can_clone:
        monkeypatch.setattr(disk, "cloned", lambda _source, _file: False)
    found = take(files, source)
    path = Path(files.path(found.id))
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert take(files, source) == found
    assert path.read_bytes() == DATA
    assert list(files.sizes()) == [found]


@pytest.mark.parametrize("link", [True, False])
def test_an_object_is_lent_to_read(files: ObjectFiles, source: Path, tmp_path: Path, *, link: bool) -> None:
    found, lent = take(files, source), tmp_path / "lent"
    files.lend(found, str(lent), link=link)
    assert lent.read_bytes() == DATA
    assert lent.stat().st_mode & 0o222 == 0
    assert lent.samefile(files.path(found.id)) is link
    lent.unlink()
    assert Path(files.path(found.id)).read_bytes() == DATA


def test_a_copy_that_is_changed_is_no_object(files: ObjectFiles, source: Path, tmp_path: Path) -> None:
    found, lent = take(files, source), tmp_path / "lent"
    files.lend(found, str(lent), link=False)
    lent.chmod(0o644)
    lent.write_bytes(b"changed")
    assert Path(files.path(found.id)).read_bytes() == DATA


@pytest.mark.parametrize("link", [True, False])
def test_an_object_is_whole_though_it_cannot_be_lent(
    files: ObjectFiles, source: Path, tmp_path: Path, *, link: bool
) -> None:
    found = take(files, source)
    with pytest.raises(FileNotFoundError):
        files.lend(found, str(tmp_path / "gone" / "lent"), link=link)
    assert list(files.sizes()) == [found]


@pytest.mark.parametrize("damage", ["a bit", "the end", "more than an object has", "all"])
def test_a_damaged_object_is_never_lent(
    files: ObjectFiles, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    found, lent = take(files, source), tmp_path / "lent"
    monkeypatch.setattr(disk, "SIZE_MAX_BYTES", len(DATA))
    path = Path(files.path(found.id))
    path.chmod(0o644)
    if damage == "a bit":
        with path.open("r+b") as file:
            file.write(bytes([DATA[0] ^ 1]))
    elif damage == "the end":
        os.truncate(path, 5)
    elif damage == "more than an object has":
        os.truncate(path, len(DATA) + 1)
    else:
        path.unlink()
    with pytest.raises(Damaged, match=f"{found.id} is damaged on this host, or gone"):
        files.lend(found, str(lent), link=False)
    assert not lent.exists()
    assert list(files.sizes()) == []


def test_where_the_disk_would_be_full_nothing_is_taken(tmp_path: Path, source: Path) -> None:
    files = ObjectFiles(tmp_path / "state", lambda: 1 << 60)
    with pytest.raises(NoRoom, match="no room for 3000000 bytes"):
        take(files, source)
    assert list(files.sizes()) == []


def test_a_disk_that_is_full_after_all_leaves_nothing_behind(
    files: ObjectFiles, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        take(files, source)
    assert (list(files.sizes()), parts(tmp_path)) == ([], [])


def test_what_is_too_large_is_refused(files: ObjectFiles, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SIZE_MAX_BYTES", len(DATA) - 1)
    with pytest.raises(TooLarge):
        take(files, source)


def test_what_is_no_object_is_not_listed(files: ObjectFiles, source: Path, tmp_path: Path) -> None:
    found = take(files, source)
    folder = tmp_path / "state" / "objects" / found.sha256[:2]
    (folder / "notes.txt").write_text("x")
    (folder / f"{'0' * 63}g").write_text("x")
    (folder / ("f" * 64 if not found.sha256.startswith("f") else "0" * 64)).write_text("x")
    (tmp_path / "state" / "objects" / "file").write_text("x")
    assert list(files.sizes()) == [found]


def test_what_was_on_its_way_is_cleared(files: ObjectFiles, source: Path, tmp_path: Path) -> None:
    take(files, source)
    (tmp_path / "state" / "part" / "old").write_text("x")
    files.clear_parts()
    assert not (tmp_path / "state" / "part").exists()


def test_an_object_is_removed_once_or_twice(files: ObjectFiles, source: Path) -> None:
    found = take(files, source)
    for _ in range(2):
        files.remove(found.id)
    assert list(files.sizes()) == []


def test_what_is_gathered_gets_its_place_when_the_disk_has_all_of_it(
    files: ObjectFiles, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(what: str, do: Callable[..., None]) -> Callable[..., None]:
        def body(*paths: str) -> None:
            done.append(what)
            do(*paths)

        return body

    monkeypatch.setattr(disk, "sync", noted("sync", sync))
    monkeypatch.setattr(os, "rename", noted("rename", os.rename))
    files.gathers = True
    gathered = {take(files, source), files.keep(b"moon"), files.keep(b"moon")}
    assert (list(files.sizes()), done) == ([], [])
    files.make_safe()
    assert set(files.sizes()) == gathered
    folders = len({found.sha256[:2] for found in gathered}) + 2
    assert done == ["sync"] * 3 + ["rename"] * 3 + ["sync"] * folders
    files.make_safe()
    assert len(done) == 6 + folders


def test_of_what_the_disk_does_not_take_nothing_is_left(
    files: ObjectFiles, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: str) -> None:
        raise OSError("full")

    files.gathers = True
    take(files, source)
    with monkeypatch.context() as broken:
        broken.setattr(disk, "sync", full)
        with pytest.raises(OSError, match="full"):
            files.make_safe()
    files.make_safe()
    assert (parts(tmp_path), list(files.sizes())) == ([], [])
