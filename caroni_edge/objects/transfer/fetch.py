"""One object that is fetched: where its bytes come from now, and how far they are."""

from math import inf
from typing import NamedTuple

from caroni_edge.objects.objects import Object
from caroni_edge.objects.transfer.effects import FetchId, Hash, Save, Write
from caroni_edge.objects.transfer.pieces import Grain, Piece, Pieces, ranges_of
from caroni_edge.objects.transfer.places import Health, Place
from caroni_edge.objects.transfer.segments import Segments, Verdict
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.transfers import TRANSFER_VERSION, Ask, Part

SAVE_AFTER_S = 2.0
"""What has come is made safe after so long at the latest, however little it is."""
HASHES_APART = 1 << 32
"""So far the turns of hashes move on when a fetch goes back: a late hash of before is not taken for one of now."""


class Want(NamedTuple):
    """An object that a manager wants to be here.

    Attributes:
        manager: Who wants it.
        object: Hash and size.
        places: Where it is, for whichever of the manager's workflows; of each holder one.
        order: Of one manager's objects those with a lesser number come first.
        is_directory: Whether it is the list of a directory.
    """

    manager: str
    object: Object
    places: tuple[Place, ...]
    order: int = 0
    is_directory: bool = False

    @property
    def id(self) -> FetchId:
        """What it is called here."""
        return FetchId(self.manager, self.object.sha256)


class _Flight(NamedTuple):
    piece: Piece
    asked_at: float
    due: float
    chunk: int


class Stream:
    """Pieces that come from one place, under a transfer number of their own: late ones of another stream are ignored.

    Attributes:
        number: The number of the transfer.
        place: Where the pieces come from.
        health: What is known of its holder.
        part: Whether they are of the object or of its block list.
        pieces: Those that are missing.
        due: When the first of those on their way is to be asked for again.
    """

    def __init__(self, number: int, place: Place, health: Health, part: Part, pieces: Pieces) -> None:
        """Begin with nothing on its way."""
        self.number, self.place, self.health = number, place, health
        self.part, self.pieces = part, pieces
        self.due = inf
        self._flights: dict[int, _Flight] = {}
        self._again: set[int] = set()
        self._came_at = -inf

    @property
    def flying(self) -> int:
        """How many pieces are on their way."""
        return len(self._flights)

    @property
    def flying_bytes(self) -> int:
        """How many bytes are on their way."""
        return sum(flight.piece.length for flight in self._flights.values())

    def take(self, chunk: int, now: float, jitter: float) -> Piece | None:
        """Return the next piece to ask for, which is on its way from now on; None when there is none."""
        piece = self.pieces.take(chunk)
        if piece is not None:
            due = now + self.health.trip.timeout_s() * (1.0 + jitter / 4)
            self._flights[piece.offset] = _Flight(piece, now, due, chunk)
            self.due = min(self.due, due)
        return piece

    def came(self, piece: Piece, now: float) -> float | None:
        """Take note of a piece; return how long it took, 0 when that cannot be told, None when it was not asked for."""
        flight = self._flights.get(piece.offset)
        was_late = piece.offset in self._again
        if not self.pieces.is_missing(piece) or not (was_late or flight is not None):
            return None
        self._flights.pop(piece.offset, None)
        self._again.discard(piece.offset)
        self._came_at = now
        # A piece that was asked for twice may be the answer to either [RFC 6298, section 3].
        return 0.0 if was_late or flight is None else max(0.0, now - flight.asked_at)

    def overdue(self, now: float) -> tuple[int, bool]:
        """Give back what has not come in time.

        Returns:
            How many bytes one Data would have carried, 0 where all is in time; and whether others have come since.
        """
        late = [flight for flight in self._flights.values() if flight.due <= now]
        for flight in reversed(late):
            del self._flights[flight.piece.offset]
            self._again.add(flight.piece.offset)
            self.pieces.give_back(flight.piece)
        self.due = min((flight.due for flight in self._flights.values()), default=inf)
        chunk = max((flight.chunk for flight in late), default=0)
        return chunk, any(flight.asked_at <= self._came_at for flight in late)

    def give_up(self) -> None:
        """Nothing more comes this way; what is on its way may be lost."""
        for flight in reversed(self._flights.values()):
            self.pieces.give_back(flight.piece)
        self._flights.clear()
        self.due = inf


