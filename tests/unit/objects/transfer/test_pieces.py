"""What is missing of an object: a random walk, and the ranges of an Ask."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from caroni_edge.objects.transfer.pieces import Piece, Pieces, chunks_of, ranges_of

BLOCK = 100


class PiecesMachine(RuleBasedStateMachine):
    """Pieces are taken, come, get lost and turn out wrong, beside a model that counts bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = Pieces(950, BLOCK)
        self.here: set[int] = set()
        self.flying: list[Piece] = []

    @rule(chunk=st.sampled_from([8, 30, 56, 200]))
    def take(self, chunk: int) -> None:
        piece = self.pieces.take(chunk)
        flying = {byte for each in self.flying for byte in range(each.offset, each.offset + each.length)}
        if piece is None:
            assert self.here | flying == set(range(950))
            return
        assert 0 < piece.length <= chunk
        assert not (self.here | flying) & set(range(piece.offset, piece.offset + piece.length))
        self.flying.append(piece)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def come(self, data: st.DataObject) -> None:
        piece = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        assert self.pieces.is_missing(piece)
        whole = self.pieces.came(piece)
        self.here |= set(range(piece.offset, piece.offset + piece.length))
        assert not self.pieces.is_missing(piece)
        assert (whole is not None) == self.pieces.has(piece.offset // BLOCK)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.pieces.give_back(self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1))))

    @rule(first=st.integers(0, 9), count=st.integers(1, 4))
    def turn_out_wrong(self, first: int, count: int) -> None:
        blocks = range(first, min(first + count, 10))
        for index in blocks:
            if self.pieces.has(index):
                self.here -= set(range(index * BLOCK, (index + 1) * BLOCK))
        self.pieces.forget(blocks)

    @rule()
    def begin_again(self) -> None:
        self.pieces = Pieces(950, BLOCK, bytes(self.pieces.blocks))
        self.flying.clear()
        self.here = {byte for byte in self.here if self.pieces.has(byte // BLOCK)}

    @invariant()
    def counts_what_is_missing(self) -> None:
        assert self.pieces.left == 950 - len(self.here)
        for index in range(10):
            block = set(range(index * BLOCK, min(950, (index + 1) * BLOCK)))
            assert self.pieces.has(index) == (block <= self.here)
            assert self.pieces.has_some(index) == bool(block & self.here)


TestPieces = PiecesMachine.TestCase


@given(st.integers(1, 3000), st.sampled_from([8, 30, 56]), st.data())
def test_the_ranges_of_an_ask_give_the_same_pieces_again(size: int, chunk: int, data: st.DataObject) -> None:
    pieces = Pieces(size, BLOCK)
    taken = []
    while piece := pieces.take(chunk):
        taken.append(piece)
    chosen = data.draw(st.lists(st.sampled_from(taken), unique=True, min_size=1))
    assert chunks_of(ranges_of(chosen, chunk), chunk) == sorted(chosen)


def test_saved_blocks_of_another_size_count_for_nothing() -> None:
    assert Pieces(950, BLOCK, b"\xff").left == 950
    assert Pieces(950, BLOCK, b"\xff\x01").left == 50
