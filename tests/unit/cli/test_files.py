"""Files that a command line gives along as inputs."""

import os
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._context import Place
from caroni_edge.cli._folders import Uploads
from caroni_edge.cli._starting import files_of
from caroni_edge.cli._uploading import upload
from caroni_edge.objects.objects import Object
from caroni_edge.protocol.triggers import PLACES_MAX, Trigger
from caroni_edge.values.carried import FILE_MAX_BYTES, directory_value, file_value, object_value
from caroni_edge.values.directories import FILES_MAX, Entry, read


def test_a_file_is_given_along_and_several_of_a_name_are_a_list(tmp_path: Path) -> None:
    for name in ("a.txt", "b=c.bin"):
        (tmp_path / name).write_bytes(name.encode() + b"\xff")
    first, second = (file_value(name, name.encode() + b"\xff") for name in ("a.txt", "b=c.bin"))
    assert files_of((f"image={tmp_path}/a.txt",), {}) == {"image": first}
    texts = (f"all={tmp_path}/a.txt", f"one={tmp_path}/a.txt", f"all={tmp_path}/b=c.bin")
    assert files_of(texts, {}) == {"all": [first, second], "one": first}


def test_the_largest_file_is_given_along_and_a_larger_one_is_uploaded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * FILE_MAX_BYTES)
    assert files_of((f"a={path}",), {})["a"]["size"] == FILE_MAX_BYTES
    data = b"x" * (FILE_MAX_BYTES + 1)
    uploads: Uploads = {}
    path.write_bytes(data)
    found = Object(sha256(data).hexdigest(), len(data))
    value = object_value("a", found, sha1(data, usedforsecurity=False).hexdigest())
    assert files_of((f"a={path}",), uploads) == {"a": value}
    assert uploads == {found: path}


BROKER = Place(broker="mqtt://127.0.0.1", manager="m1")


def naming(*objects: Object) -> Trigger:
    """Return a trigger whose inputs name these objects."""
    return Trigger(template="t", inputs={"all": [object_value("a", each, "0" * 40) for each in objects]})


def test_where_no_api_is_named_large_files_are_to_be_fetched_and_only_so_many(tmp_path: Path) -> None:
    uploads = {Object(f"{number:064x}", 1): tmp_path / "a" for number in range(PLACES_MAX)}
    assert upload(BROKER, naming(*uploads), uploads, as_json=False) == uploads
    assert upload(BROKER, naming(), {}, as_json=False) == {}
    more = {**uploads, Object("a" * 64, 1): tmp_path / "a"}
    with pytest.raises(UsageError, match="101 are directories, or files over 16 KiB, and 100 of those may go by a br"):
        upload(BROKER, naming(*more), more, as_json=False)


@pytest.mark.parametrize("text", ["a", "=b", "a="])
def test_what_names_no_file_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="a file is written NAME=PATH"):
        files_of((text,), {})


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it cannot be read: No such file or directory"):
        files_of((f"a={tmp_path}/gone",), {})
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="it cannot be read: Not a directory"):
        files_of((f"a={tmp_path}/file/b",), {})


def test_a_file_whose_name_no_host_takes_is_told(tmp_path: Path) -> None:
    (tmp_path / "a\nb").write_text("x")
    with pytest.raises(UsageError, match='"basename" is the name of a file'):
        files_of((f"a={tmp_path}/a\nb",), {})


def test_a_directory_is_uploaded_file_by_file_and_then_its_list(tmp_path: Path) -> None:
    top = tmp_path / "night"
    (top / "raw").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "raw" / "m31.fits").write_bytes(b"stars")
    (top / "run").write_bytes(b"#!/bin/sh")
    (top / "run").chmod(0o755)
    (top / "again").symlink_to("raw/m31.fits")
    uploads: Uploads = {}
    value = files_of((f"night={top}",), uploads)["night"]
    *files, (listing, data) = uploads.items()
    assert isinstance(data, bytes)
    stars, run = (Object(sha256(each).hexdigest(), len(each)) for each in (b"stars", b"#!/bin/sh"))
    assert {found for found, _ in files} == {stars, run}
    assert read(data) == (
        Entry("again", False, stars),
        Entry("empty/"),
        Entry("raw/m31.fits", False, stars),
        Entry("run", True, run),
    )
    assert listing == Object(sha256(data).hexdigest(), len(data))
    assert value == directory_value("night", listing)


def test_what_cannot_be_in_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(".")
    with pytest.raises(UsageError, match="lies in more than 32 folders"):
        files_of((f"night={tmp_path}",), {})
    (tmp_path / "loop").unlink()
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(UsageError, match="gone cannot be read: No such file or directory"):
        files_of((f"night={tmp_path}",), {})
    (tmp_path / "gone").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is no regular file"):
        files_of((f"night={tmp_path}",), {})


def test_by_a_broker_alone_a_directory_goes_with_what_is_in_it(tmp_path: Path) -> None:
    files = {Object(f"{number:064x}", 1): tmp_path / "a" for number in range(FILES_MAX - 1)}
    listing = {Object("a" * 64, 2): b"[]"}
    assert upload(BROKER, naming(*listing), {**files, **listing}, as_json=False) == {**files, **listing}
    with pytest.raises(UsageError, match="10001 files are more than the 10000 that may go by a broker for a workflow"):
        upload(BROKER, naming(*listing), {**files, Object("b" * 64, 2): tmp_path / "a", **listing}, as_json=False)
