"""What the rows of jobs that wait for files, and of what a depot has promised, mean to who fetches."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from caroni_edge.agent.store.keeps import KeepRow
from caroni_edge.agent.store.wanted import WaitingJob, WantedRow
from caroni_edge.objects.objects import Object, ObjectId, sha256_of
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.fetch import Want
from caroni_edge.objects.transfer.places import Place
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.objects import ObjectPlace

HOLDERS_MAX = 64
"""Of so many holders an object may come at most, whatever is said by jobs; as they end, others are asked."""
BEHIND_JOBS = 1 << 40
"""What is to be kept is asked for behind what any job waits for."""

_places = msgspec.json.Decoder(tuple[ObjectPlace, ...])


def places_text(places: Sequence[ObjectPlace]) -> str:
    """Return places as rows keep them."""
    return encode(places).decode()


def has(place: ObjectPlace, row: WantedRow | WaitingJob | KeepRow, name: ObjectId) -> bool:
    """Tell whether a place has what a job waits for, or the directory that it is in."""
    return not place.objects or (row.directory or name) in place.objects


def places_of(row: WantedRow | WaitingJob | KeepRow, name: ObjectId) -> tuple[Place, ...]:
    """Return where the object is that a job waits for."""
    places = (place for place in _places.decode(row.places) if has(place, row, name))
    return tuple(
        Place(_peer(place.holder), row.workflow, place.generation, place.ticket, place.direct) for place in places
    )


def id_of(row: WantedRow | KeepRow) -> FetchId:
    """Return what the fetch of an object is called."""
    return FetchId(row.manager, sha256_of(row.object))


@lru_cache(maxsize=10_000)  # all are looked at with each change, and few are others than before
def want_of(row: WantedRow | KeepRow) -> Want:
    """Return what is to be fetched."""
    found = Object(sha256_of(row.object), row.size)
    order = BEHIND_JOBS + row.turn if isinstance(row, KeepRow) else row.arrival
    return Want(row.manager, found, places_of(row, row.object), order, row.is_directory)


def together(first: Want, other: Want) -> Want:
    """Return as one what two jobs want of an object: it may come from all places that either names.

    Of a holder that both name the first one's ticket is used: where that opens nothing, its job ends, or hears of
    other places.
    """
    known = {place.holder for place in first.places}
    # Of what has another size, one of both was told wrongly.
    more = [each for each in other.places if each.holder not in known] if other.object == first.object else []
    is_directory = first.is_directory or other.is_directory
    return first._replace(places=(*first.places, *more)[:HOLDERS_MAX], is_directory=is_directory)


def _peer(holder: str) -> Peer:
    role, _, node = holder.partition("/")
    return Peer(role, node)
