"""Which bytes of an object are here, and which are to be asked for next."""

from collections import deque
from typing import NamedTuple

HASH_BYTES = 32
"""So many bytes a SHA-256 has."""


class Grain(NamedTuple):
    """The sizes by which an object is fetched, checked and kept.

    Attributes:
        block: What is kept over a restart is counted in such blocks.
        segment: A block list has a hash of each segment, so that wrong bytes are found early.
        listed: An object of this size or more has a block list.
        save: After so many bytes what has come is made safe.
    """

    block: int = 256 << 10
    segment: int = 4 << 20
    listed: int = 64 << 20
    save: int = 8 << 20


GRAIN = Grain()


class Piece(NamedTuple):
    """Some bytes that one Data carries."""

    offset: int
    length: int


class Pieces:
    """The bytes of an object that are missing, in pieces; only a few blocks are in pieces at a time.

    Attributes:
        size: How many bytes the object has.
        blocks: A bit for each block that is here as a whole, the least one first.
        left: How many bytes are missing.
    """

    def __init__(self, size: int, block: int, blocks: bytes = b"") -> None:
        """Begin with what is here already.

        Args:
            size: How many bytes the object has.
            block: How many bytes a block has.
            blocks: `blocks` as it was saved; of another length it counts as empty.
        """
        self.size, self._block = size, block
        self.count = -(-size // block)
        whole = (self.count + 7) // 8
        self.blocks = bytearray(blocks) if len(blocks) == whole else bytearray(whole)
        self.left = sum(self._length(index) for index in range(self.count) if not self.has(index))
        self._next = 0
        self._missing: dict[int, int] = {}
        self._idle: deque[int] = deque()
        self._left_of: dict[int, int] = {}

    def has(self, index: int) -> bool:
        """Tell whether a block is here."""
        return bool(self.blocks[index // 8] >> index % 8 & 1)

    def has_some(self, index: int) -> bool:
        """Tell whether some bytes of a block are here."""
        return self.has(index) or self._left_of.get(index, self._length(index)) < self._length(index)

    def is_missing(self, piece: Piece) -> bool:
        """Tell whether a piece is still to come, and just as it was cut."""
        return self._missing.get(piece.offset) == piece.length

    def take(self, chunk: int) -> Piece | None:
        """Return the next piece to ask for, of `chunk` bytes at most; None when all that is missing was taken."""
        while self._idle or self._open_next():
            offset = self._idle.popleft()
            length = self._missing.get(offset)
            if length is None:
                continue  # it came late
            if length > chunk:
                self._missing[offset], self._missing[offset + chunk] = chunk, length - chunk
                self._idle.appendleft(offset + chunk)
            return Piece(offset, self._missing[offset])
        return None

    def give_back(self, piece: Piece) -> None:
        """A piece has not come; it is the next to be asked for."""
        if self.is_missing(piece):
            self._idle.appendleft(piece.offset)

    def came(self, piece: Piece) -> int | None:
        """A piece that was missing has come; return the block that is whole by it."""
        del self._missing[piece.offset]
        self.left -= piece.length
        index = piece.offset // self._block
        self._left_of[index] -= piece.length
        if self._left_of[index]:
            return None
        del self._left_of[index]
        self.blocks[index // 8] |= 1 << index % 8
        return index

    def forget(self, indexes: range) -> None:
        """Blocks that are here are wrong: they are missing again."""
        for index in indexes:
            if self.has(index):
                self.blocks[index // 8] &= ~(1 << index % 8)
                self.left += self._length(index)
        self._next = min(self._next, indexes.start)

    def _open_next(self) -> bool:
        """Cut the next missing block into pieces; return whether there was one."""
        while self._next < self.count:
            index, self._next = self._next, self._next + 1
            if not self.has(index) and index not in self._left_of:
                self._left_of[index] = self._length(index)
                self._missing[index * self._block] = self._length(index)
                self._idle.append(index * self._block)
                return True
        return False

    def _length(self, index: int) -> int:
        return min(self._block, self.size - index * self._block)


def ranges_of(pieces: list[Piece], chunk: int) -> tuple[tuple[int, int], ...]:
    """Return pieces as the ranges of an Ask: cut by `chunk` from their beginnings, they give these pieces again."""
    ranges: list[tuple[int, int]] = []
    for offset, length in sorted(pieces):
        begin, so_far = ranges[-1] if ranges else (offset, 0)
        if ranges and begin + so_far == offset and so_far % chunk == 0:
            ranges[-1] = begin, so_far + length
        else:
            ranges.append((offset, length))
    return tuple(ranges)


def chunks_of(ranges: tuple[tuple[int, int], ...], chunk: int) -> list[Piece]:
    """Return the pieces that an Ask is for."""
    return [
        Piece(begin + done, min(chunk, length - done)) for begin, length in ranges for done in range(0, length, chunk)
    ]


def list_size(size: int, segment: int) -> int:
    """Return how many bytes the block list of an object of `size` bytes has."""
    return -(-size // segment) * HASH_BYTES
