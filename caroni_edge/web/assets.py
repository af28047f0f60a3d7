"""The files that pages are made of: templates, and what browsers fetch beside a page."""

from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Final, NamedTuple

from litestar import Response, get
from litestar.params import FromPath

from caroni_edge.web.auth import OPEN
from caroni_edge.web.problems import Problem

ASSETS: Final = resources.files("caroni_edge.web") / "assets"
FOR_A_YEAR: Final = "public, max-age=31536000, immutable"

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class StaticFile(NamedTuple):
    """A file that browsers fetch; its address names its content, so that they need to fetch it only once."""

    content: bytes
    media_type: str
    path: str


def _read(file: Traversable) -> StaticFile:
    content = file.read_bytes()
    address = f"/static/{sha256(content).hexdigest()[:12]}/{file.name}"
    return StaticFile(content, _MEDIA_TYPES[PurePath(file.name).suffix], address)


def _templates(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{below}{entry.name}/")
        else:
            yield f"{below}{entry.name}", entry.read_text(encoding="utf-8")


STATIC: Final = {file.name: _read(file) for file in (ASSETS / "static").iterdir()}
"""All of them, by name; they are few and small."""

TEMPLATES: Final = dict(_templates(ASSETS / "templates"))
"""The texts of all templates, by their paths: a daemon goes on with those of its own version while it is upgraded."""


def address(name: str) -> str:
    """Return the path that a page names a static file by."""
    return STATIC[name].path


@get("/static/{version:str}/{name:str}", opt={OPEN: True}, include_in_schema=False, sync_to_thread=False)
def static_file(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Return a static file, whichever version was asked for: a page of the release before finds the present one."""
    found = STATIC.get(name)
    if found is None:
        raise Problem(404, f"there is no file {name}")
    is_it = found.path.split("/")[2] == version
    caching = {"Cache-Control": FOR_A_YEAR if is_it else "no-cache"}
    return Response(found.content, media_type=found.media_type, headers=caching)
