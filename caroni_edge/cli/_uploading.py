"""Brings the files to the manager that are too large to travel inside a trigger."""

from collections.abc import Iterator
from pathlib import Path

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import api_at
from caroni_edge.cli._context import Place
from caroni_edge.cli._progress import Advance, progress
from caroni_edge.cli._starting import Uploads

PIECE_BYTES = 256 * 1024
ANSWERED_WITHIN_S = 300.0
"""So long the manager may take to have a file safe on its disk."""


def upload(place: Place, uploads: Uploads, *, as_json: bool) -> Uploads:
    """Upload files by the API of the manager at a place; return those that it has to fetch, since no API is named.

    Raises:
        UsageError: They are too many for that, or one cannot be read.
        CaroniError: The manager cannot be reached, or does not take one.
    """
    from caroni_edge.protocol.triggers import PLACES_MAX  # noqa: PLC0415

    if not uploads:
        return {}
    if place.broker is not None and place.url is None and place.config is None:
        if len(uploads) > PLACES_MAX:
            what = f"{len(uploads)} files have more than 16 KiB, and {PLACES_MAX} of those may go by a broker"
            hint = "Name the manager's page by --url, CARONI_URL or url in the context; or its --config on its host."
            raise UsageError("--file", what, hint)
        return uploads
    api = api_at(place, as_json=as_json, timeout_s=ANSWERED_WITHIN_S)
    for found, path in uploads.items():
        with progress(path.name, found.size, "uploaded") as advance:
            api.put(f"/api/objects/{found.id}", _pieces(path, found.size, advance), found.size)
    return {}


def _pieces(path: Path, size: int, advance: Advance) -> Iterator[bytes]:
    """Yield the bytes of a file as it was looked at: what has come behind them since is left out."""
    try:
        with path.open("rb") as file:
            while size > 0 and (piece := file.read(min(PIECE_BYTES, size))):
                yield piece
                size -= len(piece)
                advance(len(piece))
    except OSError as error:
        raise UsageError(f"--file {path}", f"it cannot be read: {error.strerror}") from None
    if size > 0:
        raise UsageError(f"--file {path}", "it has become shorter while it was read")
