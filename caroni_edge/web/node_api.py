"""The API of the node itself, the same in both roles: health, links, configuration, and what was done to it."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody
from litestar.response import Template

from caroni_edge.base.errors import CaroniError
from caroni_edge.node.dispatch import FailedAgain, UnknownLetter
from caroni_edge.node.reactor import UnknownPeer
from caroni_edge.protocol.topics import Role, peer_id
from caroni_edge.web import audit, support
from caroni_edge.web.auth import FOR_OPERATORS
from caroni_edge.web.health import Health
from caroni_edge.web.metrics import Metrics
from caroni_edge.web.node_views import (
    AuditPage,
    ConfigView,
    DeadLetterPage,
    DeadLetterView,
    ForgetBody,
    HealthView,
    LinkPage,
    audit_page,
    config_view,
    dead_letter,
    dead_letter_page,
    health,
    link_page,
)
from caroni_edge.web.parameters import AfterName, AfterNumber, LetterNumber, Limit
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


@get("/api/config", tags=["node"], sync_to_thread=False)
def show_config(site: NamedDependency[Site]) -> ConfigView:
    """Show the configuration in effect: each setting with its value and where that comes from, secrets hidden."""
    return config_view(site.config())


@get("/api/doctor", tags=["node"], sync_to_thread=True)
def show_health(examiner: NamedDependency[Health]) -> HealthView:
    """Show what the doctor finds from within the node: disk, clock, database, limits; at most a minute old."""
    return health(examiner.look())


@get("/api/support", tags=["node"], opt={FOR_OPERATORS: True}, sync_to_thread=True)
def support_bundle(
    site: NamedDependency[Site], examiner: NamedDependency[Health], metrics: NamedDependency[Metrics]
) -> Response[bytes]:
    """Return what somebody needs who helps: a tar.gz of versions, configuration, health, counts and the log's end.

    Secrets are hidden in it, and neither inputs, outputs nor messages are.
    """
    name, content = support.bundle(site, examiner.look(), metrics.text())
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/gzip", headers=headers)


@get("/api/links", tags=["node"], sync_to_thread=True)
def list_links(site: NamedDependency[Site], limit: Limit = 100, after: AfterName = "") -> LinkPage:
    """List the links to the node's peers, by id: what waits for whom, and who owes an answer."""
    with site.readers.open() as conn:
        return link_page(conn, site.node, limit, after)


@post("/api/forget", tags=["node"], status_code=200, sync_to_thread=True)
def forget(site: NamedDependency[Site], body: RawBody) -> ForgetBody:
    """Drop a peer that will not come back: its rows, its jobs, and what the broker has retained of it."""
    try:
        named = json.loads(body)["peer"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Problem(400, f'the body is {{"peer": "{_peers(site)}/ID"}}', "peer") from None
    return forget_peer(site, named)


def forget_peer(site: Site, named: object) -> ForgetBody:
    """Forget the peer with this name, as in `agents/a7`.

    Raises:
        Problem: 422, that is no name of a peer; 404, nothing is known of it.
    """
    peers = _peers(site)
    peer = peer_id(named, peers)
    if peer is None:
        raise Problem(422, f"peer must be the name of one of the {peers}, as in {peers}/x1", "peer")
    audit.note(peer=f"{peers}/{peer}")
    try:
        gone = site.node_commands.forget(peer)
    except UnknownPeer as unknown:
        raise Problem(404, str(unknown).rstrip("."), "peer") from None
    return ForgetBody(peer=f"{peers}/{peer}", rows=gone.rows, jobs=gone.jobs, offers=gone.offers)


def _peers(site: Site) -> Role:
    return "agents" if site.node.role == "manager" else "managers"


def on_refused(request: Request[Any, Any, Any], error: CaroniError) -> Response[Any] | Template:
    """Answer that a dead letter is not there (404), or could not be handled again (409)."""
    return on_problem(request, Problem(404 if isinstance(error, UnknownLetter) else 409, f"{error} {error.advice}"))


def _no_letter(letter: int) -> NoReturn:
    raise Problem(404, f"there is no dead letter {letter}")


ROUTES = (
    show_config,
    show_health,
    support_bundle,
    forget,
    list_links,
    list_audit,
    list_dead_letters,
    show_dead_letter,
    retry_dead_letter,
    drop_dead_letter,
)
HANDLERS: Mapping[int | type[Exception], Any] = {UnknownLetter: on_refused, FailedAgain: on_refused}
