"""What asker and holder want done, as values: whoever runs them does it, in this order, on disk and connection."""

from typing import Literal, NamedTuple

from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import Ask, No, Part

Failure = Literal["bad", "unknown", "ticket"]
"""What is wrong with a place: its bytes do not fit; it has no such object of that workflow; it refuses the ticket."""


class FetchId(NamedTuple):
    """One object that is fetched for one manager; that another one's bytes are here gives this one no right to them.

    Attributes:
        manager: For whom it is fetched.
        sha256: Hash of the object.
    """

    manager: str
    sha256: str


class SayAsk(NamedTuple):
    """An Ask is to be published."""

    holder: Peer
    ask: Ask


class Write(NamedTuple):
    """Bytes are to be written to the part file."""

    fetch: FetchId
    offset: int
    content: bytes


class Save(NamedTuple):
    """What was written is to be made safe, and only then that these blocks are here (a bit each, the least first)."""

    fetch: FetchId
    blocks: bytes


class Hash(NamedTuple):
    """The SHA-256 of some bytes of the part file is wanted; it is given to `Asker.hashed`, with the same `turn`."""

    fetch: FetchId
    turn: int
    offset: int
    length: int


class Fetched(NamedTuple):
    """All bytes are in the part file, and have the hash that was asked for."""

    fetch: FetchId


class PlaceFailed(NamedTuple):
    """A place did not give what it was said to have.

    Attributes:
        fetch: What was wanted.
        holder: Who was asked.
        why: What was wrong.
    """

    fetch: FetchId
    holder: Peer
    why: Failure


class PlacesSilent(NamedTuple):
    """These nodes have left several questions unanswered; it is said anew when they are others."""

    holders: frozenset[Peer]


class Held(NamedTuple):
    """An object that is wanted without a place is not asked for; so many bytes of it are here."""

    fetch: FetchId
    came: int


Told = Fetched | PlaceFailed | PlacesSilent | Held
"""What a node must know."""
AskerEffect = SayAsk | Write | Save | Hash | Told


class SayData(NamedTuple):
    """Bytes of an object, or of its block list, are to be read and published."""

    asker: Peer
    transfer: int
    sha256: str
    part: Part
    offset: int
    length: int


class SayNo(NamedTuple):
    """A No is to be published."""

    asker: Peer
    no: No


class MakeList(NamedTuple):
    """The block list of an object is to be made; it is given to `Holder.listed`."""

    sha256: str


class LetComeBack(NamedTuple):
    """An object is asked for that does not lie here now, but can come back."""

    sha256: str


HolderEffect = SayData | SayNo | MakeList | LetComeBack
