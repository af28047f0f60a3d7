"""How fast three-step chains run: real mosquitto, manager, agents and jobs, on this machine.

Prints a table on standard error and JSON on standard output; nothing passes or fails here.

    python benchmarks/chains.py [--chains 300] [--singles 50] [--slots 2] [--sandbox off]
"""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import yaml

from caroni_edge.base.chance import SystemChance
from caroni_edge.config import BrokerConfig, BrokerUrl
from caroni_edge.transport.base import Arrived, Connected, Event
from caroni_edge.transport.mqtt import MqttTransport

ROOT = Path(__file__).resolve().parent.parent
TRIGGERS = "caroni/managers/m1/workflows"
EVENTS = "caroni/managers/m1/events/#"
PRESENCE = "caroni/presence/#"
INPUTS = {"message": "caronirocks"}


def main() -> None:
    """Run the daemons, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=300, help="workflows at once")
    parser.add_argument("--singles", type=int, default=50, help="workflows one after the other")
    parser.add_argument("--slots", type=int, default=2, help="slots of the agent")
    parser.add_argument("--sandbox", default="preferred", help="what its jobs are locked into: preferred or off")
    options = parser.parse_args()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        port = start_mosquitto(directory, opened)
        manager = start_daemon(directory, opened, "manager", "m1", port, {"templates": str(ROOT / "config/templates")})
        more = {
            "job_types": str(ROOT / "config/jobtypes"),
            "slots": options.slots,
            "disk_floor": "1M",
            "sandbox": options.sandbox,
        }
        agent = start_daemon(directory, opened, "agent", "a1", port, more)
        client = Client(port, opened)
        client.run(1)
        singles = sorted(client.run(1) for _ in range(options.singles))
        pids = {"manager": [manager.pid], "agent": [agent.pid], "keeper": keepers_of(directory / "state-a1")}
        before = {name: sum(map(cpu_s, each)) for name, each in pids.items()}
        took_s = client.run(options.chains)
        used_s = {name: sum(map(cpu_s, each)) - before[name] for name, each in pids.items()}
    report = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()},
        "chain_latency_ms": {
            "runs": options.singles,
            "median": round(statistics.median(singles) * 1000, 1),
            "p95": round(singles[int(len(singles) * 0.95)] * 1000, 1),
            "least": round(singles[0] * 1000, 1),
        },
        "chains_at_once": {
            "chains": options.chains,
            "slots": options.slots,
            "seconds": round(took_s, 2),
            "chains_per_s": round(options.chains / took_s, 1),
        },
        "cpu_ms_a_chain": {name: round(used / options.chains * 1000, 2) for name, used in used_s.items()},
    }
    show(report)
    print(json.dumps(report))


def keepers_of(state_dir: Path) -> list[int]:
    """Return the processes that are the keepers of an agent: with and without a box."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if str(state_dir) in words and "caroni_edge.agent.keeper" in words and not words[0].endswith("bwrap"):
                found.append(int(process.name))
    return found or sys.exit(f"{state_dir} has no keeper")


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used itself; it says more than a rate where others work too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(report: dict[str, Any]) -> None:
    """Print the figures for people."""
    for name, facts in report.items():
        print(f"{name:18} " + "  ".join(f"{key} {value}" for key, value in facts.items()), file=sys.stderr)


def start_mosquitto(directory: Path, opened: ExitStack) -> int:
    """Start a mosquitto on a free port, with the settings that are recommended for it; return the port."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        sys.exit("mosquitto is not installed: apt-get install mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    config = directory / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {directory}/\n"
        "autosave_interval 30\nmax_queued_messages 1000000\nmax_inflight_messages 100\nset_tcp_nodelay true\n"
        + ("user root\n" if os.geteuid() == 0 else "")
    )
    run(opened, [program, "-c", str(config)], directory / "mosquitto.log")
    return port


def start_daemon(
    directory: Path,
    opened: ExitStack,
    role: str,
    name: str,
    port: int,
    more: dict[str, Any],
    command: Sequence[str] = (sys.executable, "-m", "caroni_edge"),
) -> subprocess.Popen[bytes]:
    """Start a manager or an agent."""
    config = directory / f"{name}.yaml"
    broker = {"url": f"mqtt://127.0.0.1:{port}", "username": name}
    facts = {"id": name, "state_dir": f"state-{name}", "broker": broker, "web": False, "log": {"level": "warning"}}
    config.write_text(yaml.safe_dump({**facts, **more}))
    return run(opened, [*command, role, "--config", str(config)], directory / f"{name}.log")


def run(opened: ExitStack, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that is ended with the benchmark."""
    out = opened.enter_context(log.open("wb"))
    process = subprocess.Popen(command, stdout=out, stderr=out)
    opened.callback(process.wait)
    opened.callback(process.terminate)
    return process


class Client:
    """Starts workflows and waits for their events, as a user's program would; it acknowledges none of them."""

    def __init__(self, port: int, opened: ExitStack) -> None:
        """Connect."""
        self.arrived: SimpleQueue[Event] = SimpleQueue()
        chance = SystemChance()
        self._new_id = chance.new_id
        broker = BrokerConfig(urls=(BrokerUrl("127.0.0.1", port, tls=False),), username="bench")
        self._transport = MqttTransport(broker, f"bench-{chance.new_id()}", clean_session=True)
        self._transport.start(self.arrived.put)
        opened.callback(self._transport.stop, 2.0)
        while not isinstance(self.arrived.get(timeout=10), Connected):
            continue
        self._transport.subscribe([(EVENTS, 0), (PRESENCE, 0)])
        nodes = {"caroni/presence/managers/m1", "caroni/presence/agents/a1"}
        while nodes:
            event = self.arrived.get(timeout=60)
            if isinstance(event, Arrived) and json.loads(event.payload)["online"]:
                nodes.discard(event.topic)

    def run(self, count: int, template: str = "test_simple", inputs: Mapping[str, Any] = INPUTS) -> float:
        """Start workflows at once; return the seconds until the last has completed."""
        begun = time.perf_counter()
        for _completed in self.completing(count, template, inputs):
            continue
        return time.perf_counter() - begun

    def completing(self, count: int, template: str, inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Start workflows at once; yield for each the event that it has completed, as it comes."""
        unfinished = {self._new_id() for _ in range(count)}
        waiting = sorted(unfinished)
        while unfinished:
            while waiting and self._start(waiting[-1], template, inputs):
                waiting.pop()
            event = self.arrived.get(timeout=120)
            if not isinstance(event, Arrived):
                continue
            self.ack(event)
            if "/events/" not in event.topic:
                continue
            body = json.loads(event.payload)
            if body["type"] == "caroni.workflow.failed":
                sys.exit(f"a workflow failed: {body['data']}")
            if body["type"] == "caroni.workflow.completed" and body["data"]["workflow"] in unfinished:
                unfinished.discard(body["data"]["workflow"])
                yield body

    def ack(self, message: Arrived) -> None:
        """Acknowledge a message."""
        self._transport.ack(message)

    def publish(self, topic: str, payload: bytes) -> int:
        """Publish at QoS 1; 0 says that it cannot be done now."""
        return self._transport.publish(topic, payload, qos=1)

    def _start(self, workflow: str, template: str, inputs: Mapping[str, Any]) -> int:
        trigger = {"template": template, "inputs": inputs, "id": workflow}
        return self.publish(TRIGGERS, json.dumps(trigger).encode())


if __name__ == "__main__":
    main()
