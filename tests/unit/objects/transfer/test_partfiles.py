"""Part files: what counts as safe is there, and what nobody wants goes."""

from hashlib import sha256
from pathlib import Path

import pytest

from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.partfiles import OPEN_MAX, PartFiles

FETCH = FetchId("m1", "a" * 64)


@pytest.fixture
def parts(tmp_path: Path) -> PartFiles:
    return PartFiles(tmp_path / "parts")


def test_what_was_saved_is_known_to_the_next_process(parts: PartFiles, tmp_path: Path) -> None:
    assert parts.saved(FETCH) == b""
    parts.write(FETCH, 5, b"hello")
    assert parts.saved(FETCH) == b""
    parts.save(FETCH, b"\x01")
    parts.close()
    again = PartFiles(tmp_path / "parts")
    assert again.saved(FETCH) == b"\x01"
    assert again.hash(FETCH, 5, 5) == sha256(b"hello").digest()
    assert again.hash(FETCH, 0, 1000) == sha256(bytes(5) + b"hello").digest()


def test_a_map_without_its_part_counts_for_nothing(parts: PartFiles, tmp_path: Path) -> None:
    parts.write(FETCH, 0, b"x")
    parts.save(FETCH, b"\x01")
    (tmp_path / "parts" / "m1" / f"{'a' * 64}.part").unlink()
    assert parts.saved(FETCH) == b""


def test_a_map_that_cannot_be_read_counts_for_nothing(parts: PartFiles, tmp_path: Path) -> None:
    parts.write(FETCH, 0, b"x")
    (tmp_path / "parts" / "m1" / f"{'a' * 64}.map").mkdir()
    assert parts.saved(FETCH) == b""


def test_what_is_whole_is_handed_over(parts: PartFiles) -> None:
    parts.write(FETCH, 0, b"hello")
    parts.save(FETCH, b"\x01")
    path = parts.finish(FETCH)
    assert path.read_bytes() == b"hello"
    assert parts.saved(FETCH) == b"\x01", "whoever dies before it is taken begins with that"
    path.rename(path.with_name("taken"))
    assert parts.saved(FETCH) == b""


def test_what_the_store_has_taken_is_not_written_to_by_the_next_process(parts: PartFiles, tmp_path: Path) -> None:
    parts.write(FETCH, 0, b"hello")
    parts.save(FETCH, b"\x01")
    files = ObjectFiles(tmp_path)
    found = Object(sha256(b"hello").hexdigest(), 5)
    files.adopt(parts.finish(FETCH), found)
    parts.close()
    again = PartFiles(tmp_path / "parts")
    again.keep_only([FETCH])
    again.write(FETCH, 0, b"wrong")
    assert again.saved(FETCH) == b""
    assert files.read(found) == b"hello"


def test_an_object_of_no_bytes_has_a_file(parts: PartFiles) -> None:
    assert parts.hash(FETCH, 0, 0) == sha256().digest()
    assert parts.finish(FETCH).read_bytes() == b""


def test_what_nobody_wants_goes(parts: PartFiles, tmp_path: Path) -> None:
    others = FetchId("m2", "a" * 64), FetchId("m1", "b" * 64)
    for fetch in (FETCH, *others):
        parts.write(fetch, 0, b"x")
        parts.save(fetch, b"\x01")
    parts.keep_only([FETCH])
    assert parts.saved(FETCH)
    assert not any(parts.saved(fetch) for fetch in others)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["m1"]
    parts.close_one(FETCH)
    parts.remove(FETCH)
    assert not parts.saved(FETCH)


def test_only_so_many_files_are_open(parts: PartFiles) -> None:
    for number in range(OPEN_MAX + 5):
        parts.write(FetchId("m1", f"{number:064x}"), 0, b"x")
    assert len(parts._open) == OPEN_MAX
