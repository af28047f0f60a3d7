"""The HTTP server of a node: bound before the daemon says that it is ready, served in a thread of its own."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import uvicorn

from caroni_edge.base.errors import CaroniError
from caroni_edge.config import NodeConfig, WebConfig
from caroni_edge.node import api_socket
from caroni_edge.node.node import Node
from caroni_edge.node.service import Service
from caroni_edge.node.startup import DATABASE
from caroni_edge.node.store import AuditRows
from caroni_edge.web import inside
from caroni_edge.web.app import make_app
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.auth import Accounts, Gate
from caroni_edge.web.connections import Connection, Crowd, most_connections
from caroni_edge.web.live import STREAMS_SHARE, Changes
from caroni_edge.web.readers import Readers
from caroni_edge.web.site import NodeCommands, NodeView, Site, Supervisor
from caroni_edge.web.tls import TlsDoor, load_certificate, server_context

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Ask = Callable[[inside.Inside], Awaitable[inside.Response]]
"""Puts a request to the application, on its event loop."""

BACKLOG = 1024
ACCEPTED_AT_ONCE = 32
"""So many connections may be open beyond those that there is room for, until they have made room."""
FINISH_WITHIN_S: Final = 2
STOP_WITHIN_S = 5.0
LOOPBACK = ("127.", "::1")


class CannotListen(CaroniError):
    """The page cannot listen on {host}:{port}: {reason}."""

    hint = "Set web.port to a free port, or web.host to an address of this host; `web: false` turns the page off."
    exit_status = 2


class _Uvicorn(uvicorn.Server):
    """A server that sleeps until it is told to stop; the original looks ten times a second."""

    _loop: asyncio.AbstractEventLoop | None = None
    _told: asyncio.Event

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._tls, self._on_end = tls, on_end
        self._doors: list[TlsDoor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        encrypted = [each for each in sockets or () if self._tls and each.family != socket.AF_UNIX]
        await super().startup([each for each in sockets or () if each not in encrypted])
        for listener in sockets or ():
            listener.listen(BACKLOG)  # these wait in the kernel, and cost no descriptor of ours
        self._doors = [TlsDoor(each, self._tls, self._protocol) for each in encrypted if self._tls]
        for door in self._doors:
            door.open()

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )  # type: ignore[call-arg]
        return made

    async def main_loop(self) -> None:
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._told.wait()
        self._on_end()
        for door in self._doors:
            door.close()

    def tell(self, work: Callable[[], None]) -> None:
        """Run `work` on the event loop, from any thread; nothing when that has ended."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:
                log.debug("the server has ended before it was told", extra={"action": "web_ended"})

    def submit(self, work: Coroutine[Any, Any, Result]) -> "Future[Result] | None":
        """Run `work` on the event loop, from any thread; None when there is none yet, or none any more."""
        try:
            if self._loop is not None:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            log.debug("the server has ended before it was asked", extra={"action": "web_ended"})
        work.close()
        return None

    def tell_to_stop(self) -> None:
        """Let the server end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self.tell(self._told.set)


class WebServer:
    """The HTTP server of a node, running in a thread.

    Attributes:
        host: Where the page is; None where there is only the socket for commands on this host.
        port: The port of the page, also when any free one was asked for.
    """

    def __init__(
        self, parts: "Parts", supervisor: Supervisor, on_host: socket.socket | None, page: socket.socket | None
    ) -> None:
        """Serve on sockets that listen already."""
        self._parts = parts
        address: tuple[str | None, int] = page.getsockname()[:2] if page else (None, 0)
        self.host, self.port = address
        listeners = [each for each in (on_host, page) if each is not None]
        crowd = Crowd(most_connections(), time.monotonic)
        self._server = _Uvicorn(
            uvicorn.Config(
                parts.app,
                http=cast("type[asyncio.Protocol]", partial(Connection, crowd=crowd)),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=ACCEPTED_AT_ONCE,
                timeout_graceful_shutdown=FINISH_WITHIN_S,
            ),
            parts.tls,
            parts.on_end,
        )
        self._thread = supervisor.supervise("web", lambda: self._server.run(sockets=listeners))

    def __enter__(self) -> "WebServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the page is, for people."""
        return f"http{'s' if self._parts.tls else ''}://{_bracketed(self.host or 'localhost')}:{self.port}"

    def has_token(self, text: str) -> bool:
        """Tell whether `text` is the token of the API; any thread may ask."""
        return self._parts.gate.has_token(text)

    def answer(self, work: Callable[[Ask], Coroutine[Any, Any, Result]]) -> "Future[Result] | None":
        """Let `work` put requests to the application; None while that answers nobody. For any thread."""
        return self._server.submit(work(partial(inside.ask, self._parts.app)))

    def prepared(self, config: WebConfig | None) -> Callable[[], None]:
        """Read what may change while the server runs: users, passwords, token, certificate; return what takes it over.

        Raises:
            CredentialUnusable, PageCertificateUnusable: Nothing has changed.
        """
        parts = self._parts
        accounts = Accounts.of(config, parts.state_dir) if config and self.host else None
        server_context(config)  # what cannot be loaded is said now

        def take_over() -> None:
            if accounts is not None:
                parts.gate.change_to(accounts)
            if config is not None and config.cert_file is not None and parts.tls is not None:
                load_certificate(parts.tls, config)

        return lambda: self._server.tell(take_over)

    def stop(self) -> None:
        """Take no more requests, give those that run a moment to end, and end the thread."""
        self._server.tell_to_stop()
        self._thread.join(STOP_WITHIN_S)
        if self._thread.is_alive():
            log.warning("requests do not end; leaving them", extra={"action": "web_left"})


