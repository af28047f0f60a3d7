"""The agent's end of the socket to its keeper; it starts a keeper where there is none."""

import json
import logging
import os
import selectors
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from caroni_edge import __version__
from caroni_edge.agent.keeper.files import open_regular, read_regular
from caroni_edge.agent.keeper.server import SOCKET
from caroni_edge.base import failpoints
from caroni_edge.base.backoff import Backoff
from caroni_edge.base.frozen import is_frozen, program

log = logging.getLogger(__name__)

Event = dict[str, Any]

START_TIMEOUT_S = 30.0
PAUSE = Backoff(first_s=0.1, max_s=30.0)
LOG = "keeper.log"
LOG_LIMIT_BYTES = 1 << 20

_READ_BYTES = 1 << 18
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", failpoints.VARIABLE)
_NO_KEEPER = (FileNotFoundError, ConnectionRefusedError)


class NoKeeper(Exception):
    """No keeper can be reached or started; the message says why, for people."""


def keeper_command() -> list[str]:
    """Return the program that is a keeper, without its arguments: Python, or the one binary that holds everything."""
    return [*program(), "keeper"] if is_frozen() else program("caroni_edge.agent.keeper")


def keeper_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a keeper gets of the agent's environment: no secret."""
    return {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith(("LC_", "PYTHON"))}


def connect(state_dir: Path) -> socket.socket | None:
    """Connect to the keeper of a state directory; None when there is none.

    Raises:
        NoKeeper: Nobody can say whether there is one.
    """
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The path may be longer than the address of a socket can be.
        directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connecting.connect(f"/proc/self/fd/{directory}/{SOCKET}")
        finally:
            os.close(directory)
    except _NO_KEEPER:
        connecting.close()
        return None
    except OSError as error:
        connecting.close()
        raise NoKeeper(f"{state_dir}/{SOCKET}: {error.strerror}") from None
    return connecting


def end_jobs(state_dir: Path, within_s: float) -> None:
    """End all jobs of an agent that has ended, and their keeper, and wait for it: for those who delete the directory.

    Args:
        state_dir: The agent's.
        within_s: How long to wait for each word of the keeper.

    Raises:
        NoKeeper: It cannot be reached.
        OSError: It does not end within the time.
    """
    connected = connect(state_dir)
    if connected is None:
        return
    with connected, connected.makefile("rwb", buffering=0) as said:
        connected.settimeout(within_s)
        said.write(b'{"do": "list"}\n')
        for line in said:
            event = json.loads(line)
            if event["event"] == "running":
                kills = [{"do": "kill", "job": job, "reason": "its agent is removed"} for job in event["jobs"]]
                said.write(b"".join(json.dumps(each).encode() + b"\n" for each in [*kills, {"do": "stop"}]))


class KeeperLink:
    """Keeps one connection to the keeper in one thread (`run`); any thread may send.

    A request that is sent while there is no connection is lost. At each new connection the keeper is asked for its
    list; its answer, the event `running`, tells the runner to compare, and to ask again for what was lost.

    Attributes:
        trouble: Why there is no keeper, for people; None while all is well.
    """

    def __init__(self, state_dir: Path, take: Callable[[Event], None]) -> None:
        """Serve a state directory.

        Args:
            state_dir: The agent's; absolute.
            take: Called with each event, in the thread of `run`.
        """
        self.trouble: str | None = None
        self._state_dir, self._take = state_dir, take
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._unsent = bytearray()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closing = False
        self._is_listed = False

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a request without waiting; without a connection it is lost."""
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            if self._socket is None:
                return
            was_waiting = bool(self._unsent)
            self._unsent += line
            if not was_waiting:
                self._flush(self._socket)
            if self._unsent:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Have `run` return; what the socket has not taken yet is lost."""
        self._is_closing = True
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        """Keep a connection, again and again, until `close`."""
        pause_s = PAUSE.first_s
        with selectors.DefaultSelector() as woken:
            woken.register(self._wake, selectors.EVENT_READ)
            while not self._is_closing:
                self._is_listed = False
                try:
                    with self._connect() as connected:
                        self._serve(connected)
                except NoKeeper as error:
                    self._say_trouble(str(error))
                if self._is_listed:
                    pause_s = PAUSE.first_s
                elif not self._is_closing:
                    woken.select(pause_s)
                    pause_s = PAUSE.after(pause_s)

    def _say_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("no job can be started: %s", trouble, extra={"action": "keeper_failed"})
        self.trouble = trouble

    # Connection

    def _connect(self) -> socket.socket:
        connected = connect(self._state_dir)
        if connected is None:
            self._start_keeper()
            connected = connect(self._state_dir)
        if connected is None:
            raise NoKeeper("the keeper was started and has ended again; keeper.log may say why")
        connected.setblocking(False)
        return connected

    def _start_keeper(self) -> None:
        path = self._state_dir / LOG
        try:
            with os.fdopen(open_regular(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as said:
                if said.tell() > LOG_LIMIT_BYTES:
                    said.truncate(0)
                begin = said.tell()
                process = subprocess.Popen(
                    [*keeper_command(), str(self._state_dir), __version__],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env=keeper_environment(os.environ),
                    start_new_session=True,
                )
            status = process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NoKeeper(f"the keeper did not start within {START_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise NoKeeper(f"the keeper could not be started: {error}") from None
        if status:
            words = (
                read_regular(str(path), 2 * LOG_LIMIT_BYTES)[begin:]
                .decode(errors="replace")
                .strip()
                .rpartition("\n")[2]
            )
            raise NoKeeper(f"the keeper could not be started: {words or f'exit status {status}'}")
        log.info("keeper started", extra={"action": "keeper_started"})

    def _serve(self, connected: socket.socket) -> None:
        """Pass on events until the connection ends."""
        with self._lock:
            self._socket, self._unsent = connected, bytearray()
        self.send({"do": "list"})
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
            self._take(event)
        return bool(data)
