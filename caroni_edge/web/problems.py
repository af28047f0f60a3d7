"""Errors as a client sees them: `{"error": sentence, "field": what is wrong}`, and never a traceback."""

import logging
import sqlite3
from collections.abc import Mapping
from typing import Any, TypedDict

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from caroni_edge.base.errors import CaroniError
from caroni_edge.node.service import Busy
from caroni_edge.storage.database import StorageFailed

log = logging.getLogger(__name__)

INTERNAL = "internal error; see the log"


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


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """Answer with an error of our own; a stranger with a browser is shown where to log in."""
    if problem.status == 401 and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        return Redirect("/login", status_code=303)
    return answer(problem.status, problem.error, problem.field, problem.headers)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
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
    return answer(error.status_code, said, field, error.headers)


def on_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer that the node cannot do it now (503): it is busy, stopping, or its database cannot be used."""
    log.warning("%s %s: %s", request.method, request.url.path, error, extra={"action": "request_unavailable"})
    said = error if isinstance(error, CaroniError) else f"the state database cannot be read: {error}"
    return answer(503, str(said), headers={"Retry-After": "5"})


def on_unknown(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer that the program has a fault (500), without its traceback: that is in the log."""
    facts = {"action": "request_failed"}
    log.error("%s %s failed", request.method, request.url.path, extra=facts, exc_info=error)
    return answer(500, INTERNAL)


HANDLERS: Mapping[int | type[Exception], Any] = {
    Problem: on_problem,
    HTTPException: on_http,
    Busy: on_unavailable,
    StorageFailed: on_unavailable,
    sqlite3.Error: on_unavailable,
    Exception: on_unknown,
}