@dataclass(frozen=True)
class Parts:
    """What a server is put together from.

    Attributes:
        app: The application.
        gate: Who guards it.
        state_dir: Where made passwords and tokens are kept.
        tls: What the page is encrypted with; None where it is not.
        on_end: Ends what would go on for ever.
    """

    app: Any
    gate: Gate
    state_dir: Path
    tls: ssl.SSLContext | None
    on_end: Callable[[], None]


@contextmanager
def serve_node(
    config: NodeConfig, node: Node, service: Service, make_site: Callable[[NodeView, Readers, AuditedCommands], Site]
) -> Iterator[WebServer]:
    """Serve the API of a node as long as the context is open; without a part `web`, on its socket alone.

    Args:
        config: The node's.
        node: The node.
        service: Its loop, which runs what changes something.
        make_site: Returns the role's part of what is served.

    Raises:
        CannotListen: The address or the port is not to be had.
        CredentialUnusable: A made password or token cannot be kept or read.
    """
    with closing(Readers(config.state_dir / DATABASE)) as readers:
        commands = AuditedCommands(service, AuditRows(node.database.conn))
        site = replace(
            make_site(NodeView.of(node), readers, commands),
            over_node=NodeCommands.of(node, commands),
            loop=service.measures,
        )
        with start(config.web, site, service) as server:
            yield server


def start(config: WebConfig | None, site: Site, supervisor: Supervisor) -> WebServer:
    """Listen, and serve a role's API with all that both roles have; leaving the result's context stops it.

    Args:
        config: Where to listen, and who may come in; None: there is no page, and nobody comes in but by the socket.
        site: The role's part.
        supervisor: Runs the thread; if that fails, the daemon ends.

    Raises:
        CannotListen: The address or the port is not to be had.
        CredentialUnusable: A made password or token cannot be kept or read.
        PageCertificateUnusable: The page's certificate or its key is of no use.
    """
    tls = server_context(config)
    accounts = Accounts.of(config, site.state_dir) if config else Accounts()
    gate = Gate(accounts, cookie=f"caroni_{site.node.role}_{site.node.id}")
    changes = Changes(site.readers, site.node.why_not_ready, most_connections() // STREAMS_SHARE)
    parts = Parts(make_app(site, gate, changes), gate, site.state_dir, tls, changes.end)
    page = _listen(config.host, config.port) if config else None
    try:
        on_host = api_socket.listen(site.state_dir)
    except api_socket.SocketUnusable as error:
        log.error("%s %s", error, error.advice, extra={"action": "socket_unusable"})
        on_host = None  # the node's work needs none
    server = WebServer(parts, supervisor, on_host, page)
    if config is None:
        said = "no page; commands on this host use %s"
        log.info(said, site.state_dir / api_socket.SOCKET, extra={"action": "web_off"})
        return server
    log.info("page and API on %s, user %s", server.url, config.username, extra={"action": "web_started"})
    if tls is None and not str(server.host).startswith(LOOPBACK):
        said = "the page is open to the network without TLS: set web.cert_file, or put a proxy with TLS in front of it"
        log.warning("%s", said, extra={"action": "web_without_tls"})
    return server


def _listen(host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise CannotListen("web", host=_bracketed(host), port=port, reason=error.strerror or error) from error
    listener.setblocking(False)
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
