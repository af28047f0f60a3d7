"""The HTTP server of a node: bound before the daemon says that it is ready, and loaded when somebody knocks.

It has a thread of its own. What this module imports is there from the start on, so it stays small: what serves is
imported in `WebServer._load` and by the role's `make_site`.
"""

import gc
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import caroni_edge
from caroni_edge.base.errors import CaroniError
from caroni_edge.base.frozen import is_frozen
from caroni_edge.config import NodeConfig, WebConfig
from caroni_edge.node import api_socket
from caroni_edge.node.node import Node
from caroni_edge.node.service import Service
from caroni_edge.node.startup import DATABASE
from caroni_edge.node.store import AuditRows
from caroni_edge.web.accounts import Accounts
from caroni_edge.web.audit import AuditedCommands
from caroni_edge.web.certificate import load_certificate, server_context
from caroni_edge.web.inside import Ask
from caroni_edge.web.nodeview import NodeCommands, NodeView, Supervisor
from caroni_edge.web.porter import BACKLOG, Porter, Served
from caroni_edge.web.readers import Readers

if TYPE_CHECKING:
    from caroni_edge.web.site import Site

log = logging.getLogger(__name__)

Result = TypeVar("Result")

STOP_WITHIN_S = 5.0
LOOPBACK = ("127.", "::1")


class CannotListen(CaroniError):
    """The page cannot listen on {host}:{port}: {reason}."""

    hint = "Set web.port to a free port, or web.host to an address of this host; `web: false` turns the page off."
    exit_status = 2


class Replaced(CaroniError):
    """Another version of Caroni Edge is installed now than the one that runs ({version})."""

    hint = "Start the node anew."


class WebServer:
    """The HTTP server of a node, running in a thread.

    Attributes:
        host: Where the page is; None where there is only the socket for commands on this host.
        port: The port of the page, also when any free one was asked for.
    """

    def __init__(
        self,
        config: WebConfig | None,
        state_dir: Path,
        make_site: "Callable[[], Site]",
        supervisor: Supervisor,
    ) -> None:
        """Listen (see `start`)."""
        self._state_dir, self._make_site = state_dir, make_site
        self._tls = server_context(config)
        self._accounts = Accounts.of(config, state_dir) if config else Accounts()
        page = _listen(config.host, config.port) if config else None
        address: tuple[str | None, int] = page.getsockname()[:2] if page else (None, 0)
        self.host, self.port = address
        listeners = [each for each in (_listen_on_host(state_dir), page) if each is not None]
        self._porter = Porter(listeners, self._load)
        self._thread = supervisor.supervise("web", self._porter.run)

    def __enter__(self) -> "WebServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the page is, for people."""
        return f"http{'s' if self._tls else ''}://{_bracketed(self.host or 'localhost')}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches the page may read along."""
        return self.host is not None and self._tls is None and not self.host.startswith(LOOPBACK)

    def trouble(self) -> str | None:
        """Return why nobody is answered, for people; None when all who come are."""
        return self._porter.trouble

    def has_token(self, text: str) -> bool:
        """Tell whether `text` is the token of the API; any thread may ask."""
        return self._accounts.has_token(text)

    def answer(self, work: Callable[[Ask], Coroutine[Any, Any, Result]]) -> "Future[Result] | None":
        """Let `work` put requests to the application; None when that answers nobody any more. For any thread."""
        return self._porter.ask(work)

    def prepared(self, config: WebConfig | None) -> Callable[[], None]:
        """Read what may change while the server runs: users, passwords, token, certificate; return what takes it over.

        Raises:
            CredentialUnusable, PageCertificateUnusable: Nothing has changed.
        """
        accounts = Accounts.of(config, self._state_dir) if config and self.host else None
        server_context(config)  # what cannot be loaded is said now

        def take_over() -> None:
            if accounts is not None:
                self._accounts = accounts
                if self._porter.served is not None:
                    self._porter.served.change_to(accounts)
            if config is not None and config.cert_file is not None and self._tls is not None:
                load_certificate(self._tls, config)

        return lambda: self._porter.tell(take_over)

    def stop(self) -> None:
        """Take no more requests, give those that run a moment to end, and end the thread."""
        self._porter.stop()
        self._thread.join(STOP_WITHIN_S)
        if self._thread.is_alive():
            log.warning("requests do not end; leaving them", extra={"action": "web_left"})

    def _load(self) -> Served:
        """Load what serves, in the thread of the server.

        Raises:
            Replaced: It is another version's, and this one's is gone.
        """
        if not is_frozen() and caroni_edge.__version__ not in Path(caroni_edge.__file__).read_text(encoding="utf-8"):
            raise Replaced("", version=caroni_edge.__version__)
        from caroni_edge.web.serving import Serving  # noqa: PLC0415 - a third of a node's memory, and many need none

        return Serving(self._make_site(), self._accounts, self._tls)


@contextmanager
def serve_node(
    config: NodeConfig, node: Node, service: Service, make_site: "Callable[[NodeView, Readers, AuditedCommands], Site]"
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
        view = NodeView.of(node)  # now: it says since when the node runs

        def site() -> "Site":
            made = make_site(view, readers, commands)
            gc.freeze()  # as at the start (`Daemon.run`): what is loaded now stays
            return replace(made, over_node=NodeCommands.of(node, commands), loop=service.measures)

        with start(config.web, config.state_dir, site, service) as server:
            node.checks.append(server.trouble)
            yield server


def start(
    config: WebConfig | None, state_dir: Path, make_site: "Callable[[], Site]", supervisor: Supervisor
) -> WebServer:
    """Listen, and serve a role's API with all that both roles have; leaving the result's context stops it.

    Args:
        config: Where to listen, and who may come in; None: there is no page, and nobody comes in but by the socket.
        state_dir: Where made passwords and tokens are kept, and the socket is.
        make_site: Returns the role's part; called in the thread, when somebody has knocked.
        supervisor: Runs the thread; if that fails, the daemon ends.

    Raises:
        CannotListen: The address or the port is not to be had.
        CredentialUnusable: A made password or token cannot be kept or read.
        PageCertificateUnusable: The page's certificate or its key is of no use.
    """
    server = WebServer(config, state_dir, make_site, supervisor)
    if config is None:
        said = "no page; commands on this host use %s"
        log.info(said, state_dir / api_socket.SOCKET, extra={"action": "web_off"})
        return server
    log.info("page and API on %s, user %s", server.url, config.username, extra={"action": "web_started"})
    if server.is_open:
        said = "the page is open to the network without TLS: set web.cert_file, or put a proxy with TLS in front of it"
        log.warning("%s", said, extra={"action": "web_without_tls"})
    return server


def _listen_on_host(state_dir: Path) -> socket.socket | None:
    try:
        return api_socket.listen(state_dir)
    except api_socket.SocketUnusable as error:
        log.error("%s %s", error, error.advice, extra={"action": "socket_unusable"})
        return None  # the node's work needs none


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
