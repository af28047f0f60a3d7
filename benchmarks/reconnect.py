"""How soon work flows again after a broker restart: a real mosquitto is killed, stays away, and is started again.

Each round submits one workflow for each agent while the broker is away, and measures from the moment that it accepts
connections until jobs start: the first of them, and the last. First with one manager and one agent, both real daemons;
then with a real manager and many agents, which are real nodes (transport, session, SQLite, reactor) in a few processes,
with a runner that only notes the start. It takes some minutes, so it is no part of `make bench`:

    python -m benchmarks.reconnect [--agents 100] [--repeats 10] [--away 15]

Prints a table on standard error and JSON on standard output; nothing passes or fails here.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import yaml

from caroni_edge.agent.daemon import make_reactor
from caroni_edge.agent.jobtypes import load_job_types
from caroni_edge.agent.processes.outcome import Completed
from caroni_edge.agent.processes.port import JobEnded, JobOrder
from caroni_edge.config import load_agent
from caroni_edge.node.service import Service, Stop
from caroni_edge.node.startup import connect, open_node
from tests.brokers import Mosquitto
from tests.e2e.daemons import Daemon
from tests.support import wait_until

PROCESSES = 4
SETTLE_S = 4.0
"""So long all stays connected before the next round: a connection that was short is tried again later than others."""
TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {{caroni: "urn:caroni:cwl#"}}
inputs: {{}}
outputs: {{}}
steps:
  only:
    in: {{}}
    out: []
    run:
      class: Operation
      inputs: {{}}
      outputs: {{}}
      hints: {{caroni:JobType: {{name: {name}}}}}
"""


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=10, help="restarts of the broker in each of the two parts")
    parser.add_argument("--away", type=float, default=15.0, help="seconds that the broker is away")
    options = parser.parse_args()
    report = {
        "one_agent": measure(1, options.repeats, options.away, start_daemon),
        f"{options.agents}_agents": measure(options.agents, options.repeats, options.away, start_nodes),
    }
    for name, facts in report.items():
        print(f"{name:12} " + "  ".join(f"{key} {value}" for key, value in facts.items()), file=sys.stderr)
    print(json.dumps(report))


def measure(agents: int, repeats: int, away_s: float, start: Callable[..., Callable[[], dict[str, float]]]) -> Any:
    """Restart the broker some times; return the seconds until the first and the last agent has started a job."""
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-reconnect-")))
        broker = Mosquitto(directory / "mosquitto").start()
        opened.callback(broker.kill)
        names = [f"a{number}" for number in range(agents)]
        (directory / "templates").mkdir()
        for name in names:
            (directory / "templates" / f"{name}.cwl").write_text(TEMPLATE.format(name=name))
        manager = Daemon(directory, "manager", "m1", broker, templates=str(directory / "templates")).start()
        opened.callback(manager.stop)
        started = start(directory, broker, names, opened)
        wait_until(lambda: len(manager.get("/api/agents")["agents"]) == agents, 120, "all agents to be known")
        rounds = [restart(broker, manager, names, started, away_s) for _ in range(repeats)]
    first, last = zip(*rounds, strict=True)
    return {"rounds": repeats, "away_s": away_s, "first_s": summary(first), "last_s": summary(last)}


def restart(
    broker: Mosquitto, manager: Daemon, names: Sequence[str], started: Callable[[], dict[str, float]], away_s: float
) -> tuple[float, float]:
    """Kill the broker, submit a workflow for each agent, start the broker; return when the first and the last began."""
    time.sleep(SETTLE_S)
    before = started()
    broker.kill()
    for name in names:
        manager.post("/api/workflows", {"template": name, "inputs": {}}).raise_for_status()
    time.sleep(away_s)
    broker.start()
    up = time.time()

    def all_started() -> dict[str, float]:
        now = started()
        return now if all(now.get(name) != before.get(name) for name in names) else {}

    times = sorted(at - up for at in wait_until(all_started, 120, "all agents to start their job").values())
    print(f"first {times[0]:.2f} s, last {times[-1]:.2f} s", file=sys.stderr)
    return times[0], times[-1]


