"""Requests that come by no connection: the node itself puts them to its application, for somebody it vouches for."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message

VOUCHED_FOR: Final = "vouched_for"
"""In the state of a request: the node knows who makes it, and what that person may do."""
ADDRESS: Final = "MQTT"
"""Where such requests come from, in what is noted of them."""


class Response(NamedTuple):
    """What the application has answered; the names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Inside(NamedTuple):
    """A request without a body.

    Attributes:
        method: As in HTTP.
        path: Not quoted.
        options: The parameters of its query.
        headers: Their names are in small letters.
        vouched_for: Name and role of who makes it; None: the headers must say it.
    """

    method: str
    path: str
    options: Mapping[str, str | int]
    headers: Mapping[str, str]
    vouched_for: tuple[str, str] | None


Ask = Callable[[Inside], Awaitable[Response]]
"""Puts a request to the application, on its event loop."""


async def ask(app: "ASGIApp", request: Inside) -> Response:
    """Put a request to the application, and return its answer; for the event loop that serves it."""
    status, headers, parts = 500, dict[str, str](), list[bytes]()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: "Message") -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update({name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]})
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(_scope(request), receive, send)
    return Response(status, headers, b"".join(parts))


def _scope(request: Inside) -> Any:
    said = {"accept": "application/json", "host": "localhost", **request.headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": quote(request.path).encode(),
        "query_string": urlencode(request.options).encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
        "client": (ADDRESS, 0),
        "server": ("localhost", 0),
        "state": {VOUCHED_FOR: request.vouched_for} if request.vouched_for else {},
        "extensions": {},
    }
