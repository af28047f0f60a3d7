"""Bodies of requests that may be of any size, read as they come: files, and forms with files (RFC 7578)."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from caroni_edge.web.problems import Problem

STREAMED = "streamed"
"""A handler with this `opt` takes a form with files, and reads it by `form_in`."""
MULTIPART = "multipart/form-data"
PIECE_BYTES = 1 << 20
"""What has come is gathered until it is worth the way to a thread."""
PARTS_MAX = 1000
"""So many fields and files a form may have."""
HEADER_MAX_BYTES, HEADERS_MAX = 2048, 8
FIRST_MAX_BYTES = 1024
_FORM = "caroni_form"


class Part(NamedTuple):
    """A field of a form, or a file.

    Attributes:
        name: Of the field.
        filename: Of the file; None for a field with a text.
    """

    name: str
    filename: str | None


async def pieces(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """Yield the body of a request in pieces that are worth a thread.

    Raises:
        Problem: The client has gone before all of it was there.
    """
    gathered = bytearray()
    try:
        async for some in request.stream():
            gathered += some
            if len(gathered) >= PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
    except InternalServerException:  # so Litestar says it
        raise Problem(400, "the connection ended before the whole file was there: nothing is kept") from None
    if gathered:
        yield bytes(gathered)


class Form:
    """A form with files, of which nothing is read before somebody asks for it."""

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        """Read the body of a request.

        Raises:
            Problem: 415, it is no such form.
        """
        kind, options = parse_options_header(request.headers.get("Content-Type", ""))
        try:
            self._parser = PushMultipartParser(
                options.get("boundary", ""),
                max_header_size=HEADER_MAX_BYTES,
                max_header_count=HEADERS_MAX,
                max_segment_count=PARTS_MAX,
            )
        except MultipartError:
            kind = ""
        if kind.lower() != MULTIPART:
            raise Problem(415, f"this takes a form as {MULTIPART}, with its boundary")
        self._events = self._read(request)

    async def _read(self, request: Request[Any, Any, Any]) -> AsyncIterator[Part | bytes | None]:
        try:
            async for piece in pieces(request):
                for event in self._parser.parse(piece):
                    yield Part(event.name or "", event.filename) if isinstance(event, MultipartSegment) else event
            self._parser.close()
        except ParserLimitReached:
            raise Problem(413, f"this form has more than {PARTS_MAX} fields and files, or too long names") from None
        except MultipartError as error:
            raise Problem(400, f"this is no whole form: {error}; nothing is kept") from None

    async def first(self, name: str) -> str:
        """Return the text of the first field if it has this name, else nothing; what follows is still to come.

        Raises:
            Problem: It is no form.
        """
        text = bytearray()
        async for event in self._events:
            if event is None:
                break
            if isinstance(event, bytes):
                text += event
            if (isinstance(event, Part) and event != (name, None)) or len(text) > FIRST_MAX_BYTES:
                return ""
        return text.decode(errors="replace")

    async def events(self) -> AsyncIterator[Part | bytes | None]:
        """Yield what has not been read yet: each part, then its bytes, and then None.

        Raises:
            Problem: It is no form, it ends before its end, or the client has gone.
        """
        async for event in self._events:
            yield event


def form_in(connection: ASGIConnection[Any, Any, Any, Any]) -> Form:
    """Return the form that a request brings; the same one each time, as far as it was read before.

    Raises:
        Problem: 415, it brings none.
    """
    assert isinstance(connection, Request)
    state = connection.scope["state"]
    if _FORM not in state:
        state[_FORM] = Form(connection)
    found: Form = state[_FORM]
    return found
