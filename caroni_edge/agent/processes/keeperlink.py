"""The agent's end of the socket to a keeper; it starts a keeper where there is none."""

import json
import logging
import os
import selectors
import socket
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import msgspec

from caroni_edge.agent.boxes.first import note_first
from caroni_edge.agent.keeper.orders import read_known
from caroni_edge.agent.processes.homes import Home, NoKeeper, connect
from caroni_edge.base.backoff import Backoff

log = logging.getLogger(__name__)

Event = dict[str, Any]

PAUSE = Backoff(first_s=0.1, max_s=30.0)

_READ_BYTES = 1 << 16


class KeeperLink:
    """Keeps one connection to the keeper of a place in one thread (`run`); any thread may send.

    A request that is sent while there is no connection is lost. At each new connection the keeper is asked for its
    list; its answer, the event `running`, tells the runner to compare, and to ask again for what was lost. Where there
    is no keeper, and none is wanted, that event comes without one: nothing runs.

    Attributes:
        home: The place.
        trouble: Why there is no keeper, for people; None while all is well.
        first: Process 1 of the keeper's box; 0 where it is in none, or there is no keeper.
        is_retired: No new job is started by its keeper: when it has none left it is to end, and is followed by none.
    """

    def __init__(
        self, home: Home, take: Callable[["KeeperLink", Event], None], *, wanted: bool = True, retired: bool = False
    ) -> None:
        """Serve a place.

        Args:
            home: The place.
            take: Called with each event, in the thread of `run`.
            wanted: A keeper is started at once; otherwise when it has jobs, or `want` is called.
            retired: See `is_retired`.
        """
        self.home = home
        self.trouble: str | None = None
        self.first = 0
        self.is_retired = retired
        self._take = take
        self._is_wanted = wanted
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closing = self._ends = False
        self._is_listed = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a keeper at the other end."""
        return self._socket is not None

    def want(self) -> None:
        """Have a keeper started, if there is none."""
        if not self._is_wanted:
            self._is_wanted = True
            self._stir()

    def retire(self) -> None:
        """Let the keeper end when it has no job left, and start none after it."""
        self.is_retired = True

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a request without waiting; without a connection it is lost."""
        line = _line(request)
        with self._lock:
            if self._socket is None:
                return
            was_waiting = bool(self._unsent)
            self._unsent += line
            if not was_waiting:
                self._flush(self._socket)
            if self._unsent:
                os.eventfd_write(self._wake, 1)

    def close(self, *, end: bool = False) -> None:
        """Have `run` return; what the socket has not taken yet is lost.

        Args:
            end: The keeper is to end when it has no job; also one that is being started now.
        """
        self._ends, self._is_closing = end, True
        self._stir()

    def _stir(self) -> None:
        with self._lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def dispose(self) -> None:
        """Give back what it has of the system, once `run` has returned."""
        with self._lock:
            os.close(self._wake)
            self._wake = -1

    def run(self) -> None:
        """Keep a connection, again and again, until `close`, or until a retired keeper has ended."""
        pause_s = PAUSE.first_s
        with selectors.DefaultSelector() as woken:
            woken.register(self._wake, selectors.EVENT_READ)
            while not self._is_closing:
                self._is_listed = False
                try:
                    connected = self._connect()
                    if connected is not None:
                        with connected:
                            self._serve(connected)
                    elif self._rest():
                        return
                    else:
                        woken.select(None)
                        os.eventfd_read(self._wake)
                        continue
                except NoKeeper as error:
                    self._say_trouble(str(error))
                if self._is_listed:
                    pause_s = PAUSE.first_s
                elif not self._is_closing:
                    woken.select(pause_s)
                    pause_s = PAUSE.after(pause_s)

    def _rest(self) -> bool:
        """Say that nothing runs here, without a keeper; return whether there will never be one again.

        Raises:
            NoKeeper: Something may run all the same.
        """
        self.home.outlive()
        self.trouble = None
        self._take(self, {"event": "running", "jobs": [], **read_known(str(self.home.state_dir))._asdict()})
        if self.is_retired:
            self.home.remove()
        return self.is_retired

    def _say_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("no job can be started: %s", trouble, extra={"action": "keeper_failed"})
        self.trouble = trouble

    # Connection

    def _connect(self) -> socket.socket | None:
        """Return a connection to a keeper; None where there is none, and none is to be started."""
        connected = self._try_to_connect()
        if connected is None:
            if not self._may_start():
                return None
            self.home.start()
            log.info("keeper started", extra={"action": "keeper_started"})
            connected = self._try_to_connect()
        if connected is None:
            raise NoKeeper("the keeper was started and has ended again; keeper.log may say why")
        return connected

    def _may_start(self) -> bool:
        """Tell whether a keeper is to be started; one without a box also sees to the jobs of one that has died."""
        return (self._is_wanted and not self.is_retired) or (not self.home.is_boxed and self.home.has_jobs())

    def _try_to_connect(self) -> socket.socket | None:
        connected = connect(self.home.directory)
        if connected is None:
            return None
        try:
            self.first = note_first(self.home.directory, connected) if self.home.is_boxed else 0
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            connected.close()
            return None
        except OSError as error:
            connected.close()
            raise NoKeeper(f"{self.home.directory}: {error.strerror or error}") from None
        connected.setblocking(False)
        return connected

    def _serve(self, connected: socket.socket) -> None:
        """Pass on events until the connection ends."""
        with self._lock:
            self._socket, self._unsent = connected, bytearray()
        self.send({"do": "list", "takes_over": True})
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(connected, selectors.EVENT_READ)
                selector.register(self._wake, selectors.EVENT_READ)
                received = bytearray()
                while not self._is_closing:
                    ready = {key.fileobj for key, _ in selector.select()}
                    if self._wake in ready:
                        os.eventfd_read(self._wake)
                    if not self._send_rest(connected, selector):
                        break
                    if connected in ready and not self._receive(connected, received):
                        break
            if self._is_closing and self._ends:
                self.send({"do": "stop"})
        finally:
            with self._lock:
                self._socket = None
        if not self._is_closing:
            log.warning("the keeper has ended", extra={"action": "keeper_lost"})

    def _send_rest(self, connected: socket.socket, selector: selectors.BaseSelector) -> bool:
        """Send what the socket did not take before; return False when the connection has ended."""
        with self._lock:
            is_there = self._flush(connected) if self._unsent else True
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if selector.get_key(connected).events != events:
            selector.modify(connected, events)
        return is_there

    def _flush(self, connected: socket.socket) -> bool:
        try:
            sent = connected.send(self._unsent)
        except BlockingIOError:
            return True
        except OSError:  # the reader will see its end
            self._unsent.clear()
            return False
        del self._unsent[:sent]
        return True

    def _receive(self, connected: socket.socket, received: bytearray) -> bool:
        """Pass on the events that have come; return False when the connection has ended."""
        try:
            data = connected.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        received += data
        *lines, rest = received.split(b"\n")
        received[:] = rest
        for line in lines:
            event = json.loads(line)
            if event.get("event") == "running":
                self._is_listed, self.trouble = True, None
            self._take(self, event)
        return bool(data)


def _line(request: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(request) + b"\n"
    except UnicodeEncodeError:  # a variable or a path that is no UTF-8, which takes several times as long
        return json.dumps(request).encode() + b"\n"
