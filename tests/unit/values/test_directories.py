"""Lists of directories: what is written is read again, and whatever else stands there is refused in words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caroni_edge.objects.objects import Object
from caroni_edge.values.directories import Entry, NoDirectory, files_of, read, written

A, B = Object("a" * 64, 5), Object("b" * 64, 7)
ENTRIES = (Entry("bin/run", True, A), Entry("empty/"), Entry("ä.txt", False, B))


def rows(*given: Any) -> bytes:
    return json.dumps(list(given), ensure_ascii=False, separators=(",", ":")).encode()


def row(path: str, size: int = 5, name: str = A.id) -> list[Any]:
    return [path, False, size, name]


def test_a_list_is_written_and_read_again() -> None:
    data = written(reversed(ENTRIES))
    assert data == rows(["bin/run", True, 5, A.id], ["empty/", False, 0, ""], ["ä.txt", False, 7, B.id])
    assert read(data) == ENTRIES
    assert files_of(ENTRIES) == (A, B)
    assert read(b"[]") == ()


BAD = "is no name of a file"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no list of files"),
        (b"\xff", "no list of files"),
        (b"[" * 100_000, "no list of files"),
        (b'{"a": 1}', "no list of files"),
        (rows("a"), "and not [path, executable, size, name]"),
        (rows(["a", 1, 5, A.id]), "and not [path, executable, size, name]"),
        (rows(["a", False, True, A.id]), "and not [path, executable, size, name]"),
        (rows(row("../a")), BAD),
        (rows(row("a/../../b")), BAD),
        (rows(row("/etc/passwd")), BAD),
        (rows(row("a//b")), BAD),
        (rows(row("")), BAD),
        (rows(row(".")), BAD),
        (rows(row("a\0b")), BAD),
        (rows(row("a\nb")), BAD),
        (b'[["\\ud800",false,5,"' + A.id.encode() + b'"]]', BAD),
        (rows(row("a" * 256)), "more than 255 bytes"),
        (rows(row("/".join("a" * 33))), "more than 32 folders"),
        (rows(row("/".join(["a" * 200] * 11))), "more than 2048 bytes"),
        (rows(row("a", -1)), "no size and hash"),
        (rows(row("a", 10_000_000_001)), "no size and hash"),
        (rows(row("a", name="sha256:x")), "no size and hash"),
        (rows(row("a/")), "what only a file can have"),
        (rows(row("a"), row("a")), "names a file twice"),
        (rows(row("a"), ["a/", False, 0, ""]), "names a file twice"),
        (rows(row("a"), row("a/b")), "is a file in it"),
        (rows(["a/", False, 0, ""], row("a/b/c")), "is a file in it, or an empty folder"),
        (rows(row("a", 5), row("b", 6)), "gives one file two sizes"),
        (rows(row("b"), row("a")), "not in the one form"),
        (rows(row("a")) + b" ", "not in the one form"),
        (rows(row("a", 6_000_000_000), row("b", 6_000_000_000)), "10000000000 bytes together"),
        (b"[" + b" " * (8 << 20), "more than 8 MiB"),
        (rows(*(row(str(number)) for number in range(10_001))), "10001 files, and 10000 are allowed"),
    ],
)
def test_what_is_no_list_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(NoDirectory) as raised:
        read(data)
    assert said in str(raised.value)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        entries = read(data)
    except NoDirectory:
        return
    assert written(entries) == data
