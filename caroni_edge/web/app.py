"""The application: a role's routes with those that every node has, behind the gate, in safe headers."""

from collections.abc import Iterator
from email.utils import formatdate
from shutil import disk_usage
from typing import Any

from litestar import Litestar, MediaType, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from caroni_edge.web import given, node_api, node_page
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.auth import Gate
from caroni_edge.web.common import ROUTES
from caroni_edge.web.health import Health
from caroni_edge.web.live import Changes
from caroni_edge.web.metrics import Distribution, Measured, Metric, Metrics, common, single
from caroni_edge.web.operations import OperationsPage
from caroni_edge.web.problems import HANDLERS
from caroni_edge.web.proxies import BehindProxies
from caroni_edge.web.site import Site
from caroni_edge.web.templating import POLICY, engine

BODY_LIMIT_BYTES = 64 * 1024

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(site: Site, gate: Gate, changes: Changes) -> ASGIApp:
    """Return the ASGI application of a node."""
    metrics = Metrics(lambda: measured(site))
    things = {
        "node": site.node,
        "site": site,
        "gate": gate,
        "changes": changes,
        "examiner": Health(site),
        "metrics": metrics,
        "giving": site.giving,
        **site.given,
    }
    # One by one, those that share a path would be registered anew with each other, and run in a thread within a thread.
    together = Router(
        path="", route_handlers=[*ROUTES, *node_api.ROUTES, *node_page.PAGES, *given.ROUTES, *site.routes]
    )
    app = _Application(
        route_handlers=[together],
        guards=[gate.admit],
        dependencies={name: Provide(_giver(each), sync_to_thread=False) for name, each in things.items()},
        before_send=[_noting(site.commands)],
        exception_handlers=dict(HANDLERS) | dict(node_api.HANDLERS),
        openapi_config=_described(site),
        template_config=engine(site.node, (*site.menu, *node_page.MENU)),
        request_max_body_size=BODY_LIMIT_BYTES,
        logging_config=None,
        debug=False,
    )
    return BehindProxies(metrics.timed(_SafeHeaders(app)), lambda: site.trusted_proxies)


def measured(site: Site) -> Iterator[Measured]:
    """Yield what is measured of a node now."""
    node, config = site.node, site.config()
    about = {"role": node.role, "id": node.id, "version": node.version}
    yield Metric("node_info", "What this node is.", [(about, 1)])
    with site.readers.open() as conn:
        yield from common(conn, ready=node.why_not_ready() is None, connected=node.connected())
    yield single("disk_free_bytes", "Free space on the disk of the state directory.", disk_usage(site.state_dir).free)
    yield single("disk_floor_bytes", "With less free space the node takes no new work.", config.disk_floor_bytes)
    loop = site.loop
    yield Distribution("batch_seconds", "How long the node's batches took, commits included.", [({}, loop.batch_s)])
    yield Distribution("batch_items", "How much had arrived for each batch.", [({}, loop.batch_items)])
    yield from site.metrics()


class _Application(Litestar):
    """An application that has only msgspec's types.

    By itself Litestar brings support for pydantic and attrs wherever they are installed, as pydantic is by one of its
    own dependencies: that made every start a fifth longer, and every node 8 MB larger, for types that we do not have.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class _SafeHeaders:
    """Adds the headers that every answer has, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(usegmt=True).encode())
                given = {name for name, _ in message["headers"]}
                ours = [each for each in self._headers if each[0] not in given]
                message["headers"] = [*message["headers"], *ours, date]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _noting(commands: AuditedCommands) -> Any:
    """Return what notes how a request was answered."""

    async def before_send(message: Message, _scope: Scope) -> None:
        if message["type"] == "http.response.start":
            commands.finish(message["status"])

    return before_send


def _described(site: Site) -> OpenAPIConfig:
    bearer = SecurityScheme(type="http", scheme="bearer", description="The token of the node's API.")
    return OpenAPIConfig(
        title=f"Caroni Edge: API of a {site.node.role}",
        version=site.node.version,
        path="/schema",
        render_plugins=[OperationsPage(), JsonRenderPlugin(media_type=MediaType.JSON)],
        components=Components(security_schemes={"token": bearer}),
        security=[{"token": []}],
        use_handler_docstrings=True,
    )


def _giver(thing: Any) -> Any:
    """Return a provider of `thing`: Litestar wants a function for each dependency."""

    def give() -> Any:
        return thing

    return give
