"""How a scatter of many instances goes: real mosquitto, manager, two agents and jobs, on this machine.

Says how many instances a second completed in each tenth of the way, and the most memory that the manager had. The jobs
leave a few files each: `TMPDIR=/dev/shm` puts them where files are cheap. Nothing passes or fails here.

    TMPDIR=/dev/shm python -m benchmarks.scatter [--count 100000] [--slots 2]
"""

import argparse
import json
import math
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.chains import TRIGGERS, Client, start_daemon, start_mosquitto
from caroni_edge.transport.base import Arrived

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}
inputs: {left: "int[]", right: "int[]"}
outputs: {all: {type: "string[]", outputSource: each/out}}
steps:
  each:
    scatter: [a, b]
    scatterMethod: flat_crossproduct
    in: {a: left, b: right}
    out: [out]
    run:
      class: Operation
      hints: {caroni:JobType: {name: tiny}}
      inputs: {a: int, b: int}
      outputs: {out: string}
"""
JOB_TYPE = """\
name: tiny
inputs: {a: int, b: int}
outputs: {out: string}
command: [/bin/echo, '{"out": "x"}']
"""
TENTHS = 10


def main() -> None:
    """Run the daemons, scatter, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="instances, rounded down to a product of two lists")
    parser.add_argument("--slots", type=int, default=2, help="slots of each agent")
    options = parser.parse_args()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        for name, text in (("templates/big.cwl", TEMPLATE), ("jobtypes/tiny.yaml", JOB_TYPE)):
            path = directory / name
            path.parent.mkdir()
            path.write_text(text)
        port = start_mosquitto(directory, opened)
        manager = start_daemon(directory, opened, "manager", "m1", port, {"templates": "templates"})
        for agent in ("a1", "a2"):
            more = {"job_types": "jobtypes", "slots": options.slots, "backlog": 20, "disk_floor": "1M"}
            start_daemon(directory, opened, "agent", agent, port, more)
        client = Client(port, opened)
        width = math.isqrt(options.count)
        rates = scatter(client, width, options.count // width)
        memory_mb = most_memory_mb(manager.pid)
    report: dict[str, Any] = {"instances": width * (options.count // width), "per_s": rates, "manager_mb": memory_mb}
    for name, facts in report.items():
        print(f"{name:12} {facts}", file=sys.stderr)
    print(json.dumps(report))


def scatter(client: Client, left: int, right: int) -> list[float]:
    """Run the scatter; return how many instances completed in a second, for each tenth of them."""
    inputs = {"left": list(range(left)), "right": list(range(right))}
    trigger = {"template": "big", "inputs": inputs, "id": "big"}
    client.publish(TRIGGERS, json.dumps(trigger).encode())
    count, done = left * right, 0
    rates: list[float] = []
    begun = time.perf_counter()
    while True:
        event = client.arrived.get(timeout=120)
        if not isinstance(event, Arrived) or "/events/" not in event.topic:
            continue
        client.ack(event)
        body = json.loads(event.payload)
        if body["type"] == "caroni.workflow.completed":
            return rates
        if body["type"] == "caroni.workflow.failed":
            sys.exit(f"the workflow failed: {body['data']}")
        if body["type"] == "caroni.step.completed" and "[" in body["data"]["step"]:
            done += 1
            if done % (count // TENTHS) == 0:
                now = time.perf_counter()
                rates.append(round(count // TENTHS / (now - begun), 1))
                print(f"{done:8} of {count}: {rates[-1]} a second", file=sys.stderr)
                begun = now


def most_memory_mb(pid: int) -> float:
    """Return the most resident memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    main()
