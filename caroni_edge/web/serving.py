"""What serves the pages and the API: the application and its HTTP server, loaded when somebody knocks (`porter.py`)."""

import asyncio
import socket
import ssl
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, cast

import uvicorn

from caroni_edge.web import inside
from caroni_edge.web.accounts import Accounts
from caroni_edge.web.app import make_app
from caroni_edge.web.auth import Gate
from caroni_edge.web.connections import Connection, Crowd, most_connections
from caroni_edge.web.live import STREAMS_SHARE, Changes
from caroni_edge.web.porter import BACKLOG, Bell, Work
from caroni_edge.web.site import Site
from caroni_edge.web.tls import TlsDoor

ACCEPTED_AT_ONCE = 32
"""So many connections may be open beyond those that there is room for, until they have made room."""
FINISH_WITHIN_S: Final = 2


class Serving:
    """Serves a node's site (`porter.Served`)."""

    def __init__(self, site: Site, accounts: Accounts, tls: ssl.SSLContext | None) -> None:
        """Make the application, for those whom `accounts` has; `tls` encrypts all but the socket on the host."""
        self._gate = Gate(accounts, cookie=f"caroni_{site.node.role}_{site.node.id}")
        changes = Changes(site.readers, site.node.why_not_ready, most_connections() // STREAMS_SHARE)
        self._app = make_app(site, self._gate, changes)
        crowd = Crowd(most_connections(), time.monotonic)
        config = uvicorn.Config(
            self._app,
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
        )
        self._server = _Uvicorn(config, tls, changes)

    def run(self, listeners: list[socket.socket], bell: Bell) -> None:
        """Serve on these sockets until it is stopped, and answer the bell."""
        self._server.bell = bell
        self._server.run(sockets=listeners)

    def put(self, work: Work, found: "Future[Any]") -> None:
        """Let `work` put requests to the application, and hand over what it gives; on the event loop."""
        asked = asyncio.run_coroutine_threadsafe(work(partial(inside.ask, self._app)), asyncio.get_running_loop())
        asked.add_done_callback(partial(_hand_over, found))

    def change_to(self, accounts: Accounts) -> None:
        """Let in whom `accounts` has; on the event loop."""
        self._gate.change_to(accounts)

    def stop(self) -> None:
        """Take no more requests, and let `run` end; on the event loop."""
        self._server.tell_to_stop()


class _Uvicorn(uvicorn.Server):
    """A server that sleeps until it is told to stop; the original looks ten times a second.

    Attributes:
        bell: Has something done on the event loop.
    """

    bell: Bell

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None, changes: Changes) -> None:
        super().__init__(config)
        self._tls, self._changes = tls, changes
        self._doors: list[TlsDoor] = []
        self._told = asyncio.Event()

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
        asyncio.get_running_loop().add_reader(self.bell, self.bell.answer)
        await self._told.wait()
        self._changes.end()
        for door in self._doors:
            door.close()

    def tell_to_stop(self) -> None:
        """Let the server end; on the event loop."""
        self._told.set()


def _hand_over(found: "Future[Any]", asked: "Future[Any]") -> None:
    if asked.cancelled():
        found.cancel()
    elif (error := asked.exception()) is not None:
        found.set_exception(error)
    else:
        found.set_result(asked.result())
