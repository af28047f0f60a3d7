"""The API of the node itself, the same in both roles: who has done what, and what could not be handled."""

from collections.abc import Mapping
from typing import Any, NoReturn

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.response import Template

from caroni_edge.base.errors import CaroniError
from caroni_edge.node.dispatch import FailedAgain, UnknownLetter
from caroni_edge.web.node_views import (
    AuditPage,
    DeadLetterPage,
    DeadLetterView,
    audit_page,
    dead_letter,
    dead_letter_page,
)
from caroni_edge.web.parameters import AfterNumber, LetterNumber, Limit
from caroni_edge.web.problems import Problem, on_problem
from caroni_edge.web.site import Site


@get("/api/audit", tags=["node"], sync_to_thread=True)
def list_audit(site: NamedDependency[Site], limit: Limit = 100, after: AfterNumber = None) -> AuditPage:
    """List who has done what by pages, API or a command on the host, newest first; 10,000 are kept."""
    with site.readers.open() as conn:
        return audit_page(conn, limit, after)


@get("/api/dead-letters", tags=["node"], sync_to_thread=True)
def list_dead_letters(site: NamedDependency[Site], limit: Limit = 100, after: AfterNumber = None) -> DeadLetterPage:
    """List the messages that could not be handled, newest first; 1,000 are kept."""
    with site.readers.open() as conn:
        return dead_letter_page(conn, limit, after)


@get("/api/dead-letters/{letter:int}", tags=["node"], sync_to_thread=True)
def show_dead_letter(site: NamedDependency[Site], letter: LetterNumber) -> DeadLetterView:
    """Show a message that could not be handled, with the traceback that says why."""
    with site.readers.open() as conn:
        return dead_letter(conn, letter) or _no_letter(letter)


@post("/api/dead-letters/{letter:int}/retry", tags=["node"], status_code=204, sync_to_thread=True)
def retry_dead_letter(site: NamedDependency[Site], letter: LetterNumber) -> None:
    """Handle it again, as if it had come now; 409 when that fails again, and it stays."""
    site.node_commands.retry_letter(letter)


@delete("/api/dead-letters/{letter:int}", tags=["node"], status_code=204, sync_to_thread=True)
def drop_dead_letter(site: NamedDependency[Site], letter: LetterNumber) -> None:
    """Delete it."""
    site.node_commands.drop_letter(letter)


def on_refused(request: Request[Any, Any, Any], error: CaroniError) -> Response[Any] | Template:
    """Answer that a dead letter is not there (404), or could not be handled again (409)."""
    return on_problem(request, Problem(404 if isinstance(error, UnknownLetter) else 409, f"{error} {error.advice}"))


def _no_letter(letter: int) -> NoReturn:
    raise Problem(404, f"there is no dead letter {letter}")


ROUTES = (list_audit, list_dead_letters, show_dead_letter, retry_dead_letter, drop_dead_letter)
HANDLERS: Mapping[int | type[Exception], Any] = {UnknownLetter: on_refused, FailedAgain: on_refused}
