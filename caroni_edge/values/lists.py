"""Finds where each item of a list lies in its JSON text, so that some can be read without the others.

Reading a large text takes seconds, in which no thread of this process gets its turn. So it is done in one of its own
(`python -m caroni_edge.values.lists`), which has so much memory and processor time and no more.
"""

import hashlib
import json
import re
import resource
import sys
from array import array
from collections.abc import Sequence

from caroni_edge.values.parsing import parse_type
from caroni_edge.values.types import Array, Type

ITEMS_MAX = 1_000_000
MEMORY_BYTES = 2 << 30
CPU_S = 300

SUBCOMMAND = "lists"
"""By this argument alone the program that needs no Python does this (`packaging/pyinstaller/entry.py`)."""

ANYTHING = ["null", "Any"]
"""The type of all values, as CWL has it in JSON."""

_NO_JSON = "it is no JSON"
_TOO_MUCH = "it takes too much memory to be taken apart here"
_SPACE = re.compile(r"[ \t\n\r]*")


class NoList(ValueError):
    """A text is not the list that it is said to be; the message says why, for people."""


def item_type(kind: Type) -> Type:
    """Return the type of the items of a list of this type; anything, where that is not said."""
    lists = [each for each in kind.parts if isinstance(each, Array)]
    return lists[0].items if len(lists) == 1 else parse_type(ANYTHING)


def bounds_of(data: bytes, kind: Type) -> "array[int]":
    """Return where each item of a list begins and ends in its text: two numbers for each, in bytes.

    Args:
        data: The list, as JSON.
        kind: The type that it is said to be.

    Raises:
        NoList: It is none of this type, or has too many items.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NoList(_NO_JSON) from None
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        raise NoList("it is no list")
    bounds = array("Q")
    end = _add_items(text, at + 1, item_type(kind), bounds)
    if _after_space(text, end) != len(text):
        raise NoList(_NO_JSON)
    return bounds


def _add_items(text: str, at: int, kind: Type, bounds: "array[int]") -> int:
    """Note where the items are that follow there; return where the list ends."""
    decoder = json.JSONDecoder(parse_constant=_no_number)
    is_ascii, chars, size = text.isascii(), 0, 0
    at = _after_space(text, at)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise NoList(_NO_JSON) from None
        number = len(bounds) // 2
        if number >= ITEMS_MAX:
            raise NoList(f"it has more than {ITEMS_MAX} items")
        if not kind.fits(value):
            raise NoList(f"[{number}]: {kind.mismatch(value)}")
        for each in (at, end):
            size += each - chars if is_ascii else len(text[chars:each].encode())
            chars = each
            bounds.append(size)
        end = _after_space(text, end)
        if text[end : end + 1] == "]":
            return end + 1
        if text[end : end + 1] != ",":
            raise NoList(_NO_JSON)
        at = _after_space(text, end + 1)


def _after_space(text: str, at: int) -> int:
    if text[at : at + 1] not in (" ", "\t", "\n", "\r"):
        return at
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _no_number(word: str) -> None:
    raise ValueError(word)


def main(asked: Sequence[str]) -> int:
    """Write what is known of a list to standard output: a line of JSON, and then the bounds of its items.

    Args:
        asked: Path, SHA-256 and size of the file that it is in, and its type, as JSON.
    """
    path, sha256, size, spec = asked
    for kind, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))
    said: dict[str, object] = {}
    bounds = array("Q")
    try:
        with open(path, "rb") as file:
            data = file.read(int(size) + 1)
        if (hashlib.sha256(data).hexdigest(), len(data)) != (sha256, int(size)):
            said = {"is_damaged": True}
        else:
            bounds = bounds_of(data, parse_type(json.loads(spec)))
    except FileNotFoundError:
        said = {"is_damaged": True}
    except NoList as problem:
        said = {"problem": str(problem)}
    except MemoryError:
        said, bounds = {"problem": _TOO_MUCH}, array("Q")
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + bounds.tobytes())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
