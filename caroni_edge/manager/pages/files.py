"""The pages of large files and directories: where they are, what is in them as far as that can be shown."""

from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream, Template

from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.api_objects import LEFT, brought, inside, listed, named, size_in
from caroni_edge.manager.pages.whyfiles import where
from caroni_edge.objects.objects import ObjectId, sha256_of
from caroni_edge.objects.store.rows import StoredObject
from caroni_edge.web.filebody import ALONE, file_answer
from caroni_edge.web.problems import Problem
from caroni_edge.web.templating import page

PICTURE_MAX_BYTES, TEXT_MAX_BYTES = 10 << 20, 32 * 1024
FILES_SHOWN = 200
"""So many files of a directory are on a page."""
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@get("/files/{name:str}", include_in_schema=False, sync_to_thread=True)
def show_file(
    manager: NamedDependency[ManagerApi],
    name: FromPath[str],
    basename: FromQuery[str] = "",
    directory: FromQuery[str] = "",
    bring: FromQuery[bool] = False,
) -> Template:
    """Show a file that a workflow has, maybe in a directory; `bring`: have it come, if it does not lie here."""
    wanted, top = named(name), inside(directory)
    stored, size, whom = _found(manager, wanted, top or wanted)
    if stored is None and top:
        size = size_in(manager, top, wanted)
    comes = _comes(manager, wanted, top) if stored is None and bring else None
    path = manager.storage.path(wanted) if stored else None
    kind = picture_kind(path) if path else None
    text = text_of(path) if path and kind is None else None
    return page(
        "manager/file.html",
        name=wanted,
        asked={"basename": basename or f"{sha256_of(wanted)[:16]}.bin", "directory": directory},
        size=stored.size if stored else size,
        is_here=stored is not None,
        whom=whom,
        comes=comes,
        is_picture=kind is not None,
        text=text,
        is_cut=stored is not None and stored.size > TEXT_MAX_BYTES,
    )


@get("/files/{name:str}/picture", include_in_schema=False, sync_to_thread=True)
def show_picture(request: Request[Any, Any, Any], manager: NamedDependency[ManagerApi], name: FromPath[str]) -> Stream:
    """Return a file that is a picture by what is in it, whatever it is called; nothing that could run."""
    wanted = named(name)
    path = brought(manager, wanted)
    kind = picture_kind(path)
    if kind is None:
        raise Problem(415, "this is no picture that can be shown")
    headers = {"Content-Disposition": "inline", "Content-Security-Policy": ALONE}
    return file_answer(path, wanted, request.headers, headers, kind)


@get("/directories/{name:str}", include_in_schema=False, sync_to_thread=True)
def show_directory(
    manager: NamedDependency[ManagerApi],
    name: FromPath[str],
    basename: FromQuery[str] = "",
    bring: FromQuery[bool] = False,
    after: FromQuery[int] = 0,
) -> Template:
    """Show what is in a directory, from a file on; `bring`: have its list come, if it does not lie here."""
    wanted = named(name)
    stored, _, whom = _found(manager, wanted, wanted)
    comes = _comes(manager, wanted) if stored is None and bring else None
    entries = listed(manager, wanted) if stored else ()
    begin = max(0, after)
    return page(
        "manager/directory.html",
        name=wanted,
        asked={"basename": basename or "directory"},
        is_here=stored is not None,
        whom=whom,
        comes=comes,
        entries=entries[begin : begin + FILES_SHOWN],
        next=begin + FILES_SHOWN if len(entries) > begin + FILES_SHOWN else None,
        count=sum(each.object is not None for each in entries),
        size=sum(each.object.size for each in entries if each.object),
    )


def _found(manager: ManagerApi, name: ObjectId, placed_as: ObjectId) -> tuple[StoredObject | None, int, str]:
    """Return what lies at the manager under a name, how large it is elsewhere, and who has it, for people.

    Raises:
        Problem: 404, nobody has it.
    """
    with manager.look() as views:
        stored = views.stored(name)
        size, holders = views.file_at(placed_as)
        whom = where(views, holders)
    if stored is None and not holders:
        raise Problem(404, "no workflow of this manager has this file, or nobody has it any more")
    return stored, size, whom


def _comes(manager: ManagerApi, name: ObjectId, directory: ObjectId | None = None) -> str | None:
    """Have a file come; return how far it is, for people; None where it has come meanwhile."""
    try:
        brought(manager, name, directory)
    except Problem as problem:
        if LEFT not in problem.headers:
            raise
        said = problem.error.partition(": ask again")[0]
        return said[:1].upper() + said[1:]
    return None


def picture_kind(path: Path) -> str | None:
    """Return the media type of a picture, by its first bytes; None for what is none, or is too large to be shown."""
    try:
        with path.open("rb") as file:
            begin = file.read(16)
            if file.seek(0, 2) > PICTURE_MAX_BYTES:
                return None
    except OSError:
        return None
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _PICTURES if begin.startswith(magic)), None)


def text_of(path: Path) -> str | None:
    """Return the beginning of a text; None for what is none."""
    try:
        with path.open("rb") as file:
            data = file.read(TEXT_MAX_BYTES + 4)
    except OSError:
        return None
    for left_out in range(4):  # the last character may be cut
        try:
            text = data[: len(data) - left_out].decode() if len(data) > TEXT_MAX_BYTES else data.decode()
        except UnicodeDecodeError:
            continue
        return text if all(char.isprintable() or char in "\t\r\n" for char in text) else None
    return None


ROUTES = (show_picture,)
PAGES = (show_file, show_directory)
