"""Bad lines between nodes and a broker: slow, long, losing packets, cut.

The kernel sees to rate (tbf), loss (iptables) and cuts, on cables between network namespaces. A proxy adds the delay,
since not every kernel has netem: what gets lost is thus sent again sooner than over a line as long as that.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tests.chaos.network import DOWN, READ_BYTES, UP, Line, Namespace, lines

IN_FLIGHT_MAX_BYTES = 4 << 20
"""So much may be on its way in one direction of a connection, as with the windows that TCP has."""
PACKET_BYTES = 1514
BURST_BYTES = 8 << 10
INSIDE = "CARONI_BENCHMARK_INSIDE"


class Kind(NamedTuple):
    """How a line is, in both directions.

    Attributes:
        name: For people.
        bits_per_s: What it carries; 0: what the machine does.
        round_trip_s: How long it takes there and back.
        loss: The share of packets that get lost.
        queue_bytes: So much waits in front of it before packets are dropped.
    """

    name: str
    bits_per_s: int = 0
    round_trip_s: float = 0.0
    loss: float = 0.0
    queue_bytes: int = 256 << 10


class LongLine(Line):
    """A line on which much is on its way at a time; it counts what it brings.

    Attributes:
        delay_s: How long anything takes in one direction.
        brought_bytes: So much has come through, by direction, without what TCP says again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int, host: str) -> None:
        """Begin short."""
        super().__init__(loop, target_port, host)
        self.delay_s = 0.0
        self.brought_bytes = {UP: 0, DOWN: 0}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        flying: deque[tuple[float, bytes]] = deque()
        changed = asyncio.Event()
        bringing = asyncio.create_task(self._bring(flying, changed, writer, direction))
        try:
            with suppress(ConnectionError):
                while data := await reader.read(READ_BYTES):
                    flying.append((self._loop.time() + self.delay_s, data))
                    changed.set()
                    while sum(len(data) for _, data in flying) > IN_FLIGHT_MAX_BYTES and not bringing.done():
                        await asyncio.sleep(0.01)
                    if bringing.done():
                        break
            flying.append((self._loop.time() + self.delay_s, b""))
            changed.set()
            await bringing
        finally:
            bringing.cancel()
        writer.close()

    async def _bring(
        self, flying: deque[tuple[float, bytes]], changed: asyncio.Event, writer: asyncio.StreamWriter, direction: str
    ) -> None:
        with suppress(ConnectionError):
            while True:
                while not flying:
                    changed.clear()
                    await changed.wait()
                arrives, data = flying[0]
                if (wait_s := arrives - self._loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                if not data:
                    return
                writer.write(data)
                await writer.drain()
                flying.popleft()
                self.brought_bytes[direction] += len(data)


class Host(Namespace):
    """A network namespace for one node, whose cable is as bad as it is told to be.

    Attributes:
        line: Where the node finds the broker.
    """

    def __init__(self, number: int, make_line: Callable[[str], Line]) -> None:
        """Lay a cable."""
        super().__init__(number)
        line = make_line(self.host)
        assert isinstance(line, LongLine)
        self.line = line
        self._ends: tuple[tuple[Sequence[str], str], ...] = (((), self.cable), (self.prefix, "eth0"))
        for prefix, device in self._ends:
            # A large packet is cut up on a real cable; here it would be lost as a whole.
            call(*prefix, "ip", "link", "set", device, "gso_max_segs", "1", "gso_max_size", str(PACKET_BYTES))
            call(*prefix, "iptables", "-N", self.cable)
            call(*prefix, "iptables", "-A", "INPUT", "-i", device, "-j", self.cable)

    def close(self) -> None:
        """Delete it with its cable."""
        for words in (("-D", "INPUT", "-i", self.cable, "-j", self.cable), ("-F", self.cable), ("-X", self.cable)):
            call("iptables", *words)
        super().close()

    def become(self, kind: Kind) -> None:
        """Let the line be like this from now on."""
        self.line.delay_s = kind.round_trip_s / 2
        for prefix, device in self._ends:
            call(*prefix, "tc", "qdisc", "replace", "dev", device, "root", *_shape(kind))
            call(*prefix, "iptables", "-F", self.cable)
            if kind.loss:
                lose = f"-m statistic --mode random --probability {kind.loss} -j DROP"
                call(*prefix, "iptables", "-A", self.cable, *lose.split())


def _shape(kind: Kind) -> Sequence[str]:
    if not kind.bits_per_s:
        return ["pfifo"]
    return f"tbf rate {kind.bits_per_s}bit burst {BURST_BYTES} limit {kind.queue_bytes}".split()


@contextmanager
def hosts(target_port: int, count: int) -> Iterator[list[Host]]:
    """Make hosts whose lines lead to a broker's port."""
    with lines(target_port, LongLine) as make_line:
        made: list[Host] = []
        try:
            for number in range(count):
                made.append(Host(number, make_line))
            yield made
        finally:
            for host in made:
                host.close()


def enter_own_network() -> None:
    """Run this program again in a network of its own, whose rules and cables are nobody else's; say what is missing."""
    if os.environ.get(INSIDE):
        call("ip", "link", "set", "lo", "up")
        return
    programs = {"unshare": "util-linux", "ip": "iproute2", "tc": "iproute2", "iptables": "iptables"}
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if missing:
        sys.exit(f"lines of one's own need programs that are not here: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        sys.exit("lines of one's own need network namespaces: run this as root")
    assert __spec__ is not None
    words = ["unshare", "--net", *sys.orig_argv]
    os.execvpe("unshare", words, {**os.environ, INSIDE: "1"})


def call(*words: str) -> None:
    """Run a command; what it complains of ends the program."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
