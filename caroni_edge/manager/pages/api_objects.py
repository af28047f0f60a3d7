"""The manager's API for files: uploads, which workflows may name then, and what workflows have given."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from litestar import Controller, Request, Response, get, put
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from caroni_edge.base.errors import CaroniError
from caroni_edge.manager.holding.copies import InDirectory, NotToBeHad
from caroni_edge.manager.holding.storage import Closing, NoRoomHere, Receipt, TooManyUploads
from caroni_edge.manager.pages.api import ManagerApi
from caroni_edge.manager.pages.whyfiles import where
from caroni_edge.objects.objects import SIZE_MAX_BYTES, ObjectId, parse_id, sha256_of
from caroni_edge.objects.taking import Taken
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.values.directories import LISTING_MAX_BYTES, Entry, NoDirectory, files_of, read
from caroni_edge.web.audit import UNAUDITED
from caroni_edge.web.filebody import ALONE, ANY_BYTES, attachment, file_answer
from caroni_edge.web.problems import Problem, on_problem
from caroni_edge.web.streams import pieces

RETRY_AFTER_S, COMES_AFTER_S = 5, 1
LEFT = "Caroni-Left"
"""The header that says how many bytes are missing of a file that is on its way to the manager."""


class ObjectView(TypedDict):
    """A file that lies at the manager: `checksum` is what CWL knows it by, its SHA-1."""

    object: str
    size: int
    checksum: str


@dataclass
class _BytesOperation(Operation):
    """Says that the body of a request is any bytes."""

    def __post_init__(self) -> None:
        body = OpenAPIMediaType(schema=Schema(type="string", format="binary"))  # type: ignore[arg-type]
        self.request_body = RequestBody(content={"application/octet-stream": body}, required=True)


def on_no_room(request: Request[Any, Any, Any], error: CaroniError) -> Any:
    """Answer that there is no room for a file, or not now."""
    status = 507 if isinstance(error, NoRoomHere) else 503
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    return on_problem(request, Problem(status, f"{error} {error.advice}", headers=headers))


NO_ROOM: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    NoRoomHere: on_no_room,
    TooManyUploads: on_no_room,
    Closing: on_no_room,
}
"""How is answered who uploads when there is no room."""


class ObjectsController(Controller):
    """Files that are too large to travel inside values."""

    path = "/api/objects"
    tags = ("files",)
    exception_handlers = NO_ROOM

    # A program may upload any number: what people do must not drown in them.
    @put(
        "/{name:str}",
        status_code=201,
        operation_class=_BytesOperation,
        opt={UNAUDITED: True},
        request_max_body_size=SIZE_MAX_BYTES,
    )
    async def upload_object(
        self,
        request: Request[Any, Any, Any],
        manager: NamedDependency[ManagerApi],
        name: FromPath[str],
        kind: Annotated[
            Literal["File", "Directory"], QueryParameter(name="class", description="What it is to a workflow.")
        ] = "File",
    ) -> Response[ObjectView]:
        """Upload a file under its hash, `sha256:` and 64 hexadecimal digits; a workflow may name it for 7 days.

        The body is the file, with its size in `Content-Length`. Bytes that do not have that hash are 422, and none of
        them is kept; 507 when there is no room. With `class=Directory` they are the list of a directory, as a download
        of one gives it; a workflow may begin with that directory when its files were uploaded, too.
        """
        wanted, size = named(name), announced(request)
        receipt = await asyncio.to_thread(manager.storage.receive, size)
        try:
            taken = await received(request, receipt)
            if taken.object.id != wanted:
                said = f"these {taken.object.size} bytes are {taken.object.id}, and not {wanted}: nothing is kept"
                raise Problem(422, said, "name")
            await asyncio.to_thread(keep, manager, receipt, taken, is_directory=kind == "Directory")
        finally:
            await asyncio.to_thread(receipt.end)
        return Response(object_view(taken), status_code=201)

    @get("/{name:str}", sync_to_thread=True, media_type=ANY_BYTES)
    def download_object(
        self,
        request: Request[Any, Any, Any],
        manager: NamedDependency[ManagerApi],
        name: FromPath[str],
        basename: Annotated[str, QueryParameter(description="The name to save it under.")] = "",
        directory: Annotated[
            str, QueryParameter(description="The location of the directory that it is in, without caroni:.")
        ] = "",
    ) -> Stream:
        """Download a file that a workflow of this manager has; `Range` is served.

        What lies at an agent is fetched first: 503 with `Retry-After` until it is here, and `Caroni-Left` says how many
        bytes are missing then. What the location of a directory names is the list of its files, as JSON: of each one
        its path, whether it may be run, its size, and its name here, by which one has it if `directory` says in which.
        """
        wanted = named(name)
        headers = {
            "Content-Disposition": attachment(basename or f"{sha256_of(wanted)[:16]}.bin"),
            "Content-Security-Policy": ALONE,
        }
        return file_answer(brought(manager, wanted, inside(directory)), wanted, request.headers, headers, ANY_BYTES)


def brought(manager: ManagerApi, name: ObjectId, directory: ObjectId | None = None) -> Path:
    """Return where a file lies at the manager; what does not is asked for.

    Args:
        manager: The manager.
        name: The file.
        directory: The one that it is in, whose list comes first then.

    Raises:
        Problem: 503, it is on its way; 404, nobody has it; 507, there is no room for it.
    """
    with manager.look() as views:
        if views.stored(name) is not None:
            manager.commands.tell(lambda at: manager.reactor.holdings.use(name, at), keep=False)
            return manager.storage.path(name)
        size, holders = views.file_at(directory or name)
        whom = where(views, holders)
    known = InDirectory(directory, size_in(manager, directory, name)) if directory else None
    lacking = manager.storage.lacking(known.size if known else size)
    try:
        left = manager.commands.call(lambda at: manager.reactor.copies.want(name, lacking, at, known))
    except NotToBeHad as error:
        raise Problem(error.status, str(error)) from None
    moving = manager.storage.arrivals.moving()
    if progress := moving.fetches.get(FetchId(manager.node.id, sha256_of(name))):
        left = progress.left_bytes
    said = f"the file comes from {whom}; {left} bytes are missing: ask again in a moment"
    if moving.problem:
        said = f"the file does not come from {whom} now: {moving.problem}"
    raise Problem(503, said, headers={"Retry-After": str(COMES_AFTER_S), LEFT: str(left)})


def named(text: str) -> ObjectId:
    """Return the name of an object that a path names.

    Raises:
        Problem: 404, it names none.
    """
    name = parse_id(text)
    if name is None:
        raise Problem(404, f"a file is named sha256: and the 64 hexadecimal digits of its SHA-256, not {text[:100]}")
    return name


def inside(directory: str) -> ObjectId | None:
    """Return the name of the directory that somebody says a file is in; None where nothing is said (see `named`)."""
    return named(directory) if directory else None


def listed(manager: ManagerApi, directory: ObjectId) -> tuple[Entry, ...]:
    """Return what is in a directory.

    Raises:
        Problem: 404, it is none, or nobody has it; 503, its list is on its way (see `brought`).
    """
    return _read(brought(manager, directory), directory)


# Who brings a directory asks for each of its files, and a list may have some MiB.
@lru_cache(maxsize=4)
def _read(path: Path, directory: ObjectId) -> tuple[Entry, ...]:
    try:
        with path.open("rb") as file:
            return read(file.read(LISTING_MAX_BYTES + 1))
    except (OSError, NoDirectory) as error:
        raise Problem(404, f"{directory} is no directory: {error}") from None


def size_in(manager: ManagerApi, directory: ObjectId, name: ObjectId) -> int:
    """Return how large a file is by the list of its directory.

    Raises:
        Problem: 404, it names no such file (see `listed`).
    """
    sha256 = sha256_of(name)
    found = (each.object for each in listed(manager, directory) if each.object and each.object.sha256 == sha256)
    if (file := next(found, None)) is None:
        raise Problem(404, f"the directory {directory} has no file {name}")
    return file.size


def announced(request: Request[Any, Any, Any]) -> int:
    """Return how many bytes the body of a request is said to have.

    Raises:
        Problem: 411, it is not said; 413, too many.
    """
    size = None if "Transfer-Encoding" in request.headers else request.content_length
    if size is None:
        raise Problem(411, "say how large the file is, by the header Content-Length")
    if size > SIZE_MAX_BYTES:
        raise Problem(413, f"an upload has {SIZE_MAX_BYTES} bytes at most, and this one {size}")
    return size


async def received(request: Request[Any, Any, Any], receipt: Receipt) -> Taken:
    """Write the body of a request to disk, in threads, since the event loop must not wait for a disk."""
    async for piece in pieces(request):
        await asyncio.to_thread(receipt.write, piece)
    return await asyncio.to_thread(receipt.finish)


def keep(manager: ManagerApi, receipt: Receipt, taken: Taken, *, is_directory: bool) -> None:
    """Let what has come be an object of this manager.

    Raises:
        Problem: 422, it is to be the list of a directory, and is none.
    """
    files = None
    if is_directory:
        try:
            files = files_of(read(receipt.beginning(LISTING_MAX_BYTES + 1)))
        except NoDirectory as problem:
            raise Problem(422, f"it is no list of a directory: {problem}", "class") from None
    receipt.keep(taken.object)
    manager.commands.call(lambda at: manager.reactor.holdings.take(taken.object, receipt.giver, at, files))


def object_view(taken: Taken) -> ObjectView:
    """Return what is said of what has come."""
    return ObjectView(object=taken.object.id, size=taken.object.size, checksum=f"sha1${taken.sha1}")


ROUTES = (ObjectsController,)
