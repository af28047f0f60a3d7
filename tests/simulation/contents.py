"""What is in the objects of the simulation: files, directories of files, and lists that are too large to be told.

A file says a text, and its bytes follow from that, so that no two are alike. A directory is the list of its files, as
any is; a list is JSON. Of these it is remembered here what is in them.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from caroni_edge.objects.objects import Directory, Object, sha256_of
from caroni_edge.values.carried import directory_value, is_directory, object_of, object_value, objects_in
from caroni_edge.values.directories import Entry, files_of, read, written
from caroni_edge.values.json import canonical
from caroni_edge.values.large import filled, large_in, large_value
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.remote import is_remote
from tests.objects import nodes

SIZES = (17_000, 40_000, 120_000, 400_000)
"""The largest has a block list of its own."""
INNER_SIZES = (100, 3000, 20_000, 60_000)
"""Of the files in directories, whose texts have a slash."""
NO_SHA1 = "0" * 40
SAID_MAX_CHARS = 2000
REMEMBERED = 1000
"""So many directories and lists are remembered: more than there are in a schedule."""

ITEMS, ITEM_CHARS, LONG_ITEM_CHARS = 4, 2500, 17_000
"""A list has so many items, one of which is an object by itself where the list is taken apart."""

HOSTS = ("lab.example", "far.example:8443")
"""Where files lie that come from outside."""

_texts: dict[str, str] = {}
_made: dict[str, bytes] = {}
_inner: dict[str, tuple[Object, ...]] = {}


class Gives(NamedTuple):
    """What a job gives that lies in a store.

    Attributes:
        objects: What its outputs name.
        directories: Those of them that are directories, with their files.
        contents: What is in all of them, and in the files of directories.
    """

    objects: tuple[Object, ...]
    directories: tuple[Directory, ...]
    contents: Mapping[Object, bytes]


@lru_cache(maxsize=256)
def content_of(text: str) -> bytes:
    """Return what is in the file that says a text."""
    chance = Random(text)
    (size,) = chance.choices(INNER_SIZES if "/" in text else SIZES, (4, 4, 2, 1))
    return chance.randbytes(size)


@lru_cache(maxsize=4096)
def object_saying(text: str) -> Object:
    """Return the object that says a text."""
    found = nodes.object_of(content_of(text))
    _texts[found.sha256] = text
    return found


def content_named(name: str) -> bytes | None:
    """Return what an object of this hash has in it; None where none of the simulation has the hash."""
    text = _texts.get(name)
    return _made.get(name) if text is None else content_of(text)


def made_of(content: bytes) -> Object:
    """Return the object with some bytes that follow from no text, and remember them."""
    found = nodes.object_of(content)
    _made.pop(found.sha256, None)
    _made[found.sha256] = content
    while len(_made) > REMEMBERED:
        oldest = next(iter(_made))
        del _made[oldest]
        _inner.pop(oldest, None)
    return found


# Files at addresses


def file_outside(name: str) -> dict[str, Any]:
    """Return the value of a file at an address, as users give it: with its checksum."""
    location = f"https://{HOSTS[crc32(name.encode()) % len(HOSTS)]}/{name}"
    checksum = f"sha256${object_saying(text_at(location)).sha256}"
    return {"class": "File", "location": location, "checksum": checksum}


def text_at(location: str) -> str:
    """Return what the file at an address says."""
    return f"the file at {location}"


# What jobs give


def file_saying(text: str) -> dict[str, Any]:
    """Return the value of a file that says a text."""
    return object_value("file", object_saying(text), NO_SHA1)


def directory_saying(files: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of a directory whose files say texts, by their paths."""
    entries = [Entry(path, path.endswith("run"), object_saying(text)) for path, text in files.items()]
    listing = made_of(written([*entries, Entry("empty/")]))
    _inner[listing.sha256] = files_of(entries)
    return directory_value("directory", listing)


def list_saying(text: str) -> list[str]:
    """Return a list that is large, the text in all of its items."""
    fill = sha256(text.encode()).hexdigest()[0]
    return [f"{text} {number}: ".ljust(LONG_ITEM_CHARS if number == 1 else ITEM_CHARS, fill) for number in range(ITEMS)]


def told(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs as they are told: with objects in the places of lists."""
    kind = parse_type("string[]")
    return {
        name: large_value(made_of(canonical(value).encode()), kind) if isinstance(value, list) else value
        for name, value in outputs.items()
    }


# What jobs take


def read_in(inputs: Mapping[str, Any]) -> Any:
    """Return inputs with the values themselves in the places of those that are objects."""
    read_values = {each["location"]: msgspec.json.decode(_made[_hash_of(each)]) for each in large_in(dict(inputs))}
    return filled(dict(inputs), read_values)


def texts_in(directory: Mapping[str, Any]) -> dict[str, str]:
    """Return what the files of a directory say, by their paths."""
    entries = read(_made[_hash_of(directory)])
    return {each.path: _texts[each.object.sha256] for each in entries if each.object is not None}


def said_by(value: Any) -> str:
    """Return what a value says: the text of a file, those in a directory, or the value itself; short in any case."""
    if isinstance(value, dict) and is_directory(value):
        said = "{" + ",".join(f"{path}={text}" for path, text in sorted(texts_in(value).items())) + "}"
    elif isinstance(value, dict):
        location = value["location"]
        said = text_at(location) if is_remote(location) else _texts[_hash_of(value)]
    else:
        said = canonical(value) if isinstance(value, list) else str(value)
    return said if len(said) <= SAID_MAX_CHARS else f"{said[:20]}…{sha256(said.encode()).hexdigest()[:16]}"


def gives_of(outputs: Any) -> Gives:
    """Return what a job gives with these outputs."""
    objects = tuple(found for each in objects_in(outputs).values() if (found := object_of(each)) is not None)
    directories = tuple(Directory(each, _inner[each.sha256]) for each in objects if each.sha256 in _inner)
    contents = {found: _content(found) for each in objects for found in (each, *files_in(each.sha256))}
    return Gives(objects, directories, contents)


# What directories name


def files_in(name: str) -> tuple[Object, ...]:
    """Return the files of the directory of this hash; none where it is no directory."""
    return _inner.get(name, ())


def directories_with(name: str, among: Iterable[str]) -> Sequence[str]:
    """Return those of some objects that are directories with a file of this hash."""
    return [each for each in among if any(found.sha256 == name for found in files_in(each))]


def _hash_of(value: Mapping[str, Any]) -> str:
    (name,) = objects_in(dict(value))
    return sha256_of(name)


def _content(found: Object) -> bytes:
    content = content_named(found.sha256)
    assert content is not None
    return content