def summary(seconds: Iterable[float]) -> dict[str, float]:
    """Return what is reported of some measurements."""
    found = list(seconds)
    return {"median": round(statistics.median(found), 2), "max": round(max(found), 2)}


def write_job_type(directory: Path, name: str, script: str) -> str:
    """Write the one job type of an agent, which has its name; return its directory."""
    types = directory / f"types-{name}"
    types.mkdir()
    facts = {"name": name, "inputs": {}, "outputs": {}, "script": script}
    (types / f"{name}.yaml").write_text(yaml.safe_dump(facts))
    return str(types)


# One agent: a daemon, whose job leaves a file


def start_daemon(
    directory: Path, broker: Mosquitto, names: Sequence[str], opened: ExitStack
) -> Callable[[], dict[str, float]]:
    """Start an agent's daemon; return what tells when its last job has started."""
    (name,) = names
    note = directory / "started"
    types = write_job_type(directory, name, f"touch {note}")
    agent = Daemon(directory, "agent", name, broker, job_types=types, slots=2).start()
    opened.callback(agent.stop)
    return lambda: {name: note.stat().st_mtime} if note.exists() else {}


# Many agents: nodes in a few processes, which tell when a job starts


def start_nodes(
    directory: Path, broker: Mosquitto, names: Sequence[str], opened: ExitStack
) -> Callable[[], dict[str, float]]:
    """Start the agents' nodes; return what tells when the last job of each has started."""
    for name in names:
        types = write_job_type(directory, name, "true")
        facts = {"id": name, "state_dir": str(directory / f"state-{name}"), "job_types": types, "web": False}
        more = {"broker": {"url": broker.url, "username": name}, "disk_floor": "1M", "log": {"level": "error"}}
        (directory / f"{name}.yaml").write_text(yaml.safe_dump({**facts, **more}))
    context = multiprocessing.get_context("spawn")
    told, ended = context.Queue(), context.Event()
    for number in range(PROCESSES):
        process = context.Process(target=serve, args=(directory, names[number::PROCESSES], told.put, ended))
        process.start()
        opened.callback(process.join)
    opened.callback(ended.set)
    last: dict[str, float] = {}

    def started() -> dict[str, float]:
        while not told.empty():
            name, at = told.get()
            last[name] = at
        return dict(last)

    return started


def serve(directory: Path, names: Sequence[str], tell: Callable[[tuple[str, float]], None], ended: Event) -> None:
    """Run the nodes of some agents until they are to end; the work of one process."""
    with ExitStack() as opened:
        for name in names:
            config = load_agent(directory / f"{name}.yaml", {})
            node, service = open_node(config, opened), Service()
            runner: Any = NotingRunner(service, partial(tell_start, name, tell))
            reactor = make_reactor(node, config, load_job_types(config.job_types), runner)
            runner.ended = reactor.on_news
            node.attach(reactor)
            connect(node, service, opened)
            thread = threading.Thread(target=service.run, args=(node, lambda: None))
            thread.start()
            opened.callback(thread.join)
            opened.callback(service.deliver, Stop(0))
        ended.wait()


def tell_start(name: str, tell: Callable[[tuple[str, float]], None]) -> None:
    """Tell that an agent would have started a job now."""
    tell((name, time.time()))


class NotingRunner:
    """Starts nothing: it tells that a job would have been started, and says that it has ended."""

    def __init__(self, service: Service, started: Callable[[], None]) -> None:
        self.ended: Callable[..., None]
        self._service, self._started = service, started

    def start(self, order: JobOrder) -> None:
        """Note the start."""
        self._started()
        self._service.tell(partial(self.ended, JobEnded(order.job, Completed("{}"), time.time())))

    def kill(self, job: str, reason: str) -> None:
        """Nothing runs."""

    def recover(self, jobs: Iterable[str]) -> None:
        """Nothing runs."""

    def remove(self, job: str) -> None:
        """There are no files."""

    def log_chunk(self, job: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """There is no log."""
        return b"", True


if __name__ == "__main__":
    main()
