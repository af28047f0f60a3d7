"""Errors as a client sees them: `{"error": sentence, "field": what is wrong}`, or a page; never a traceback."""

import logging
import sqlite3
from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect, Template

from caroni_edge.base.errors import CaroniError
from caroni_edge.node.service import Busy
from caroni_edge.storage.database import StorageFailed

log = logging.getLogger(__name__)

INTERNAL = "internal error; see the log"
HEADINGS: Mapping[int, str] = {
    403: "You may not do this",
    404: "Nothing here",
    409: "Not now",
    500: "A fault of the program",
    503: "The node cannot answer now",
}


class ErrorBody(TypedDict):
    """The body of every answer that is an error.

    Attributes:
        error: A sentence for people.
        field: The parameter or the part of the body that is wrong, if it is one.
    """

    error: str
    field: str | None


class Problem(Exception):
    """Raised by a handler: the answer is an error, and this is what it says."""

    def __init__(
        self, status: int, error: str, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Say what is wrong, with the HTTP status that fits."""
        super().__init__(error)
        self.status, self.error, self.field, self.headers = status, error, field, headers or {}


def answer(
    status: int, error: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """Return the response for an error."""
    body = ErrorBody(error=error, field=field)
    return Response(body, status_code=status, headers=dict(headers or {}), media_type="application/json")


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Tell whether a person asks, with a browser."""
    return "text/html" in request.headers.get("Accept", "")


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[Any] | Template:
    """Answer with an error of our own; a stranger with a browser is led to where to log in, and back from there."""
    if problem.status == 401 and request.method == "GET" and wants_page(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Redirect(f"/login?next={quote(here, safe='/')}" if here != "/" else "/login", status_code=303)
    return _answer(request, problem.status, problem.error, problem.field, problem.headers)


def _answer(
    request: Request[Any, Any, Any],
    status: int,
    error: str,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[Any] | Template:
    """Return an error as whoever asks can read it."""
    if not wants_page(request):
        return answer(status, error, field, headers)
    said = error[:1].upper() + error[1:] + ("" if error.endswith(".") else ".")
    context = {"heading": HEADINGS.get(status, "This cannot be done"), "error": said, "hint": _hint(status)}
    return Template(
        "problem.html", context=context, status_code=status, headers=dict(headers or {}), media_type="text/html"
    )


def _hint(status: int) -> str | None:
    match status:
        case 403:
            return "Where the page was open for long, or you have logged in anew, go back and load it again."
        case 503:
            return "Load this page again in a moment."
    return None


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any] | Template:
    """Answer with an error that Litestar has found: an unknown path, a wrong parameter, a body that is too large."""
    if error.status_code >= 500:
        return on_unknown(request, error)
    said, field = error.detail, None
    match error.extra:
        case [{"key": str(key), "message": str(message)}, *_]:
            said, field = f"{key}: {message}", key
    match error.status_code:
        case 404:
            said = f"there is nothing at {request.url.path}"
        case 405:
            said = f"{request.url.path} takes no {request.method}"
        case 413:
            said = "the body is too large"
    return _answer(request, error.status_code, said, field, error.headers)


def on_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Any] | Template:
    """Answer that the node cannot do it now (503): it is busy, stopping, or its database cannot be used."""
    log.warning("%s %s: %s", request.method, request.url.path, error, extra={"action": "request_unavailable"})
    said = error if isinstance(error, CaroniError) else f"the state database cannot be read: {error}"
    return _answer(request, 503, str(said), headers={"Retry-After": "5"})


def on_unknown(request: Request[Any, Any, Any], error: Exception) -> Response[Any] | Template:
    """Answer that the program has a fault (500), without its traceback: that is in the log."""
    facts = {"action": "request_failed"}
    log.error("%s %s failed", request.method, request.url.path, extra=facts, exc_info=error)
    return _answer(request, 500, INTERNAL)


HANDLERS: Mapping[int | type[Exception], Any] = {
    Problem: on_problem,
    HTTPException: on_http,
    Busy: on_unavailable,
    StorageFailed: on_unavailable,
    sqlite3.Error: on_unavailable,
    Exception: on_unknown,
}
