"""What an object is: bytes that never change, named by their SHA-256, with their size."""

import re
from typing import NamedTuple, NewType

ObjectId = NewType("ObjectId", str)
"""The name of an object: `sha256:` and 64 lower-case hexadecimal digits."""

SIZE_MAX_BYTES = 10_000_000_000
"""No object is larger."""

_PREFIX = "sha256:"
_ID = re.compile(r"sha256:[0-9a-f]{64}")


class Object(NamedTuple):
    """Bytes of which nothing is known but their hash and their number, wherever they lie.

    Attributes:
        sha256: SHA-256 of the bytes, as 64 lower-case hexadecimal digits.
        size: How many bytes there are.
    """

    sha256: str
    size: int

    @property
    def id(self) -> ObjectId:
        """The name, as messages, rows and values have it."""
        return id_of(self.sha256)


class Directory(NamedTuple):
    """A directory that is an object.

    Attributes:
        object: The list of its files.
        files: What they are, each once.
    """

    object: Object
    files: tuple[Object, ...]


def parse_id(text: object) -> ObjectId | None:
    """Return the name of an object that somebody has written; None when it is none."""
    return ObjectId(text) if isinstance(text, str) and _ID.fullmatch(text) else None


def id_of(sha256: str) -> ObjectId:
    """Return the name of an object of which the hexadecimal digits are known."""
    return ObjectId(_PREFIX + sha256)


def sha256_of(name: ObjectId) -> str:
    """Return the hexadecimal digits of a name."""
    return name.removeprefix(_PREFIX)
