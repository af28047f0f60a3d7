"""File values that carry their files: what is one, what is wrong with those that are none, and where files stand."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.values.carried import (
    FILE_MAX_BYTES,
    NotCarried,
    all_of,
    basename_of,
    bytes_of,
    file_value,
    misfit_of,
    objects_in,
    tree_of,
    with_files,
)
from caroni_edge.values.json import canonical
from caroni_edge.values.parsing import parse_type

FILE = parse_type("File")


def literal(contents: str, **more: Any) -> dict[str, Any]:
    return {"class": "File", "contents": contents, **more}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_in_a_file_goes_into_a_value_and_comes_out_again(data: bytes) -> None:
    value = file_value("a.dat", data)
    assert bytes_of(value) == data
    assert (basename_of(value), value["size"]) == ("a.dat", len(data))
    assert value["checksum"] == f"sha1${hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
    assert misfit_of(FILE, value) is None


def test_a_text_can_be_read_in_the_value_and_anything_else_takes_the_least_room() -> None:
    assert file_value("a", "größer\n".encode())["contents"] == "größer\n"
    assert file_value("a", b"\xff\xfe")["location"] == "data:;base64,//4="
    controls = b"\x00" * FILE_MAX_BYTES
    assert "contents" not in file_value("a", controls)
    assert len(canonical(file_value("a", controls))) < FILE_MAX_BYTES * 3 // 2


ELSEWHERE = "a file that lies elsewhere"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"class": "File", "location": "https://example.org/a"}, ELSEWHERE),
        ({"class": "File", "path": "/etc/passwd"}, ELSEWHERE),
        ({"class": "File", "location": f"caroni:sha256:{'0' * 64}"}, ELSEWHERE),
        (literal("only the beginning", location="file:///a"), ELSEWHERE),
        (literal("x", path="/a"), ELSEWHERE),
        (literal("x" * (FILE_MAX_BYTES + 1)), "the file has 16385 bytes, and no more than 16 KiB travel"),
        (literal("x", size=2), 'the file has 1 bytes, and its "size" is 2'),
        (literal("x", checksum="sha1$0"), '"checksum" "sha1$0"'),
        ({"class": "File", "location": "data:,text"}, "holds base64"),
        ({"class": "File", "location": "data:;base64,%%"}, "no base64"),
        ({"class": "File", "location": "data:;base64," + "A" * 40_000}, "the file has some 30000 bytes"),
        (literal("x", basename=""), '"basename" is the name of a file'),
        (literal("x", basename=".."), '"basename" is the name of a file'),
        (literal("x", basename="a/b"), '"basename" is the name of a file'),
        (literal("x", basename="a\nb"), '"basename" is the name of a file'),
        (literal("x", basename="\0"), '"basename" is the name of a file'),
        (literal("x", basename=5), '"basename" is the name of a file'),
        (literal("x", basename="ä" * 128), "more than 255 bytes"),
        (literal("x", secondaryFiles="a.bai"), '"secondaryFiles" is a list of files'),
        (literal("x", secondaryFiles=[{"class": "Any", "listing": []}]), '"secondaryFiles" is a list of files'),
        (literal("x", secondaryFiles=[{"class": "Directory"}]), "a directory that lies elsewhere"),
        (literal("x", secondaryFiles=[literal("y")]), 'both called "file"'),
        (literal("x", secondaryFiles=[{"class": "File", "basename": "b"}]), ELSEWHERE),
        ({"class": "File", "basename": "a"}, 'a File needs "location", "path" or "contents"'),
        ("a.txt", "expected File"),
    ],
)
def test_a_value_that_carries_no_file_is_told_why(value: object, said: str) -> None:
    found = misfit_of(FILE, value)
    assert found is not None
    assert said in found


def test_what_a_value_says_of_its_file_may_be_null() -> None:
    value = literal("x", size=None, checksum=None, basename=None, secondaryFiles=None, location=None, path=None)
    assert misfit_of(FILE, value) is None


def test_a_base64_that_decodes_to_too_much_is_refused() -> None:
    text = base64.b64encode(b"x" * (FILE_MAX_BYTES + 1)).decode()
    with pytest.raises(NotCarried, match="no more than 16 KiB"):
        bytes_of({"class": "File", "location": f"data:;base64,{text}"})


def test_files_that_belong_to_a_file_are_bounded() -> None:
    many = [literal("", basename=str(number)) for number in range(1001)]
    with pytest.raises(NotCarried, match="more than 1000 files"):
        all_of(literal("x", secondaryFiles=many))


def folder(*inside: Any, **more: Any) -> dict[str, Any]:
    return {"class": "Directory", "listing": list(inside), **more}


def deep(levels: int) -> dict[str, Any]:
    value = folder()
    for _ in range(levels):
        value = folder(value, basename="d")
    return value


def test_a_directory_carries_what_is_in_it() -> None:
    pair = literal("x", basename="a.bam", secondaryFiles=[literal("y", basename="a.bai")])
    value = folder(pair, folder(basename="empty"), folder(literal("z", basename="a.bam"), basename="sub"))
    assert misfit_of(parse_type("Directory"), value) is None
    assert [path for path, _ in tree_of(value)] == [
        *("directory", "directory/a.bam", "directory/a.bai", "directory/empty", "directory/sub"),
        "directory/sub/a.bam",
    ]


NAMED = {"class": "Directory", "basename": "d", "size": 2, "location": f"caroni:sha256:{'0' * 64}"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"class": "Directory", "location": "file:///etc"}, 'a directory that lies elsewhere ("file:///etc")'),
        ({"class": "Directory", "path": "/etc"}, 'a directory that lies elsewhere ("/etc")'),
        ({"class": "Directory", "listing": "a"}, 'a Directory needs "location", "path" or "listing"'),
        (folder("a"), '"listing" is a list of files and directories'),
        (folder(literal("x", basename="../a")), '"basename" is the name of a file'),
        (folder(basename="/etc"), '"basename" is the name of a file'),
        (folder(literal("x", basename="a"), folder(basename="a")), 'two files in one directory are both called "a"'),
        (folder({"class": "File", "path": "/etc/passwd"}), ELSEWHERE),
        (deep(40), "more than 64 levels"),
        (NAMED, "lies elsewhere"),
    ],
)
def test_a_value_that_carries_no_directory_is_told_why(value: object, said: str) -> None:
    assert said in str(misfit_of(parse_type("Directory"), value))


def test_folders_are_not_followed_without_end() -> None:
    with pytest.raises(NotCarried, match="more than 32 folders"):
        tree_of(deep(33))
    with pytest.raises(NotCarried, match="more than 10000 files"):
        tree_of(folder(*(literal("", basename=str(number)) for number in range(10_000))))


def test_a_directory_may_be_an_object_where_somebody_has_it() -> None:
    kind = parse_type("Directory")
    assert misfit_of(kind, NAMED, objects=True) is None
    assert misfit_of(kind, folder(NAMED), objects=True) is None
    assert "cannot be" in str(misfit_of(kind, {**NAMED, "size": 9 << 20}, objects=True))
    assert objects_in([folder(NAMED)]) == {f"sha256:{'0' * 64}": NAMED}


@pytest.mark.parametrize(
    ("spec", "value", "changed"),
    [
        ("File", "a", "<a>"),
        ("File?", None, None),
        ("File?", "a", "<a>"),
        ("File[]", ["a", "b"], ["<a>", "<b>"]),
        ("File?[]", ["a", None], ["<a>", None]),
        (["File", "int"], "a", "<a>"),
        (["File", "int"], 5, 5),
        (["File", "string"], "a", "a"),
        (["null", {"type": "array", "items": "File"}, "int"], ["a"], ["<a>"]),
        ({"type": "record", "fields": {"f": "File", "n": "int"}}, {"f": "a", "n": 1}, {"f": "<a>", "n": 1}),
        ({"type": "record", "fields": {"f": "File"}}, {"f": "a", "x": "y"}, {"f": "<a>", "x": "y"}),
        ("Any", "a", "a"),
        ("File[]", "a", "a"),
        ({"type": "record", "fields": {"f": "File"}}, [1], [1]),
    ],
)
def test_files_stand_where_the_type_says(spec: object, value: object, changed: object) -> None:
    assert with_files(parse_type(spec), value, lambda _, each: f"<{each}>") == changed


def test_a_value_of_an_union_is_looked_into_as_the_member_that_it_is() -> None:
    kind = parse_type(["File", {"type": "record", "fields": {"f": "File"}}])
    assert with_files(kind, literal("x"), lambda _kind, _value: "file") == "file"
    assert with_files(kind, {"f": "a"}, lambda _, each: f"<{each}>") == {"f": "<a>"}
