"""The keeper's socket and loop: one thread and one selector, which sleeps until something happens or is due."""

import json
import os
import signal
import socket
import struct
import time
from contextlib import suppress
from math import inf
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

from caroni_edge.agent.keeper import acting, strengths
from caroni_edge.agent.keeper.ahead import Ahead
from caroni_edge.agent.keeper.job import Event, Job
from caroni_edge.agent.keeper.jobs import Jobs
from caroni_edge.agent.keeper.log import note
from caroni_edge.agent.keeper.logs import Stream
from caroni_edge.agent.keeper.places import Places, be_private
from caroni_edge.agent.keeper.processes import use_more_files
from caroni_edge.agent.keeper.records import JOBS, RUNNING
from caroni_edge.agent.keeper.serving import SOCKET, Served, listen, lock
from caroni_edge.agent.keeper.trees import become_reaper
from caroni_edge.agent.keeper.users import NO_IDS, Range

IDLE_S = 300.0
ACCEPT_AGAIN_S = 1.0
READY = b"ready"

_READ_BYTES = 1 << 16
_LINE_LIMIT_BYTES = 16 << 20
_UNSENT_LIMIT_BYTES = 8 << 20
_CREDENTIALS = struct.Struct("3i")


class Connection:
    """The connection of an agent: what it has sent in part, and what it has not read yet."""

    __slots__ = ("received", "socket", "unsent")

    def __init__(self, connected: socket.socket) -> None:
        """Begin with nothing received or to be sent."""
        self.socket = connected
        self.received = bytearray()
        self.unsent = bytearray()