class Fetch:
    """One object on its way.

    Attributes:
        want: What is wanted, and where it is.
        stream: Where its bytes come from now.
        order: Of wants of the same order, the one that came first has the least.
        safe_blocks: The blocks that a crash leaves: a bit for each.
        not_before: A place that has failed is asked for this object no sooner.
    """

    def __init__(self, want: Want, order: int, grain: Grain, blocks: bytes = b"") -> None:
        """Begin with the blocks that are here already."""
        self.want, self.order = want, order
        self.stream: Stream | None = None
        self.safe_blocks = blocks
        self.not_before: dict[Peer, float] = {}
        self._grain, self._hashes = grain, 0
        self._start_over()

    def _start_over(self) -> None:
        self.pieces = Pieces(self.want.object.size, self._grain.block, self.safe_blocks)
        self._hashes += HASHES_APART
        self.segments = Segments(self.want.object, self.pieces, self._grain, self._hashes)
        self._list = bytearray()
        self._saved = bytes(self.pieces.blocks)
        self._unsaved_bytes, self.save_at = 0, inf

    def begin(self, number: int, place: Place, health: Health) -> None:
        """From now on the bytes come from `place`; its block list comes first."""
        self.segments.begin()
        if self.segments.needs_list:
            size = self.segments.list_size
            self._list = bytearray(size)
            self.stream = Stream(number, place, health, "blocks", Pieces(size, self._grain.block))
        else:
            self.stream = Stream(number, place, health, "bytes", self.pieces)

    def end_stream(self) -> None:
        """Nothing comes from the present place any more."""
        if self.stream is not None:
            self.stream.give_up()
        self.stream = None

    def ask(self, pieces: list[Piece], chunk: int, rate: int) -> Ask:
        """Return the Ask for some pieces."""
        assert self.stream is not None
        place, want = self.stream.place, self.want
        return Ask(
            v=TRANSFER_VERSION,
            transfer=self.stream.number,
            manager=want.manager,
            workflow=place.workflow,
            generation=place.generation,
            object=want.object.id,
            ticket=place.ticket,
            ranges=ranges_of(pieces, chunk),
            chunk=chunk,
            part=self.stream.part,
            rate=rate,
        )

    def came(self, piece: Piece, content: bytes, now: float) -> Write | None:
        """Take a piece that was asked for; return what is to be written."""
        assert self.stream is not None
        block = self.stream.pieces.came(piece)
        if self.stream.part == "blocks":
            self._list[piece.offset : piece.offset + piece.length] = content
            return None
        if block is not None:
            self.segments.came(block)
        self._unsaved_bytes += piece.length
        self.save_at = min(self.save_at, now + SAVE_AFTER_S)
        return Write(self.want.id, piece.offset, content)

    def has_list(self) -> bool:
        """Tell whether the block list has come just now."""
        return self.stream is not None and self.stream.part == "blocks" and not self.stream.pieces.left

    def follow_list(self, number: int) -> None:
        """The block list is here: let the bytes follow, under another number."""
        assert self.stream is not None
        self.segments.listed(bytes(self._list))
        self.stream = Stream(number, self.stream.place, self.stream.health, "bytes", self.pieces)

    def to_save(self, now: float) -> Save | None:
        """Return what is to be made safe, if it is time for that."""
        if self._unsaved_bytes < self._grain.save and now < self.save_at:
            return None
        self._unsaved_bytes, self.save_at = 0, inf
        blocks = bytes(self.pieces.blocks)
        if blocks == self._saved:
            return None
        self._saved = blocks
        return Save(self.want.id, blocks)

    def to_hash(self) -> Hash | None:
        """Return what is to be hashed next."""
        found = self.segments.to_hash()
        return None if found is None else Hash(self.want.id, *found)

    def hashed(self, turn: int, digest: bytes) -> Verdict | None:
        """Take a hash; return what it says."""
        return self.segments.hashed(turn, digest)

    def go_back(self) -> None:
        """What was written since it was last made safe is lost."""
        self.end_stream()
        self._start_over()
