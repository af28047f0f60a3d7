"""Lines between nodes and the broker: a proxy that can be cut in several ways, a namespace that can be unplugged.

The proxy works everywhere. Where network namespaces may be made, an agent also lives in one of its own, so that its
line can be unplugged: the kernel then drops packets and sends them again, as with a real cable.
"""

import asyncio
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from caroni_edge.transport.network import no_delay
from tests.support import free_port

READ_BYTES = 1 << 16
RESET = struct.pack("ii", 1, 0)
"""Not to linger: a connection that is closed is reset."""
UP, DOWN = "up", "down"
"""To the broker, and from it."""


class Line:
    """Where a node finds the broker. All but `serve` and `_…` is for other threads.

    Attributes:
        host: The address to connect to.
        port: The port there.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int, host: str) -> None:
        self.host, self.port = host, free_port()
        self._loop, self._target_port = loop, target_port
        self._open = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        self._server: asyncio.Server | None = None
        self._is_refused = self._is_broker_away = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._latency_s, self._jitter_s, self._bytes_per_s = 0.0, 0.0, 0.0
        for direction in self._open.values():
            direction.set()

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    async def serve(self) -> None:
        """Listen, unless nobody is to be taken; where that is the line's fault, reset who is there, too."""
        if not self._is_refused and not self._is_broker_away:
            if self._server is None:
                self._server = await asyncio.start_server(self._connect, self.host, self.port)
            return
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers if self._is_refused else ():
            with suppress(OSError):  # it has been closed from the other side
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def hold(self, *directions: str) -> None:
        """Let nothing pass in these directions; connections stay, and what is sent waits."""
        for direction in directions:
            self._loop.call_soon_threadsafe(self._open[direction].clear)

    def refuse(self) -> None:
        """Reset all connections, and listen no more."""
        self._is_refused = True
        self._serve_now()

    def broker_is_away(self, is_away: bool) -> None:
        """Refuse connections as a host does on which no broker runs."""
        self._is_broker_away = is_away
        self._serve_now()

    def slow(self, latency_s: float, jitter_s: float, bytes_per_s: float) -> None:
        """Let all pass, but late and little at a time."""
        self._latency_s, self._jitter_s, self._bytes_per_s = latency_s, jitter_s, bytes_per_s

    def heal(self) -> None:
        """Undo what was done to the line; whether there is a broker is another matter."""
        self._latency_s = self._jitter_s = self._bytes_per_s = 0.0
        self._is_refused = False
        for direction in self._open.values():
            self._loop.call_soon_threadsafe(direction.set)
        self._serve_now()

    def _serve_now(self) -> None:
        asyncio.run_coroutine_threadsafe(self.serve(), self._loop).result(10)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        for end in pair:
            no_delay(end.get_extra_info("socket"))
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer, UP), self._pump(far_reader, writer, DOWN))
        finally:
            self._writers -= pair
            for end in pair:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                await self._delay(len(data))
                await self._open[direction].wait()
                writer.write(data)
                await writer.drain()
        # Who is cut off does not hear that the other side has closed.
        await self._open[direction].wait()
        writer.close()

    async def _delay(self, size_bytes: int) -> None:
        wait_s = self._latency_s + self._jitter_s * random.random()
        if self._bytes_per_s:
            wait_s += size_bytes / self._bytes_per_s
        if wait_s:
            arrived = self._loop.create_future()
            self._loop.call_later(wait_s, arrived.set_result, None)
            await arrived


@contextmanager
def lines(target_port: int, kind: type[Line] = Line) -> Iterator[Callable[[str], Line]]:
    """Run a thread that serves lines to the broker's port; the caller makes them with the address to listen on."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lines", daemon=True)
    thread.start()
    made: list[Line] = []

    def make(host: str) -> Line:
        line = kind(loop, target_port, host)
        asyncio.run_coroutine_threadsafe(line.serve(), loop).result(10)
        made.append(line)
        return line

    try:
        yield make
    finally:
        for line in made:
            line.refuse()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Namespace:
    """A network namespace for one node, with a cable to this one.

    Attributes:
        name: What `ip` calls it.
        cable: Our end of the cable; the other one is `eth0`.
        prefix: Before a command, has it run in there.
        host: The address of our end, for the line to listen on.
    """

    def __init__(self, number: int) -> None:
        run = os.getpid() % 512
        # 198.18.0.0/15 is set aside for tests between networks (RFC 2544).
        network = f"198.{18 + run // 256}.{run % 256}"
        self.name, self.cable = f"caroni-{os.getpid()}-{number}", f"cr{os.getpid() % 1_000_000}n{number}"
        self.host, inside = f"{network}.{4 * number + 1}", f"{network}.{4 * number + 2}"
        self.prefix = ("ip", "netns", "exec", self.name)
        _ip("netns", "add", self.name)
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("address", "add", f"{self.host}/30", "dev", self.cable)
        _ip("link", "set", self.cable, "up")
        for device in ("lo", "eth0"):
            _ip("-n", self.name, "link", "set", device, "up")
        _ip("-n", self.name, "address", "add", f"{inside}/30", "dev", "eth0")

    def unplug(self) -> None:
        """Let packets get lost, silently."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        """Undo `unplug`."""
        _ip("link", "set", self.cable, "up")

    def close(self) -> None:
        """Delete it with its cable."""
        _ip("netns", "delete", self.name)


def namespaces_allowed() -> bool:
    """Tell whether this process may make network namespaces and cables."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        Namespace(60).close()
    except subprocess.CalledProcessError:
        return False
    return True


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
