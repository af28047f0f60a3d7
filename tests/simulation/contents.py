"""What is in the files of the simulation: a text, and bytes that follow from it, so that no two are alike."""

from functools import lru_cache
from random import Random
from typing import Any

from caroni_edge.objects.objects import Object, sha256_of
from caroni_edge.values.carried import object_value, objects_in
from tests.objects.nodes import object_of

SIZES = (17_000, 40_000, 120_000, 400_000)
"""The largest has a block list of its own."""
NO_SHA1 = "0" * 40

_texts: dict[str, str] = {}


@lru_cache(maxsize=256)
def content_of(text: str) -> bytes:
    """Return what is in the file that says a text."""
    chance = Random(text)
    (size,) = chance.choices(SIZES, (4, 4, 2, 1))
    return chance.randbytes(size)


@lru_cache(maxsize=4096)
def object_saying(text: str) -> Object:
    """Return the object that says a text."""
    found = object_of(content_of(text))
    _texts[found.sha256] = text
    return found


def content_named(name: str) -> bytes | None:
    """Return what an object of this hash has in it; None where none of the simulation has the hash."""
    text = _texts.get(name)
    return None if text is None else content_of(text)


def file_saying(text: str) -> dict[str, Any]:
    """Return the value of a file that says a text."""
    return object_value("file", object_saying(text), NO_SHA1)


def said_by(value: Any) -> str:
    """Return what a value says: the text of a file, or the value itself."""
    names = objects_in(value)
    return _texts[sha256_of(next(iter(names)))] if names else str(value)


def contents_in(outputs: Any) -> dict[Object, bytes]:
    """Return the objects among the outputs of a job, with what is in them."""
    texts = [_texts[sha256_of(name)] for name in objects_in(outputs)]
    return {object_saying(text): content_of(text) for text in texts}
