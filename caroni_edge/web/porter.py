"""Who waits at a node's sockets until somebody knocks, and only then has that loaded which serves pages and API.

Most nodes of a fleet are never looked at, and what serves takes a third of a node's memory. So connections wait in the
kernel until it is there. Where it cannot be loaded, who knocks is told so, and the node goes on.
"""

import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import partial
from threading import Lock
from typing import Any, Final, Protocol

from caroni_edge.base.errors import CaroniError
from caroni_edge.web.accounts import Accounts
from caroni_edge.web.inside import Ask

log = logging.getLogger(__name__)

BACKLOG: Final = 1024
"""So many connections may wait in the kernel."""
AGAIN_S = 60.0
"""What could not be loaded is tried again so often at most."""
SPEAKS_WITHIN_S = 0.5
REQUEST_BYTES = 64 * 1024
NOT_LOADED = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 60\r\nContent-Type: application/json\r\n"
    b"Content-Length: 88\r\n\r\n"
    b'{"error": "pages and API cannot be loaded; the log of the node says why", "field": null}'
)

Work = Callable[[Ask], Coroutine[Any, Any, Any]]
"""Puts requests to the application."""


class Bell:
    """Has something done in the web's thread, whether it waits for a knock or runs an event loop; any thread rings."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._work: deque[Callable[[], None]] = deque()
        self._lock = Lock()  # a number that is closed may be another file's next
        self._number: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return what can be read when there is something to do."""
        assert self._number is not None
        return self._number

    def ring(self, work: Callable[[], None]) -> bool:
        """Have `work` done; False when nobody does it any more."""
        with self._lock:
            if self._number is None:
                return False
            self._work.append(work)
            os.eventfd_write(self._number, 1)
            return True

    def answer(self) -> None:
        """Do what there is to do, in the web's thread."""
        os.eventfd_read(self.fileno())
        while self._work:
            try:
                self._work.popleft()()
            except Exception as error:
                log.exception("the web cannot do what it was told: %s", error, extra={"action": "web_failed"})

    def close(self) -> None:
        """Do nothing more."""
        with self._lock:
            number, self._number = self._number, None
        if number is not None:
            os.close(number)


class Served(Protocol):
    """What serves pages and API (`caroni_edge.web.serving.Serving`)."""

    def run(self, listeners: list[socket.socket], bell: Bell) -> None:
        """Serve on these sockets until it is stopped, and answer the bell."""

    def put(self, work: Work, found: "Future[Any]") -> None:
        """Let `work` put requests to the application, and hand over what it gives."""

    def change_to(self, accounts: Accounts) -> None:
        """Let in whom `accounts` has."""

    def stop(self) -> None:
        """Take no more requests, and let `run` end."""


class Porter:
    """Waits at sockets until somebody knocks or asks, and has that loaded then.

    Attributes:
        served: What was loaded; only the thread of `run` looks.
        trouble: Why it could not be loaded, for people; None when it was, or nobody has come.
    """

    def __init__(self, listeners: Sequence[socket.socket], load: Callable[[], Served]) -> None:
        """Wait at these sockets, which listen already; `load` may take a while, and fail."""
        self._listeners, self._load = list(listeners), load
        self._bell = Bell()
        self.served: Served | None = None
        self.trouble: str | None = None
        self._again_at = 0.0
        self._asked: list[tuple[Work, Future[Any]]] = []
        self._is_over = False

    def run(self) -> None:
        """Wait, and serve, until told to stop."""
        with ExitStack() as closed:
            closed.callback(self._bell.close)
            for each in self._listeners:
                closed.callback(each.close)
            self._wait()
            if self.served is not None:
                self.served.run(self._listeners, self._bell)

    def ask(self, work: Work) -> "Future[Any] | None":
        """Let `work` put requests to the application; None when that answers nobody any more. For any thread."""
        found: Future[Any] = Future()
        return found if self._bell.ring(partial(self._put, work, found)) else None

    def tell(self, work: Callable[[], None]) -> None:
        """Have `work` done in the thread of `run`; nothing when that has ended. For any thread."""
        self._bell.ring(work)

    def stop(self) -> None:
        """Let `run` end; for any thread."""
        self._bell.ring(self._stop)

    def _wait(self) -> None:
        """Wait until what serves is loaded, or nobody wants it any more."""
        by_number = {each.fileno(): each for each in self._listeners}
        ready = select.poll()
        for number in (self._bell.fileno(), *by_number):
            ready.register(number, select.POLLIN)
        while not self._is_over and self.served is None:
            found = [number for number, _ in ready.poll()]
            if self._bell.fileno() in found:
                self._bell.answer()
            knocking = [by_number[number] for number in found if number in by_number]
            if (knocking or self._asked) and not self._is_over:
                self._open()
                if self.served is None:
                    self._turn_away(knocking)
        if self.served is None:
            self._turn_away([])
        for work, future in self._asked:
            self._bell.ring(partial(self._put, work, future))

    def _open(self) -> None:
        now = time.monotonic()
        if now < self._again_at:
            return
        try:
            self.served, self.trouble = self._load(), None
        except Exception as error:  # noqa: BLE001 - whatever it is, the node's work needs none of it
            self._again_at = now + AGAIN_S
            why = f"{error} {error.advice}" if isinstance(error, CaroniError) else f"{type(error).__name__}: {error}"
            self.trouble = f"pages and API cannot be loaded: {why}"
            log.error("%s", self.trouble, extra={"action": "web_not_loaded"})
            return
        took_s = time.monotonic() - now
        log.info("pages and API loaded in %.1f s: somebody has asked", took_s, extra={"action": "web_loaded"})

    def _turn_away(self, knocking: list[socket.socket]) -> None:
        """Tell one who knocks at each socket, and all who have asked, that nobody answers."""
        for _, future in self._asked:
            future.cancel()
        self._asked.clear()
        for listener in knocking:
            try:
                connection, _ = listener.accept()
            except OSError:  # they have gone already, or no descriptor is free
                time.sleep(SPEAKS_WITHIN_S)
                continue
            with connection, suppress(OSError):
                connection.settimeout(SPEAKS_WITHIN_S)
                connection.recv(REQUEST_BYTES)  # what is not read would take the answer with it
                connection.sendall(NOT_LOADED)

    def _put(self, work: Work, found: "Future[Any]") -> None:
        if self.served is None:
            self._asked.append((work, found))
        else:
            self.served.put(work, found)

    def _stop(self) -> None:
        self._is_over = True
        if self.served is not None:
            self.served.stop()
