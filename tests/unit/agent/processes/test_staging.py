"""Input files and directories as a job finds them: where they lie, who may write to them, and what it is told."""

import os
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.processes.staging import Lender, NotStaged, stage
from caroni_edge.objects.disk import Damaged, ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import directory_value, file_value
from caroni_edge.values.directories import Entry, written
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type

TYPES = {"dir": parse_type("Directory")}


@pytest.fixture
def store(tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(tmp_path)


def staged(tmp_path: Path, store: ObjectFiles, value: Any, *, link: bool = False) -> tuple[Path, Any]:
    """Return where a directory lies for a job, and what the job is told of it."""
    (tmp_path / "job").mkdir()
    told = stage(str(tmp_path / "job"), TYPES, {"dir": value}, Lender(store, link))["dir"]
    return Path(told["path"]), told


def lying(folder: Path) -> dict[str, bytes | None]:
    """Return all that lies in a folder: of files what is in them."""
    return {str(each.relative_to(folder)): None if each.is_dir() else each.read_bytes() for each in folder.rglob("*")}


def test_a_directory_in_a_value_is_laid_out_with_what_belongs_to_its_files(tmp_path: Path, store: ObjectFiles) -> None:
    pair = {**file_value("a.bam", b"a"), "secondaryFiles": [file_value("a.bai", b"b")]}
    inside = {"class": "Directory", "basename": "sub", "listing": [file_value("a.bam", b"c")]}
    empty = {"class": "Directory", "basename": "empty", "listing": []}
    value = {"class": "Directory", "basename": "night", "listing": [pair, inside, empty]}
    path, told = staged(tmp_path, store, value)
    assert lying(path) == {"a.bam": b"a", "a.bai": b"b", "sub": None, "sub/a.bam": b"c", "empty": None}
    assert told == {
        "class": "Directory",
        "path": str(path),
        "location": path.as_uri(),
        "basename": "night",
        "dirname": str(path.parent),
    }


@pytest.mark.parametrize("link", [True, False])
def test_a_directory_that_is_an_object_is_laid_out_and_what_is_stored_stays_as_it_is(
    tmp_path: Path, store: ObjectFiles, *, link: bool
) -> None:
    data, tool = store.keep(b"stars"), store.keep(b"#!/bin/sh\n")
    entries = [Entry("bin/run", True, tool), Entry("data/a", False, data), Entry("data/b", False, data), Entry("none/")]
    path, _ = staged(tmp_path, store, directory_value("night", store.keep(written(entries))), link=link)
    assert lying(path) == {
        "bin": None,
        "bin/run": b"#!/bin/sh\n",
        "data": None,
        "data/a": b"stars",
        "data/b": b"stars",
        "none": None,
    }
    assert [os.access(path / name, os.X_OK) for name in ("bin/run", "data/a")] == [True, False]
    assert (path / "data" / "a").samefile(store.path(data.id)) is link
    assert not (path / "bin" / "run").samefile(store.path(tool.id))
    assert {Path(store.path(each.id)).stat().st_mode & 0o777 for each in (data, tool)} == {0o444}


def test_a_directory_whose_list_or_file_is_damaged_is_not_given(tmp_path: Path, store: ObjectFiles) -> None:
    data = store.keep(b"stars")
    listing = store.keep(written([Entry("a", False, data)]))
    os.chmod(store.path(data.id), 0o644)
    Path(store.path(data.id)).write_bytes(b"Stars")
    with pytest.raises(Damaged) as raised:
        staged(tmp_path, store, directory_value("night", listing))
    assert raised.value.name == data.id
    (tmp_path / "job").rename(tmp_path / "before")
    os.chmod(store.path(listing.id), 0o644)
    Path(store.path(listing.id)).write_bytes(b"[]")
    with pytest.raises(Damaged) as raised:
        staged(tmp_path, store, directory_value("night", listing))
    assert raised.value.name == listing.id


def test_no_list_leads_out_of_its_directory(tmp_path: Path, store: ObjectFiles) -> None:
    data = store.keep(b"stars")
    listing = store.keep(f'[["../../out",false,5,"{data.id}"]]'.encode())
    with pytest.raises(Damaged):
        staged(tmp_path, store, directory_value("night", listing))
    assert not list((tmp_path / "job").rglob("out"))


def test_a_list_of_another_size_is_not_read(tmp_path: Path, store: ObjectFiles) -> None:
    listing = store.keep(b"[]")
    with pytest.raises(Damaged):
        staged(tmp_path, store, directory_value("night", Object(listing.sha256, 1)))


# Large values


def test_a_job_gets_values_that_are_objects_themselves(tmp_path: Path, store: ObjectFiles) -> None:
    kind = parse_type("int[]")
    large = large_value(store.keep(b"[1,2,3]"), kind)
    types = {"a": kind, "all": parse_type({"type": "array", "items": "int[]"}), "s": parse_type("string")}
    inputs = {"a": large, "all": [[7], large], "s": "x"}
    assert stage(str(tmp_path / "job"), types, inputs, Lender(store)) == {
        "a": [1, 2, 3],
        "all": [[7], [1, 2, 3]],
        "s": "x",
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'["x"]', 'input a: [0]: expected int, got "x"'),
        (b"[1,", "input a: a value of 3 bytes: it is no JSON"),
        (b"[NaN]", "input a: a value of 5 bytes: it is no JSON"),
        (b"\xff\xfe", "input a: a value of 2 bytes: it is no JSON"),
    ],
)
def test_a_value_that_is_not_what_was_said_of_it_is_not_given(
    tmp_path: Path, store: ObjectFiles, data: bytes, said: str
) -> None:
    kind = parse_type("int[]")
    with pytest.raises(NotStaged) as raised:
        stage(str(tmp_path / "job"), {"a": kind}, {"a": large_value(store.keep(data), kind)}, Lender(store))
    assert str(raised.value) == said
