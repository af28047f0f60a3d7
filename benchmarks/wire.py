"""What goes over the wire: bytes and MQTT messages of a manager and of an agent, with work and without, on mosquitto.

Each node has a line of its own to the broker, which counts what passes: MQTT without TLS, TCP and IP. Prints a table on
standard error and JSON on standard output; nothing passes or fails here.

    python benchmarks/wire.py [--singles 20] [--chains 200] [--idle 300]
"""

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chains import ROOT, Client, start_daemon, start_mosquitto

PUBLISH = 3
STEPS = 3
"""Of a workflow of the template that is run."""
SETTLES_S = 3.0


@dataclass
class Count:
    """What has gone one way.

    Attributes:
        size_bytes: All of MQTT, its own messages too.
        messages: Those that were published.
    """

    size_bytes: int = 0
    messages: int = 0
    _rest: bytearray = field(default_factory=bytearray, repr=False)

    def add(self, data: bytes) -> None:
        """Count a piece of the stream, which may begin and end within a packet (MQTT 3.1.1, 2.2)."""
        self.size_bytes += len(data)
        self._rest += data
        while (size := packet_size(self._rest)) is not None and len(self._rest) >= size:
            self.messages += self._rest[0] >> 4 == PUBLISH
            del self._rest[:size]


def packet_size(data: bytearray) -> int | None:
    """Return how long the first packet is; None where that is not known yet."""
    size = 0
    for index, byte in enumerate(data[1:5]):
        size |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return 2 + index + size
    return None


class Line:
    """A way to the broker that counts."""

    def __init__(self, target: int, opened: ExitStack) -> None:
        """Listen on a free port."""
        self.up, self.down = Count(), Count()
        self._target, self._opened = target, opened
        self._server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def taken(self) -> tuple[int, int, int, int]:
        """Return bytes and messages up, then down, so far."""
        return self.up.size_bytes, self.up.messages, self.down.size_bytes, self.down.messages

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                node, _ = self._server.accept()
                broker = socket.create_connection(("127.0.0.1", self._target))
                for source, to, count in ((node, broker, self.up), (broker, node, self.down)):
                    threading.Thread(target=self._pump, args=(source, to, count), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, to: socket.socket, count: Count) -> None:
        with suppress(OSError), source, to:
            while data := source.recv(1 << 16):
                count.add(data)
                to.sendall(data)


class Meter:
    """Says what has passed since the last time, for each node."""

    def __init__(self, lines: dict[str, Line]) -> None:
        """Begin to count."""
        self._lines = lines
        self._before = {name: line.taken() for name, line in lines.items()}

    def read(self, per: float) -> dict[str, list[float]]:
        """Return bytes and messages up, then down, divided by `per`, when what was said last has arrived."""
        time.sleep(SETTLES_S)
        now = {name: line.taken() for name, line in self._lines.items()}
        spent = {
            name: [round((a - b) / per, 1) for a, b in zip(now[name], self._before[name], strict=True)] for name in now
        }
        self._before = now
        return spent


def main() -> None:
    """Run the daemons, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singles", type=int, default=20, help="workflows one after the other")
    parser.add_argument("--chains", type=int, default=200, help="workflows at once")
    parser.add_argument("--idle", type=float, default=300.0, help="seconds without work")
    options = parser.parse_args()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        port = start_mosquitto(directory, opened)
        lines = {name: Line(port, opened) for name in ("manager", "agent")}
        templates = {"templates": str(ROOT / "config/templates")}
        start_daemon(directory, opened, "manager", "m1", lines["manager"].port, templates)
        types = {"job_types": str(ROOT / "config/jobtypes"), "disk_floor": "1M"}
        start_daemon(directory, opened, "agent", "a1", lines["agent"].port, types)
        client = Client(port, opened)
        report = {}
        meter = Meter(lines)
        client.run(1)
        meter.read(1)
        for _ in range(options.singles):
            client.run(1)
        report["a step, alone"] = meter.read(options.singles * STEPS)
        client.run(options.chains)
        report["a step, of many"] = meter.read(options.chains * STEPS)
        time.sleep(options.idle)
        report["an idle hour"] = meter.read((options.idle + SETTLES_S) / 3600)
    print(f"{'':16} {'':8} {'bytes up':>10} {'messages':>9} {'bytes down':>10} {'messages':>9}", file=sys.stderr)
    for what, nodes in report.items():
        for name, counts in nodes.items():
            print(f"{what:16} {name:8} " + " ".join(f"{count:>10}" for count in counts), file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
