"""The page of the node itself, the same in both roles: whether it works, why not, and what is to be done."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, RawBody
from litestar.response import Redirect, Template

from caroni_edge.base.dates import rfc3339
from caroni_edge.storage.migrations import schema_version
from caroni_edge.web.audit import ACTION
from caroni_edge.web.forms import fields
from caroni_edge.web.health import Health
from caroni_edge.web.node_api import forget_peer
from caroni_edge.web.node_views import audit_page, config_view, dead_letter, dead_letter_page, health, link_page
from caroni_edge.web.parameters import NUMBER_MAX, AfterName, AfterNumber, LetterNumber
from caroni_edge.web.problems import Problem
from caroni_edge.web.site import Site
from caroni_edge.web.templating import MenuItem, page

ROWS = 25
AfterLetter = Annotated[int | None, QueryParameter(name="letters", ge=0, le=NUMBER_MAX)]


@get("/node", include_in_schema=False, sync_to_thread=True)
def show_node(
    site: NamedDependency[Site], examiner: NamedDependency[Health], letters: AfterLetter = None, links: AfterName = ""
) -> Template:
    """Show how the node is."""
    config = site.config()
    with site.readers.open() as conn:
        return page(
            "node.html",
            health=health(examiner.look()),
            config=config_view(config),
            broker=config.broker.url,
            state_dir=str(site.state_dir),
            schema=schema_version(conn),
            started=rfc3339(site.node.started),
            links=link_page(conn, site.node, ROWS, links),
            letters=dead_letter_page(conn, ROWS, letters),
            audit=audit_page(conn, ROWS // 3, None),
        )


@get("/node/audit", include_in_schema=False, sync_to_thread=True)
def show_audit(site: NamedDependency[Site], after: AfterNumber = None) -> Template:
    """Show who has done what."""
    with site.readers.open() as conn:
        return page("audit.html", audit=audit_page(conn, 2 * ROWS, after))


@get("/node/dead-letters/{letter:int}", include_in_schema=False, sync_to_thread=True)
def show_letter(site: NamedDependency[Site], letter: LetterNumber) -> Template:
    """Show a message that could not be handled."""
    with site.readers.open() as conn:
        found = dead_letter(conn, letter)
    if found is None:
        raise Problem(404, f"there is no dead letter {letter}")
    return page("dead_letter.html", letter=found)


@post(
    "/node/dead-letters/{letter:int}/retry",
    opt={ACTION: "retry dead letter"},
    include_in_schema=False,
    sync_to_thread=True,
)
def retry_letter(request: Request[Any, Any, Any], site: NamedDependency[Site], letter: LetterNumber) -> Response[Any]:
    """Handle a dead letter again."""
    site.node_commands.retry_letter(letter)
    return _done(request, f"Dead letter {letter} was handled.")


@post(
    "/node/dead-letters/{letter:int}/drop",
    opt={ACTION: "drop dead letter"},
    include_in_schema=False,
    sync_to_thread=True,
)
def drop_letter(request: Request[Any, Any, Any], site: NamedDependency[Site], letter: LetterNumber) -> Response[Any]:
    """Delete a dead letter."""
    site.node_commands.drop_letter(letter)
    return _done(request, f"Dead letter {letter} was dropped.")


@post("/node/forget", opt={ACTION: "forget"}, include_in_schema=False, sync_to_thread=True)
def forget(request: Request[Any, Any, Any], site: NamedDependency[Site], body: RawBody) -> Response[Any]:
    """Forget a peer."""
    gone = forget_peer(site, fields(body).get("peer"))
    return _done(request, f"{gone['peer']} is forgotten: {gone['rows']} rows, {gone['jobs']} jobs.")


def _done(request: Request[Any, Any, Any], said: str) -> Response[Any]:
    request.user.note(said)
    return Redirect("/node", status_code=303)


PAGES = (show_node, show_audit, show_letter, retry_letter, drop_letter, forget)
MENU = (MenuItem("Node", "/node", ("/node/",)),)