class Server:
    """Takes requests from agents, tells them events, and watches the jobs."""

    def __init__(
        self, places: Places, listener: socket.socket, program: str, idle_s: float, ids: Range = NO_IDS
    ) -> None:
        """Serve on `listener`.

        Args:
            places: Where files are.
            listener: As `listen` returns it.
            program: Version of the program, which the agent compares with its own.
            idle_s: How long to stay without a job and without an agent.
            ids: User ids for the jobs.
        """
        self._listener, self._program, self._idle_s = listener, program, idle_s
        self._selector = DefaultSelector()
        self._connections: set[Connection] = set()
        self._is_boxed = places.state_dir != places.seen
        use_more_files()
        self._is_reaper = become_reaper()
        self._ahead = Ahead(self._say)
        self._jobs = Jobs(
            places,
            self._selector,
            self._ahead.say,
            lambda: bool(self._connections),
            is_reaper=self._is_reaper,
            ids=ids,
        )
        self._is_stopping = False
        self._accept_due = inf
        self._idle_since = time.monotonic()
        self._woken, wake = socket.socketpair()
        self._woken.setblocking(False)
        wake.setblocking(False)
        self._wake = wake

    def serve(self) -> None:
        """Serve until no job runs and nobody needs a keeper (see `caroni_edge.agent.keeper`)."""
        self._take_signals()
        self._selector.register(self._listener, EVENT_READ, self._listener)
        self._selector.register(self._woken, EVENT_READ, self._woken)
        self._jobs.adopt()
        while not self._is_done():
            for key, events in self._selector.select(self._wait_s()):
                match key.data:
                    case Job() as job:
                        self._jobs.on_exit(job)
                        self._start_ahead()  # before other ends are recorded that came at the same moment
                    case Stream() as stream:
                        self._jobs.on_output(stream)
                    case Connection() as connection:
                        self._on_ready(connection, events)
                    case self._listener:
                        self._accept()
                    case _:
                        self._woken.recv(64)
            self._jobs.settle()
            self._start_ahead()
            self._ahead.settle(time.monotonic())
            if self._accept_due <= time.monotonic():
                self._accept_due = inf
                self._selector.register(self._listener, EVENT_READ, self._listener)
        # Who connects from now on finds no socket, and starts another keeper; the lock goes with this process.
        with suppress(FileNotFoundError):  # deleted, as the whole directory may have been
            os.unlink(SOCKET)
        self._listener.close()
        note("ends: no jobs are left")

    def _take_signals(self) -> None:
        """Let SIGTERM end the keeper once no job runs; ignore what the end of a terminal sends."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)
        # Where it is ignored, as an agent may have inherited it, nobody gets to know an exit status.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def stop(self) -> None:
        """Have `serve` return once no job runs."""
        self._is_stopping = True

    def _is_done(self) -> bool:
        if self._jobs.names() or self._ahead.names():
            self._idle_since = time.monotonic()
            return False
        if self._is_stopping:
            return True
        return not self._connections and time.monotonic() >= self._idle_since + self._idle_s

    def _wait_s(self) -> float | None:
        due = min(self._accept_due, self._jobs.next_due(), self._ahead.next_due())
        if not self._connections and not self._jobs.names():
            due = min(due, self._idle_since + self._idle_s)
        return None if due == inf else max(0.0, due - time.monotonic())

    # Connections

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except BlockingIOError:  # it has gone again
            return
        except OSError as error:  # no descriptors left: who waits is there still when a job has ended
            note(f"an agent could not connect: {error}")
            self._selector.unregister(self._listener)
            self._accept_due = time.monotonic() + ACCEPT_AGAIN_S
            return
        if self._is_boxed and _is_from_here(connected):
            note("a process in the box has tried to give orders")
            connected.close()
            return
        connected.setblocking(False)
        connection = Connection(connected)
        self._connections.add(connection)
        self._selector.register(connected, EVENT_READ, connection)
        self._send(connection, {"event": "hello", "program": self._program, "pid": os.getpid(), **self._strength()})

    def _strength(self) -> Event:
        """Say how surely all of a job ends with it, and what keeps it to its bounds."""
        alone = strengths.CHILDREN if self._is_reaper else strengths.MARKS
        bounds = strengths.GROUPS if self._jobs.has_groups else strengths.LOOKS
        return {"ends": strengths.BOX if self._is_boxed else alone, "bounds": bounds}

    def _on_ready(self, connection: Connection, events: int) -> None:
        if events & EVENT_WRITE:
            self._flush(connection)
        if events & EVENT_READ and connection in self._connections:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        *lines, rest = (connection.received + data).split(b"\n")
        connection.received = rest
        if len(rest) > _LINE_LIMIT_BYTES:
            note("an agent sent a line without end")
            self._drop(connection)
        for line in lines:
            self._handle(connection, bytes(line))

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()
            self._idle_since = time.monotonic()

    def _say(self, event: Event) -> None:
        for connection in list(self._connections):
            self._send(connection, event)

    def _send(self, connection: Connection, event: Event) -> None:
        was_waiting = bool(connection.unsent)
        connection.unsent += json.dumps(event).encode() + b"\n"
        if not was_waiting:
            self._flush(connection)
        elif len(connection.unsent) > _UNSENT_LIMIT_BYTES:
            note("an agent does not read what it is told")
            self._drop(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            return
        del connection.unsent[:sent]
        events = EVENT_READ | (EVENT_WRITE if connection.unsent else 0)
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, connection)

    # Requests

    def _handle(self, connection: Connection, line: bytes) -> None:
        """Do what an agent asks; a request that fails is answered with `unknown`, and does not end the keeper."""
        request: Any = None
        try:
            request = json.loads(line)
            match request["do"]:
                case "start" if request.get("slots") is not None:
                    self._ahead.add(request)
                case "start":
                    self._jobs.start(request)
                case "recall":
                    self._ahead.recall()
                case "kill":
                    if not self._ahead.kill(request["job"], request["reason"]):
                        self._jobs.kill(request["job"], request["reason"])
                case "list":
                    if request.get("takes_over"):
                        self._leave_alone(connection)
                    self._ahead.tell_ends()
                    said = {"jobs": self._jobs.names(), "ahead": self._ahead.names(), **self._jobs.known._asdict()}
                    self._send(connection, {"event": "running", **said})
                case "stop":
                    self.stop()
                case other:
                    self._send(connection, {"event": "unknown", "do": other})
        except Exception as error:  # noqa: BLE001 - said to the agent, and in the log
            self._send(connection, _failed(request, error))

    def _start_ahead(self) -> None:
        """Start jobs that were handed over, as far as there are slots for them."""
        while order := self._ahead.take(len(self._jobs.names())):
            try:
                self._jobs.start(order)
            except Exception as error:  # noqa: BLE001 - said to the agents, and in the log
                self._ahead.say(_failed(order, error))

    def _leave_alone(self, connection: Connection) -> None:
        """Forget what others have asked for and is not done: they may not know what is known to this one."""
        for other in self._connections - {connection}:
            self._drop(other)
        self._ahead.clear()


def _failed(request: Any, error: Exception) -> Event:
    """Return what is said of a request that has failed, which may be anything."""
    note(f"a request failed: {error!r}")
    named = request if isinstance(request, dict) else {}
    about = {key: named[key] for key in ("do", "job") if isinstance(named.get(key), str)}
    return {"event": "unknown", **about, "reason": repr(error)}


def _is_from_here(connected: socket.socket) -> bool:
    """Tell whether who has connected is in our namespace of process ids: of others the kernel gives us no number."""
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(found)[0]
    return pid > 0


def main(argv: list[str]) -> int:
    """Serve a state directory in the background; return once it is served, or, in a box, when all is over.

    Args:
        argv: The directory; for the agent, the version of the program; how long to stay without work, in seconds. In a
            directory of its own also: that directory's name in it; and in a box the descriptor of the state directory,
            one to say `ready` by, and the lowest user id for jobs, with how many there are.
    """
    state_dir = os.path.abspath(argv[0])
    program = argv[1] if len(argv) > 1 else ""
    idle_s = float(argv[2]) if len(argv) > 2 else IDLE_S
    be_private()
    is_boxed = len(argv) > 4
    home = argv[3] if len(argv) > 3 else ""
    places = Places.boxed(state_dir, int(argv[4]), home) if is_boxed else Places.unboxed(state_dir, home)
    ids = Range(int(argv[6]), int(argv[7])) if len(argv) > 7 else NO_IDS
    try:
        for directory in (f"{places.state_dir}/{JOBS}", f"{places.home}/{RUNNING}"):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chdir(places.home)
        lock()
        listener = listen()
        if ids.length:
            acting.prepare()
    except Served:
        return 0
    except OSError as error:
        note(f"cannot serve {state_dir}: {error.strerror or error}")
        return 1
    is_awaited = True
    if is_boxed:
        is_awaited = _say_ready(int(argv[5]))
    # The agent waits for the first process, which says that the socket is there; the second one is nobody's child.
    elif os.fork():
        return 0
    note(f"serves {state_dir}")
    server = Server(places, listener, program, idle_s, ids)
    if not is_awaited:
        server.stop()
    server.serve()
    return 0


def _say_ready(descriptor: int) -> bool:
    """Tell the agent that the socket is there; return whether it hears that. Who comes later starts another keeper."""
    try:
        os.write(descriptor, READY)
    except BrokenPipeError:
        return False
    finally:
        os.close(descriptor)
    return True
