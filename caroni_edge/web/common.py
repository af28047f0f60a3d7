"""What every node serves: logging in and out, health, metrics, and what the node says of itself."""

import json
from typing import Annotated, Any, TypedDict

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect, Template

from caroni_edge.web.accounts import Role
from caroni_edge.web.assets import static_file
from caroni_edge.web.auth import ANYBODY_CHANGES, OPEN, Gate, Session
from caroni_edge.web.forms import fields
from caroni_edge.web.live import live
from caroni_edge.web.metrics import CONTENT_TYPE, Metrics
from caroni_edge.web.nodeview import NodeView
from caroni_edge.web.problems import Problem, wants_page
from caroni_edge.web.site import Site
from caroni_edge.web.templating import page

LOGIN_LIMIT_BYTES = 16 * 1024

Asked = Request[Any, Any, Any]


class SessionBody(TypedDict):
    """Who is logged in; `csrf` is what changes must bring along in the header `X-CSRF-Token`."""

    user: str
    role: Role
    csrf: str | None


class Health(TypedDict):
    """The answer of `/healthz`: there is one, so the process works."""

    healthy: bool


class Readiness(TypedDict):
    """Whether the node can work, and if not, why."""

    ready: bool
    reason: str | None


class NodeBody(TypedDict):
    """What a node says of itself; `edit`: whether its files may be changed by pages and API."""

    role: str
    id: str
    version: str
    host: str
    connected: bool
    ready: bool
    reason: str | None
    edit: bool


@get("/admin", include_in_schema=False, sync_to_thread=False)
def admin() -> Redirect:
    """Lead to the first page, as the original's address for it did."""
    return Redirect("/", status_code=303)


@get("/login", opt={OPEN: True}, include_in_schema=False, sync_to_thread=False)
def login_form(leads_to: Annotated[str, QueryParameter(name="next")] = "/") -> Template:
    """Show the form to log in."""
    return page("login.html", error="", next=_within(leads_to))


@post(
    "/login",
    opt={OPEN: True},
    status_code=200,
    tags=["session"],
    request_max_body_size=LOGIN_LIMIT_BYTES,
)
async def login(request: Asked, gate: NamedDependency[Gate]) -> Response[Any] | Template:
    """Begin a session with the fields `username` and `password`, of a form or in JSON; its cookie comes back."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "this form was sent by another site")
    name, password, leads_to = _credentials(await request.body(), request.headers.get("Content-Type", ""))
    address = request.client.host if request.client else ""
    try:
        cookie, session = gate.log_in(address, name, password)
    except Problem as problem:
        if not wants_page(request):
            raise
        shown = page("login.html", http_status=problem.status, error=problem.error, next=_within(leads_to))
        shown.headers.update(problem.headers)
        return shown
    kept = [_cookie(request, gate, cookie)]
    if wants_page(request):
        return Redirect(_within(leads_to), status_code=303, cookies=kept)
    return Response(_session(session), cookies=kept)


@post("/logout", opt={ANYBODY_CHANGES: True}, status_code=204, tags=["session"], sync_to_thread=False)
def logout(request: Asked, gate: NamedDependency[Gate]) -> Response[None]:
    """End the session."""
    gate.sessions.end(request.user.cookie)
    gone = [_cookie(request, gate, "", max_age=0)]
    return (
        Redirect("/login", status_code=303, cookies=gone)
        if wants_page(request)
        else Response(None, status_code=204, cookies=gone)
    )


@get("/api/session", tags=["session"], sync_to_thread=False)
def session(request: Asked) -> SessionBody:
    """Return who is logged in."""
    visitor = request.user
    return SessionBody(user=visitor.name, role=visitor.role, csrf=visitor.session.csrf if visitor.session else None)


@get("/api/node", tags=["node"], sync_to_thread=False)
def about(node: NamedDependency[NodeView], site: NamedDependency[Site]) -> NodeBody:
    """Return what the node says of itself."""
    reason = node.why_not_ready()
    return NodeBody(
        role=node.role,
        id=node.id,
        version=node.version,
        host=node.host,
        connected=node.connected(),
        ready=reason is None,
        reason=reason,
        edit=site.may_edit,
    )


@get("/healthz", opt={OPEN: True}, tags=["node"], sync_to_thread=False)
def healthz() -> Health:
    """Tell that the process works."""
    return Health(healthy=True)


@get("/readyz", opt={OPEN: True}, tags=["node"], sync_to_thread=False)
def readyz(node: NamedDependency[NodeView]) -> Response[Readiness]:
    """Tell whether the node can work: connected, and its database writable; 503 with the reason when not."""
    reason = node.why_not_ready()
    return Response(Readiness(ready=reason is None, reason=reason), status_code=503 if reason else 200)


@get("/metrics", tags=["node"], sync_to_thread=True)
def metrics_text(metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Return the metrics, in the text format of Prometheus."""
    return Response(metrics.text(), media_type=CONTENT_TYPE)


def _cookie(request: Asked, gate: Gate, value: str, max_age: int | None = None) -> Cookie:
    is_encrypted = request.scope["scheme"] == "https"
    return Cookie(
        key=gate.cookie,
        value=value,
        path="/",
        secure=is_encrypted,
        httponly=True,
        samesite="strict",
        max_age=max_age,
    )


def _session(open_session: Session) -> SessionBody:
    return SessionBody(user=open_session.user, role=open_session.role, csrf=open_session.csrf)


def _within(path: str) -> str:
    """Return where a login leads: to a page of this node, whatever a link has asked for."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def _credentials(body: bytes, content_type: str) -> tuple[str, str, str]:
    try:
        is_json = content_type.partition(";")[0].strip() == "application/json"
        given = json.loads(body) if is_json else fields(body)
        found = (given["username"], given["password"], given.get("next", "/"))
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Problem(400, "a login has the fields username and password", "username") from None
    if not all(isinstance(each, str) for each in found):
        raise Problem(400, "username and password are texts", "username")
    return found


ROUTES = (admin, static_file, live, login_form, login, logout, session, about, healthz, readyz, metrics_text)
