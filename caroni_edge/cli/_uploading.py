"""Brings the files to the manager that are too large to travel inside a trigger."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from caroni_edge.base.errors import UsageError
from caroni_edge.cli._api_client import Api, api_at
from caroni_edge.cli._context import Place
from caroni_edge.cli._progress import Advance, progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caroni_edge.objects.objects import Object
    from caroni_edge.protocol.triggers import Trigger

PIECE_BYTES = 256 * 1024
ANSWERED_WITHIN_S = 300.0
"""So long the manager may take to have a file safe on its disk."""


def upload(
    place: Place, trigger: "Trigger", uploads: "Mapping[Object, Path | bytes]", *, as_json: bool
) -> "Mapping[Object, Path | bytes]":
    """Upload files by the API of the manager at a place; return those that it has to fetch, since no API is named.

    Raises:
        UsageError: They are too many for that, or one cannot be read.
        CaroniError: The manager cannot be reached, or does not take one.
    """
    from caroni_edge.protocol.triggers import PLACES_MAX  # noqa: PLC0415
    from caroni_edge.values.carried import objects_in  # noqa: PLC0415
    from caroni_edge.values.directories import FILES_MAX  # noqa: PLC0415

    if not uploads:
        return {}
    if place.broker is not None and place.url is None and place.config is None:
        hint = "Name the manager's page by --url, CARONI_URL or url in the context; or its --config on its host."
        if (named := len(objects_in(trigger.inputs).keys() & {each.id for each in uploads})) > PLACES_MAX:
            what = f"{named} are directories, or files over 16 KiB, and {PLACES_MAX} of those may go by a broker"
            raise UsageError("--file", what, hint)
        if len(uploads) > FILES_MAX:
            what = f"{len(uploads)} files are more than the {FILES_MAX} that may go by a broker for a workflow"
            raise UsageError("--file", what, hint)
        return uploads
    api = api_at(place, as_json=as_json, timeout_s=ANSWERED_WITHIN_S)
    if any(isinstance(path, bytes) for path in uploads.values()):
        with progress(f"{len(uploads)} files", sum(each.size for each in uploads), "uploaded") as advance:
            for found, path in uploads.items():
                _put(api, found, path, advance)
        return {}
    for found, path in uploads.items():
        assert isinstance(path, Path)
        with progress(path.name, found.size, "uploaded") as advance:
            _put(api, found, path, advance)
    return {}


def _put(api: Api, found: "Object", path: Path | bytes, advance: Advance) -> None:
    """Upload a file, or the list of a directory."""
    if isinstance(path, bytes):
        api.put(f"/api/objects/{found.id}?class=Directory", iter((path,)), found.size)
        advance(found.size)
    else:
        api.put(f"/api/objects/{found.id}", _pieces(path, found.size, advance), found.size)


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
