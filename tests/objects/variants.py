"""Askers and holders that are wrong in one way each.

Schedules that do not catch them prove nothing about the right ones.
"""

from collections.abc import Iterator
from math import inf
from typing import Any
from unittest.mock import patch

from caroni_edge.objects.transfer.asker import Asker
from caroni_edge.objects.transfer.effects import FetchId, Save
from caroni_edge.objects.transfer.fetch import Fetch, Stream
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.pieces import Piece, Pieces
from caroni_edge.objects.transfer.places import Health
from caroni_edge.objects.transfer.segments import Segments
from caroni_edge.objects.transfer.tickets import Keys, Peer
from caroni_edge.protocol import transfers
from caroni_edge.protocol.transfers import Ask
from tests.objects.network import Line
from tests.variants import Variants, instead

VARIANTS = Variants()
FITTING: dict[str, dict[str, Any]] = {
    "list_taken_for_the_truth": {"holders": 2, "liars": 1},
    "range_not_compared_with_the_size": {"strangers": True},
    "ticket_not_compared": {"strangers": True},
    "hash_as_a_right": {"strangers": True},
    "large_chunks_for_ever": {"small": True},
    "given_before_it_is_known_to_pass": {"small": True},
    "lost_echoes_taken_for_the_truth": {"line": Line(drops=0.4), "cuts": 0, "crashes": 0},
    "unreachable_for_ever": {"holders": 1, "liars": 0, "crashes": 8},
    "full_disk_taken_for_safe": {"full": 2},
    "disk_failure_leaves_the_rest_to_do": {"full": 2},
    "blamed_for_bytes_of_others": {"crashes": 6, "largest": 600_000},
}
"""Schedules that are more likely to show it."""


@VARIANTS.add
def damage_not_noticed() -> Iterator[None]:
    """The CRC of Data is not compared."""
    with patch.object(transfers, "crc32", lambda _content, crc=0: crc and 0):
        yield


@VARIANTS.add
def hash_not_compared() -> Iterator[None]:
    """Whatever has come is right."""
    hashed = Segments.hashed

    def believing(segments: Segments, turn: int, digest: bytes) -> object:
        expected = (
            segments._whole if segments._is_hashing_all else (segments._expected or [b""])[segments._hashing or 0]
        )
        return hashed(segments, turn, expected)

    with instead(Segments, "hashed", believing):
        yield


@VARIANTS.add
def list_taken_for_the_truth() -> Iterator[None]:
    """What fits the block list of its place is not hashed as a whole."""
    hashed = Segments.hashed

    def believing(segments: Segments, turn: int, digest: bytes) -> object:
        return hashed(segments, turn, segments._whole if segments._is_hashing_all else digest)

    with instead(Segments, "hashed", believing):
        yield


@VARIANTS.add
def blamed_for_bytes_of_others() -> Iterator[None]:
    """What does not fit is the fault of the place that is asked now, wherever it came from."""
    compare_all = Segments._compare_all

    def forgetful(segments: Segments) -> None:
        compare_all(segments)
        segments._of_others.clear()

    with instead(Segments, "_compare_all", forgetful):
        yield


@VARIANTS.add
def ticket_not_compared() -> Iterator[None]:
    """Any ticket opens."""
    with instead(Keys, "admit", lambda *_: True):
        yield


@VARIANTS.add
def hash_as_a_right() -> Iterator[None]:
    """Who knows the hash of an object that is here gets it."""
    asked = Holder.asked

    def open_to_all(holder: Holder, asker: Peer, ask: Ask, now: float) -> None:
        content = holder._rights.objects.get(ask.object.removeprefix("sha256:"))  # type: ignore[attr-defined]
        with (
            patch.object(holder._rights, "size", lambda *_: None if content is None else len(content)),
        ):
            asked(holder, asker, ask, now)

    with instead(Holder, "asked", open_to_all):
        yield


