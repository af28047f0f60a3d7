"""Files that an owner changes: as a whole, if they are still what was read, or not at all."""

import os
from pathlib import Path

import pytest

from caroni_edge.documents.editing import (
    SOURCE_LIMIT_BYTES,
    FileChanged,
    NotWritable,
    delete_source,
    may_name_file,
    read_source,
    why_not_writable,
    write_source,
)


def mark_of(path: Path) -> str:
    source = read_source(path)
    assert source is not None
    return source.mark


def test_a_file_is_replaced_with_its_rights_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    path.chmod(0o640)
    write_source(path, "größer\n", mark_of(path))
    assert path.read_text() == "größer\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_new_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_source(path, "one", None)
    with pytest.raises(FileChanged, match="was made since it was read"):
        write_source(path, "two", None)
    assert path.read_text() == "one"


def test_what_somebody_else_has_written_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    mark = mark_of(path)
    path.write_text("theirs")
    with pytest.raises(FileChanged, match="has changed since it was read"):
        write_source(path, "mine", mark)
    with pytest.raises(FileChanged, match="has changed since it was read"):
        delete_source(path, mark)
    assert path.read_text() == "theirs"
    path.unlink()
    with pytest.raises(FileChanged, match="was deleted"):
        write_source(path, "mine", mark)
    assert os.listdir(tmp_path) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "a.yaml"
    real.write_text("old")
    link.symlink_to(real)
    write_source(link, "new", mark_of(link))
    assert (link.is_symlink(), real.read_text()) == (True, "new")
    delete_source(link, mark_of(link))
    assert os.listdir(tmp_path) == ["real"]


def test_an_error_of_the_system_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritable, match="No space left on device"):
        write_source(path, "new", mark_of(path))
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.yaml"])


def test_a_directory_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    assert why_not_writable(tmp_path) is None
    assert str(why_not_writable(tmp_path / "none")).startswith("the daemon may not write")
    with pytest.raises(NotWritable):
        write_source(tmp_path / "none" / "a.yaml", "x", None)


def test_what_no_editor_could_show_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert read_source(path) is None
    path.write_bytes(b"\xff")
    assert read_source(path) is None
    path.write_bytes(b"x" * (SOURCE_LIMIT_BYTES + 1))
    assert read_source(path) is None
    os.mkfifo(tmp_path / "pipe")
    assert read_source(tmp_path / "pipe") is None


@pytest.mark.parametrize("stem", ["upper", "a b", "é" * 100, "x" * 200, "a..b"])
def test_most_names_can_be_those_of_files(tmp_path: Path, stem: str) -> None:
    assert may_name_file(stem)
    write_source(tmp_path / f"{stem}.yaml", "text", None)


@pytest.mark.parametrize("stem", ["", ".", "..", ".hidden", "a/b", "../a", "a\0b", "\ud800", "é" * 101, "x" * 201])
def test_some_cannot(stem: str) -> None:
    assert not may_name_file(stem)
