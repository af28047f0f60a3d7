"""TLS of the page: the door that new connections pass.

A stranger may connect and never shake hands. So many may be at that at a time; when another comes, the oldest makes
room, as among the connections that are through (`connections.py`).
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

SHAKING_MAX: Final = 50
SHAKE_WITHIN_S: Final = 10.0
AGAIN_S: Final = 0.5


class TlsDoor:
    """Takes the connections of a listener, and hands on those that have shaken hands."""

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        """Take connections from `listener`; each that is through is spoken to by a new `protocol`."""
        self._listener, self._context, self._protocol = listener, context, protocol
        self._shaking: dict[asyncio.Task[None], None] = {}
        self._accepting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to take connections, on the running event loop."""
        self._accepting = asyncio.get_running_loop().create_task(self._accept(), name="tls door")

    def close(self) -> None:
        """Take no more connections."""
        for task in (*self._shaking, *([self._accepting] if self._accepting else [])):
            task.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # no descriptor is free, or the other end is gone already
                log.warning("a connection cannot be accepted: %s", error, extra={"action": "accept_failed"})
                await asyncio.sleep(AGAIN_S)
                continue
            task = loop.create_task(self._shake_hands(connection))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))
            if len(self._shaking) > SHAKING_MAX:
                oldest = next(iter(self._shaking))
                del self._shaking[oldest]
                oldest.cancel()
            # Where many wait, `sock_accept` lets nobody else run: each has begun before it can be told to make room.
            await asyncio.sleep(0)

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=SHAKE_WITHIN_S
            )
        except OSError as error:  # ssl.SSLError and a time-out are such, too
            log.debug("no handshake: %s", error, extra={"action": "handshake_failed"})
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