@VARIANTS.add
def range_not_compared_with_the_size() -> Iterator[None]:
    """What is asked for behind the end is taken as well."""
    asked = Holder.asked

    def careless(holder: Holder, asker: Peer, ask: Ask, now: float) -> None:
        size = holder._rights.size

        def larger(*names: str) -> int | None:
            found = size(*names)
            return found and found + 1_000_000

        with patch.object(holder._rights, "size", larger):
            asked(holder, asker, ask, now)

    with instead(Holder, "asked", careless):
        yield


@VARIANTS.add
def nothing_asked_for_again() -> Iterator[None]:
    """What does not come in time is waited for."""

    def patient(stream: Stream, now: float) -> tuple[int, bool]:
        stream.due = now + 10.0
        return 0, False

    with instead(Stream, "overdue", patient):
        yield


@VARIANTS.add
def asked_for_again_at_once() -> Iterator[None]:
    """What does not come within a tenth of a second is asked for again."""
    with patch("caroni_edge.objects.transfer.window.RoundTrip.timeout_s", lambda _: 0.1):
        yield


@VARIANTS.add
def given_up_pieces_forgotten() -> Iterator[None]:
    """What was on its way when a stream ended is not asked for again."""

    def forgetful(stream: Stream) -> None:
        stream._flights.clear()
        stream.due = inf

    with instead(Stream, "give_up", forgetful):
        yield


@VARIANTS.add
def late_pieces_counted_twice() -> Iterator[None]:
    """What comes a second time counts as missing."""

    def came(stream: Stream, piece: Piece, now: float) -> float:
        stream._flights.pop(piece.offset, None)
        return 0.0

    with instead(Stream, "came", came):
        yield


@VARIANTS.add
def large_chunks_for_ever() -> Iterator[None]:
    """Chunks that do not pass are sent all the same."""
    with instead(Health, "narrow", lambda *_: None):
        yield


@VARIANTS.add
def given_before_it_is_known_to_pass() -> Iterator[None]:
    """A holder gives what is larger than the echoes that it has heard."""
    with instead(Holder, "_may_have", lambda *_: True):
        yield


@VARIANTS.add
def lost_echoes_taken_for_the_truth() -> Iterator[None]:
    """What did not come back once is never tried again."""
    with patch("caroni_edge.objects.transfer.probe.AGAIN_S", 1e9):
        yield


@VARIANTS.add
def unreachable_for_ever() -> Iterator[None]:
    """A place that did not answer is never asked again."""
    with patch("caroni_edge.objects.transfer.places.UNREACHABLE_FOR_S", 1e9):
        yield


@VARIANTS.add
def saved_before_it_was_written() -> Iterator[None]:
    """Blocks that are only begun count as safe."""
    to_save = Fetch.to_save

    def hasty(fetch: Fetch, now: float) -> Save | None:
        save = to_save(fetch, now)
        return save and Save(save.fetch, b"\xff" * len(save.blocks))

    with instead(Fetch, "to_save", hasty):
        yield


@VARIANTS.add
def full_disk_taken_for_safe() -> Iterator[None]:
    """After a full disk what was to be written counts as written."""
    with instead(Fetch, "go_back", Fetch.end_stream):
        yield


@VARIANTS.add
def forgotten_blocks_not_fetched() -> Iterator[None]:
    """Blocks that were wrong are not asked for again."""

    def forget(pieces: Pieces, indexes: range) -> None:
        for index in indexes:
            pieces.blocks[index // 8] &= ~(1 << index % 8)

    with instead(Pieces, "forget", forget):
        yield


@VARIANTS.add
def disk_failure_leaves_the_rest_to_do() -> Iterator[None]:
    """After a failed write what was to follow it is done."""
    failed = Asker.disk_failed

    def careless(asker: Asker, fetch_id: FetchId, now: float) -> None:
        effects = asker.effects
        failed(asker, fetch_id, now)
        asker.effects = effects

    with instead(Asker, "disk_failed", careless):
        yield
