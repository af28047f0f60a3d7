"""Where the items of a list lie in its text."""

import json
import subprocess
import sys
from array import array
from hashlib import sha256
from pathlib import Path

import pytest

from caroni_edge.values import lists
from caroni_edge.values.lists import NoList, bounds_of, item_type
from caroni_edge.values.parsing import parse_type


def items(data: bytes, kind: object = "Any") -> list[bytes]:
    """Return the text of each item."""
    found = bounds_of(data, parse_type(kind))
    return [data[begin:end] for begin, end in zip(found[::2], found[1::2], strict=True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", []),
        (" [ ] ", []),
        ("[1]", ["1"]),
        ('[1,"a,]",[2,[3]],{"a":[4]},null,true]', ["1", '"a,]"', "[2,[3]]", '{"a":[4]}', "null", "true"]),
        ('\n[ 1 ,\t"ä€𝄞" , 2.5e3 ]\r\n', ["1", '"ä€𝄞"', "2.5e3"]),
        ('["ä","ö"]', ['"ä"', '"ö"']),
    ],
)
def test_each_item_is_found(text: str, found: list[str]) -> None:
    assert [each.decode() for each in items(text.encode())] == found


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is no list"),
        (b'{"a":1}', "it is no list"),
        (b"[", "it is no JSON"),
        (b"[1", "it is no JSON"),
        (b"[1,]", "it is no JSON"),
        (b"[1 2]", "it is no JSON"),
        (b"[1]]", "it is no JSON"),
        (b"[NaN]", "it is no JSON"),
        (b"[\xff]", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b'[1,2,"x"]', '[2]: expected int, got "x"'),
    ],
)
def test_what_is_no_such_list_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(NoList) as raised:
        bounds_of(data, parse_type("int[]"))
    assert str(raised.value) == said


def test_a_list_has_so_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "ITEMS_MAX", 3)
    assert len(items(b"[1,2,3]")) == 3
    with pytest.raises(NoList, match="it has more than 3 items"):
        items(b"[1,2,3,4]")


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("int[]", "int"),
        ("int[]?", "int"),
        ("string[][]", "string[]"),
        ("Any", ["null", "Any"]),
        (["int[]", "string[]"], ["null", "Any"]),
    ],
)
def test_the_type_of_items_is_known(kind: object, item: object) -> None:
    assert item_type(parse_type(kind)) == parse_type(item)


def run(path: Path, data: bytes, size: int | None = None) -> tuple[dict[str, object], "array[int]"]:
    """Let the process read a file; return what it says."""
    asked = [str(path), sha256(data).hexdigest(), str(len(data) if size is None else size), '"int[]"']
    command = [sys.executable, "-P", "-m", "caroni_edge.values.lists", *asked]
    line, _, numbers = subprocess.run(command, capture_output=True, check=True).stdout.partition(b"\n")
    bounds = array("Q")
    bounds.frombytes(numbers)
    return json.loads(line), bounds


def test_a_process_of_its_own_reads_a_file(tmp_path: Path) -> None:
    data = b"[1,22,333]"
    (path := tmp_path / "list").write_bytes(data)
    assert run(path, data) == ({}, bounds_of(data, parse_type("int[]")))
    assert run(path, b"[1,22,334]")[0] == {"is_damaged": True}
    assert run(tmp_path / "none", data)[0] == {"is_damaged": True}
    path.write_bytes(b"[[]]")
    assert run(path, b"[[]]")[0] == {"problem": "[0]: expected int, got a list"}
