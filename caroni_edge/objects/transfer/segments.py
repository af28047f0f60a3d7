"""Whether the bytes that have come are right: segment by segment, and at the end all of them."""

from collections import deque
from typing import Literal, NamedTuple

from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.pieces import HASH_BYTES, Grain, Pieces

Verdict = Literal["right", "again", "bad"]
"""What a hash says: the object is right as a whole; bytes are fetched again; the place that gave them is bad."""


class ToHash(NamedTuple):
    """Bytes whose SHA-256 is wanted."""

    turn: int
    offset: int
    length: int


class Segments:
    """What is known of the bytes that are here.

    An object without a block list is one segment, whose hash is its name. A block list comes from the place that the
    bytes come from, and may be as wrong as they: where both do not fit, the place is bad, whichever of them is wrong.
    That counts only for segments that came from there as a whole; others may be another place's fault, and are fetched
    again.
    """

    def __init__(self, wanted: Object, pieces: Pieces, grain: Grain, turn: int = 0) -> None:
        """Begin without knowing anything of what is here already; hashes are counted from `turn` on."""
        self._whole = bytes.fromhex(wanted.sha256)
        self._pieces, self._size = pieces, wanted.size
        self.is_listed = wanted.size >= grain.listed
        self._length = grain.segment if self.is_listed else max(wanted.size, 1)
        self._each = max(1, self._length // grain.block) if self.is_listed else max(pieces.count, 1)
        self.count = -(-pieces.count // self._each) if wanted.size else 1
        self._expected: list[bytes] | None = None
        self._found: dict[int, bytes] = {}
        self._of_others: set[int] = set()
        self._waiting: deque[int] = deque()
        self._turn = turn
        self._hashing: int | None = None
        self._is_hashing_all = False

    @property
    def needs_list(self) -> bool:
        """Whether a block list must come before the bytes."""
        return self.is_listed and self._expected is None

    @property
    def list_size(self) -> int:
        """How many bytes the block list has."""
        return self.count * HASH_BYTES

    def begin(self) -> None:
        """The bytes come from another place from now on."""
        self._expected = None if self.is_listed else [self._whole]
        self._stop_hashing()
        if not self.is_listed:
            self._compare_all()

    def listed(self, block_list: bytes) -> None:
        """The place's block list is here."""
        self._expected = [block_list[at : at + HASH_BYTES] for at in range(0, self.list_size, HASH_BYTES)]
        self._compare_all()

    def came(self, block: int) -> None:
        """A block is whole."""
        segment = block // self._each
        if self._is_whole(segment):
            self._waiting.append(segment)

    def to_hash(self) -> ToHash | None:
        """Return what is to be hashed next; None while something is, and when there is nothing."""
        if self._hashing is not None or self._is_hashing_all or self._expected is None:
            return None
        while self._waiting:
            segment = self._waiting.popleft()
            if segment not in self._found and self._is_whole(segment):
                self._hashing = segment
                return self._hash(segment * self._length, min(self._length, self._size - segment * self._length))
        if self.is_listed and not self._pieces.left and len(self._found) == self.count:
            self._is_hashing_all = True
            return self._hash(0, self._size)
        return None

    def hashed(self, turn: int, digest: bytes) -> Verdict | None:
        """Take a hash; return what it says, or None when nothing waits for it any more."""
        if turn != self._turn or self._expected is None:
            return None
        if self._is_hashing_all:
            self._is_hashing_all = False
            if digest == self._whole:
                return "right"
            self._found.clear()  # the list is wrong, and what fits it is not known to be right
            return "bad"
        segment, self._hashing = self._hashing, None
        if segment is None:
            return None
        if digest == self._expected[segment]:
            self._found[segment] = digest
            self._of_others.discard(segment)
            return None if self.is_listed else "right"
        was_of_others = segment in self._of_others
        self._forget(segment)
        return "again" if was_of_others else "bad"

    def _compare_all(self) -> None:
        """Hold what is here already against the hashes of the place that is asked now."""
        assert self._expected is not None
        self._waiting.clear()
        for segment in range(self.count):
            if segment in self._found:
                if self._found[segment] != self._expected[segment]:
                    self._forget(segment)
            elif self._is_whole(segment):
                if self._size:
                    self._of_others.add(segment)
                self._waiting.append(segment)
            elif any(self._pieces.has_some(block) for block in self._blocks(segment)):
                self._of_others.add(segment)

    def _forget(self, segment: int) -> None:
        self._pieces.forget(self._blocks(segment))
        self._found.pop(segment, None)
        self._of_others.discard(segment)

    def _is_whole(self, segment: int) -> bool:
        return all(self._pieces.has(block) for block in self._blocks(segment))

    def _blocks(self, segment: int) -> range:
        return range(segment * self._each, min((segment + 1) * self._each, self._pieces.count))

    def _stop_hashing(self) -> None:
        if self._hashing is not None:
            self._waiting.appendleft(self._hashing)
        self._hashing, self._is_hashing_all = None, False
        self._turn += 1

    def _hash(self, offset: int, length: int) -> ToHash:
        self._turn += 1
        return ToHash(self._turn, offset, length)
